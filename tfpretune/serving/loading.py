"""Loads an export with TensorFlow alone: no Keras, no tokenizer, no model code."""

import base64
import dataclasses
import importlib.util
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tfpretune.errors import RunError, UsageError
from tfpretune.serving.operations import check_operations

ASSETS = "assets.extra"
DEFAULT, EMBED, WORDS = "serving_default", "embed", "words"  # names of signatures
WARMUP = "tf_serving_warmup_requests"  # the name that TF Serving looks for among them


RAW_INPUTS = (
    ("texts",),
    ("texts", "text_pairs"),
    ("questions", "contexts"),
    ("image_bytes",),
    (WORDS,),
)  # of all kinds of models
FILE_INPUTS = (("image_bytes",),)  # of these, those that are the contents of files
Raw = str | bytes


@dataclasses.dataclass(frozen=True)
class ServedModel:
    """An export in memory.

    Args:
        folder: its version's folder.
        kind: "text" or "image".
        input_names: of the raw inputs of `serving_default`, strings `(batch,)`; words `(batch, n)`.
        heads: what `metadata.json` says of each head: by task, or under "" where there is one.
        loaded: TensorFlow's object.
        training: what `metadata.json` says of the training.
    """

    folder: Path
    kind: str
    input_names: tuple[str, ...]
    heads: dict[str, dict[str, Any]]
    loaded: Any
    training: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def of_files(self) -> bool:
        """Whether it takes the contents of files."""
        return self.input_names in FILE_INPUTS

    @property
    def input_name(self) -> str:
        """Name of the first raw input."""
        return self.input_names[0]

    @property
    def class_names(self) -> tuple[str, ...]:
        """Classes of a model with one head; () where it has none."""
        return tuple(self.heads.get("", {}).get("class_names", ()))

    @property
    def signatures(self) -> tuple[str, ...]:
        """Names of the signatures."""
        return tuple(self.loaded.signatures)

    def inputs_of(self, signature: str) -> tuple[str, ...]:
        """Returns the names of a signature's raw inputs: those of `serving_default`, or `words` (which may be a task, too)."""
        return (WORDS,) if signature == WORDS and WORDS not in self.heads else self.input_names

    def call(self, signature: str, raw: Sequence[Raw] | Sequence[Sequence[Raw]]) -> dict[str, np.ndarray]:
        """Calls a signature; its named outputs.

        Args:
            signature: its name.
            raw: texts or encoded images; tuples where it takes several; lists of words where it takes words.
        """
        import tensorflow as tf

        names = self.inputs_of(signature)
        if names == (WORDS,):
            rows = filled(raw)
            columns = [tf.constant(rows, tf.string, shape=(len(rows), len(rows[0]) if rows else 0))]
        elif len(names) == 1:
            columns = [tf.constant(list(raw), tf.string)]
        else:
            columns = [tf.constant([one[i] for one in raw], tf.string) for i in range(len(names))]
        inputs = dict(zip(names, columns, strict=True))
        outputs = self.loaded.signatures[signature](**inputs)
        return {name: value.numpy() for name, value in outputs.items()}


def filled(sentences: Sequence[Any]) -> list[list[Any]]:
    """Fills lists of words up with "" to one length, of one at least: TF Serving's REST takes no other."""
    width = max([1, *map(len, sentences)])
    return [[*words, *[""] * (width - len(words))] for words in sentences]


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
    preprocessing = read_object(folder, "preprocessing.json")
    about = read_object(folder, "metadata.json")
    heads = about.get("heads")
    if heads is None or not {"inputs", "kind"} <= preprocessing.keys():
        raise RunError(f"{folder} was exported by an older tfpretune: export it again")
    check_operations(folder)

    import tensorflow as tf

    if tuple(preprocessing["inputs"]) not in FILE_INPUTS:
        _load_text_operations()
    try:
        loaded = tf.saved_model.load(str(folder))
    except Exception as error:  # a graph of objects that does not fit can break TensorFlow's loader anywhere
        said = (str(error).splitlines() or ["no message"])[0]
        raise RunError(f"{folder} cannot be loaded: {type(error).__name__}: {said}") from error
    inputs, training = tuple(preprocessing["inputs"]), about.get("training") or {}
    return ServedModel(folder, preprocessing["kind"], inputs, heads, loaded, training)


def raw_inputs(stored: Mapping[str, Any] | list[str], names: Sequence[str]) -> tuple[bytes, ...]:
    """Returns what one stored example of `checks.json` sends, for each of the raw inputs; of words these."""
    if isinstance(stored, list):
        return tuple(word.encode("utf-8") for word in stored)
    parts = [stored] if len(names) == 1 else [stored[name] for name in names]
    return tuple(base64.b64decode(x["base64"]) if "base64" in x else x["text"].encode("utf-8") for x in parts)


def read_json(folder: Path, name: str) -> Any:
    """Returns the content of a JSON file among the assets."""
    try:
        return json.loads(read_text(folder, name))
    except ValueError as error:
        raise RunError(f"{folder / ASSETS / name} is not JSON: {error}") from None


def read_object(folder: Path, name: str) -> dict[str, Any]:
    """Returns the content of a JSON file among the assets that holds an object."""
    found = read_json(folder, name)
    if not isinstance(found, dict):
        raise RunError(f"{folder / ASSETS / name} holds no JSON object: {folder} was not exported by tfpretune")
    return found


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
