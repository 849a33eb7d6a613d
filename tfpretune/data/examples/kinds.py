"""What each kind of input is: how one is told from another. Imports no TensorFlow."""

import dataclasses
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tfpretune.data.examples.base import in_bytes
from tfpretune.data.text.cleaning import text_key
from tfpretune.errors import RunError


@dataclasses.dataclass(frozen=True)
class InputKind:
    """One kind of input.

    Args:
        one: what a message calls one of them.
        keys: inputs -> a digest of each, the same for those that count as the same.
        exact: one input -> bytes that tell it from all others; None: its key does.
        texts: inputs -> what near copies are looked for in; None: nothing.
    """

    one: str
    keys: Callable[[Any], list[bytes]]
    exact: Callable[[Any], bytes] | None
    texts: Callable[[Any], list[str]] | None


def _text_keys(texts: Any) -> list[bytes]:
    return [text_key(text) for text in texts]


def _image_keys(images: Any) -> list[bytes]:
    """Compares arrays by their pixels, files by their bytes."""
    if not isinstance(images, np.ndarray):
        return [_file_key(path) for path in images]
    shape = repr(images.shape[1:]).encode()
    return [hashlib.sha256(shape + image.tobytes()).digest() for image in images]


def _file_key(path: str) -> bytes:
    try:
        return hashlib.sha256(Path(path).read_bytes()).digest()
    except OSError as error:
        raise RunError(
            f"{path}: cannot be read ({error.strerror}): check that it is there and that you may read it"
        ) from error


KINDS: Mapping[str, InputKind] = {
    "text": InputKind("a text", _text_keys, in_bytes, list),
    "image": InputKind("an image", _image_keys, None, None),
}
"""All kinds there are. The other tables of kinds are `checks.inputs`, `evaluation.baselines.kinds`, `evaluation.report.kinds`
and `tasks.finetuning.kinds`."""
