"""What a task says of itself: what it learns from, what picks the checkpoint, what is reported. One subclass per file."""

import abc
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeVar, get_args

import keras
import tensorflow as tf

from tfpretune.data.examples.base import ExampleSet
from tfpretune.data.sources.own_parts import part_of, with_own_parts
from tfpretune.data.splits.form import USUAL_SPLITS, SplitForm
from tfpretune.data.splits.rule import Part
from tfpretune.evaluation.report.report import Curves
from tfpretune.evaluation.report.written import Report
from tfpretune.evaluation.verdict.curves import say_of_curves
from tfpretune.settings.finetune import TaskConfig
from tfpretune.settings.run import RunConfig
from tfpretune.training import FitResult
from tfpretune.training.loop.fingerprint import Data

Measure = Callable[[], Mapping[str, float]]
"""Computes metrics of the validation set, with the weights that a model has when it is called."""


Each = TypeVar("Each")
Form = TypeVar("Form", bound=ExampleSet)


class Parts(NamedTuple, Generic[Each]):
    """One thing for each side of the split: examples, rows, batches."""

    train: Each
    validation: Each
    test: Each


def split_parts(
    examples: Form,
    *,
    most: int = 0,
    seed: int = 0,
    splits: SplitForm = USUAL_SPLITS,
    open_part: Callable[[str], Form] | None = None,
) -> Parts[Form]:
    """Splits a source by its contents, and opens the parts that have sources of their own.

    Args:
        examples: of any form.
        most: keep at most so many of each part, for rehearsals; 0 keeps all.
        seed: decides which.
        splits: where validation and test examples come from.
        open_part: opens a source of such a part as the examples were opened.
    """
    own: Mapping[str, Form] = {}
    if open_part is not None:
        examples, own = with_own_parts(examples, splits, lambda argument, source: open_part(source))
    parts = Parts(*(part_of(examples, own, splits, part) for part in get_args(Part)))
    return Parts(*(part.sample(most, seed=seed) if most else part for part in parts))


class Task(abc.ABC):
    """What a run's model is fitted and judged for. A recipe makes one from its data; `fit_task` and the recipe ask it."""

    @property
    @abc.abstractmethod
    def data(self) -> Data | Mapping[str, Data]:
        """The training examples, or several by name; a run on other ones does not go on from its checkpoints."""

    @property
    @abc.abstractmethod
    def watched(self) -> tf.data.Dataset | None:
        """The validation batches, in order; None where nothing is chosen, and the last weights are kept."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes in the order of their indices; () where there are none."""
        return ()

    @property
    def monitor(self) -> tuple[str, str] | None:
        """The validation metric that picks the checkpoint, and "max" or "min"; None: the one that the target watches."""
        return None

    def measure(self, model: keras.Model) -> Measure | None:
        """Returns what computes further metrics of the validation set; None where the target's own say all."""
        del model
        return None

    def identity(self, model: keras.Model) -> dict[str, Any]:
        """Returns what else must be the same when a run goes on; JSON values."""
        del model
        return {}

    def pages(self, batches: tf.data.Dataset, logs: str) -> list[keras.callbacks.Callback]:
        """Returns the task's own TensorBoard pages on the validation batches."""
        del batches, logs
        return []

    @abc.abstractmethod
    def report(self, model: keras.Model, run: TaskConfig, result: FitResult) -> Report:
        """Writes the report on the test set of a fitted model, beside what needs no training."""

    @staticmethod
    @abc.abstractmethod
    def raw_inputs(source: str, task: Mapping[str, Any], count: int) -> Sequence[Any]:
        """Returns a few inputs from the test split of a source, as they are sent to a served model.

        Args:
            source: as the task's recipe takes it.
            task: the content of `task.json`.
            count: how many at most.

        Raises:
            UsageError: the source cannot be opened in this way.
            RunError: nor read.
        """


def loss_curves(result: FitResult) -> Curves:
    """Returns the loss over the steps, as reports draw it."""
    sides = {"training": "loss", "validation": "val_loss"}
    return {"loss": {side: result.curves[name] for side, name in sides.items() if name in result.curves}}


def curves_verdict(result: FitResult, run: RunConfig, *, kept: int | None = None) -> list[str]:
    """Returns what the curves of a run say, in words; nothing of a rehearsal.

    Args:
        result: of the run.
        run: its settings.
        kept: step of the weights that are kept; None: the last.

    Examples:
        >>> from tfpretune.settings import RunConfig
        >>> from tfpretune.tasks import curves_verdict
        >>> from tfpretune.training import FitResult
        >>> curves = {"loss": [(50, 1.0)], "val_loss": [(10, 2.0), (20, 1.6), (30, 1.3), (40, 1.1), (50, 1.0)]}
        >>> result = FitResult(50, 12.5, best_step=50, best=1.0, curves=curves, stopped_early=False)
        >>> curves_verdict(result, RunConfig("demo:digits", "runs/digits", steps=50))
        ['The validation loss was still falling at the end: train longer (more steps or epochs).']
    """
    return [] if run.fast else say_of_curves(result.curves["loss"], result.curves.get("val_loss", ()), kept=kept)


def run_facts(run: RunConfig, verdict: Sequence[str]) -> dict[str, Any]:
    """Returns what a preset's `task.json` and the model card say of the run itself: what its page says first, a rehearsal."""
    return ({"rehearsal": True} if run.fast else {}) | ({"verdict": list(verdict)} if verdict else {})
