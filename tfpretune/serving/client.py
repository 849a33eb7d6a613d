"""Asks an export, or a TF Serving that holds it, for its answers to raw texts or image files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tfpretune.errors import RunError, UsageError
from tfpretune.serving.asking.models import Answer, Model, Refused, open_model, read_file, require_form

BATCH_SIZE = 32


class Prediction(NamedTuple):
    """The most probable class of one input.

    Attributes:
        label: name of the class.
        probability: what the model gives it, in [0, 1].

    Examples:
        >>> from tfpretune.serving import Prediction
        >>> answer = Prediction(label="sport", probability=0.9)  # one of the answers of `predict`
        >>> label, probability = answer
        >>> label, answer.probability
        ('sport', 0.9)
    """

    label: str
    probability: float


def predict(target: Path | str, inputs: Sequence[str] | Sequence[Sequence[str]]) -> list[Prediction] | list[Answer]:
    """Asks for the answers to raw texts, or to image files by their paths, whichever the model takes; to words of a tagger.

    Args:
        target: an export (NAME/VERSION, or NAME for its highest version), or a TF Serving model's REST address such as
            `http://localhost:8501/v1/models/NAME`.
        inputs: texts or paths. For a model that takes two texts at once: the first, its second, the next first, …. For a tagger
            also sentences, each a list of words as they were split for the training: it gives one tag for each word.

    Returns:
        One for each input (or two inputs), in their order: of a classifier `Prediction`s, of any other model the answers of
        `serving_default` by their names, as plain values; to words those of `words`.

    Raises:
        UsageError: there is no such export or file, or inputs of another number or kind than the model takes.
        RunError: the export is damaged, a file is not an image, or the server cannot be reached or refuses.

    Examples:
        >>> import numpy as np, PIL.Image
        >>> from tfpretune.serving import predict
        >>> PIL.Image.fromarray(np.zeros((8, 8), "uint8")).save("black.png")
        >>> predict("saved_models/digits", ["black.png"])  # written by `export`, not trained: no class is favoured
        [Prediction(label='zero', probability=0.5)]
    """
    model = open_model(target)
    words = bool(inputs) and all(isinstance(one, list | tuple) for one in inputs)
    require_form(model, words=words)
    groups: list[Any] = list(inputs) if words else grouped(inputs, model.names)  # type: ignore[arg-type]
    answers: list[Answer] = []
    for start in range(0, len(groups), BATCH_SIZE):
        part = groups[start : start + BATCH_SIZE]
        raw = [tuple(map(read_file, group)) for group in part] if model.of_files else part
        try:
            answers += model.ask(raw, words=words)
        except Refused as error:
            raise RunError(_explain(model, part, raw, words=words) or str(error)) from error
    if all(set(answer) == {"probabilities", "label", "scores"} for answer in answers):
        return [Prediction(answer["label"], max(answer["probabilities"])) for answer in answers]
    return answers


def grouped(inputs: Sequence[str], names: Sequence[str]) -> list[tuple[str, ...]]:
    """Returns the inputs in groups of as many as the model takes at once.

    Raises:
        UsageError: says which inputs it needs.
    """
    if len(inputs) % len(names):
        raise UsageError(
            f"the model takes {' and '.join(names)}: give {len(names)} inputs for each answer, received {len(inputs)}"
        )
    return [tuple(inputs[start : start + len(names)]) for start in range(0, len(inputs), len(names))]


def _explain(model: Model, groups: Sequence[Any], raw: Sequence[Any], *, words: bool) -> str:
    """Finds the file that makes the batch fail: one bad image fails all. Returns "" where it is none."""
    for group, value in zip(groups, raw, strict=True):
        try:
            model.ask([value], words=words)
        except Refused as alone:
            if model.of_files:
                return f"{group[0]}: {alone}"
    return ""
