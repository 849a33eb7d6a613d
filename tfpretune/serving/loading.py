"""Loads an export with TensorFlow alone: no Keras, no tokenizer, no model code."""

import dataclasses
import importlib.util
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tfpretune.config import RunError, UsageError
from tfpretune.serving.operations import check_operations

ASSETS = "assets.extra"
WARMUP = "tf_serving_warmup_requests"  # the name that TF Serving looks for among them


@dataclasses.dataclass(frozen=True)
class ServedModel:
    """An export in memory."""

    folder: Path
    kind: str
    input_name: str
    class_names: tuple[str, ...]
    loaded: Any

    def call(self, signature: str, raw: Sequence[str | bytes]) -> dict[str, np.ndarray]:
        """Calls "serving_default" or "embed" with raw texts or encoded images; returns its named outputs."""
        import tensorflow as tf

        outputs = self.loaded.signatures[signature](**{self.input_name: tf.constant(list(raw), tf.string)})
        return {name: value.numpy() for name, value in outputs.items()}


def version_folder(directory: Path | str) -> Path:
    """Returns `directory` if it is a version (NAME/3), or the highest version in it (of NAME), as TF Serving chooses.

    Raises:
        UsageError: there is none.
    """
    directory = Path(directory)
    if (directory / "saved_model.pb").is_file() or (directory / "manifest.json").is_file():
        return directory
    versions = versions_in(directory)
    if not versions:
        raise UsageError(f"{directory} holds no export: expected NAME/VERSION, or NAME with folders named 1, 2, …")
    return versions[max(versions)]


def versions_in(directory: Path) -> dict[int, Path]:
    """Returns the children of a folder whose names are whole numbers, by number."""
    children = directory.iterdir() if directory.is_dir() else ()
    return {int(child.name): child for child in children if child.name.isascii() and child.name.isdecimal()}


def load(folder: Path | str) -> ServedModel:
    """Loads one version, after checking that its graph computes and does nothing else.

    Raises:
        RunError: an operation that is not allowed, or a file that cannot be read.
    """
    folder = Path(folder)
    preprocessing = read_json(folder, "preprocessing.json")
    check_operations(folder)

    import tensorflow as tf

    if preprocessing["kind"] == "text":
        _load_text_operations()
    try:
        loaded = tf.saved_model.load(str(folder))
    except (OSError, ValueError, tf.errors.OpError) as error:
        raise RunError(f"{folder} cannot be loaded: {str(error).splitlines()[0]}") from error
    names = tuple(read_text(folder, "labels.txt").splitlines())  # export refuses names of more than one line
    return ServedModel(folder, preprocessing["kind"], preprocessing["input"], names, loaded)


def read_json(folder: Path, name: str) -> Any:
    """Returns the content of a JSON file among the assets."""
    try:
        return json.loads(read_text(folder, name))
    except ValueError as error:
        raise RunError(f"{folder / ASSETS / name} is not JSON: {error}") from None


def read_text(folder: Path, name: str) -> str:
    """Returns the content of a text file among the assets."""
    path = folder / ASSETS / name
    try:
        return path.read_text("utf-8")
    except OSError:
        raise RunError(f"{path} is missing: {folder} was not exported by tfpretune") from None


def _load_text_operations() -> None:
    """Registers tensorflow-text's operations; importing the package itself would import Keras."""
    import tensorflow as tf

    spec = importlib.util.find_spec("tensorflow_text")
    if spec is None or spec.origin is None:
        raise RunError("a text model needs the package tensorflow-text: pip install tensorflow-text")
    for library in sorted(Path(spec.origin).parent.glob("python/ops/_*.so")):
        tf.load_op_library(str(library))
