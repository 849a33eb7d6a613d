"""From the preset of a fine-tuning run to a served model."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tfpretune import serving
from tfpretune.backbones.sizes import load_tokenizer
from tfpretune.config import RunError, UsageError
from tfpretune.data.masks import open_masks
from tfpretune.data.question_sources import open_questions
from tfpretune.data.sources import open_source
from tfpretune.data.tagged_sources import open_tagged
from tfpretune.objectives import Classes, Spans
from tfpretune.stages.labelled import label_kind_of
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
    `threshold`, `longest_answer` and `stride`; of pairs from a file `pair_column`, of sets `label_separator`.

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
            pair_column=task.get("pair_column", ""),
            label_separator=task.get("label_separator", ";"),
        )
        if with_examples
        else None,
        version=version,
    )


def examples_of(
    model: Any, source: str, count: int = 3, *, pair_column: str = "", label_separator: str = ";"
) -> Sequence[Any]:
    """Returns a few raw inputs for a model from the test part of a source; none, and a line that says why, if it cannot.

    Args:
        model: the fine-tuned model.
        source: what `open_source`, `open_tagged`, `open_questions` or `open_masks` takes, whichever fits the model.
        count: how many at most.
        pair_column: of pairs: column of the second text.
        label_separator: between the classes of a set.
    """
    target = getattr(model, "target", None)
    rank = len(model.output.shape) if target is not None else 0
    try:
        if isinstance(target, Spans):
            questions = open_questions(source).split("test").sample(count)
            return list(zip(questions.questions, questions.contexts, strict=True))
        if isinstance(target, Classes) and rank == 3:
            return open_tagged(source).split("test").sample(count).texts()
        if isinstance(target, Classes) and rank == 4:
            opened = open_masks(source).images if source.startswith("demo:") else open_source(source, label_column="")
            return list(opened.split("test").sample(count).inputs)
        form = {"pair_column": pair_column, "label_separator": label_separator}
        examples = open_source(source, label_kind=label_kind_of(target) or "", **form).split("test").sample(count)
    except (UsageError, RunError) as error:
        print(f"no examples of the data are stored: {error}")
        return []
    if examples.seconds is None:
        return list(examples.inputs)
    return list(zip(examples.inputs, examples.seconds, strict=True))
