"""Multi-label classification: a set of classes for each example, several or none."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tfpretune.data.examples.examples import Examples
from tfpretune.data.sources.labelled import LabelledSplits
from tfpretune.evaluation.baselines.baseline import Baseline
from tfpretune.evaluation.baselines.labels import Predict, fitted_on, linear_sets
from tfpretune.evaluation.metrics.multi_label import best_threshold, multi_label_metrics
from tfpretune.evaluation.metrics.out_of_fold import Interval, set_intervals
from tfpretune.evaluation.report.labelled import UNCHOSEN, report_sets
from tfpretune.evaluation.report.written import PageFacts, Report
from tfpretune.finetune import balanced_positive_weights
from tfpretune.objectives import MultiLabel
from tfpretune.settings.finetune import FinetuneConfig
from tfpretune.tasks.labels import LabelTask


class MultiLabelTask(LabelTask):
    """The best weights are those with the lowest cross-entropy on the validation set, which chooses the threshold, too."""

    kind = "multi-label"
    what = "multi-label classifier"
    head = "multi_label"
    score_name = "mean average precision"
    hparams = ("f1_micro", "f1_macro", "average_precision_macro")
    shown = {"f1_micro": "micro F1", "f1_macro": "macro F1"}

    @staticmethod
    def target(train: Examples, run: FinetuneConfig) -> MultiLabel:
        """The classes, with weights where they are balanced."""
        labels, names = train.known_labels, train.class_names
        return MultiLabel(len(names), balanced_positive_weights(labels, names) if run.balance_classes else None)

    @staticmethod
    def label_texts(examples: Examples) -> list[str]:
        """The names of the classes, as "a;b"."""
        names = np.array(examples.class_names)
        return [";".join(names[row == 1]) for row in examples.known_labels]

    @staticmethod
    def score(outputs: np.ndarray, examples: Examples) -> float:
        """The mean average precision; 0 where no class has both sides."""
        found = multi_label_metrics(examples.known_labels, outputs, examples.class_names)
        return found.get("average_precision_macro", 0.0)

    @staticmethod
    def choose_threshold(validation: Examples, predict: Callable[[], np.ndarray]) -> float:
        """The best micro F1 on the validation set; 0.5 without one."""
        if not len(validation):
            return UNCHOSEN
        return best_threshold(validation.known_labels, predict())

    @staticmethod
    def simple(train: Examples) -> tuple[str, Predict]:
        """A logistic regression for each label."""
        return linear_sets(train)

    @staticmethod
    def figures(examples: Examples, outputs: np.ndarray) -> dict[str, float]:
        """F1 and more, at a threshold that nothing was chosen by."""
        return multi_label_metrics(examples.known_labels, outputs, examples.class_names, threshold=UNCHOSEN)

    @staticmethod
    def given(outputs: np.ndarray) -> np.ndarray:
        """1 where a label is given."""
        return (outputs >= UNCHOSEN).astype(np.float64)

    @staticmethod
    def intervals(examples: Examples, outputs: np.ndarray, groups: np.ndarray) -> dict[str, Interval]:
        """Of micro and macro F1."""
        return set_intervals(examples.known_labels, outputs, groups, threshold=UNCHOSEN)

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
        """Micro and macro F1, average precision, a table by label, mistakes; the threshold is 0.5 where none is said."""
        del inputs
        at = UNCHOSEN if threshold is None else threshold
        return report_sets(examples, outputs, threshold=at, baselines=baselines, **page)

    def baselines(self) -> list[Baseline]:
        """A linear model for each label."""
        return set_baselines(self.parts)


def set_baselines(parts: LabelledSplits) -> list[Baseline]:
    """Returns what a linear model for each label says of the test set; the validation set chooses its threshold, too."""
    name, predict = linear_sets(parts.train)
    threshold = MultiLabelTask.choose_threshold(parts.validation, lambda: predict(parts.validation))
    truth, names = parts.test.known_labels, parts.class_names
    said = predict(parts.test)
    figures = multi_label_metrics(truth, said, names, threshold=threshold)
    return [Baseline("linear", name, (said >= threshold).astype(np.float64), figures, fitted_on(parts.train))]
