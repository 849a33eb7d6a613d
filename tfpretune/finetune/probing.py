"""A linear probe on frozen features, and its use as the head's start."""

from collections.abc import Iterable

import keras
import numpy as np
import tensorflow as tf
from sklearn.linear_model import LogisticRegression

from tfpretune.config import UsageError
from tfpretune.data.batches import Batch
from tfpretune.objectives import Supervised


def features_of(model: Supervised, batches: Iterable[Batch], *, layer: str = "features") -> np.ndarray:
    """Returns the pooled features `(rows, dim)` of a classifier, or another layer's output, in the order of the batches."""
    extractor = keras.Model(model.input, model.get_layer(layer).output)
    rows = {name: tf.TensorSpec((None, *tensor.shape[1:]), tensor.dtype) for name, tensor in model.input.items()}
    call = tf.function(
        lambda inputs: extractor(inputs, training=False), input_signature=[rows]
    )  # one trace for all sizes
    return np.concatenate([call(model.pick_inputs(batch)).numpy() for batch in batches])


def start_head_from_probe(model: Supervised, batches: tf.data.Dataset, *, strength: float = 0.1) -> None:
    """Sets the last layer to a logistic regression on the features of the frozen backbone.

    Fine-tuning from a random head first bends good features to a bad head; from a fitted one it does not (LP-FT, Kumar et
    al. 2022, arXiv:2202.10054, section 3.4). Matters most with few labels. Each feature is standardised for the fit and the
    scaling folded into the weights.

    Args:
        model: a classifier with the layers "features" and "logits".
        batches: the training examples with `labels`, each once, without augmentation.
        strength: inverse of the regularisation (scikit-learn's C), for features of unit variance divided by sqrt(dim) / 4.
    """
    rows = list(batches)
    labels = np.concatenate([batch["labels"].numpy() for batch in rows])
    layer = model.get_layer("logits")
    layer.set_weights(fit_logistic(features_of(model, rows), labels, layer.units, strength=strength))


def fit_logistic(found: np.ndarray, labels: np.ndarray, num_classes: int, *, strength: float) -> list[np.ndarray]:
    """Fits a logistic regression and returns it as the weights of a dense layer to logits.

    Args:
        found: the features, `(rows, dim)`.
        labels: `(rows,)`, in [0, num_classes); a class without a row gets a low logit.
        num_classes: classes of the layer.
        strength: see `start_head_from_probe`.

    Returns:
        The kernel, float32 `(dim, num_classes)`, and the bias, float32 `(num_classes,)`.

    Raises:
        UsageError: all rows are of one class.
    """
    if len(np.unique(labels)) < 2:
        raise UsageError("the training examples are all of one class: a probe needs two")
    mean, deviation = found.mean(0), found.std(0)
    scale = (
        (deviation + 0.01 * deviation.max() + 1e-6) * np.sqrt(found.shape[1]) / 4.0
    )  # near-constant features stay quiet
    probe = LogisticRegression(C=strength, max_iter=2000).fit((found - mean) / scale, labels)
    kernel, bias = np.zeros((found.shape[1], num_classes), "float32"), np.full(num_classes, -10.0, "float32")
    binary = len(probe.classes_) == 2
    coefficients = np.concatenate([-probe.coef_, probe.coef_]) / 2 if binary else probe.coef_
    intercepts = np.concatenate([-probe.intercept_, probe.intercept_]) / 2 if binary else probe.intercept_
    kernel[:, probe.classes_] = coefficients.T / scale[:, np.newaxis]
    bias[probe.classes_] = intercepts - (coefficients / scale) @ mean
    return [kernel, bias]
