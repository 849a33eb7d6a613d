"""Regression: a number for each example."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from tfpretune.data.examples.examples import Examples
from tfpretune.errors import UsageError
from tfpretune.evaluation.baselines.baseline import Baseline
from tfpretune.evaluation.baselines.labels import Predict, fitted_on, linear_numbers
from tfpretune.evaluation.metrics.out_of_fold import Interval, number_intervals
from tfpretune.evaluation.metrics.regression import regression_metrics
from tfpretune.evaluation.report.labelled import report_numbers
from tfpretune.evaluation.report.written import PageFacts, Report
from tfpretune.objectives import Regression, Target
from tfpretune.settings.finetune import FinetuneConfig
from tfpretune.tasks.labels import LabelTask


class RegressionTask(LabelTask):
    """The best weights are those with the lowest mean absolute error on the validation set."""

    kind = "regression"
    what = "regressor"
    head = "regressor"
    score_name = "mean absolute error"
    higher_is_better = False
    hparams = ("root_mean_squared_error", "mean_absolute_error", "r2")
    shown = {"mean_absolute_error": "MAE", "root_mean_squared_error": "RMSE", "r2": "R2"}

    @staticmethod
    def target(train: Examples, run: FinetuneConfig) -> Regression:
        """A number in units of the training labels' spread around their mean."""
        del run
        labels = train.known_labels
        offset, scale = float(labels.mean(dtype=np.float64)), float(labels.std(dtype=np.float64))
        if not scale > 0:
            raise UsageError(f"--source {train.name}: all training labels are {offset:g}: there is nothing to learn")
        return Regression(1, offset, scale)

    @staticmethod
    def label_texts(examples: Examples) -> list[str]:
        """The numbers."""
        return [f"{label:g}" for label in examples.known_labels]

    @staticmethod
    def score(outputs: np.ndarray, examples: Examples) -> float:
        """The mean absolute error."""
        return regression_metrics(examples.known_labels, outputs[:, 0])["mean_absolute_error"]

    @staticmethod
    def simple(train: Examples) -> tuple[str, Predict]:
        """A ridge regression."""
        name, predict = linear_numbers(train)
        return name, lambda examples: predict(examples)[:, np.newaxis]

    @staticmethod
    def figures(examples: Examples, outputs: np.ndarray) -> dict[str, float]:
        """Errors, R2, correlations."""
        return regression_metrics(examples.known_labels, outputs[:, 0])

    @staticmethod
    def given(outputs: np.ndarray) -> np.ndarray:
        """The numbers."""
        return outputs[:, 0]

    @staticmethod
    def intervals(examples: Examples, outputs: np.ndarray, groups: np.ndarray) -> dict[str, Interval]:
        """Of the errors and R2."""
        return number_intervals(examples.known_labels, outputs[:, :, 0], groups)

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
        """RMSE, MAE, R2, correlations, predicted over true, mistakes."""
        del threshold, inputs
        return report_numbers(examples, outputs[:, 0], baselines=baselines, **page)

    @staticmethod
    def counted_in(target: Target) -> dict[str, Any]:
        """The mean and the spread of the training labels."""
        return target.get_config()

    def baselines(self) -> list[Baseline]:
        """The mean of the training labels, and a ridge regression."""
        train, test, truth = self.parts.train, self.parts.test, self.parts.test.known_labels
        name, predict = linear_numbers(train)
        mean = np.full(len(truth), train.known_labels.mean(dtype=np.float64))
        found = predict(test)
        return [
            Baseline("mean", "always the mean", mean, regression_metrics(truth, mean)),
            Baseline("linear", name, found, regression_metrics(truth, found), fitted_on(train)),
        ]

    def identity(self, model: keras.Model) -> dict[str, Any]:
        """What the numbers are counted in."""
        counted = {"mean of the labels": model.target.offset, "spread of the labels": model.target.scale}
        return super().identity(model) | counted
