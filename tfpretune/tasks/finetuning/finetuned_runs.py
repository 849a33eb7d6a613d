"""Fine-tuned runs to be averaged, put side by side or learnt from: loaded with all that their inputs need."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from tfpretune.data.batches.step_indexed import StepIndexed
from tfpretune.data.examples.examples import Examples
from tfpretune.data.examples.kinds import KINDS
from tfpretune.data.readers.source_form import SourceForm
from tfpretune.data.sources.labelled import LabelledSplits, as_under
from tfpretune.data.splits.form import SplitForm
from tfpretune.data.splits.rule import WITH_COPIES
from tfpretune.data.text.tokenizer import Tokenizer
from tfpretune.errors import UsageError
from tfpretune.evaluation.predict import predict_outputs
from tfpretune.evaluation.report.tables import Cell, Table
from tfpretune.evaluation.report.written import PageFacts, Report
from tfpretune.finetune.methods.normalization import refresh_normalization
from tfpretune.finetune.methods.soups import Method, Soup, ensemble, facts_of, greedy_soup, require_same, uniform_soup
from tfpretune.objectives import Supervised
from tfpretune.settings.columns import ColumnsOfRun
from tfpretune.tasks.by_target import LABELS, task_of
from tfpretune.tasks.classification import ClassificationTask
from tfpretune.tasks.finetuning.kinds import INPUTS, Inputs
from tfpretune.tasks.labels import LabelTask
from tfpretune.training.optimizers.moving_averages import MOST_BATCHES
from tfpretune.training.presets import load_task

SOUPS = ("uniform", "greedy")
ENSEMBLES: tuple[Method, ...] = ("mean", "vote", "stacked")


@dataclasses.dataclass(frozen=True, eq=False)
class FinetunedModel:
    """A fine-tuned model of whole examples.

    Attributes:
        run_dir: the folder of its run.
        model: in float32.
        task: the content of its `task.json`.
        inputs: how it reads examples.
        labels: what each label is, as a task.
    """

    run_dir: str
    model: Supervised
    task: dict[str, Any]
    inputs: Inputs
    labels: type[LabelTask] = ClassificationTask

    @property
    def tokenizer(self) -> Tokenizer | None:
        """Of a text model, else None."""
        return self.inputs.tokenizer

    @property
    def form(self) -> SourceForm:
        """How a source of labelled examples for this model is read: as that of its run was."""
        stored = as_under(self.splits.rule, SourceForm.from_task(self.task))
        pair_column = (stored.pair_column or "text_pair") if self.reads_pairs else ""
        return dataclasses.replace(stored, label_kind=self.labels.kind, pair_column=pair_column)

    def form_of(self, source: str, columns: ColumnsOfRun) -> SourceForm:
        """Returns how a source is read for this model: as that of its run, but for what is given.

        Args:
            source: how its files are written is that of the run's only where it is that source.
            columns: what is given; a second text is refused where the model reads one.
        """
        if columns.pair_column and not self.reads_pairs:
            raise UsageError(f"--pair-column {columns.pair_column}: {self.run_dir} reads single texts or images")
        written = {} if source == self.task.get("source") else {"delimiter": "", "encoding": ""}
        return dataclasses.replace(self.form, **(written | columns.given))

    @property
    def splits(self) -> SplitForm:
        """Where the parts of its data come from."""
        return SplitForm.from_task(self.task)

    def splits_of(self, source: str) -> SplitForm:
        """Returns where the parts of a source come from: those of the run's own, or split as that was."""
        alone = dataclasses.replace(self.splits, validation_source="", test_source="")
        return self.splits if source == self.task["source"] else alone

    @property
    def reads_pairs(self) -> bool:
        """Whether each example is two texts."""
        return reads_pairs(self.model)

    def batches(self, examples: Examples, batch_size: int) -> StepIndexed:
        """Serves examples as this model reads them."""
        return self.inputs.batches(examples, batch_size)


def reads_pairs(model: Supervised) -> bool:
    """Returns whether each example of a model is two texts."""
    return "segment_ids" in model.input


def load_finetuned(run_dir: str, *, kinds: Sequence[str] = ("single",)) -> FinetunedModel:
    """Loads the model of whole texts, pairs of texts or images that a fine-tuning run left.

    Args:
        run_dir: the folder of the run.
        kinds: kinds of labels that are meant.

    Raises:
        UsageError: the folder holds none, or a model of another task.
        RunError: a file is damaged.
    """
    preset = Path(run_dir) / "preset"
    model, task = load_task(preset)
    wanted, found = [LABELS[kind] for kind in kinds], task_of(model)
    labels = next((each for each in wanted if each is found), None)
    if labels is None:
        what = " or ".join(each.what for each in wanted)
        raise UsageError(f"{run_dir} holds no {what} of whole texts or images: nothing can be made of it here")
    # the next rule moved near copies, which only texts have
    if KINDS[task["kind"]].texts and SplitForm.from_task(task).rule < WITH_COPIES:
        print(
            f"note: {run_dir} was trained by an earlier version, which split texts otherwise: the validation and test splits "
            "of the same source may hold texts that it was trained on",
            flush=True,
        )
    inputs = INPUTS[task["kind"]].of_task(str(preset), task, pairs=reads_pairs(model))
    return FinetunedModel(run_dir, model, task, inputs, labels)


def require_classes(member: FinetunedModel, class_names: Sequence[str], source: str) -> None:
    """Raises UsageError unless a source has the classes of a model, in the same order."""
    if list(class_names) != list(member.task["class_names"]):
        raise UsageError(
            f"--source {source} has the classes {', '.join(class_names)}, "
            f"{member.run_dir} was trained on {', '.join(member.task['class_names'])}"
        )


@dataclasses.dataclass(frozen=True, eq=False)
class Ensemble:
    """Members, and what was made of them.

    Args:
        members: at least two.
        parts: the data that they are tried on; the validation split chooses, the test split is only reported.
        batch_size: examples at once.
    """

    members: Sequence[FinetunedModel]
    parts: LabelledSplits
    batch_size: int

    def __post_init__(self) -> None:
        """Refuses inputs and classes that differ."""
        require_same(self._facts(), may_differ=("window_length",))

    def soups(self) -> tuple[Supervised, Soup]:
        """Returns the uniform and the greedy soup.

        Raises:
            UsageError: the members are not of one architecture; says what differs.
        """
        require_same(self._facts(architecture=True))
        models = [member.model for member in self.members]
        batches = self.members[0].batches(self.parts.train, self.batch_size)
        seen = batches.from_step(0, min(batches.steps_per_epoch, MOST_BATCHES))

        def refresh(model: Supervised) -> int:
            return refresh_normalization(model, seen)

        sign = 1.0 if self.labels.higher_is_better else -1.0
        uniform = uniform_soup(models, refresh=refresh)
        return uniform, greedy_soup(
            models, lambda model: sign * self.score(model, self.parts.validation), refresh=refresh
        )

    def ensemble(self, method: Method) -> Supervised:
        """Returns the members side by side in one model; the validation split fits a stack."""
        batches = self.in_order(self.parts.validation) if method == "stacked" else None
        return ensemble([member.model for member in self.members], method, batches=batches)

    def in_order(self, examples: Examples) -> tf.data.Dataset:
        """Returns the examples as all members read them."""
        return self.members[0].batches(examples, self.batch_size).in_order()

    def score(self, model: Supervised, examples: Examples) -> float:
        """Returns the figure of the task, `score_name`, of a model on one part."""
        return self.labels.score(predict_outputs(model, self.in_order(examples)), examples)

    def report(self, model: Supervised, page: PageFacts) -> Report:
        """Writes the report of a model on the test split; of sets the validation split chooses the threshold."""
        validation, test = self.parts.validation, self.parts.test
        threshold = self.labels.choose_threshold(validation, lambda: predict_outputs(model, self.in_order(validation)))
        return self.labels.write(test, predict_outputs(model, self.in_order(test)), page, threshold=threshold)

    def table(self, models: dict[str, Supervised], *, note: str) -> Table:
        """Returns one row for each model by name."""
        rows: list[list[Cell]] = [
            [
                name,
                self.score(model, self.parts.validation),
                self.score(model, self.parts.test),
                model.count_params(),
            ]
            for name, model in models.items()
        ]
        figure = self.labels.score_name
        columns = ("", f"validation {figure}", f"test {figure}", "parameters")
        return Table("Models, soups and ensembles", columns, rows, note=note)

    @property
    def labels(self) -> type[LabelTask]:
        """What each label is, as a task."""
        return self.members[0].labels

    def _facts(self, *, architecture: bool = False) -> dict[str, dict[str, Any]]:
        """Returns what must be the same, by run. The threshold of sets may differ; what numbers are counted in may not."""
        found = {}
        for member in self.members:
            task = {name: value for name, value in member.task.items() if name != "threshold"}
            facts = facts_of(task, member.tokenizer, member.model if architecture else None)
            counted = member.labels.counted_in(member.model.target)
            found[member.run_dir] = facts | {"labels": member.labels.kind} | counted
        return found


def starts_of(run_dirs: Sequence[str]) -> set[str]:
    """Returns what the runs began from, as their `config.json` says; a run from scratch is a start of its own."""
    found = set()
    for run_dir in run_dirs:
        file = Path(run_dir) / "config.json"
        if file.is_file():
            settings = json.loads(file.read_text("utf-8"))
            found.add(f"{run_dir} (scratch)" if settings.get("from_scratch") else str(settings.get("preset")))
    return found
