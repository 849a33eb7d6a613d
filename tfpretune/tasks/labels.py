"""What is the same for whole examples, whatever a label is: a class, a set of classes, a number."""

import abc
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf

from tfpretune.backbones.stored_resize import read_resize
from tfpretune.data.batches.examples import image_array
from tfpretune.data.examples.examples import Examples
from tfpretune.data.readers.source_form import LabelKind, SourceForm
from tfpretune.data.sources.labelled import LabelledSplits, as_under, labelled_splits
from tfpretune.data.splits.form import SplitForm
from tfpretune.data.splits.rule import RULE
from tfpretune.evaluation.baselines.baseline import Baseline
from tfpretune.evaluation.predict import predict_outputs
from tfpretune.evaluation.report.kinds import SHOWN
from tfpretune.evaluation.report.tables import Table
from tfpretune.evaluation.report.written import PageFacts, Report
from tfpretune.objectives import Supervised, Target
from tfpretune.runtime.phases import phase
from tfpretune.settings.finetune import FinetuneConfig
from tfpretune.tasks.base import Task, curves_verdict, loss_curves
from tfpretune.tasks.held_out import HeldOut, Judged, choice_notes
from tfpretune.tasks.splits import raw_examples, splits_of_run
from tfpretune.training import FitResult
from tfpretune.training.loop.fingerprint import fingerprints
from tfpretune.training.tensorboard.run import EmbeddingsCallback, write_hparams


def open_splits(run: FinetuneConfig) -> LabelledSplits:
    """Opens the sources of a run, and refuses settings that are not compatible with its kind of labels.

    A run that was begun under an earlier rule of splitting goes on under it. The validation part is empty where it may choose
    nothing: where there are folds, and with --labels-per-class.
    """
    form = source_form(run)
    parts = splits_of_run(run, lambda splits: _open(run, form, splits))
    run.require_fits(parts.train.label_kind)
    if run.labels_per_class and not run.choose_on_validation:
        parts = dataclasses.replace(parts, validation=parts.validation.take([]))
    return parts


def _open(run: FinetuneConfig, form: SourceForm, splits: SplitForm) -> LabelledSplits:
    form, most = as_under(splits.rule, form), 64 if run.fast else 0
    few: dict[str, Any] = {"labels_per_class": run.labels_per_class, "most": most, "seed": run.seed}
    folds = run.folds if splits.rule == RULE or run.asks_for_folds else "none"  # there were none under rules of before
    return labelled_splits(run.source, form, splits=splits, folds=folds, **few)


def source_form(run: Any, **own: Any) -> SourceForm:
    """Returns how the source of a run is read: as its options say that are fields of `SourceForm`.

    Args:
        run: the settings of any recipe.
        own: fields that are no options of it.
    """
    names = [field.name for field in dataclasses.fields(SourceForm) if hasattr(run, field.name)]
    like = getattr(run, "resizes_like", getattr(run, "preset", ""))
    resize = {"resize": read_resize(like, getattr(run, "resize", ""))}
    return SourceForm(**({name: getattr(run, name) for name in names} | resize | own))


def shown_inputs(examples: Examples, model: keras.Model) -> Any:
    """Returns what a page shows of examples: images as the model sees them, pairs of texts as two paragraphs."""
    if SHOWN[examples.kind].picture:
        return image_array(examples, tuple(model.input["images"].shape[1:]))
    if examples.seconds is None:
        return examples.inputs
    return [f"{first}\n{second}" for first, second in zip(examples.inputs, examples.seconds, strict=True)]


@dataclasses.dataclass(frozen=True, eq=False)
class LabelTask(Task, Judged):
    """A label for each whole example. A subclass is a kind of labels; `by_target` lists them.

    Args:
        parts: the data of the run.
        validation: the validation batches, in order; None where nothing is chosen.
        test: the test batches, in order; None where there are folds only.
        tables: shown first in the report.
        more: what else must be the same when a run goes on; JSON values.
        held_out: the predictions out of fold, where there are folds.

    Attributes:
        kind: what a label is.
        what: a model of the task, for people.
        head: name of the model.
        score_name: what `score` returns, in words.
        higher_is_better: of `score`.
        hparams: the figures for TensorBoard's HParams page.
    """

    parts: LabelledSplits
    validation: tf.data.Dataset | None
    test: tf.data.Dataset | None
    tables: Sequence[Table] = ()
    more: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    held_out: HeldOut | None = None
    kind: ClassVar[LabelKind]
    what: ClassVar[str]
    head: ClassVar[str]
    score_name: ClassVar[str]
    higher_is_better: ClassVar[bool] = True
    hparams: ClassVar[tuple[str, ...]]

    @staticmethod
    @abc.abstractmethod
    def target(train: Examples, run: FinetuneConfig) -> Target:
        """Returns what a head is to say, from the training labels.

        Raises:
            UsageError: nothing can be learnt from the labels.
        """

    @staticmethod
    @abc.abstractmethod
    def label_texts(examples: Examples) -> list[str]:
        """Returns each label as a short text."""

    @staticmethod
    @abc.abstractmethod
    def score(outputs: np.ndarray, examples: Examples) -> float:
        """Returns one figure to compare models by, from what `predict_outputs` returned."""

    @staticmethod
    @abc.abstractmethod
    def write(
        examples: Examples,
        outputs: np.ndarray,
        page: PageFacts,
        *,
        threshold: float | None = None,
        baselines: Sequence[Baseline] = (),
        inputs: Any = None,
    ) -> Report:
        """Writes the report of a model on examples.

        Args:
            examples: n, with their labels.
            outputs: what `predict_outputs` returned, n rows.
            page: what else the page shows.
            threshold: from `choose_threshold`, or of an earlier run.
            baselines: see `baselines`.
            inputs: what the page shows of the examples; their own inputs when None.
        """

    @staticmethod
    def choose_threshold(validation: Examples, predict: Callable[[], np.ndarray]) -> float | None:
        """Returns from which probability on a label is given; None where nothing hangs on one.

        Args:
            validation: examples that are not reported on.
            predict: what the model says of them.
        """
        del validation, predict
        return None

    @staticmethod
    def counted_in(target: Target) -> dict[str, Any]:
        """Returns what the outputs are counted in: models of other units are not averaged."""
        del target
        return {}

    @abc.abstractmethod
    def baselines(self) -> list[Baseline]:
        """Returns what simple models, fitted on the same training examples, say of the test set; the strongest last."""

    @property
    def data(self) -> Examples:
        """The training examples."""
        return self.parts.train

    @property
    def watched(self) -> tf.data.Dataset | None:
        """The validation batches, in order."""
        return self.validation

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes, none of numbers."""
        return self.parts.class_names

    def identity(self, model: keras.Model) -> dict[str, Any]:
        """What the recipe adds, and validation examples that have a source of their own."""
        del model
        own = {"the validation examples": self.parts.validation} if self.parts.splits.validation_source else {}
        return fingerprints(own) | dict(self.more)

    def pages(self, batches: tf.data.Dataset, logs: str) -> list[keras.callbacks.Callback]:
        """The features of the validation set, with their labels."""
        examples = self.parts.validation
        shown = {"label": self.label_texts(examples), "where": examples.where}
        return [EmbeddingsCallback(batches, shown, log_dir=logs)]

    def report(self, model: Supervised, run: FinetuneConfig, result: FitResult) -> Report:  # type: ignore[override]
        """Writes the report on the test set, or out of fold, and its figures for TensorBoard's HParams page."""
        settings, held, kind = dataclasses.asdict(run), self.held_out, type(self)
        page: PageFacts = {
            "out_dir": run.out_dir,
            "title": f"{run.source}: test set",
            "curves": loss_curves(result),
            "settings": settings | {"training examples": len(self.parts.train)},
            "tables": [*([] if held is None else [held.table(kind)]), *self.tables],
            "notes": [*curves_verdict(result, run, kept=result.best_step), *choice_notes(self.parts, run, result)],
            "more": {} if held is None else held.numbers(kind),
        }
        alone = held if self.test is None else None
        report = self._on_test(model, page) if alone is None else self._out_of_fold(alone, model, page)
        report = report if held is None else held.say(report, kind)
        figures = {f"test_{name}": report.metrics[name] for name in self.hparams if name in report.metrics}
        write_hparams(f"{run.out_dir}/logs", settings, figures, step=result.steps)
        return dataclasses.replace(report, task=report.task | self.parts.as_task())

    def _on_test(self, model: Supervised, page: PageFacts) -> Report:
        validation, test = self.parts.validation, self.parts.test
        with phase("answering the test set"):
            outputs = predict_outputs(model, self.test)
        with phase("fitting simple models to compare with"):
            baselines = self.baselines()
        threshold = self.choose_threshold(validation, lambda: predict_outputs(model, self.validation))
        shown = shown_inputs(test, model)
        return self.write(test, outputs, page, threshold=threshold, baselines=baselines, inputs=shown)

    def _out_of_fold(self, held: HeldOut, model: Supervised, page: PageFacts) -> Report:
        return self.write(
            held.pooled,
            held.answers,
            held.page(page, type(self)),
            threshold=self.choose_threshold(self.parts.validation, lambda: held.answers),
            baselines=[held.baseline(type(self))],
            inputs=shown_inputs(held.pooled, model),
        )

    @staticmethod
    def raw_inputs(source: str, task: Mapping[str, Any], count: int) -> Sequence[Any]:
        """Texts, pairs of them, or images."""
        return raw_examples(source, task, count)
