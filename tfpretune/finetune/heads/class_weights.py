"""Factors of the loss from the training labels, so that rare classes weigh as much as frequent ones."""

from collections.abc import Sequence

import numpy as np

from tfpretune.errors import UsageError


def balanced_class_weights(labels: np.ndarray, num_classes: int) -> tuple[float, ...]:
    """Returns one factor per class, n / (num_classes * count), so that all classes weigh the same in the loss.

    Args:
        labels: int `(n,)`, each in [0, num_classes).
        num_classes: number of classes.

    Raises:
        ValueError: a label out of this range, or a class without an example.

    Examples:
        >>> import numpy as np
        >>> from tfpretune.finetune import balanced_class_weights
        >>> balanced_class_weights(np.array([0, 0, 0, 0, 1]), 2)  # 5 / (2 * 4) and 5 / (2 * 1)
        (0.625, 2.5)
    """
    if np.min(labels) < 0 or np.max(labels) >= num_classes:
        raise ValueError(f"labels must be in [0, {num_classes}), received {np.min(labels)} to {np.max(labels)}")
    counts = np.bincount(labels, minlength=num_classes)
    if not counts.all():
        raise ValueError(f"class {int(counts.argmin())} has no example: its weight would be infinite")
    return tuple(float(len(labels) / (num_classes * count)) for count in counts)


def balanced_positive_weights(labels: np.ndarray, class_names: Sequence[str]) -> tuple[float, ...]:
    """Returns one factor per label for `MultiLabel`: the examples that it does not fit for each one that it fits.

    So those with a label weigh as much as those without, as if half of all examples had it (King and Zeng 2001, Logistic
    Regression in Rare Events Data, section 4.2, where the share in the population is a half).

    Args:
        labels: 0 or 1, -1 where not known, `(n, labels)`.
        class_names: the labels.

    Raises:
        UsageError: a label fits all examples or none.

    Examples:
        >>> import numpy as np
        >>> from tfpretune.finetune import balanced_positive_weights
        >>> labels = np.array([[1, 0], [0, 1], [0, 1], [0, -1]])
        >>> balanced_positive_weights(labels, ("price", "delivery"))  # 3 without for 1 with, 1 for 2
        (3.0, 0.5)
    """
    fits, fits_not = (labels == 1).sum(axis=0), (labels == 0).sum(axis=0)
    for name, yes, no in zip(class_names, fits, fits_not, strict=True):
        if not yes or not no:
            which = "every" if yes else "no"
            raise UsageError(
                f"`balanced_positive_weights`: {name!r} fits {which} training example: there is nothing to balance"
            )
    return tuple(float(no / yes) for yes, no in zip(fits, fits_not, strict=True))
