"""Segmentation: the class of every pixel."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfpretune.data.batches.masks import mask_batches
from tfpretune.data.examples.examples import Examples
from tfpretune.data.examples.masks import MaskExamples
from tfpretune.data.readers.source_form import SourceForm
from tfpretune.data.sources.examples import open_examples
from tfpretune.data.sources.masks import open_masks
from tfpretune.evaluation.baselines.pixels import simple_predictors
from tfpretune.evaluation.metrics.segmentation import Predict, count_pixels, segmentation_metrics
from tfpretune.evaluation.report.report import write_report
from tfpretune.evaluation.report.segmentation import OVERALL, segmentation_pictures, segmentation_tables
from tfpretune.evaluation.report.written import Report
from tfpretune.objectives import Supervised
from tfpretune.settings.finetune import TaskConfig
from tfpretune.tasks.base import Measure, Parts, Task, curves_verdict, loss_curves, run_facts
from tfpretune.tasks.splits import split_form, test_part
from tfpretune.training import FitResult

OWN = "segmenter"


def pixel_weights(pixels: np.ndarray) -> tuple[float, ...]:
    """Returns one factor per class, so that all classes weigh the same in the loss: n / (classes * pixels of the class).

    Args:
        pixels: ints `(classes,)`, the training pixels of each; a class without any gets 1.
    """
    there = pixels > 0
    weights = pixels.sum() / np.maximum(pixels, 1) / max(1, there.sum())
    return tuple(np.where(there, weights, 1.0).tolist())


def pixel_predictor(model: Supervised) -> Predict:
    """Returns a function to the classes that a segmenter says, with the weights that it has when called."""
    call = tf.function(
        lambda images: tf.argmax(model({"images": images}, training=False), axis=-1), reduce_retracing=True
    )
    return lambda images: call(tf.constant(images)).numpy()


@dataclasses.dataclass(frozen=True, eq=False)
class SegmentationTask(Task):
    """Judged by the mean IoU (intersection over union of each class).

    Args:
        parts: images with masks.
        image_shape: height, width, channels that the model sees.
        batch_size: images at once.
    """

    parts: Parts[MaskExamples]
    image_shape: tuple[int, int, int]
    batch_size: int

    @property
    def data(self) -> MaskExamples:
        """The training images."""
        return self.parts.train

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes."""
        return self.parts.train.class_names

    @property
    def watched(self) -> tf.data.Dataset:
        """The validation batches, in order."""
        return self._in_order(self.parts.validation)

    @property
    def monitor(self) -> tuple[str, str]:
        """The mean IoU."""
        return "mean_iou", "max"

    def measure(self, model: keras.Model) -> Measure:
        """The mean IoU."""
        predict = pixel_predictor(model)
        return lambda: {"mean_iou": self._metrics(predict, self.parts.validation)["mean_iou"]}

    def report(self, model: keras.Model, run: TaskConfig, result: FitResult) -> Report:
        """Writes the report on the test set: each class, simple models beside it, images beside truth and prediction."""
        train, _, test = self.parts
        predict, names = pixel_predictor(model), self.class_names
        models = simple_predictors(self._in_order(train), train.pixels()) | {OWN: predict}
        found = {name: self._metrics(each, test) for name, each in models.items()}
        shown = next(iter(mask_batches(test.sample(8), 8, image_shape=self.image_shape).in_order()))
        verdict = curves_verdict(result, run, kept=result.best_step)
        best = max((figures["mean_iou"], name) for name, figures in found.items() if name != OWN)[1]
        page = write_report(
            run.out_dir,
            title=f"{run.source}: classes of the test set's pixels",
            metrics=found[OWN],
            headline=OVERALL,
            curves={**loss_curves(result), "mean IoU": {"validation": result.curves["val_mean_iou"]}},
            tables=segmentation_tables(found, names, model=OWN),
            pictures=segmentation_pictures(predict, shown, names),
            settings=dataclasses.asdict(run) | {"training images": len(train), "license": train.images.license},
            numbers={f"baseline_simple_{name}": found[best][name] for name in OVERALL},
            notes=verdict,
        )
        facts: dict[str, Any] = {"kind": "image", "class_names": list(names), "image_shape": self.image_shape}
        facts |= {} if train.images.resize == "squeeze" else {"resize": train.images.resize}
        return Report(
            page,
            found[OWN],
            f"mean IoU {found[OWN]['mean_iou']:.3f} ({best} {found[best]['mean_iou']:.3f})",
            facts
            | {"source": run.source, "license": train.images.license, "metrics": found[OWN]}
            | run_facts(run, verdict)
            | split_form(run).as_task(),
            verdict,
        )

    @staticmethod
    def raw_inputs(source: str, task: Mapping[str, Any], count: int) -> list[Any]:
        """Images."""

        def images(source: str) -> Examples:
            if source.startswith("demo:"):
                return open_masks(source).images
            return open_examples(source, SourceForm(label_column=""))

        return list(test_part(source, task, images).sample(count).inputs)

    def _in_order(self, examples: MaskExamples) -> tf.data.Dataset:
        return mask_batches(examples, self.batch_size, image_shape=self.image_shape).in_order()

    def _metrics(self, predict: Predict, examples: MaskExamples) -> dict[str, float]:
        counts = count_pixels(predict, self._in_order(examples), len(self.class_names))
        return segmentation_metrics(counts, self.class_names)
