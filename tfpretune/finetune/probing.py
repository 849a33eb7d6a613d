"""A linear probe on frozen features, and its use as the head's start."""

from collections.abc import Iterable

import keras
import numpy as np
import tensorflow as tf
from sklearn.linear_model import LogisticRegression, Ridge

from tfpretune.config import UsageError
from tfpretune.data.batches import Batch
from tfpretune.objectives import MultiLabel, Numbers, Supervised


def features_of(model: Supervised, batches: Iterable[Batch], *, layer: str = "features") -> np.ndarray:
    """Returns the pooled features `(rows, dim)` of a classifier, or another layer's output, in the order of the batches."""
    extractor = keras.Model(model.input, model.get_layer(layer).output)
    rows = {name: tf.TensorSpec((None, *tensor.shape[1:]), tensor.dtype) for name, tensor in model.input.items()}
    call = tf.function(
        lambda inputs: extractor(inputs, training=False), input_signature=[rows]
    )  # one trace for all sizes
    return np.concatenate([call(model.pick_inputs(batch)).numpy() for batch in batches])


def start_head_from_probe(model: Supervised, batches: tf.data.Dataset, *, strength: float = 0.1) -> None:
    """Sets the last layer to a linear model on the features of the frozen backbone.

    That is a logistic regression to classes, one for each label to sets of them, and a ridge regression to numbers.

    Fine-tuning from a random head first bends good features to a bad head; from a fitted one it does not (LP-FT, Kumar et
    al. 2022, arXiv:2202.10054, section 3.4). Matters most with few labels. Each feature is standardised for the fit and the
    scaling folded into the weights. Those for sets and numbers are fitted as they will be trained, with the dropout before the
    last layer: else, with many labels, large weights cancel each other and the first steps only undo that.

    Args:
        model: a classifier, multi-label classifier or regressor with the layers "features" and "logits".
        batches: the training examples with `labels`, each once, without augmentation.
        strength: inverse of the regularisation (scikit-learn's C), for features of unit variance divided by sqrt(dim) / 4.
    """
    rows = list(batches)
    labels = np.concatenate([batch["labels"].numpy() for batch in rows])
    layer, found = model.get_layer("logits"), features_of(model, rows)
    if isinstance(model.target, MultiLabel):
        layer.set_weights(fit_one_against_rest(found, labels, strength=strength, dropout=_dropout(model)))
    elif isinstance(model.target, Numbers):
        numbers = (labels.reshape(len(labels), -1) - model.target.offset) / model.target.scale
        layer.set_weights(fit_ridge(found, numbers, strength=strength, dropout=_dropout(model)))
    else:
        layer.set_weights(fit_logistic(found, labels, layer.units, strength=strength))


def fit_logistic(
    found: np.ndarray, labels: np.ndarray, num_classes: int, *, strength: float, noise: float = 0.0
) -> list[np.ndarray]:
    """Fits a logistic regression and returns it as the weights of a dense layer to logits.

    Args:
        found: the features, `(rows, dim)`.
        labels: `(rows,)`, in [0, num_classes); a class without a row gets a low logit.
        num_classes: classes of the layer.
        strength: see `start_head_from_probe`.
        noise: variance of the relative noise in each feature that the logits bear, times that of a label.

    Returns:
        The kernel, float32 `(dim, num_classes)`, and the bias, float32 `(num_classes,)`.

    Raises:
        UsageError: all rows are of one class.
    """
    if len(np.unique(labels)) < 2:
        raise UsageError("the training examples are all of one class: a probe needs two")
    mean, scale = _standard(found)
    if noise:
        scale = _against_noise(found, scale, noise * strength)
    probe = LogisticRegression(C=strength, max_iter=2000).fit((found - mean) / scale, labels)
    kernel, bias = np.zeros((found.shape[1], num_classes), "float32"), np.full(num_classes, -10.0, "float32")
    binary = len(probe.classes_) == 2
    coefficients = np.concatenate([-probe.coef_, probe.coef_]) / 2 if binary else probe.coef_
    intercepts = np.concatenate([-probe.intercept_, probe.intercept_]) / 2 if binary else probe.intercept_
    kernel[:, probe.classes_] = coefficients.T / scale[:, np.newaxis]
    bias[probe.classes_] = intercepts - (coefficients / scale) @ mean
    return [kernel, bias]


def fit_one_against_rest(
    found: np.ndarray, labels: np.ndarray, *, strength: float, dropout: float = 0.0
) -> list[np.ndarray]:
    """Fits a logistic regression for each label, and returns them as the weights of a dense layer to logits.

    Dropout is a penalty on the weights (Wager et al. 2013, arXiv:1307.1493, section 2), here with the variance of the label in
    the place of that of each prediction.

    Args:
        found: the features, `(rows, dim)`.
        labels: 0 or 1, -1 where not known, `(rows, labels)`. A label that fits all rows or none gets the logit of its share,
            with half a row added to either side.
        strength: see `start_head_from_probe`.
        dropout: rate on the features, in [0, 1).
    """
    kernel, bias = np.zeros((found.shape[1], labels.shape[1]), "float32"), np.zeros(labels.shape[1], "float32")
    for number, column in enumerate(labels.T):
        known = column >= 0
        fits = int((column == 1).sum())
        if 0 < fits < known.sum():
            share = fits / known.sum()
            noise = dropout / (1.0 - dropout) * share * (1.0 - share)
            weights, biases = fit_logistic(found[known], column[known], 2, strength=strength, noise=noise)
            kernel[:, number], bias[number] = weights[:, 1] - weights[:, 0], biases[1] - biases[0]
        else:
            bias[number] = np.log((fits + 0.5) / (known.sum() - fits + 0.5))
    return [kernel, bias]


def fit_ridge(found: np.ndarray, numbers: np.ndarray, *, strength: float, dropout: float = 0.0) -> list[np.ndarray]:
    """Fits a ridge regression and returns it as the weights of a dense layer.

    Of all these it has the least squared error in the mean over dropout's masks, with the penalty: for the squared error the
    penalty that dropout amounts to is exact (Wager et al. 2013, arXiv:1307.1493, section 2).

    Args:
        found: the features, `(rows, dim)`.
        numbers: floats `(rows, size)`, of a spread near 1.
        strength: see `start_head_from_probe`; the penalty stands to the squared errors as there to the cross-entropy.
        dropout: rate on the features, in [0, 1).
    """
    mean, scale = _standard(found)
    scale = _against_noise(found, scale, dropout / (1.0 - dropout) * 2.0 * strength)
    probe = Ridge(alpha=0.5 / strength).fit((found - mean) / scale, numbers)
    kernel = probe.coef_.reshape(numbers.shape[1], -1).T / scale[:, np.newaxis]
    return [kernel.astype("float32"), (probe.intercept_ - mean @ kernel).astype("float32")]


def _dropout(model: Supervised) -> float:
    """The rate before the last layer."""
    rates = [layer.rate for layer in model.layers if layer.name == "head_dropout"]
    return float(rates[0]) if rates else 0.0


def _against_noise(found: np.ndarray, scale: np.ndarray, noise: float) -> np.ndarray:
    """Returns larger scales, so that the same penalty weighs on each weight as on the noise that its feature brings."""
    return scale * np.sqrt(1.0 + noise * np.square(found / scale).sum(0))


def _standard(found: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns what features are shifted and divided by."""
    deviation = found.std(0)
    scale = (
        (deviation + 0.01 * deviation.max() + 1e-6) * np.sqrt(found.shape[1]) / 4.0
    )  # near-constant features stay quiet
    return found.mean(0), scale
