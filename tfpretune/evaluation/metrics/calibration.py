"""Whether a classifier is right as often as it says."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class ReliabilityBins:
    """Examples grouped by the probability of the predicted class; bin m holds `(edges[m], edges[m + 1]]`.

    Examples:
        >>> from tfpretune.evaluation import reliability_bins
        >>> bins = reliability_bins([0, 0, 1], [[0.75, 0.25], [0.75, 0.25], [0.0, 1.0]], num_bins=4)
        >>> bins.count.tolist(), bins.confidence.tolist()  # 0.75 belongs to the third bin, 1.0 to the last
        ([0, 0, 2, 1], [nan, nan, 0.75, 1.0])
    """

    edges: np.ndarray
    """float `(bins + 1,)`, from 0 to 1."""
    count: np.ndarray
    """int `(bins,)`: examples in the bin."""
    confidence: np.ndarray
    """float `(bins,)`: mean probability of the predicted class; nan in an empty bin."""
    accuracy: np.ndarray
    """float `(bins,)`: fraction of right predictions; nan in an empty bin."""

    @property
    def ece(self) -> float:
        """Expected calibration error: the mean gap between accuracy and confidence (arXiv:1706.04599, equation 3)."""
        gaps = np.abs(self.accuracy - self.confidence) * self.count
        return float(np.nansum(gaps) / self.count.sum())


def reliability_bins(labels: np.ndarray, probabilities: np.ndarray, *, num_bins: int = 15) -> ReliabilityBins:
    """Sorts examples into equal-width bins of confidence (Guo et al. 2017, arXiv:1706.04599, section 2).

    Args:
        labels: int `(n,)`, each in [0, C).
        probabilities: float `(n, C)`, rows sum to 1.
        num_bins: number of bins between 0 and 1.

    Returns:
        The bins; their `ece` is the expected calibration error.

    Raises:
        ValueError: the shapes do not fit.

    Examples:
        >>> import numpy as np
        >>> from tfpretune.evaluation import reliability_bins
        >>> sure = np.array([[0.75, 0.25]] * 4)
        >>> reliability_bins([0, 0, 0, 1], sure).ece  # 3 of 4 are right, as is said
        0.0
        >>> reliability_bins([0, 0, 0, 0], sure).ece  # all are right: 1 - 0.75
        0.25
    """
    labels, probabilities = np.asarray(labels), np.asarray(probabilities, np.float64)
    if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1] or not len(labels) or num_bins < 1:
        raise ValueError(
            f"expected labels (n,), probabilities (n, C) with n > 0 and num_bins >= 1, "
            f"received {labels.shape}, {probabilities.shape} and {num_bins}"
        )
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    bins = np.clip(np.ceil(confidence * num_bins).astype(int) - 1, 0, num_bins - 1)
    count = np.bincount(bins, minlength=num_bins)
    filled = np.where(count > 0, count, np.nan)
    return ReliabilityBins(
        edges=np.linspace(0.0, 1.0, num_bins + 1),
        count=count,
        confidence=np.bincount(bins, confidence, num_bins) / filled,
        accuracy=np.bincount(bins, right, num_bins) / filled,
    )
