"""From the preset of a fine-tuning run to a served model."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tfpretune import serving
from tfpretune.backbones.by_name import load_tokenizer
from tfpretune.errors import RunError, UsageError
from tfpretune.tasks.by_target import task_of
from tfpretune.tasks.classification import ClassificationTask
from tfpretune.tasks.finetuning.running_words import served_words
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
    `threshold`, `longest_answer`, `stride` and `resize`; of a file `text_column`, of pairs `pair_column`, of tagged words
    `word_column`, `tag_column`, `joiner` and `words`.

    Args:
        run_dir: folder of the run, with `preset` in it.
        saved_models: folder of all served models.
        name: the served model's name; "": that of the folder.
        version: see `serving.export`.
        with_examples: store examples of the source's test split with the model's answers; without, made inputs only.

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
        resize=task.get("resize", "squeeze"),
        threshold=task.get("threshold", 0.5),
        longest_answer=task.get("longest_answer", 30),
        stride=task.get("stride", 0),
        **served_words(task),
        metadata=task,
        examples=examples_of(model, task) if with_examples else None,
        version=version,
    )


def examples_of(model: Any, task: Mapping[str, Any], count: int = 3) -> Sequence[Any]:
    """Returns a few raw inputs for a model from the test split of its source; none, and a line that says why, if it cannot.

    Args:
        model: the fine-tuned model.
        task: the content of its `task.json`.
        count: how many at most.
    """
    raw_inputs = (task_of(model) or ClassificationTask).raw_inputs
    try:
        return raw_inputs(task.get("source", ""), task, count)
    except (UsageError, RunError) as error:
        print(f"no examples of the data are stored: {error}")
        return []
