"""What pages say of predictions that are out of fold, each example's by models that were not trained on it."""

import dataclasses
from collections.abc import Mapping, Sequence

from tfpretune.evaluation.baselines.baseline import Baseline
from tfpretune.evaluation.metrics.out_of_fold import Interval


@dataclasses.dataclass(frozen=True)
class OutOfFold:
    """How predictions came about.

    The examples of such a page stand there once for each repeat, one repeat behind the other.

    Attributes:
        folds: of a repeat.
        repeats: predictions of each example.
        intervals: figure -> 95 % interval over the examples.
    """

    folds: int
    repeats: int
    intervals: Mapping[str, Interval]

    @property
    def said(self) -> str:
        """Such as "5 x 2 folds"."""
        return f"{self.folds} x {self.repeats} folds"

    def interval(self, name: str) -> str:
        """Returns the interval of a figure, such as "[0.71, 0.92]", or ""."""
        found = self.intervals.get(name)
        return "" if found is None else f"[{found[0]:.2f}, {found[1]:.2f}]"

    def of_examples(self, metrics: Mapping[str, float]) -> dict[str, float]:
        """Returns the figures of all predictions with counts of examples, and with the intervals over these."""
        kept = {name: value for name, value in metrics.items() if not name.endswith(("_low", "_high"))}
        for name in kept:
            if name == "examples" or name.startswith("support/"):
                kept[name] /= self.repeats
        return kept | self.bounds() | {"folds": float(self.folds), "fold_repeats": float(self.repeats)}

    def bounds(self) -> dict[str, float]:
        """Returns the intervals as `NAME_low` and `NAME_high`."""
        return {
            f"{name}_{side}": bound
            for name, interval in self.intervals.items()
            for side, bound in zip(("low", "high"), interval, strict=True)
        }

    def summary(self, metrics: Mapping[str, float], words: Mapping[str, str], what: str) -> str:
        """Returns the main figures in words: "accuracy 0.83 [0.71, 0.92], out of fold, 5 x 2 folds of 16 texts".

        Args:
            metrics: name -> number, as `of_examples` returns them.
            words: the main figures -> what the summary calls them; one that there is none of is left out.
            what: the examples, such as "texts".
        """
        figures = (
            f"{word} {metrics[name]:.2f} {self.interval(name)}".rstrip()
            for name, word in words.items()
            if name in metrics
        )
        return f"{', '.join(figures)}, out of fold, {self.said} of {metrics['examples']:,.0f} {what}"

    def note(self, what: str, count: int) -> str:
        """Returns what a reader has to know of the page on so many texts or images."""
        return (
            f"Out of fold: {self.said} of {count:,} {what}. Each answer is that of a model that was not trained on its "
            f"example; the model that is kept learnt from all {count:,}. Intervals are over the examples; confusion matrix and "
            f"curves hold each example {self.repeats} times, what compares with a simple model once."
        )


def first_repeat(
    out_of_fold: OutOfFold | None, answers: int, baselines: Sequence[Baseline]
) -> tuple[int, list[Baseline]]:
    """Returns how many answers hold each example once, and what simple models say of these.

    Tests of a difference count examples: the answers of several repeats are much alike, and would count too much.

    Args:
        out_of_fold: how the answers came about; None: each example has one.
        answers: how many there are.
        baselines: simple models on the same examples.
    """
    once = answers // (1 if out_of_fold is None else out_of_fold.repeats)
    return once, [dataclasses.replace(each, outputs=each.outputs[:once]) for each in baselines]
