"""Tables and pictures of models that give every pixel a class."""

from collections.abc import Mapping, Sequence

import numpy as np

from tfpretune.data.batches.step_indexed import Batch
from tfpretune.evaluation.metrics.segmentation import Predict
from tfpretune.evaluation.report.pictures import Pictures, painted
from tfpretune.evaluation.report.tables import Cell, Table

OVERALL = ("mean_iou", "mean_dice", "pixel_accuracy")
MOST_COLOURS = 25


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
    colours = {}
    if count <= MOST_COLOURS:
        found = painted(np.arange(count).reshape(1, 1, count), count)[0, 0].tolist()
        colours = {name: (red, green, blue) for name, (red, green, blue) in zip(class_names, found, strict=True)}
    return [Pictures("Test images", rows, note="Light grey: nothing is known of these pixels.", colours=colours)]
