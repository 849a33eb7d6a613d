"""From the preset of a fine-tuning run to a served model."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tfpretune import serving
from tfpretune.backbones.by_name import load_tokenizer
from tfpretune.data.readers.source_form import USUAL_FORM, SourceForm
from tfpretune.data.sources.examples import open_examples
from tfpretune.data.sources.masks import open_masks
from tfpretune.data.sources.questions import open_questions
from tfpretune.data.sources.tagged import open_tagged
from tfpretune.errors import RunError, UsageError
from tfpretune.objectives import Classes, Spans
from tfpretune.training.presets import load_task


def export_run(
    run_dir: Path | str,
    saved_models: Path | str,
    *,
    name: str = "",
    version: int | None = None,
    with_examples: bool = False,
) -> Path:
    """Exports the fine-tuned model of a run.

    What the model is asked and answers follows from itself. `task.json` has what it cannot know: `class_names` (by task where
    there are several), `sequence_length` of a text model, and, where they are not the defaults of `serving.export`,
    `threshold`, `longest_answer` and `stride`; of a source of examples what `SourceForm.as_task` says, of tagged words
    `word_column` and `tag_column`.

    Args:
        run_dir: folder of the run, with `preset` in it.
        saved_models: folder of all served models.
        name: the served model's name; "": that of the folder.
        version: see `serving.export`.
        with_examples: store examples of the source's test part with the model's answers; without, made inputs only.

    Returns:
        The folder of the new version.
    """
    preset = Path(run_dir) / "preset"
    model, task = load_task(preset)
    text = any(tensor.name == "token_ids" for tensor in model.inputs)
    return serving.export(
        model,
        saved_models,
        name=name or Path(run_dir).resolve().name,
        kind=task.get("kind"),
        class_names=task.get("class_names", ()),
        tokenizer=load_tokenizer(str(preset)) if text else None,
        sequence_length=task.get("sequence_length"),
        image_shape=tuple(task["image_shape"]) if "image_shape" in task else None,
        threshold=task.get("threshold", 0.5),
        longest_answer=task.get("longest_answer", 30),
        stride=task.get("stride", 0),
        metadata=task,
        examples=examples_of(
            model,
            task.get("source", ""),
            form=SourceForm.from_task(task),
            tag_columns=(task.get("word_column", 0), task.get("tag_column", -1)),
        )
        if with_examples
        else None,
        version=version,
    )


def examples_of(
    model: Any,
    source: str,
    count: int = 3,
    *,
    form: SourceForm = USUAL_FORM,
    tag_columns: tuple[int, int] = (0, -1),
) -> Sequence[Any]:
    """Returns a few raw inputs for a model from the test part of a source; none, and a line that says why, if it cannot.

    Args:
        model: the fine-tuned model.
        source: what `open_source`, `open_tagged`, `open_questions` or `open_masks` takes, whichever fits the model.
        count: how many at most.
        form: how a source of examples is read; labels are not.
        tag_columns: of a CoNLL file: the columns of words and tags.
    """
    target, unlabelled = getattr(model, "target", None), dataclasses.replace(form, label_column="")
    rank = len(model.output.shape) if target is not None else 0
    try:
        if isinstance(target, Spans):
            questions = open_questions(source).split("test").sample(count)
            return list(zip(questions.questions, questions.contexts, strict=True))
        if isinstance(target, Classes) and rank == 3:
            word, tag = tag_columns
            tagged = open_tagged(source, word_column=word, tag_column=tag, repair=True)
            return tagged.split("test").sample(count).texts()
        if isinstance(target, Classes) and rank == 4:
            opened = open_masks(source).images if source.startswith("demo:") else open_examples(source, unlabelled)
            return list(opened.split("test").sample(count).inputs)
        examples = open_examples(source, unlabelled).split("test").sample(count)
    except (UsageError, RunError) as error:
        print(f"no examples of the data are stored: {error}")
        return []
    if examples.seconds is None:
        return list(examples.inputs)
    return list(zip(examples.inputs, examples.seconds, strict=True))
