"""A linear probe on frozen features, and its use as the head's start."""

from collections.abc import Callable, Iterable
from typing import cast

import keras
import numpy as np
import tensorflow as tf
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression, Ridge

from tfpretune.data.batches.step_indexed import Batch
from tfpretune.errors import UsageError
from tfpretune.finetune.methods.probe_strength import Probe, fit_probe
from tfpretune.objectives import MultiLabel, Regression, Supervised, Target
from tfpretune.runtime.phases import phase


@phase("computing features")
def features_of(model: Supervised, batches: Iterable[Batch], *, layer: str = "features") -> np.ndarray:
    """Returns the pooled features `(rows, dim)` of a classifier, or another layer's output, in the order of the batches.

    Examples:
        >>> import tensorflow as tf
        >>> from tfpretune.backbones import SmallCNN
        >>> from tfpretune.finetune import classifier, features_of
        >>> model = classifier(SmallCNN((8, 8, 1), (8,)), 2)
        >>> batches = [{"images": tf.zeros((3, 8, 8, 1))}, {"images": tf.zeros((2, 8, 8, 1))}]
        >>> features_of(model, batches).shape
        (5, 8)
    """
    extractor = keras.Model(model.input, model.get_layer(layer).output)
    rows = {name: tf.TensorSpec((None, *tensor.shape[1:]), tensor.dtype) for name, tensor in model.input.items()}
    call = tf.function(
        lambda inputs: extractor(inputs, training=False), input_signature=[rows]
    )  # one trace for all sizes
    return np.concatenate([call(model.pick_inputs(batch)).numpy() for batch in batches])


@phase("fitting a first head on the frozen features")
def start_head_from_probe(model: Supervised, batches: tf.data.Dataset, *, strength: float | None = None) -> None:
    """Sets the last layer to a linear model on the features of the frozen backbone.

    That is a logistic regression to classes, one for each label to sets of them, and a ridge regression to numbers.

    Fine-tuning from a random head first bends good features to a bad head; from a fitted one it does not (LP-FT, Kumar et
    al. 2022, arXiv:2202.10054, section 3.4). Matters most with few labels. Each feature is standardised for the fit and the
    scaling folded into the weights. All are fitted as they will be trained, with the dropout before the last layer: else,
    where features hardly vary around a large mean, large weights cancel each other, and dropout breaks that up.

    How strongly it is regularised is chosen on held-out splits of the examples. Where no strength is better there than no
    features at all, the head starts without: it says the classes' shares, or the mean, for every example, and a line says so.

    Args:
        model: a classifier, multi-label classifier or regressor with the layers "features" and "logits".
        batches: the training examples with `labels`, each once, without augmentation.
        strength: inverse of the regularisation (scikit-learn's C), for features of unit variance divided by sqrt(dim) / 4;
            None chooses, and does not start worse than without features.

    Raises:
        UsageError: all rows are of one class.

    Examples:
        >>> import numpy as np, tensorflow as tf
        >>> from tfpretune.backbones import SmallCNN
        >>> from tfpretune.finetune import classifier, start_head_from_probe
        >>> images, labels = np.zeros((4, 8, 8, 1), "float32"), np.array([0, 0, 1, 1])
        >>> images[2:, :4] = 1.0  # black, or white in the upper half
        >>> model = classifier(SmallCNN((8, 8, 1), (8,)), 2, dropout=0.0)
        >>> batches = tf.data.Dataset.from_tensor_slices({"images": images, "labels": labels}).batch(4)
        >>> start_head_from_probe(model, batches, strength=1.0)
        >>> model({"images": images}).numpy().argmax(axis=1).tolist()
        [0, 0, 1, 1]
    """
    rows = list(batches)
    probe, dropout = _probe_of(model), _dropout(model)
    truths = probe.truths(np.concatenate([np.asarray(batch["labels"]) for batch in rows]))
    found = features_of(model, rows)
    stratified = truths.ndim == 1
    if stratified:
        found, truths = found[truths >= 0], truths[truths >= 0]
        _require_two_classes(truths)
    if strength is not None:
        weights = probe.fit(found, truths, strength, dropout)
    else:
        weights = fit_probe(probe, found, truths, dropout=dropout, stratified=stratified)
    model.get_layer("logits").set_weights(weights)


def _of_classes(model: Supervised) -> Probe:
    classes = model.get_layer("logits").units
    return Probe(
        lambda x, y, strength, dropout: fit_classes(x, y, classes, strength=strength, dropout=dropout),
        lambda y: _log_shares(y, classes),
        _cross_entropy_of_classes,
    )


def _of_labels(model: Supervised) -> Probe:
    del model
    return Probe(
        lambda x, y, strength, dropout: fit_one_against_rest(x, y, strength=strength, dropout=dropout),
        _logits_of_shares,
        _cross_entropy_of_labels,
    )


def _of_numbers(model: Supervised) -> Probe:
    target = cast(Regression, model.target)
    return Probe(
        lambda x, y, strength, dropout: fit_ridge(x, y, strength=strength, dropout=dropout),
        lambda y: y.mean(0).astype("float32"),
        lambda outputs, y: float(np.square(outputs - y).mean()),
        lambda labels: (labels.reshape(len(labels), -1) - target.offset) / target.scale,
    )


PROBES: dict[type[Target], Callable[[Supervised], Probe]] = {MultiLabel: _of_labels, Regression: _of_numbers}
"""Target -> the probe of its heads; all others say classes."""


def _probe_of(model: Supervised) -> Probe:
    return PROBES.get(type(model.target), _of_classes)(model)


def fit_classes(
    found: np.ndarray, labels: np.ndarray, num_classes: int, *, strength: float, dropout: float = 0.0
) -> list[np.ndarray]:
    """Fits a logistic regression with the penalty that dropout amounts to, as `fit_one_against_rest`; see `fit_logistic`."""
    shares = np.bincount(labels, minlength=num_classes) / len(labels)
    variance = float(np.mean((shares * (1.0 - shares))[shares > 0]))
    noise = dropout / (1.0 - dropout) * variance
    return fit_logistic(found, labels, num_classes, strength=strength, noise=noise)


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
    _require_two_classes(labels)
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
            bias[number] = _logits_of_shares(column)
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


def _require_two_classes(labels: np.ndarray) -> None:
    if len(np.unique(labels)) < 2:
        raise UsageError("the training examples are all of one class: a probe needs two")


def _log_shares(labels: np.ndarray, num_classes: int) -> np.ndarray:
    """The logits that say each class's share, with half a row added to each."""
    counts = np.bincount(labels, minlength=num_classes) + 0.5
    return np.log(counts / counts.sum()).astype("float32")


def _logits_of_shares(labels: np.ndarray) -> np.ndarray:
    """The logits that say the fraction of each label `(rows, …)` among the rows where it is known, half a row added to both."""
    fits, fits_not = (labels == 1).sum(0), (labels == 0).sum(0)
    return np.log((fits + 0.5) / (fits_not + 0.5)).astype("float32")


def _cross_entropy_of_classes(logits: np.ndarray, labels: np.ndarray) -> float:
    return float(-log_softmax(logits, axis=1)[np.arange(len(labels)), labels].mean())


def _cross_entropy_of_labels(logits: np.ndarray, labels: np.ndarray) -> float:
    """The mean over what is known."""
    losses, known = np.logaddexp(0.0, logits) - logits * (labels == 1), labels >= 0
    return float((losses * known).sum() / max(1, known.sum()))


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
