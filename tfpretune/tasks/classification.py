"""Classification: one class of several for each example."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfpretune.data.examples.examples import Examples
from tfpretune.evaluation.baselines.baseline import Baseline
from tfpretune.evaluation.baselines.classes import class_baselines
from tfpretune.evaluation.baselines.labels import Predict, linear_classes
from tfpretune.evaluation.metrics.classification import accuracy, classification_metrics
from tfpretune.evaluation.metrics.out_of_fold import Interval, class_intervals
from tfpretune.evaluation.report.classifier import report_classes
from tfpretune.evaluation.report.written import PageFacts, Report
from tfpretune.finetune import balanced_class_weights
from tfpretune.objectives import Classification
from tfpretune.settings.finetune import FinetuneConfig
from tfpretune.tasks.labels import LabelTask
from tfpretune.training.tensorboard.images import ConfusionMatrixCallback


class ClassificationTask(LabelTask):
    """The best weights are those with the highest accuracy on the validation set."""

    kind = "single"
    what = "classifier"
    head = "classifier"
    score_name = "accuracy"
    hparams = ("accuracy", "f1_macro")
    shown = {"accuracy": "accuracy", "f1_macro": "macro F1"}

    @staticmethod
    def target(train: Examples, run: FinetuneConfig) -> Classification:
        """The classes, with weights where they are balanced."""
        names = train.class_names
        weights = balanced_class_weights(train.known_labels, len(names)) if run.balance_classes else None
        return Classification(len(names), label_smoothing=run.label_smoothing, class_weights=weights)

    @staticmethod
    def label_texts(examples: Examples) -> list[str]:
        """The names of the classes."""
        return [examples.class_names[label] for label in examples.known_labels]

    @staticmethod
    def score(outputs: np.ndarray, examples: Examples) -> float:
        """The accuracy."""
        return accuracy(outputs, examples)

    @staticmethod
    def simple(train: Examples) -> tuple[str, Predict]:
        """A logistic regression."""
        return linear_classes(train)

    @staticmethod
    def figures(examples: Examples, outputs: np.ndarray) -> dict[str, float]:
        """Accuracy, F1 and more."""
        return classification_metrics(examples.known_labels, outputs, examples.class_names)

    @staticmethod
    def intervals(examples: Examples, outputs: np.ndarray, groups: np.ndarray) -> dict[str, Interval]:
        """Of accuracy and macro F1."""
        return class_intervals(examples.known_labels, outputs, groups)

    @staticmethod
    def write(
        examples: Examples,
        outputs: np.ndarray,
        page: PageFacts,
        *,
        threshold: float | None = None,
        baselines: Sequence[Baseline] = (),
        inputs: Any = None,
    ) -> Report:
        """Accuracy, F1, confusion matrix, calibration, mistakes."""
        del threshold
        return report_classes(examples, outputs, inputs=inputs, baselines=baselines, **page)

    def baselines(self) -> list[Baseline]:
        """The most frequent class, and a logistic regression."""
        return class_baselines(self.parts.train, self.parts.test)

    def pages(self, batches: tf.data.Dataset, logs: str) -> list[keras.callbacks.Callback]:
        """Which classes are taken for each other, and the features."""
        return [ConfusionMatrixCallback(batches, self.class_names, log_dir=logs), *super().pages(batches, logs)]
