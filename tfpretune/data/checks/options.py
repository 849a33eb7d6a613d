"""Options of `check` that a source has no use for are refused. Imports no TensorFlow."""

import dataclasses
from collections.abc import Mapping

from tfpretune.data.readers.source_form import SourceForm
from tfpretune.errors import UsageError

OPTIONS: dict[str, dict[str, object]] = {
    "labelled": {field.name: field.default for field in dataclasses.fields(SourceForm) if field.name != "more_labels"},
    "tagged": {"word_column": 0, "tag_column": -1, "repair": False},
    "questions": {"may_lack": False},
    "masks": {"mask_orientation": "auto", "mask_values": ()},
}
"""By what a source holds: its options and their defaults. Questions without an answer are no problem, asked for or not."""
_HOLDS = {
    "labelled": "examples with labels",
    "tagged": "words with tags",
    "questions": "questions with contexts",
    "masks": "images with masks",
}
_COLUMNS = ("text_column", "label_column", "label_separator")


def refuse_other_options(spec: str, task: str, given: Mapping[str, object]) -> None:
    """Refuses the first option of another kind of source.

    Args:
        spec: the source.
        task: what it holds, of `OPTIONS`.
        given: the values of all options.

    Raises:
        UsageError: an option that is not of this task, or a column of a source without columns, is not at its default.
    """
    known = OPTIONS[task]
    for other, options in OPTIONS.items():
        for name, default in options.items():
            if name not in known and _plain(given[name]) != default:
                has = ", ".join(map(_written, known)) if task != "questions" else "none"
                raise UsageError(
                    f"{spec} holds {_HOLDS[task]}: {_written(name)} is for {_HOLDS[other]} (options here: {has})"
                )
    if spec.startswith(("text:", "images:")):
        for name in _COLUMNS:
            if name in known and given[name] not in ("", known[name]):
                raise UsageError(f"{spec} has no columns: {_written(name)} is for csv:, jsonl: and tfds:")


def _plain(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _written(name: str) -> str:
    return f"--{name.replace('_', '-')}"
