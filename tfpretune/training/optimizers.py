"""Optimizers and learning-rate schedules from settings."""

import math
import re
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from tfpretune.config import OptimizerConfig
from tfpretune.training.averages import average_equally, keep_weights_when_fit_ends

NOT_DECAYED = (
    "bias",
    "gamma",
    "beta",
    "scale",
    "position_embedding",
    "mask_token",
)  # in variables' own names, not in paths


@keras.saving.register_keras_serializable("tfpretune")
class WarmUp(keras.optimizers.schedules.LearningRateSchedule):
    """Rises linearly from 0 to the peak, then stays or falls until the last step.

    Args:
        peak: the highest rate.
        total_steps: steps of the whole run.
        warmup_steps: steps of the rise.
        schedule: "constant", "linear" (to 0), "cosine" (to 0, half a wave; Loshchilov and Hutter 2016), or "exponential"
            (to a hundredth of the peak).
    """

    def __init__(self, peak: float, total_steps: int, *, warmup_steps: int, schedule: str):
        if schedule not in ("constant", "linear", "cosine", "exponential"):
            raise ValueError(f"schedule must be constant, linear, cosine or exponential, received {schedule!r}")
        self.peak = peak
        self.total_steps = total_steps
        self.warmup_steps = warmup_steps
        self.schedule = schedule

    def __call__(self, step: Any) -> Any:
        """Returns the rate of `step` (0 for the first)."""
        step = ops.cast(step, "float32")
        rise = (step + 1.0) / max(1, self.warmup_steps)
        share = ops.clip((step - self.warmup_steps) / max(1, self.total_steps - self.warmup_steps), 0.0, 1.0)
        falls = {
            "constant": ops.ones_like(share),
            "linear": 1.0 - share,
            "cosine": 0.5 + 0.5 * ops.cos(math.pi * share),
            "exponential": ops.exp(math.log(0.01) * share),
        }
        return (
            self.peak * ops.minimum(rise, falls[self.schedule])
            if self.warmup_steps
            else self.peak * falls[self.schedule]
        )

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {
            "peak": self.peak,
            "total_steps": self.total_steps,
            "warmup_steps": self.warmup_steps,
            "schedule": self.schedule,
        }


@keras.saving.register_keras_serializable("tfpretune")
class MultiRateAdamW(keras.optimizers.AdamW):
    """AdamW whose rate is multiplied for the variables that a pattern fits: one schedule, one state, right on replicas.

    Args:
        learning_rate: rate or schedule.
        multipliers: (regular expression on the variable's path, factor) pairs; the first that fits counts.
        weight_decay: decoupled decay, not multiplied.
        beta_2: decay of the second moment.
        epsilon: added to the root of the second moment.
    """

    def __init__(
        self,
        learning_rate: Any = 1e-3,
        *,
        multipliers: tuple[tuple[str, float], ...] = (),
        weight_decay: float = 0.0,
        beta_2: float = 0.98,
        epsilon: float = 1e-6,
        name: str = "multi_rate_adamw",
    ):
        super().__init__(learning_rate, weight_decay=weight_decay, beta_2=beta_2, epsilon=epsilon, name=name)
        self.multipliers = tuple((pattern, float(factor)) for pattern, factor in multipliers)

    def build(self, variables: list[keras.Variable]) -> None:
        """Creates the slots and looks up each variable's factor."""
        super().build(variables)
        self._factors = {self._var_key(variable): self._factor(variable.path) for variable in variables}
        self._starts: dict[Any, keras.Variable] = {}

    def start_later(self, groups: list[list[keras.Variable]]) -> list[keras.Variable]:
        """Creates, for each group of variables, the number of steps made when it began to learn; whoever unfreezes sets it.

        Adam divides its moments by what they lack after so many steps. Those of a group that begins late are as young as in
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

    def _apply_weight_decay(self, variables: list[keras.Variable]) -> None:
        if not self._is_fused:
            super()._apply_weight_decay(variables)

    def _backend_update_step(self, grads: list[Any], trainable_variables: list[Any], learning_rate: Any) -> None:
        """Updates all variables, decay included, in one XLA call: on CPUs Adam's many small operations cost more than its sums.

        Overrides a private method of Keras 3.15. With several replicas Keras' own way is taken; both do the same arithmetic.
        """
        if not self._is_fused:
            super()._backend_update_step(grads, trainable_variables, learning_rate)
            return
        kept = [(tf.convert_to_tensor(g), v) for g, v in zip(grads, trainable_variables, strict=True) if g is not None]
        indices = [self._get_variable_index(variable) for _, variable in kept]
        decays = [self.weight_decay if self._use_weight_decay(variable) else 0.0 for _, variable in kept]
        slots = [[slot[index] for index in indices] for slot in (self._momentums, self._velocities)]
        factors = [self._factors[self._var_key(variable)] for _, variable in kept]
        own = [self._starts.get(self._var_key(variable)) for _, variable in kept]
        starts = list({id(start): start for start in own}.values())
        kinds = [next(index for index, start in enumerate(starts) if start is mine) for mine in own]

        @tf.function(jit_compile=True)
        def update(gradients: Any, values: Any, first: Any, second: Any, rate: Any, steps: Any) -> Any:
            rates = [self._corrected(rate, step) for step in steps]
            updated = []
            for g, x, m, v, decay, factor, kind in zip(
                gradients, values, first, second, decays, factors, kinds, strict=True
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

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Updates one variable at its own rate, on one of several replicas."""
        key = self._var_key(variable)
        start, rate = self._starts.get(key), learning_rate * self._factors[key]
        if start is not None:
            rate *= self._corrected(1.0, self._step(start)) / self._corrected(1.0, self._step(None))
        super().update_step(gradient, variable, rate)

    def _factor(self, path: str) -> float:
        return next((factor for pattern, factor in self.multipliers if re.search(pattern, path)), 1.0)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        config = super().get_config()
        own = ("learning_rate", "weight_decay", "beta_2", "epsilon", "name")
        return {key: config[key] for key in own} | {"multipliers": self.multipliers}


def make_optimizer(config: OptimizerConfig, total_steps: int) -> keras.optimizers.Optimizer:
    """Builds the optimizer of a run of `total_steps` steps. Clipping is `Objective.compile(clip_norm=…)`'s."""
    warmup_steps = round(config.warmup * total_steps)
    rate = WarmUp(config.learning_rate, total_steps, warmup_steps=warmup_steps, schedule=config.schedule)
    decay = config.weight_decay or None
    if config.name == "adamw":
        optimizer = MultiRateAdamW(rate, multipliers=config.multipliers, weight_decay=config.weight_decay)
    elif config.name == "adam":
        optimizer = keras.optimizers.Adam(rate)
    elif config.name == "sgd":
        optimizer = keras.optimizers.SGD(rate, momentum=0.9, weight_decay=decay)
    else:
        optimizer = keras.optimizers.Adagrad(rate)
    if config.ema:
        optimizer.use_ema, optimizer.ema_momentum = True, config.ema
        keep_weights_when_fit_ends(optimizer)
    if config.swa:
        average_equally(optimizer, start=round(config.swa * total_steps))
    if optimizer.weight_decay:
        optimizer.exclude_from_weight_decay(var_names=list(NOT_DECAYED))
    return optimizer
