"""Optimizers and learning-rate schedules from settings."""

import typing

import keras

from tfpretune.settings.run import Optimizer, OptimizerConfig
from tfpretune.training.optimizers.moving_averages import average_equally, keep_weights_when_fit_ends
from tfpretune.training.optimizers.multi_rate import Factors, MultiRateAdagrad, MultiRateAdamW, MultiRateSGD
from tfpretune.training.optimizers.schedules import WarmUp


def make_optimizer(
    config: OptimizerConfig, total_steps: int, *, rate_factors: Factors = ()
) -> keras.optimizers.Optimizer:
    """Builds the optimizer of a run. Clipping is `Objective.compile(clip_norm=…)`'s.

    Args:
        config: the settings.
        total_steps: steps of the whole run, at least 1: the schedule ends with the last.
        rate_factors: from `layerwise_rates` (`model.rate_factors`); the settings' multipliers come on top.

    Returns:
        AdamW, Adam, SGD with momentum or AdaGrad, with the schedule as its `learning_rate`; its variables are not built.

    Raises:
        ValueError: an optimizer or a schedule that there is not.

    Examples:
        >>> from tfpretune.settings.run import OptimizerConfig
        >>> from tfpretune.training import make_optimizer
        >>> config = OptimizerConfig(name="sgd", learning_rate=0.1, warmup=0.1, schedule="linear")
        >>> optimizer = make_optimizer(config, total_steps=100)
        >>> round(float(optimizer.learning_rate), 4)  # before the first of 10 steps of warm-up
        0.01
    """
    if config.name not in typing.get_args(Optimizer):
        raise ValueError(f"name must be one of {', '.join(typing.get_args(Optimizer))}, received {config.name!r}")
    warmup_steps = round(config.warmup * total_steps)
    rate = WarmUp(config.learning_rate, total_steps, warmup_steps=warmup_steps, schedule=config.schedule)
    decay = config.weight_decay or None
    if config.name == "adamw":
        optimizer = MultiRateAdamW(rate, weight_decay=config.weight_decay)
    elif config.name == "adam":
        # Keras' Adam counts one age for all moments
        optimizer = MultiRateAdamW(rate, weight_decay=config.weight_decay, beta_2=0.999, epsilon=1e-7)
    elif config.name == "sgd":
        optimizer = MultiRateSGD(rate, weight_decay=decay)
    else:
        optimizer = MultiRateAdagrad(rate, weight_decay=decay)
    optimizer.multiply(config.multipliers, rate_factors)
    if config.ema:
        optimizer.use_ema, optimizer.ema_momentum = True, config.ema
        keep_weights_when_fit_ends(optimizer)
    if config.swa:
        average_equally(optimizer, start=min(round(config.swa * total_steps), total_steps - 1))
    return optimizer
