"""Simple models of the class of every pixel that a segmenter has to beat."""

import numpy as np
import tensorflow as tf

from tfpretune.evaluation.metrics.segmentation import Predict, fit_neighbourhoods


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
