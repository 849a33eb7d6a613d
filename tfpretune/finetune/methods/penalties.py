"""Penalties on the weights: towards their pre-trained values (L2-SP), towards zero (L2 of the head, L1).

Each is a regularizer of single variables, so it reaches the gradient through `model.losses`: once a step, outside the parts of
a batch, shared over the replicas, scaled in float16, and only for what learns when the step is traced. They are not saved with
the model: add them again when a run goes on, before `fit` restores its checkpoint. Weights of the loss itself (the variances
that `MultiTask` learns) are no part of what answers, and no penalty reaches them.
"""

from collections.abc import Callable

import keras
import tensorflow as tf

from tfpretune.errors import UsageError
from tfpretune.runtime.keras_internals import all_layers, own_trainable_variables

Penalty = Callable[[keras.Variable], tf.Tensor]


class L2SP:
    """Pulls the backbone towards where it starts, and the head towards zero (Li et al. 2018, arXiv:1802.01483, section 3).

    Adds `strength / 2 * ||w - w_0||^2` over the backbone's weights and `head_strength / 2 * ||w||^2` over all others. As in
    the paper every weight counts, scales and biases of normalisation too. `w_0` is what the weights are when this is called:
    load the preset and enable LoRA before it (A and B of LoRA are pulled to where they start, which is no change), and call it
    before training. A weight that is frozen now and learns later is then pulled to the same `w_0`.

    Weight decay pulls the backbone to zero at the same time: with this penalty `weight_decay` 0 is the paper's setting. The
    start values are kept on the device, so the backbone's weights need twice their memory.

    Args:
        model: a model with a `backbone`, made in its strategy's scope or not.
        strength: the paper's alpha; 0 for none. The paper tried 0.001 to 1 with SGD. AdamW divides the pull by the size of the
            whole gradient, so the same number does not mean the same there.
        head_strength: the paper's beta; 0 for none, the paper took 0.01.
        from_scratch: the backbone's weights are random: then there is nothing to pull towards.

    Raises:
        UsageError: a strength is negative, or the backbone has no weights worth staying near.
        ValueError: the model has this penalty already.

    Examples:
        >>> from tfpretune.backbones import SmallCNN
        >>> from tfpretune.finetune import L2SP, classifier
        >>> model = classifier(SmallCNN((8, 8, 1), (8,)), 2)
        >>> penalty = L2SP(model, 0.1)
        >>> float(sum(model.losses))  # all weights are where they start
        0.0
        >>> kernel = next(weight for weight in model.backbone.weights if weight.name == "kernel")
        >>> _ = kernel.assign_add(kernel * 0 + 1)  # each of its 3 x 3 x 8 numbers moves by 1
        >>> round(float(sum(model.losses)), 3)  # 0.1 / 2 * 72
        3.6
    """

    def __init__(self, model: keras.Model, strength: float, *, head_strength: float = 0.0, from_scratch: bool = False):
        _refuse_negative("`L2SP(strength)`", strength)
        _refuse_negative("`L2SP(head_strength)`", head_strength)
        if strength and from_scratch:
            raise UsageError(
                "`L2SP(strength)` pulls towards pre-trained weights, and `from_scratch` has none: leave one of the two out"
            )
        of_backbone = {id(variable) for variable in learnable(model.backbone)}
        with model.distribute_strategy.scope():
            for variable in _of_layers(model):
                if id(variable) not in of_backbone:
                    _add(variable, Pull(head_strength))
                elif strength:
                    start = tf.Variable(variable.numpy(), trainable=False, name=f"{variable.name}_start")
                    _add(variable, Pull(strength, start))


class Pull:
    """`strength / 2 * ||w - start||^2`.

    Args:
        strength: factor.
        start: a variable of the same shape, on every replica; None: zero.
    """

    def __init__(self, strength: float, start: tf.Variable | None = None):
        self.strength = strength
        self.start = start

    def __call__(self, variable: keras.Variable) -> tf.Tensor:
        """Returns the penalty, scalar float32."""
        value = tf.cast(tf.convert_to_tensor(variable), tf.float32)
        distance = value if self.start is None else value - tf.cast(self.start, tf.float32)
        return 0.5 * self.strength * tf.reduce_sum(tf.square(distance))


class L1:
    """`strength * sum(|w|)` (Tibshirani 1996).

    Args:
        strength: factor.
    """

    def __init__(self, strength: float):
        self.strength = strength

    def __call__(self, variable: keras.Variable) -> tf.Tensor:
        """Returns the penalty, scalar float32."""
        return self.strength * tf.reduce_sum(tf.abs(tf.cast(tf.convert_to_tensor(variable), tf.float32)))


def add_l1(model: keras.Model, strength: float) -> None:
    """Pulls every kernel, the head's too, towards zero by the same force, so that small weights become and stay small.

    The lasso (Tibshirani 1996): `strength * sum(|w|)` is added to the loss.

    Kernels are the matrices and filters of that name; biases, normalisation, embeddings and LoRA's matrices are left alone.

    Args:
        model: any model.
        strength: 0 for none.

    Raises:
        UsageError: the strength is negative.
        ValueError: the model has this penalty already.

    Examples:
        >>> import keras
        >>> from tfpretune.finetune import add_l1
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, kernel_initializer="ones")])
        >>> add_l1(model, 0.5)
        >>> float(sum(model.losses))  # 0.5 times the sum of 6 ones; the biases do not count
        3.0
    """
    _refuse_negative("`add_l1(strength)`", strength)
    for variable in _of_layers(model):
        if variable.name == "kernel":
            _add(variable, L1(strength))


def learnable(model: keras.layers.Layer) -> list[keras.Variable]:
    """Returns the weights that learn or may learn when nothing is frozen, each once: no statistics, no seeds."""
    layers = all_layers(model)
    return list({id(variable): variable for layer in layers for variable in own_trainable_variables(layer)}.values())


def pull_like(model: keras.Model, other: keras.Model) -> None:
    """Lets a model's weights be pulled to where those of another model of the same make are pulled."""
    for mine, its in zip(learnable(model), learnable(other), strict=True):
        for own, theirs in zip(_pulls(mine), _pulls(its), strict=True):
            if own.start is not None:
                own.start.assign(theirs.start)


def _pulls(variable: keras.Variable) -> list[Pull]:
    penalty = variable.regularizer
    return [part for part in (penalty.parts if isinstance(penalty, _Sum) else [penalty]) if isinstance(part, Pull)]


def _of_layers(model: keras.Model) -> list[keras.Variable]:
    """What may learn of the layers; what the model has added itself, outside them, belongs to its loss."""
    own = {id(variable) for variable in own_trainable_variables(model)}
    return [variable for variable in learnable(model) if id(variable) not in own]


class _Sum:
    """Several penalties of one variable."""

    def __init__(self, parts: list[Penalty]):
        self.parts = parts

    def __call__(self, variable: keras.Variable) -> tf.Tensor:
        return tf.add_n([tf.cast(part(variable), tf.float32) for part in self.parts])


def _add(variable: keras.Variable, penalty: Pull | L1) -> None:
    """Adds a penalty to those that the variable has, such as those of a KerasHub layer's own `kernel_regularizer`."""
    if not penalty.strength:
        return
    old = variable.regularizer
    parts = old.parts if isinstance(old, _Sum) else [] if old is None else [old]
    if any(type(part) is type(penalty) for part in parts):
        raise ValueError(f"{variable.path} has the penalty {type(penalty).__name__} already")
    variable.regularizer = _Sum([*parts, penalty]) if parts else penalty


def _refuse_negative(option: str, strength: float) -> None:
    if not strength >= 0:
        raise UsageError(f"{option} must not be negative, received {strength}")
