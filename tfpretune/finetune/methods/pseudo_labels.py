"""Pseudo-labels: a classifier's own confident answers as labels of unlabelled examples."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class PseudoLabels:
    """What was kept.

    Attributes:
        rows: int64 `(kept,)`, positions of the examples, rising.
        labels: int32 `(kept,)`, the most probable class of each.
        confidences: float32 `(kept,)`, its probability.
        num_examples: how many there were to choose from.
    """

    rows: np.ndarray
    labels: np.ndarray
    confidences: np.ndarray
    num_examples: int

    def __len__(self) -> int:
        return len(self.rows)

    def right(self, truth: np.ndarray) -> int:
        """Counts the kept labels that are right, for information only.

        Args:
            truth: int `(num_examples,)`.
        """
        if len(truth) != self.num_examples:
            raise ValueError(f"expected {self.num_examples} labels, received {len(truth)}")
        return int((truth[self.rows] == self.labels).sum())


def choose_pseudo_labels(
    probabilities: np.ndarray, *, threshold: float = 0.95, most_per_class: int = 0
) -> PseudoLabels:
    """Keeps the examples whose most probable class is probable enough (Lee 2013, with the threshold of FixMatch, 2020).

    Args:
        probabilities: `(examples, classes)` on clean inputs, without augmentation and dropout.
        threshold: keep from this probability on, in (0, 1].
        most_per_class: keep at most so many of each class, the most confident ones, so that a class that the classifier
            likes too well does not take all; 0: no bound.

    Returns:
        The kept examples; none when nothing is confident enough.
    """
    if probabilities.ndim != 2 or not 0.0 < threshold <= 1.0 or most_per_class < 0:
        raise ValueError(
            "expected probabilities (examples, classes), a threshold in (0, 1] and most_per_class of at least 0, "
            f"received {probabilities.shape}, {threshold} and {most_per_class}"
        )
    labels = probabilities.argmax(axis=1).astype(np.int32)
    confidences = probabilities.max(axis=1).astype(np.float32)
    kept = np.flatnonzero(confidences >= np.float32(threshold))
    if most_per_class:
        best_first = kept[np.argsort(-confidences[kept], kind="stable")]
        chosen = [best_first[labels[best_first] == label][:most_per_class] for label in range(probabilities.shape[1])]
        kept = np.sort(np.concatenate(chosen))
    return PseudoLabels(kept, labels[kept], confidences[kept], len(probabilities))
