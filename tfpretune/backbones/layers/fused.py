"""Chains of element-wise operations that XLA makes one loop of, for training on a CPU.

TensorFlow runs each operation of such a chain over memory by itself, and that takes longer than the matrix products between
them. XLA around the whole step is no way out: its matrix products on a CPU are slower than TensorFlow's, above all in
bfloat16. So only the chains are compiled. Each is computed again in the backward pass, which keeps nothing but its inputs.
"""

import functools
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

_compile = functools.partial(tf.function, jit_compile=True, reduce_retracing=True, autograph=False)


def pay(training: bool | None) -> bool:
    """Says whether islands are worth it: in training, with no accelerator in sight. Exports must not hold any."""
    return bool(training) and all(device.device_type == "CPU" for device in tf.config.list_logical_devices())


def island(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compiles a pure function of tensors, forward and backward; settings that are no tensors go by keyword."""

    @_compile
    def forward(arguments: tuple[tf.Tensor, ...], settings: dict[str, Any]) -> Any:
        return function(*arguments, **settings)

    @_compile
    def backward(arguments: tuple[tf.Tensor, ...], slopes: tuple[tf.Tensor, ...], settings: dict[str, Any]) -> Any:
        learnt = [x for x in arguments if x.dtype.is_floating]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(learnt)
            outputs = function(*arguments, **settings)
        return tape.gradient(outputs, learnt, slopes if isinstance(outputs, tuple) else slopes[0])

    @functools.wraps(function)
    def call(*arguments: Any, **settings: Any) -> Any:
        @tf.custom_gradient
        def run(*inputs: tf.Tensor) -> Any:
            def gradient(*slopes: tf.Tensor) -> list[tf.Tensor | None]:
                found = iter(backward(inputs, slopes, settings))
                return [next(found) if x.dtype.is_floating else None for x in inputs]

            return forward(inputs, settings), gradient

        return run(*(tf.convert_to_tensor(x) for x in arguments))

    return call


def draw(layer: keras.layers.Dropout) -> tf.Tensor:
    """Returns the next seed of a dropout layer, int64 `(2,)`."""
    return layer.seed_generator.next() if layer.rate > 0 else tf.zeros(2, tf.int64)


def drop(x: tf.Tensor, seed: tf.Tensor, rate: float) -> tf.Tensor:
    """Dropout whose mask is a hash of the place and the seed: random numbers are slow on a CPU, in XLA most of all.

    The hash is C. Wellons' `lowbias32` (nullprogram.com/blog/2018/07/31), with two keys made from the seed.
    """
    if not rate:
        return x
    first, second = tf.unstack(tf.cast(seed, tf.uint32))
    first, second = _mix(first), _mix(tf.bitwise.bitwise_xor(_mix(second), first))
    places = tf.reshape(tf.cast(tf.range(tf.size(x)), tf.uint32), tf.shape(x))
    number = _mix(tf.bitwise.bitwise_xor(_mix(places + first), second))
    uniform = tf.cast(tf.bitwise.right_shift(number, tf.constant(8, tf.uint32)), tf.float32) * 2.0**-24
    return tf.where(uniform >= rate, x / (1.0 - rate), 0.0)


def _mix(x: tf.Tensor) -> tf.Tensor:
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B), (16, 1)):
        x = tf.bitwise.bitwise_xor(x, tf.bitwise.right_shift(x, tf.constant(shift, tf.uint32)))
        x *= tf.constant(factor, tf.uint32)
    return x


def _float32(x: tf.Tensor) -> tf.Tensor:
    return tf.cast(x, tf.float32)  # inside an island all is float32: rounding after each operation would take longer


@island
def norm(x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor, *, epsilon: float) -> tf.Tensor:
    """Layer norm over the last axis."""
    return tf.cast(_norm(_float32(x), gamma, beta, epsilon), x.dtype)


def _norm(x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor, epsilon: float) -> tf.Tensor:
    centred = x - tf.reduce_mean(x, axis=-1, keepdims=True)
    variance = tf.reduce_mean(tf.square(centred), axis=-1, keepdims=True)
    return centred * tf.math.rsqrt(variance + epsilon) * gamma + beta


@island
def add(x: tf.Tensor, branch: tf.Tensor, bias: tf.Tensor, seed: tf.Tensor, *, rate: float) -> tf.Tensor:
    """`x + dropout(branch + bias)`."""
    return tf.cast(_add(x, branch, bias, seed, rate), x.dtype)


def _add(x: tf.Tensor, branch: tf.Tensor, bias: tf.Tensor, seed: tf.Tensor, rate: float) -> tf.Tensor:
    return _float32(x) + drop(_float32(branch) + _float32(bias), seed, rate)


@island
def add_norm(
    x: tf.Tensor,
    branch: tf.Tensor,
    bias: tf.Tensor,
    seed: tf.Tensor,
    gamma: tf.Tensor,
    beta: tf.Tensor,
    *,
    rate: float,
    epsilon: float,
) -> tuple[tf.Tensor, tf.Tensor]:
    """What `add` gives, and the layer norm of it."""
    total = tf.cast(_add(x, branch, bias, seed, rate), x.dtype)
    return total, tf.cast(_norm(_float32(total), gamma, beta, epsilon), x.dtype)


@island
def gelu(x: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
    """`gelu(x + bias)`, exact (with erf)."""
    return tf.cast(tf.nn.gelu(_float32(x) + _float32(bias), approximate=False), x.dtype)


@island
def attend(scores: tf.Tensor, padding_mask: tf.Tensor, seed: tf.Tensor, *, rate: float) -> tf.Tensor:
    """Softmax over the last axis of `(batch, heads, length, length)`, keys with int32 mask 0 left out; then dropout."""
    hidden = _float32(1 - padding_mask)[:, tf.newaxis, tf.newaxis, :] * -1e9
    return tf.cast(drop(tf.nn.softmax(_float32(scores) + hidden), seed, rate), scores.dtype)


@island
def cross_entropy(scores: tf.Tensor, bias: tf.Tensor, ids: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Loss of the logits `scores + bias` `(rows, classes)`, and 1 where `ids` `(rows,)` is the first of the highest."""
    logits = _float32(scores) + _float32(bias)
    places = tf.range(tf.shape(logits)[1])
    highest = tf.stop_gradient(tf.reduce_max(logits, axis=-1, keepdims=True))
    total = tf.reduce_sum(tf.exp(logits - highest), axis=-1)
    wanted = tf.reduce_sum(tf.where(places == ids[:, tf.newaxis], logits - highest, 0.0), axis=-1)
    best = tf.reduce_min(tf.where(logits == highest, places, tf.shape(logits)[1]), axis=-1)
    return tf.math.log(total) - wanted, _float32(best == ids)
