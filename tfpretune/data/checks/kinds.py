"""What is said of the inputs of each kind, beside their labels and copies."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tfpretune.data.checks.images import decode_all
from tfpretune.data.readers.records import Problem

Faults = tuple[list[Problem], list[str]]


@dataclasses.dataclass(frozen=True)
class InputCheck:
    """How the inputs of one kind are looked at.

    Args:
        faults: all inputs of a source -> those that cannot be read, at their own places, and what is said of the others.
        notes: the good inputs, one at least -> what is said of them.
    """

    faults: Callable[[Any], Faults]
    notes: Callable[[Any], list[str]]


def _image_faults(images: Any) -> Faults:
    return ([], []) if isinstance(images, np.ndarray) else decode_all(images)


def _text_notes(texts: Any) -> list[str]:
    lengths = [len(text) for text in texts]
    return [f"texts have {int(np.median(lengths)):,} characters in the median, {max(lengths):,} at most"]


CHECKS: Mapping[str, InputCheck] = {
    "text": InputCheck(lambda texts: ([], []), _text_notes),
    "image": InputCheck(_image_faults, lambda images: []),
}
