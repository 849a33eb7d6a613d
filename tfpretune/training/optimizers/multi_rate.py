"""Optimizers that give single variables a rate of their own."""

import re
from typing import Any

import keras
import tensorflow as tf

from tfpretune.training.optimizers.decay import decays

# Pairs of a regular expression on a variable's path and a factor; the first that fits counts.
Factors = tuple[tuple[str, float], ...]


class MultiRate(keras.optimizers.Optimizer):
    """Rates of single variables, put before a Keras optimizer: one schedule, one state, right on replicas.

    A variable's rate is the schedule's, times the factor of the first of `multipliers` that fits its path, times that of the
    first of `rate_factors`. Weight decay goes with the schedule and with `rate_factors`: a layer that learns slowly is also
    pulled slowly towards zero, as in a parameter group of its own. It does not go with `multipliers`. Which variables decay is
    `decays`' rule, less what `exclude_from_weight_decay` names; it is asked once, in `build`, where variables are Keras' own.
    """

    multipliers: Factors = ()
    rate_factors: Factors = ()

    def multiply(self, multipliers: Factors, rate_factors: Factors) -> None:
        """Sets the factors; before `build`."""
        self.multipliers = tuple((pattern, float(factor)) for pattern, factor in multipliers)
        self.rate_factors = tuple((pattern, float(factor)) for pattern, factor in rate_factors)

    def build(self, variables: list[keras.Variable]) -> None:
        """Creates the slots and looks up each variable's factors and decay."""
        super().build(variables)
        self._factors: dict[Any, float] = {}
        self._decays: dict[Any, float] = {}
        for variable in variables:
            key, layer_factor = self._var_key(variable), _first_fit(self.rate_factors, variable.path)
            self._factors[key] = layer_factor * _first_fit(self.multipliers, variable.path)
            decayed = self.weight_decay and decays(variable) and self._use_weight_decay(variable)
            self._decays[key] = self.weight_decay * layer_factor if decayed else 0.0

    def _apply_weight_decay(self, variables: list[keras.Variable]) -> None:
        """Does nothing: the update of a variable begins with its decay."""

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Updates one variable at its own rate."""
        key = self._var_key(variable)
        if self._decays[key]:
            variable.assign_sub(variable * self._decays[key] * learning_rate)
        super().update_step(gradient, variable, learning_rate * self._factors[key] * self._correction(key))

    def _correction(self, key: Any) -> Any:
        """Returns one more factor of a variable's rate."""
        return 1.0

    def _own_config(self, *names: str) -> dict[str, Any]:
        config = super().get_config()
        factors = {"multipliers": self.multipliers, "rate_factors": self.rate_factors}
        return {key: config[key] for key in ("learning_rate", "weight_decay", "name", *names)} | factors


def _first_fit(factors: Factors, path: str) -> float:
    return next((factor for pattern, factor in factors if re.search(pattern, path)), 1.0)


@keras.saving.register_keras_serializable("tfpretune")
class MultiRateSGD(MultiRate, keras.optimizers.SGD):
    """SGD with momentum whose rate is multiplied for the variables that a pattern fits.

    Args:
        learning_rate: rate or schedule.
        multipliers: (regular expression on the variable's path, factor) pairs.
        rate_factors: the same, for whole layers; see `MultiRate`.
        weight_decay: decoupled decay.
        momentum: fraction of the last update that is made again.

    Examples:
        >>> import keras, tensorflow as tf
        >>> from tfpretune.training import MultiRateSGD
        >>> optimizer = MultiRateSGD(0.1, multipliers=(("head", 10.0),), momentum=0.0)
        >>> variables = [keras.Variable([1.0], name="body"), keras.Variable([1.0], name="head")]
        >>> optimizer.apply([tf.constant([0.5])] * 2, variables)
        >>> [round(float(variable.numpy()[0]), 3) for variable in variables]  # 1 - 0.1 * 0.5, 1 - 10 * 0.1 * 0.5
        [0.95, 0.5]
    """

    def __init__(
        self,
        learning_rate: Any = 1e-1,
        *,
        multipliers: Factors = (),
        rate_factors: Factors = (),
        weight_decay: float | None = None,
        momentum: float = 0.9,
        name: str = "multi_rate_sgd",
    ):
        super().__init__(learning_rate, weight_decay=weight_decay, momentum=momentum, name=name)
        self.multiply(multipliers, rate_factors)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return self._own_config("momentum")


@keras.saving.register_keras_serializable("tfpretune")
class MultiRateAdagrad(MultiRate, keras.optimizers.Adagrad):
    """AdaGrad whose rate is multiplied for the variables that a pattern fits.

    Args:
        learning_rate: rate or schedule.
        multipliers: (regular expression on the variable's path, factor) pairs.
        rate_factors: the same, for whole layers; see `MultiRate`.
        weight_decay: decoupled decay.

    Examples:
        >>> import keras, tensorflow as tf
        >>> from tfpretune.training import MultiRateAdagrad
        >>> optimizer = MultiRateAdagrad(0.01, multipliers=(("head", 10.0),))
        >>> variables = [keras.Variable([1.0], name="body"), keras.Variable([1.0], name="head")]
        >>> optimizer.apply([tf.constant([3.0])] * 2, variables)
        >>> [round(float(variable.numpy()[0]), 3) for variable in variables]  # 3 / sqrt(0.1 + 3^2) is nearly 1
        [0.99, 0.901]
    """

    def __init__(
        self,
        learning_rate: Any = 1e-2,
        *,
        multipliers: Factors = (),
        rate_factors: Factors = (),
        weight_decay: float | None = None,
        name: str = "multi_rate_adagrad",
    ):
        super().__init__(learning_rate, weight_decay=weight_decay, name=name)
        self.multiply(multipliers, rate_factors)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return self._own_config()


@keras.saving.register_keras_serializable("tfpretune")
class MultiRateAdamW(MultiRate, keras.optimizers.AdamW):
    """AdamW whose rate is multiplied for the variables that a pattern fits.

    Args:
        learning_rate: rate or schedule.
        multipliers: (regular expression on the variable's path, factor) pairs.
        rate_factors: the same, for whole layers; see `MultiRate`.
        weight_decay: decoupled decay.
        beta_2: decay of the second moment.
        epsilon: added to the root of the second moment.

    Examples:
        >>> import keras, tensorflow as tf
        >>> from tfpretune.training import MultiRateAdamW
        >>> optimizer = MultiRateAdamW(0.001, multipliers=(("head", 10.0),))
        >>> variables = [keras.Variable([1.0], name="body"), keras.Variable([1.0], name="head")]
        >>> optimizer.apply([tf.constant([0.5])] * 2, variables)
        >>> [round(float(variable.numpy()[0]), 4) for variable in variables]  # Adam's first step is as long as the rate
        [0.999, 0.99]
    """

    def __init__(
        self,
        learning_rate: Any = 1e-3,
        *,
        multipliers: Factors = (),
        rate_factors: Factors = (),
        weight_decay: float = 0.0,
        beta_2: float = 0.98,
        epsilon: float = 1e-6,
        name: str = "multi_rate_adamw",
    ):
        super().__init__(learning_rate, weight_decay=weight_decay, beta_2=beta_2, epsilon=epsilon, name=name)
        self.multiply(multipliers, rate_factors)

    def build(self, variables: list[keras.Variable]) -> None:
        """Creates the slots."""
        super().build(variables)
        self._starts: dict[Any, keras.Variable] = {}

    def start_later(self, groups: list[list[keras.Variable]]) -> list[keras.Variable]:
        """Creates, for each group of variables, the number of steps made when it began to learn; whoever unfreezes sets it.

        Adam divides its moments by what they lack after N steps. Those of a group that begins late are as young as in
        step 1; divided by the whole run's steps they would make its first steps too large, up to 6.6 times with Adam's decays.
        Call it after `build`.
        """
        starts = [self.add_variable((), dtype="int", name="start", aggregation="only_first_replica") for _ in groups]
        for start, group in zip(starts, groups, strict=True):
            self._starts |= {self._var_key(variable): start for variable in group}
        return starts

    def _corrected(self, rate: Any, step: Any) -> Any:
        """Returns the rate with the divisors of both moments in it; `step` is 1 in the first step, float32."""
        return rate * tf.sqrt(1.0 - tf.pow(self.beta_2, step)) / (1.0 - tf.pow(self.beta_1, step))

    def _step(self, start: keras.Variable | None) -> tf.Tensor:
        return tf.cast(self.iterations + 1 if start is None else self.iterations + 1 - start, tf.float32)

    def _backend_update_step(self, grads: list[Any], trainable_variables: list[Any], learning_rate: Any) -> None:
        """Updates all variables, decay included, in one XLA call: on CPUs Adam's many small operations cost more than its sums.

        Overrides a private method of Keras 3.15. With several replicas Keras' own way is taken; both do the same arithmetic.
        """
        if not self._is_fused:
            super()._backend_update_step(grads, trainable_variables, learning_rate)
            return
        kept = [(tf.convert_to_tensor(g), v) for g, v in zip(grads, trainable_variables, strict=True) if g is not None]
        indices = [self._get_variable_index(variable) for _, variable in kept]
        keys = [self._var_key(variable) for _, variable in kept]
        slots = [[slot[index] for index in indices] for slot in (self._momentums, self._velocities)]
        factors, shares = [self._factors[key] for key in keys], [self._decays[key] for key in keys]
        own = [self._starts.get(key) for key in keys]
        starts = list({id(start): start for start in own}.values())
        kinds = [next(index for index, start in enumerate(starts) if start is mine) for mine in own]

        @tf.function(jit_compile=True)
        def update(gradients: Any, values: Any, first: Any, second: Any, rate: Any, steps: Any) -> Any:
            rates = [self._corrected(rate, step) for step in steps]
            updated = []
            for g, x, m, v, decay, factor, kind in zip(
                gradients, values, first, second, shares, factors, kinds, strict=True
            ):
                m = m + (g - m) * (1.0 - self.beta_1)
                v = v + (tf.square(g) - v) * (1.0 - self.beta_2)
                x = x - x * (decay * rate)
                updated.append((x - m * (rates[kind] * factor) / (tf.sqrt(v) + self.epsilon), m, v))
            return updated

        def read(variables: list[Any]) -> list[tf.Tensor]:
            return [tf.convert_to_tensor(variable) for variable in variables]

        rate, steps = tf.cast(learning_rate, tf.float32), [self._step(start) for start in starts]
        values = [variable for _, variable in kept]
        results = update([g for g, _ in kept], read(values), read(slots[0]), read(slots[1]), rate, steps)
        for variable, first, second, (x, m, v) in zip(values, *slots, results, strict=True):
            variable.assign(x)
            first.assign(m)
            second.assign(v)

    @property
    def _is_fused(self) -> bool:
        return self._distribution_strategy.num_replicas_in_sync == 1

    def _correction(self, key: Any) -> Any:
        """Puts right, on several replicas, what Adam divides by for a variable that began to learn late."""
        start = self._starts.get(key)
        if start is None:
            return 1.0
        return self._corrected(1.0, self._step(start)) / self._corrected(1.0, self._step(None))

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return self._own_config("beta_2", "epsilon")
