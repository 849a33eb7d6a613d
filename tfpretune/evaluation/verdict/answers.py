"""What the answers on a test set say: classes that are never predicted, how little can be seen, the simple model beside it."""

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from tfpretune.evaluation.baselines.baseline import Baseline
from tfpretune.evaluation.metrics.paired import PairedTest, mcnemar, paired_test

FEWEST_EXAMPLES = 10
WIDEST = 0.05
_Z = 1.959964  # the normal distribution has 2.5 % above it
_MOST_NAMED = 5


def never_predicted(labels: np.ndarray, predicted: np.ndarray, class_names: Sequence[str]) -> dict[str, int]:
    """Returns the classes that are among the labels and never among the answers: name -> their examples.

    Examples:
        >>> never_predicted(np.array([0, 1, 1, 2]), np.array([0, 0, 0, 2]), ("a", "b", "c"))
        {'b': 2}
    """
    there, said = (np.bincount(each, minlength=len(class_names)) for each in (labels, predicted))
    return {name: int(there[c]) for c, name in enumerate(class_names) if there[c] and not said[c]}


def rarely_tested(labels: np.ndarray, class_names: Sequence[str]) -> dict[str, int]:
    """Returns the classes with fewer than 10 examples among the labels: name -> how many.

    Examples:
        >>> rarely_tested(np.repeat([0, 1], [30, 4]), ("a", "b", "c"))
        {'b': 4, 'c': 0}
    """
    there = np.bincount(labels, minlength=len(class_names))
    return {name: int(count) for name, count in zip(class_names, there, strict=True) if count < FEWEST_EXAMPLES}


def smallest_difference(right: int, total: int) -> float:
    """Returns how far the accuracies of two models have to be apart for a test set to tell them apart.

    That is 1.96 standard errors of the difference of two independent fractions near `right / total`, with two right and two
    wrong answers added (Agresti and Coull 1998), so that it is not 0 where all are right. On the same examples a paired test
    may see somewhat less.

    Examples:
        >>> round(smallest_difference(180, 200), 3), round(smallest_difference(18, 20), 3)
        (0.06, 0.215)
    """
    share = (right + 2) / (total + 4)
    return _Z * math.sqrt(2 * share * (1 - share) / (total + 4))


def beside(ours: np.ndarray, theirs: np.ndarray, *, of: Literal["right answers", "scores"]) -> PairedTest:
    """Compares two models on the same examples: McNemar's exact test of right answers, else the paired t-test.

    Args:
        ours: `(n,)`, higher is better; of right answers bool.
        theirs: the same of the other model.
        of: what they are.
    """
    return mcnemar(ours, theirs) if of == "right answers" else paired_test(ours, theirs)


def say_beside(test: PairedTest, baseline: str, *, figure: str, ours: float, theirs: float) -> str:
    """Returns in words where a model stands beside a simple one.

    Args:
        test: over the examples.
        baseline: name of the simple model.
        figure: what both are judged by.
        ours: of the model.
        theirs: of the simple one.

    Examples:
        >>> ours, theirs = np.repeat([True, False], [190, 10]), np.repeat([True, False], [170, 30])
        >>> say_beside(mcnemar(ours, theirs), "TF-IDF", figure="accuracy", ours=0.95, theirs=0.85)
        'Ahead of TF-IDF: accuracy 0.950 against 0.850 (paired test over 200 examples, p = 1.9e-06).'
    """
    figures = f"{figure} {ours:.3f} against {theirs:.3f}"
    if test.p_value is None:
        return f"{baseline}: {figures}; no test can say more of {test.num_seeds:,} examples."
    proof = f"paired test over {test.num_seeds:,} examples, p = {test.p_text}"
    if test.verdict == "better":
        return f"Ahead of {baseline}: {figures} ({proof})."
    if test.verdict == "worse":
        return f"Behind {baseline}: {figures} ({proof}). Train longer, start from a larger preset, or take the simple model."
    return f"No difference from {baseline} is shown: {figures} ({proof})."


def say_of_classes(
    labels: np.ndarray, predicted: np.ndarray, class_names: Sequence[str], baselines: Sequence[Baseline] = ()
) -> list[str]:
    """Returns what is to be said of a classifier's answers, in words.

    Args:
        labels: int `(n,)`.
        predicted: int `(n,)`.
        class_names: by index.
        baselines: the simple models on the same examples; the best of them is compared.

    Examples:
        >>> labels = np.repeat([0, 1], [12, 2])
        >>> for line in say_of_classes(labels, np.zeros(14, int), ("ham", "spam")):
        ...     print(line)
        Never predicted: spam (2 test examples).
        14 test examples are few: accuracies less than 0.289 apart cannot be told apart.
        Fewer than 10 test examples: spam (2): what is said of these classes is hardly more than chance.
    """
    right, lines = predicted == labels, []
    if baselines:
        best = max(baselines, key=lambda each: each.figures["accuracy"])
        test = beside(right, best.outputs.argmax(axis=1) == labels, of="right answers")
        theirs = best.figures["accuracy"]
        lines.append(say_beside(test, best.name, figure="accuracy", ours=float(right.mean()), theirs=theirs))
    if never := never_predicted(labels, predicted, class_names):
        lines.append(f"Never predicted: {_listed(never, 'test example')}.")
    least = smallest_difference(int(right.sum()), len(labels))
    if least > WIDEST:
        lines.append(
            f"{len(labels):,} test examples are few: accuracies less than {least:.3f} apart cannot be told apart."
        )
    if rare := rarely_tested(labels, class_names):
        lines.append(
            f"Fewer than {FEWEST_EXAMPLES} test examples: {_listed(rare)}: "
            "what is said of these classes is hardly more than chance."
        )
    return lines


def say_of_sets(labels: np.ndarray, predicted: np.ndarray, others: np.ndarray, baseline: str) -> str:
    """Returns in words where a model of sets of classes stands beside a simple one, by the F1 of each example.

    Args:
        labels: 0, 1, or below 0 where nothing is known, `(n, classes)`.
        predicted: bool `(n, classes)`.
        others: the same of the simple model.
        baseline: its name.
    """
    ours, theirs = set_f1(labels, predicted), set_f1(labels, others)
    figures = {"ours": float(ours.mean()), "theirs": float(theirs.mean())}
    return say_beside(beside(ours, theirs, of="scores"), baseline, figure="mean F1 of an example", **figures)


def set_f1(labels: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Returns the F1 of each example's set of classes, `(n,)`; 1 where both sets are empty.

    Examples:
        >>> set_f1(np.array([[1, 1], [0, 0], [1, -1]]), np.array([[True, False], [False, False], [False, True]])).round(3)
        array([0.667, 1.   , 0.   ])
    """
    known, true = labels >= 0, labels == 1
    said = predicted & known
    both, sizes = (said & true).sum(axis=1), said.sum(axis=1) + true.sum(axis=1)
    return np.where(sizes > 0, 2 * both / np.maximum(sizes, 1), 1.0)


def say_of_numbers(truth: np.ndarray, numbers: np.ndarray, others: np.ndarray, baseline: str) -> str:
    """Returns in words where a model of numbers stands beside a simple one, by its absolute errors."""
    ours, theirs = np.abs(numbers - truth), np.abs(others - truth)
    figures = {"ours": float(ours.mean()), "theirs": float(theirs.mean())}
    return say_beside(beside(-ours, -theirs, of="scores"), baseline, figure="mean absolute error", **figures)


def _listed(counts: Mapping[str, int], unit: str = "") -> str:
    units = {name: f" {unit}{'s' * (count != 1)}" if unit else "" for name, count in counts.items()}
    named = [f"{name} ({count:,}{units[name]})" for name, count in [*counts.items()][:_MOST_NAMED]]
    more = len(counts) - len(named)
    return ", ".join(named) + (f" and {more:,} more" if more else "")
