"""How the learning rate rises and falls."""

import math
from typing import Any

import keras
from keras import ops

SCHEDULES = ("constant", "linear", "cosine", "exponential", "one_cycle")


@keras.saving.register_keras_serializable("tfpretune")
class WarmUp(keras.optimizers.schedules.LearningRateSchedule):
    """Rises linearly from 0 to the peak, then stays or falls until the last step.

    Args:
        peak: the highest rate.
        total_steps: steps of the whole run.
        warmup_steps: steps of the rise.
        schedule: "constant", "linear" (to 0), "cosine" (to 0, half a wave; Loshchilov and Hutter 2016), "exponential" (to a
            hundredth of the peak), or "one_cycle" (Smith and Topin 2018, arXiv:1708.07120): the rise begins at a 25th of the
            peak, the fall is half a wave down to a 10,000th of it. A warm-up of 0.3 of the steps is usual; the momentum stays
            as it is, where the paper lets it fall and rise.

    Examples:
        >>> from tfpretune.training import WarmUp
        >>> rate = WarmUp(0.1, 100, warmup_steps=10, schedule="linear")
        >>> [round(float(rate(step)), 3) for step in (9, 10, 55, 100)]
        [0.1, 0.1, 0.05, 0.0]
    """

    def __init__(self, peak: float, total_steps: int, *, warmup_steps: int, schedule: str):
        if schedule not in SCHEDULES:
            raise ValueError(f"schedule must be one of {', '.join(SCHEDULES)}, received {schedule!r}")
        self.peak = peak
        self.total_steps = total_steps
        self.warmup_steps = warmup_steps
        self.schedule = schedule

    def __call__(self, step: Any) -> Any:
        """Returns the rate of `step` (0 for the first)."""
        step = ops.cast(step, "float32")
        rise = (step + 1.0) / max(1, self.warmup_steps)
        if self.schedule == "one_cycle":
            rise = 0.04 + 0.96 * step / max(1, self.warmup_steps)
        share = ops.clip((step - self.warmup_steps) / max(1, self.total_steps - self.warmup_steps), 0.0, 1.0)
        wave = 0.5 + 0.5 * ops.cos(math.pi * share)
        falls = {
            "constant": ops.ones_like(share),
            "linear": 1.0 - share,
            "cosine": wave,
            "exponential": ops.exp(math.log(0.01) * share),
            "one_cycle": 1e-4 + (1.0 - 1e-4) * wave,
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
