"""What a run that gives every pixel a class measures, compares itself with and shows."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import tensorflow as tf

from tfpretune.data.batches.step_indexed import Batch
from tfpretune.evaluation.metrics.segmentation import fit_neighbourhoods, pixel_confusion
from tfpretune.evaluation.report.pictures import Pictures, painted
from tfpretune.evaluation.report.tables import Cell, Table
from tfpretune.objectives import Supervised

Predict = Callable[[np.ndarray], np.ndarray]
"""Images `(n, height, width, channels)` -> the class of each pixel, ints `(n, height, width)`."""

OVERALL = ("mean_iou", "mean_dice", "pixel_accuracy")
MOST_COLOURS = 25


def pixel_weights(pixels: np.ndarray) -> tuple[float, ...]:
    """Returns one factor a class, so that all classes weigh the same in the loss: n / (classes * pixels of the class).

    Args:
        pixels: ints `(classes,)`, the training pixels of each; a class without any gets 1.
    """
    there = pixels > 0
    weights = pixels.sum() / np.maximum(pixels, 1) / max(1, there.sum())
    return tuple(np.where(there, weights, 1.0).tolist())


def pixel_predictor(model: Supervised) -> Predict:
    """Returns a function to the classes that a segmenter says, with the weights that it has when called."""
    call = tf.function(
        lambda images: tf.argmax(model({"images": images}, training=False), axis=-1), reduce_retracing=True
    )
    return lambda images: call(tf.constant(images)).numpy()


def count_pixels(predict: Predict, batches: tf.data.Dataset, num_classes: int) -> np.ndarray:
    """Returns `pixel_confusion` summed over batches of `images` and `labels`."""
    counts = np.zeros((num_classes, num_classes), np.int64)
    for batch in batches:
        counts += pixel_confusion(batch["labels"].numpy(), predict(batch["images"].numpy()), num_classes)
    return counts


def simple_predictors(batches: tf.data.Dataset, pixels: np.ndarray, *, most_images: int = 200) -> dict[str, Predict]:
    """Returns what a segmenter has to beat, by name: the most frequent class everywhere, and a model of a few pixels.

    Args:
        batches: training batches in order, without augmentation.
        pixels: ints `(classes,)`, the training pixels of each.
        most_images: the second is fitted on pixels of so many.
    """
    top = int(pixels.argmax())
    found: dict[str, Predict] = {"most frequent class": lambda images: np.full(images.shape[:3], top)}
    rows = list(batches.unbatch().take(most_images).batch(most_images))[0]
    around = fit_neighbourhoods(rows["images"].numpy(), rows["labels"].numpy())
    return found if around is None else found | {"logistic regression on 5 x 5 pixels": around}


def segmentation_tables(
    found: Mapping[str, Mapping[str, float]], class_names: Sequence[str], *, model: str
) -> list[Table]:
    """Returns one table of all models by their `segmentation_metrics`, and one of the classes of the named model."""
    overall: list[list[Cell]] = [[name, *(figures[key] for key in OVERALL)] for name, figures in found.items()]
    own = found[model]
    classes: list[list[Cell]] = [
        [name, int(own[f"support/{name}"]), own.get(f"iou/{name}"), own.get(f"dice/{name}")] for name in class_names
    ]
    return [
        Table("All pixels of the test set", ("", "mean IoU", "mean Dice", "pixel accuracy"), overall),
        Table(f"Classes: {model}", ("class", "pixels", "IoU", "Dice"), classes),
    ]


def segmentation_pictures(predict: Predict, batch: Batch, class_names: Sequence[str]) -> list[Pictures]:
    """Returns the images of a batch with the true and the predicted classes below them, and what the colours mean."""
    images, count = batch["images"].numpy(), len(class_names)
    rows = {
        "image": images,
        "truth": painted(batch["labels"].numpy(), count),
        "prediction": painted(predict(images), count),
    }
    legend = {name: painted(np.full((1, 12, 36), number), count) for number, name in enumerate(class_names)}
    shown = [Pictures("Test images", rows, note="Light grey: nothing is known of these pixels.")]
    return [*shown, Pictures("Colours", legend)] if count <= MOST_COLOURS else shown
