"""Options of `check` that a source has no use for are refused. Imports no TensorFlow."""

import dataclasses

from tfpretune.data.readers.masks.form import USUAL_MASKS, MaskForm
from tfpretune.data.readers.source_form import USUAL_FORM, SourceForm
from tfpretune.data.readers.tag_form import USUAL_TAGS, TagForm
from tfpretune.errors import UsageError

Options = dict[str, dict[str, object]]


_OF_TAGS = ("word_column", "tag_column", "words_key", "tags_key", "tag_names", "repair")


def _options(form: SourceForm, tags: TagForm, masks: MaskForm) -> Options:
    """By what a source holds, its options. Questions without an answer are no problem, asked for or not."""
    labelled = dataclasses.asdict(form)
    del labelled["more_labels"]
    return {
        "labelled": labelled,
        "tagged": {name: getattr(tags, name) for name in _OF_TAGS} | {"encoding": form.encoding},
        "questions": {"may_lack": form.may_lack, "encoding": form.encoding},
        "masks": {"mask_orientation": masks.orientation, "mask_values": masks.values},
    }


OPTIONS = _options(USUAL_FORM, USUAL_TAGS, USUAL_MASKS)
_HOLDS = {
    "labelled": "examples with labels",
    "tagged": "words with tags",
    "questions": "questions with contexts",
    "masks": "images with masks",
}
_COLUMNS = ("text_column", "label_column", "image_column", "delimiter", "label_separator")


def refuse_other_options(spec: str, task: str, form: SourceForm, tags: TagForm, masks: MaskForm) -> None:
    """Refuses the first option of another kind of source.

    Args:
        spec: the source.
        task: what it holds, of `OPTIONS`.
        form: how examples would be read.
        tags: how tagged words would be read.
        masks: how images with masks would be read.

    Raises:
        UsageError: an option that is not of this task, or a column of a source without columns, is not at its default.
    """
    known = OPTIONS[task]
    for other, options in _options(form, tags, masks).items():
        for name, value in options.items():
            if name not in known and value != OPTIONS[other][name]:
                has = ", ".join(map(_written, known))
                raise UsageError(
                    f"{spec} holds {_HOLDS[task]}: {_written(name)} is for {_HOLDS[other]} (options here: {has})"
                )
    if spec.startswith(("text:", "images:")):
        for name in _COLUMNS:
            if name in known and getattr(form, name) not in ("", known[name]):
                raise UsageError(f"{spec} has no columns: {_written(name)} is for csv:, jsonl:, parquet: and tfds:")


def _written(name: str) -> str:
    return f"--{name.replace('_', '-')}"
