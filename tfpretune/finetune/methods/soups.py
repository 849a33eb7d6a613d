"""Several fine-tuned models as one: the average of their weights (soups), or of their answers (ensembles)."""

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tfpretune.data.text.tokenizer import Tokenizer
from tfpretune.errors import UsageError
from tfpretune.finetune.methods.probing import features_of, fit_logistic
from tfpretune.objectives import Classification, Supervised
from tfpretune.settings.file import changes

Method = Literal["mean", "vote", "stacked"]
Refresh = Callable[[Supervised], Any]
_OF_THE_RUN = ("source", "license", "metrics", "command")
_NOT_COMPARED = ("name", "trainable", "dtype", "dropout")
_TIE = 1e-3


class Soup(NamedTuple):
    """What `greedy_soup` found.

    Attributes:
        model: the average.
        members: the models in it, by their place in the list that was given, in the order they went in.
        figure: what `evaluate` says of it.
        figures: what `evaluate` says of each model by itself, in the order of the list.
    """

    model: Supervised
    members: tuple[int, ...]
    figure: float
    figures: tuple[float, ...]


def uniform_soup(models: Sequence[Supervised], *, refresh: Refresh | None = None) -> Supervised:
    """Averages the weights of models that were fine-tuned from one start (Wortsman et al. 2022, arXiv:2203.05482, section 2).

    Args:
        models: of one architecture; they stay as they are.
        refresh: called with the average, to take statistics of `BatchNormalization` for it, such as
            `lambda model: refresh_normalization(model, batches)`.

    Returns:
        A new model of the same architecture.

    Raises:
        UsageError: the models are not of one architecture; says what differs.
    """
    _require_one_architecture(models)
    total = _weights(models[0])
    for model in models[1:]:
        total = _sum(total, model)
    return _average(models[0], total, len(models), refresh)


def greedy_soup(
    models: Sequence[Supervised], evaluate: Callable[[Supervised], float], *, refresh: Refresh | None = None
) -> Soup:
    """Puts one model after the other into the average, the best first, and keeps those that do it no harm.

    Wortsman et al. 2022, recipe 1: a model stays in where the figure of the average is at least what it was without it.

    Args:
        models: of one architecture; they stay as they are.
        evaluate: a figure on held-out examples, more is better. Not on the test set: it chooses.
        refresh: see `uniform_soup`.

    Raises:
        UsageError: the models are not of one architecture; says what differs.
    """
    _require_one_architecture(models)
    figures = tuple(float(evaluate(model)) for model in models)
    first, *others = sorted(range(len(models)), key=lambda index: -figures[index])
    members, figure, total = [first], figures[first], _weights(models[first])
    best = _average(models[first], total, 1, None)
    for index in others:
        tried = _sum(total, models[index])
        model = _average(models[0], tried, len(members) + 1, refresh)
        found = float(evaluate(model))
        if found >= figure:
            members, best, figure, total = [*members, index], model, found, tried
    return Soup(best, tuple(members), figure, figures)


def ensemble(
    models: Sequence[Supervised], method: Method = "mean", *, batches: tf.data.Dataset | None = None
) -> Supervised:
    """Puts classifiers side by side into one model from the same inputs, which can be saved, evaluated and exported.

    Args:
        models: with the same inputs and classes; their backbones may differ. They are copied.
        method: "mean": of the probabilities. "vote": the class that most models find the most probable; of classes with
            equal votes the one with the higher mean probability; the served probabilities are the fractions of the votes.
            "stacked": a logistic regression on all models' probabilities.
        batches: "stacked" only: examples with `labels` that no model was trained on, each once.

    Returns:
        A model to float32 logits `(batch, classes)`, whose layer "features" has the features of all, one after the other.
        Its `backbone` is the first one's.

    Raises:
        UsageError: the models do not fit together; says what differs.
    """
    _require_same_interface(models)
    if (method == "stacked") != (batches is not None):
        raise ValueError(f"batches are compatible with the method stacked, and with no other: received {method!r}")
    inputs = {name: keras.Input(x.shape[1:], dtype=x.dtype, name=name) for name, x in models[0].input.items()}
    bodies, heads = zip(*(_copy(model, index) for index, model in enumerate(models)), strict=True)
    found = [body(inputs) for body in bodies]
    features = keras.layers.Concatenate(dtype="float32", name="features")(found)
    ends = np.cumsum([x.shape[-1] for x in found])[:-1].tolist()
    own = keras.ops.split(features, ends, axis=-1) if ends else [features]
    logs = [keras.ops.log_softmax(head(x), axis=-1) for head, x in zip(heads, own, strict=True)]
    outputs = _joined(logs, method)
    model = Supervised(inputs, outputs, "ensemble", target=Classification(outputs.shape[-1]))
    if batches is not None:
        _fit_stack(model, batches)
    return model


def facts_of(
    task: Mapping[str, Any], tokenizer: Tokenizer | None = None, model: Supervised | None = None
) -> dict[str, Any]:
    """Returns what models must have in common to be averaged, for `require_same`.

    Args:
        task: the content of `task.json`: what it says of inputs and classes counts.
        tokenizer: of a text model; its vocabulary counts.
        model: its architecture counts; None for an ensemble, whose members may differ in that.
    """
    facts = {name: value for name, value in task.items() if name not in _OF_THE_RUN}
    if tokenizer is not None:
        tokens = tokenizer.get_vocabulary()
        digest = hashlib.sha256("\n".join(tokens).encode("utf-8")).hexdigest()
        facts["vocabulary"] = f"{len(tokens)} tokens, sha256 {digest[:16]}"
        facts["lowercase"] = getattr(tokenizer, "lowercase", None)
    return facts if model is None else facts | _architecture(model)


def require_same(facts: Mapping[str, Mapping[str, Any]], *, may_differ: tuple[str, ...] = ()) -> None:
    """Compares the facts of all models with the first one's.

    Args:
        facts: name of the model -> `facts_of` it.
        may_differ: names that do not matter; for an ensemble `window_length`.

    Raises:
        UsageError: names the first model that does not fit, and lists what differs.
    """
    (first, expected), *others = facts.items()
    for name, found in others:
        different = changes(expected, found, may_differ=may_differ, show=_short)
        if different:
            raise UsageError(f"{name} does not fit {first}: {'; '.join(different)}")


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "…"


def _require_one_architecture(models: Sequence[Supervised]) -> None:
    if not models:
        raise ValueError("expected at least one model, received none")
    require_same({f"model {index}": _architecture(model) for index, model in enumerate(models)})


def _architecture(model: Supervised) -> dict[str, Any]:
    facts = {"backbone": type(model.backbone).__name__, "outputs": list(model.output.shape)}
    for name, value in model.backbone.get_config().items():
        if name not in _NOT_COMPARED and _is_plain(value):
            facts[f"backbone.{name}"] = value
    sizes = [f"{weight.name} {list(weight.shape)}" for weight in model.weights]
    return facts | {f"weight {index}": size for index, size in enumerate(sizes)}


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, bool | int | float | str)


def _require_same_interface(models: Sequence[Supervised]) -> None:
    if not models:
        raise ValueError("expected at least one model, received none")
    for model in models:
        if not isinstance(model.target, Classification) or len(model.output.shape) != 2:
            raise UsageError(f"an ensemble takes classifiers of whole examples, {model.name} has {model.target}")
    facts: list[dict[str, Any]] = [{name: list(x.shape) for name, x in model.input.items()} for model in models]
    pairs = enumerate(zip(facts, models, strict=True))
    require_same({f"model {index}": found | {"classes": model.target.num_outputs} for index, (found, model) in pairs})


def _weights(model: Supervised) -> list[np.ndarray]:
    return [np.asarray(weight.numpy(), np.float64) for weight in model.weights]


def _sum(total: list[np.ndarray], model: Supervised) -> list[np.ndarray]:
    return [a + b for a, b in zip(total, _weights(model), strict=True)]


def _average(model: Supervised, total: list[np.ndarray], count: int, refresh: Refresh | None) -> Supervised:
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(model))
    for weight, value in zip(copy.weights, total, strict=True):
        weight.assign((value / count).astype(weight.dtype))
    if refresh is not None and count > 1:
        refresh(copy)
    return copy


def _copy(model: Supervised, index: int) -> tuple[keras.Model, keras.Model]:
    """Returns a copy in two parts: inputs to features, features to logits. Its variables' paths start with `member_INDEX`."""
    config = keras.saving.serialize_keras_object(model)
    with keras.name_scope(f"member_{index}"):
        copy = keras.saving.deserialize_keras_object(config)
    copy.set_weights(model.get_weights())
    features = copy.get_layer("features").output
    body = keras.Model(copy.input, features, name=f"member_{index}")
    return body, keras.Model(features, copy.output, name=f"head_{index}")


def _joined(logs: list[Any], method: Method) -> Any:
    """Joins the logarithms of the members' probabilities `(batch, classes)` into one answer."""
    if method == "stacked":
        joined = keras.layers.Concatenate(dtype="float32", name="probabilities")([keras.ops.exp(x) for x in logs])
        return keras.layers.Dense(logs[0].shape[-1], dtype="float32", name="logits")(joined)
    stack = keras.ops.stack(logs, axis=1)
    if method == "mean":
        return keras.ops.logsumexp(stack, axis=1) - math.log(len(logs))
    mean = keras.ops.mean(keras.ops.exp(stack), axis=1)
    votes = keras.ops.one_hot(keras.ops.argmax(stack, axis=-1), logs[0].shape[-1], dtype="float32")
    return keras.ops.log(keras.ops.sum(votes, axis=1) + _TIE * keras.ops.maximum(mean, 1e-7))


def _fit_stack(model: Supervised, batches: tf.data.Dataset) -> None:
    rows = list(batches)
    labels = np.concatenate([batch["labels"].numpy() for batch in rows])
    found = features_of(model, rows, layer="probabilities")
    model.get_layer("logits").set_weights(fit_logistic(found, labels, model.target.num_outputs, strength=1.0))
