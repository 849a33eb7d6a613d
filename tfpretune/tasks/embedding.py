"""Embeddings: vectors to search with, near for examples of one class."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfpretune.data.batches.step_indexed import StepIndexed
from tfpretune.data.examples.examples import Examples
from tfpretune.data.sources.labelled import LabelledSplits
from tfpretune.evaluation.baselines.search import EmbeddingSpace, search_metrics, simple_space
from tfpretune.evaluation.metrics.retrieval import retrieval_metrics
from tfpretune.evaluation.report.report import write_report
from tfpretune.evaluation.report.search import FIGURES, search_tables, show_nearest
from tfpretune.evaluation.report.written import Report
from tfpretune.finetune.methods.probing import features_of
from tfpretune.objectives import Supervised
from tfpretune.settings.finetune import TaskConfig
from tfpretune.tasks.base import Measure, Parts, Task, curves_verdict, loss_curves, run_facts
from tfpretune.tasks.held_out import choice_notes
from tfpretune.tasks.splits import raw_examples
from tfpretune.training import FitResult
from tfpretune.training.tensorboard.run import EmbeddingsCallback

OWN = "embedder"
MakeBatches = Callable[[Examples, int], StepIndexed]
"""`(examples, batch_size) -> batches`, as a model reads them."""


def embedding_predictor(model: Supervised) -> Callable[[tf.data.Dataset], np.ndarray]:
    """Returns a function from batches to unit vectors `(rows, size)`, with the weights that the model has when called."""
    call = tf.function(
        lambda inputs: model.target.activate(tf.cast(model(inputs, training=False), tf.float32)), reduce_retracing=True
    )
    return lambda batches: np.concatenate([call(model.pick_inputs(batch)).numpy() for batch in batches])


@dataclasses.dataclass(frozen=True, eq=False)
class EmbeddingTask(Task):
    """Judged by the mean average precision of searching the validation set in itself.

    Args:
        parts: the data of the run; the validation split is mixed, since a source may be sorted by its classes.
        batches: all parts in order, as the model reads them; None for an empty validation split, which chooses nothing.
        simple: name of the vectors that need no training.
        compared: name -> vectors that stand beside the model's own.
        image_shape: height, width, channels of images; None of texts.
    """

    parts: LabelledSplits
    batches: Parts[Any]
    simple: str
    compared: Mapping[str, EmbeddingSpace]
    image_shape: tuple[int, int, int] | None

    @classmethod
    def before(
        cls,
        model: Supervised,
        parts: LabelledSplits,
        make_batches: MakeBatches,
        *,
        batch_size: int,
        seed: int,
    ) -> "EmbeddingTask":
        """Looks at the model before it is fitted: its features are compared with what it will give."""
        shape = None if parts.train.kind == "text" else tuple(model.input["images"].shape[1:])
        mixed = np.random.default_rng(seed).permutation(len(parts.validation))
        parts = dataclasses.replace(parts, validation=parts.validation.take(mixed))
        sides = (parts.train, parts.validation, parts.test)
        batches: Parts[Any] = Parts(
            *(make_batches(part, batch_size).in_order() if len(part) else None for part in sides)
        )
        name, simple = simple_space(parts, shape=shape)
        own = EmbeddingSpace(features_of(model, batches.train), features_of(model, batches.test))
        return cls(parts, batches, name, {name: simple, "backbone before": own}, shape)

    @property
    def data(self) -> Examples:
        """The training examples."""
        return self.parts.train

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes."""
        return self.parts.class_names

    @property
    def watched(self) -> tf.data.Dataset | None:
        """The validation batches, in order."""
        return self.batches.validation

    @property
    def monitor(self) -> tuple[str, str]:
        """The mean average precision."""
        return "map", "max"

    def measure(self, model: Supervised) -> Measure:
        """Recall at 1 and mean average precision."""
        embed, labels = embedding_predictor(model), self.parts.validation.known_labels
        watched = self.watched

        def figures() -> dict[str, float]:
            vectors = embed(watched)
            return {key: retrieval_metrics(vectors, labels)[key] for key in ("recall@1", "map")}

        return figures

    def pages(self, batches: tf.data.Dataset, logs: str) -> list[keras.callbacks.Callback]:
        """The embeddings of the validation set, with their classes."""
        examples = self.parts.validation
        names = [self.class_names[label] for label in examples.known_labels]
        return [EmbeddingsCallback(batches, {"label": names, "where": examples.where}, log_dir=logs, outputs=True)]

    def report(self, model: Supervised, run: TaskConfig, result: FitResult) -> Report:
        """Writes the report on searching with the test set, beside the backbone before and what needs no training."""
        embed, train = embedding_predictor(model), self.parts.train
        own = EmbeddingSpace(embed(self.batches.train), embed(self.batches.test))
        found = {name: search_metrics(space, self.parts) for name, space in {**self.compared, OWN: own}.items()}
        metrics, simple = found[OWN], found[self.simple]
        neighbours, pictures = show_nearest(own, self.parts)
        curves = dict(loss_curves(result))
        if self.watched is not None:
            searched = {key: result.curves[f"val_{key}"] for key in ("map", "recall@1")}
            curves["searching the validation set"] = searched
        verdict = [*curves_verdict(result, run, kept=result.best_step), *choice_notes(self.parts, run, result)]
        page = write_report(
            run.out_dir,
            title=f"{run.source}: searching with the test set",
            metrics=metrics,
            headline=FIGURES,
            curves=curves,
            tables=[*search_tables(found), neighbours],
            pictures=pictures,
            settings=dataclasses.asdict(run) | {"training examples": len(train), "license": train.license},
            data=train.near_copies(),
            numbers={f"baseline_simple_{key}": simple[key] for key in FIGURES},
            notes=verdict,
        )
        beside = f"{self.simple} {simple['recall@1']:.3f}, {simple['map']:.3f}"
        facts: dict[str, Any] = {"kind": train.kind, "license": train.license} | self.parts.as_task()
        return Report(
            page,
            metrics,
            f"recall@1 {metrics['recall@1']:.3f}, mAP {metrics['map']:.3f} in the training examples ({beside})",
            facts
            | {"metrics": metrics}
            | ({} if self.image_shape is None else {"image_shape": self.image_shape})
            | run_facts(run, verdict),
            verdict,
        )

    @staticmethod
    def raw_inputs(source: str, task: Mapping[str, Any], count: int) -> Sequence[Any]:
        """Texts or images."""
        return raw_examples(source, task, count)
