"""A linear probe on frozen features, and its use as the head's start."""

import keras
import numpy as np
import tensorflow as tf
from sklearn.linear_model import LogisticRegression

from tfpretune.config import UsageError
from tfpretune.objectives import Supervised


def features_of(model: Supervised, batches: tf.data.Dataset) -> np.ndarray:
    """Returns the pooled features `(rows, dim)` of a classifier's backbone, in the order of the batches."""
    extractor = keras.Model(model.input, model.get_layer("features").output)
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
    if len(np.unique(labels)) < 2:
        raise UsageError("the training examples are all of one class: a probe needs two")
    found = features_of(model, rows)
    mean, deviation = found.mean(0), found.std(0)
    scale = (
        (deviation + 0.01 * deviation.max() + 1e-6) * np.sqrt(found.shape[1]) / 4.0
    )  # near-constant features stay quiet
    probe = LogisticRegression(C=strength, max_iter=2000).fit((found - mean) / scale, labels)
    layer = model.get_layer("logits")
    kernel, bias = np.zeros(layer.kernel.shape, "float32"), np.full(layer.bias.shape, -10.0, "float32")
    binary = len(probe.classes_) == 2
    coefficients = np.concatenate([-probe.coef_, probe.coef_]) / 2 if binary else probe.coef_
    intercepts = np.concatenate([-probe.intercept_, probe.intercept_]) / 2 if binary else probe.intercept_
    kernel[:, probe.classes_] = coefficients.T / scale[:, np.newaxis]
    bias[probe.classes_] = intercepts - (coefficients / scale) @ mean
    layer.set_weights([kernel, bias])
