"""Figures of a segmentation: overlap of the true and the predicted pixels of each class, and models to beat."""

import dataclasses
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from sklearn.linear_model import LogisticRegression

from tfpretune.data.batches.step_indexed import Batch

Predict = Callable[[np.ndarray], np.ndarray]
"""Images `(n, height, width, channels)` -> the class of each pixel, ints `(n, height, width)`."""


def pixel_confusion(truth: np.ndarray, predicted: np.ndarray, num_classes: int) -> np.ndarray:
    """Counts pixels: int64 `(C, C)`, a row for each true class, a column for each predicted one. Batches can be summed.

    Args:
        truth: ints of any shape, in [0, C); pixels below 0 do not count.
        predicted: ints of the same shape, in [0, C).
        num_classes: C.

    Raises:
        ValueError: the shapes differ, or a class is out of range.
    """
    truth, predicted = np.asarray(truth), np.asarray(predicted)
    if truth.shape != predicted.shape:
        raise ValueError(f"expected predictions {truth.shape}, received {predicted.shape}")
    known = truth >= 0
    pairs = truth[known].astype(np.int64), predicted[known].astype(np.int64)
    for name, values in zip(("truth", "predicted"), pairs, strict=True):
        if len(values) and not (values.min() >= 0 and values.max() < num_classes):
            raise ValueError(f"{name} must be in 0..{num_classes - 1}, received {values.min()}..{values.max()}")
    flat = np.bincount(pairs[0] * num_classes + pairs[1], minlength=num_classes**2)
    return flat.reshape(num_classes, num_classes).astype(np.int64)


def count_pixels(predict: Predict, batches: Iterable[Batch], num_classes: int) -> np.ndarray:
    """Returns `pixel_confusion` summed over batches of `images` and `labels`."""
    counts = np.zeros((num_classes, num_classes), np.int64)
    for batch in batches:
        counts += pixel_confusion(batch["labels"].numpy(), predict(batch["images"].numpy()), num_classes)
    return counts


def segmentation_metrics(confusion: np.ndarray, class_names: Sequence[str]) -> dict[str, float]:
    """Figures from counted pixels, equal to scikit-learn's `jaccard_score` and F1.

    Args:
        confusion: from `pixel_confusion`.
        class_names: C names.

    Returns:
        `mean_iou` (intersection over union) and `mean_dice` over the classes that occur in the truth or the predictions,
        `pixel_accuracy`, `pixels`, and for each class that occurs `iou/NAME` and `dice/NAME`; `support/NAME` counts its pixels.

    Raises:
        ValueError: the shape does not fit the names, or no pixel was counted.

    Examples:
        >>> import numpy as np
        >>> from tfpretune.evaluation import segmentation_metrics
        >>> confusion = np.array([[2, 1], [0, 1]])  # 4 pixels; true classes in rows
        >>> metrics = segmentation_metrics(confusion, ("road", "sky"))
        >>> round(metrics["iou/road"], 3), metrics["iou/sky"], metrics["pixel_accuracy"]  # 2 / 3 and 1 / 2
        (0.667, 0.5, 0.75)
    """
    shape = (len(class_names), len(class_names))
    if confusion.shape != shape or not confusion.sum():
        raise ValueError(f"expected counts {shape}, not all 0, received {confusion.shape} with sum {confusion.sum()}")
    right, there, found = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    occurs = there + found > 0
    both = np.maximum(there + found, 1)
    dice, iou = 2 * right / both, right / np.maximum(there + found - right, 1)
    figures = {
        "mean_iou": float(iou[occurs].mean()),
        "mean_dice": float(dice[occurs].mean()),
        "pixel_accuracy": float(right.sum() / confusion.sum()),
        "pixels": float(confusion.sum()),
    }
    for number, name in enumerate(class_names):
        if occurs[number]:
            figures |= {f"iou/{name}": float(iou[number]), f"dice/{name}": float(dice[number])}
        figures[f"support/{name}"] = float(there[number])
    return figures


@dataclasses.dataclass(frozen=True, eq=False)
class Neighbourhoods:
    """A logistic regression on the square of pixels around each pixel; outside of the image they are 0.

    Args:
        model: fitted.
        radius: pixels to each side.
    """

    model: LogisticRegression
    radius: int

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Returns the class of each pixel, int64 `(n, height, width)`, of floats `(n, height, width, channels)`."""
        squares = _squares(images, self.radius)
        found = [self.model.predict(each.reshape(-1, each[0, 0].size)) for each in squares]
        return np.stack(found).reshape(images.shape[:3])


def fit_neighbourhoods(
    images: np.ndarray, masks: np.ndarray, *, radius: int = 2, most_pixels: int = 20_000, seed: int = 0
) -> Neighbourhoods | None:
    """Fits what a network that sees more than a few pixels around has to beat.

    Args:
        images: floats `(n, height, width, channels)` in [0, 1].
        masks: ints `(n, height, width)`; pixels below 0 do not count.
        radius: pixels to each side of the middle one.
        most_pixels: draw at most so many.
        seed: of the draw.

    Returns:
        The model; None where the drawn pixels are all of one class.
    """
    places = np.argwhere(masks >= 0)
    if len(places) > most_pixels:
        places = places[np.sort(np.random.default_rng(seed).choice(len(places), most_pixels, replace=False))]
    where = tuple(places.T)
    if len(np.unique(masks[where])) < 2:
        return None
    features = _squares(images, radius)[where].reshape(len(places), -1)
    return Neighbourhoods(LogisticRegression(max_iter=5000).fit(features, masks[where]), radius)


def _squares(images: np.ndarray, radius: int) -> np.ndarray:
    """A view `(n, height, width, channels, side, side)`."""
    around = [(0, 0), (radius, radius), (radius, radius), (0, 0)]
    padded = np.pad(np.asarray(images, np.float32), around)
    return np.lib.stride_tricks.sliding_window_view(padded, (2 * radius + 1,) * 2, axis=(1, 2))  # type: ignore[call-overload]
