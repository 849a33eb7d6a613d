"""How often the true figures lie in the 95 % intervals of out-of-fold predictions, where they are known.

    python benchmarks/fold_intervals.py

Two classes, normal in 20 dimensions; logistic regression in 5 x R folds. The truth is what the model that was trained on all
examples comes to on 20,000 others. Beside our intervals: the naive one, as if each prediction counted; the plain percentile
bootstrap over examples (Tsamardinos et al. 2018); the corrected t-test of Nadeau and Bengio 2003 over the
folds. Prints a table.
"""

import numpy as np
import scipy.stats
from sklearn.linear_model import LogisticRegression

from tfpretune.data.splits.folds import choose_repeats, deal_folds
from tfpretune.evaluation.metrics.classification import classification_metrics
from tfpretune.evaluation.metrics.out_of_fold import Interval, class_intervals
from tfpretune.evaluation.report.tables import Cell, Table

TRIALS, FOLDS, DIMENSIONS, TOLD = 100, 5, 20, 4
CASES = ((16, 0.5), (16, 1.0), (40, 0.35), (40, 0.7), (150, 0.35))  # examples, shift of the classes in TOLD dimensions


def draw(random: np.random.Generator, count: int, shift: float) -> tuple[np.ndarray, np.ndarray]:
    """Returns features and classes, half of each."""
    labels = np.arange(count) % 2
    features = random.normal(size=(count, DIMENSIONS))
    features[:, :TOLD] += np.where(labels, shift, -shift)[:, np.newaxis]
    return features, labels


def answers(features: np.ndarray, labels: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns out-of-fold probabilities `(repeats, n, 2)` and the fold numbers."""
    count = len(labels)
    repeats = choose_repeats(FOLDS, count)
    folds = deal_folds(np.eye(2, dtype=int)[labels], np.arange(count), folds=FOLDS, repeats=repeats, seed=seed)
    found = np.zeros((repeats, count, 2))
    for repeat, numbers in enumerate(folds.numbers):
        for fold in range(FOLDS):
            held = numbers == fold
            model = LogisticRegression().fit(features[~held], labels[~held])
            found[repeat, held] = model.predict_proba(features[held])
    return found, folds.numbers


def others(right: np.ndarray, numbers: np.ndarray) -> dict[str, Interval]:
    """Returns intervals of the accuracy that are not ours, from right answers `(repeats, n)`."""
    share, count = right.mean(), right.shape[1]
    half = 1.96 * np.sqrt(share * (1 - share) / right.size)
    drawn = right.mean(0)[np.random.default_rng(0).integers(0, count, (1000, count))].mean(1)
    folds = [row[number == fold].mean() for row, number in zip(right, numbers, strict=True) for fold in range(FOLDS)]
    wide = scipy.stats.t.ppf(0.975, len(folds) - 1) * np.sqrt(
        (1 / len(folds) + 1 / (FOLDS - 1)) * np.var(folds, ddof=1)
    )
    low, high = np.percentile(drawn, [2.5, 97.5])
    return {
        "accuracy, naive": (share - half, share + half),
        "accuracy, percentile bootstrap": (low, high),
        "accuracy, corrected t": (max(0.0, share - wide), min(1.0, share + wide)),
    }


def main() -> Table:
    """Trials, coverage, table."""
    random = np.random.default_rng(0)
    rows: list[list[Cell]] = []
    for count, shift in CASES:
        inside: dict[str, list[tuple[bool, float]]] = {}
        truths = []
        for trial in range(TRIALS):
            (features, labels), (more, true) = draw(random, count, shift), draw(random, 20_000, shift)
            model = LogisticRegression().fit(features, labels)
            whole = classification_metrics(true, model.predict_proba(more), ("a", "b"))
            found, numbers = answers(features, labels, trial)
            ours = class_intervals(labels, found, np.arange(count))
            named = {"accuracy, ours": ours["accuracy"]} | others(found.argmax(2) == labels, numbers)
            named |= {"macro F1, ours": ours["f1_macro"]} if "f1_macro" in ours else {}
            for name, (low, high) in named.items():
                truth = whole["f1_macro" if name.startswith("macro") else "accuracy"]
                inside.setdefault(name, []).append((low <= truth <= high, high - low))
            truths.append(whole["accuracy"])
        for name, each in inside.items():
            covered, width = np.mean(each, axis=0)
            rows.append([name, count, float(np.mean(truths)), float(covered), float(width)])
    title = f"95 % intervals of {TRIALS} trials"
    return Table(title, ("", "examples", "accuracy", "fraction with the truth inside", "mean width"), rows)


if __name__ == "__main__":
    print(main().markdown())
