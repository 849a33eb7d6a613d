"""A learning rate that is worth trying first: a short run in which the rate rises until the loss does."""

import dataclasses
import io
import json
import math
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfpretune.data.batches.step_indexed import StepIndexed
from tfpretune.errors import RunError, UsageError
from tfpretune.runtime.files import write_atomic
from tfpretune.runtime.keras_internals import rate_of, set_rate
from tfpretune.training.devices.strategies import separate_dropout
from tfpretune.training.run_variables import run_variables

SMOOTHING = 0.9  # fraction of the old mean in the running mean of the losses
DIVERGED = (
    4.0  # times the lowest mean; both as in fastai, but for its smoothing of 0.98, which lags half of a short run
)
BELOW_LOWEST = 10.0
MANY_PASSES = 5  # over the examples: with more the loss falls because they are known


@dataclasses.dataclass(frozen=True)
class LearningRateCurve:
    """What the loss was at each rate.

    Attributes:
        rates: rising.
        losses: of one batch each, before it was learnt at this rate.
        smoothed: their running means.
        suggested: a tenth of the rate at which the running mean was lowest.
        diverged: the loss rose to four times its lowest mean, or to no number: higher rates were not tried.

    Examples:
        >>> from tfpretune.training import LearningRateCurve, write_curve
        >>> rates, losses = (1e-3, 1e-2, 1e-1), (2.0, 1.0, 3.0)
        >>> curve = LearningRateCurve(rates, losses, losses, suggested=1e-3, diverged=False)
        >>> curve.rates[curve.smoothed.index(min(curve.smoothed))] / 10 == curve.suggested
        True
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]
    suggested: float
    diverged: bool


def find_learning_rate(
    model: keras.Model, batches: StepIndexed, *, lowest: float = 1e-6, highest: float = 1.0, steps: int = 100
) -> LearningRateCurve:
    """Trains with a rate that rises by the same factor each step (Smith 2015, arXiv:1506.01186, section 3.3), and undoes it.

    The suggestion is a tenth of the rate with the lowest running mean of the loss, as fastai's `minimum`: the steepest fall,
    which is also in use, hangs on single noisy batches. The first tenth of the steps is left out, for the same reason. Layer
    factors and multipliers stay in force, so the rate is the peak that `--optimizer.learning-rate` means. With gradual
    unfreezing it is the rate of the first stage.

    Afterwards the model's weights, statistics and dropout seeds and the optimizer's state are bit by bit what they were, on
    every replica. The same seed and batches give the same curve.

    Args:
        model: a compiled `Objective`. Call it before `fit`; what `fit` traced before is traced again.
        batches: the training batches; the first `steps` of them are used.
        lowest: the first rate.
        highest: the last.
        steps: how many rates, a multiple of the model's `steps_per_execution`, which share a rate.

    Raises:
        UsageError: the range or the steps cannot work.
        RunError: the loss fell at none of the rates.
    """
    if not 0 < lowest < highest < math.inf:
        raise UsageError(f"`lowest` and `highest` must be 0 < lowest < highest, received {lowest} and {highest}")
    together = model.steps_per_execution
    if steps < 10 * together or steps % together:
        raise UsageError(
            f"the learning rate finder needs at least {10 * together} steps, a multiple of {together}, not {steps}"
        )
    model.build_optimizer()
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    before, kept = _values(model), rate_of(optimizer)
    with model.distribute_strategy.scope():
        chosen = Chosen(tf.Variable(lowest, trainable=False, dtype=tf.float32))
    rise = _Rise(chosen.rate, np.geomspace(lowest, highest, steps // together).tolist())
    try:
        separate_dropout(model)
        set_rate(optimizer, chosen)
        model.train_function = None
        data = batches.from_step(0, steps)
        model.fit(data, epochs=1, steps_per_epoch=steps, callbacks=[rise], shuffle=False, verbose=0)
    finally:
        set_rate(optimizer, kept)
        model.train_function = None
        _put_back(model, before)
        model.reset_metrics()
        model.stop_training = False
    return _curve(rise)


def write_curve(curve: LearningRateCurve, out_dir: Path | str) -> Path:
    """Writes `rate_finder.json` and the picture `rate_finder.png`; returns the picture's path.

    Examples:
        >>> from tfpretune.training import LearningRateCurve, write_curve
        >>> rates, losses = (1e-3, 1e-2, 1e-1), (2.0, 1.0, 3.0)
        >>> str(write_curve(LearningRateCurve(rates, losses, losses, suggested=1e-3, diverged=False), "runs/a"))
        'runs/a/rate_finder.png'
    """
    picture = Path(out_dir) / "rate_finder.png"
    write_atomic(picture.with_suffix(".json"), json.dumps(dataclasses.asdict(curve), indent=2) + "\n")
    write_atomic(picture, _draw(curve))
    return picture


def print_curve(curve: LearningRateCurve, picture: Path, *, examples: int, batch_size: int) -> None:
    """Prints what was found, what there is to doubt, and the suggestion as an option.

    Args:
        curve: what `find_learning_rate` returned.
        picture: where it was drawn.
        examples: how many there are.
        batch_size: how many a step took.

    Examples:
        >>> from pathlib import Path
        >>> from tfpretune.training import LearningRateCurve, print_curve
        >>> rates, losses = (1e-3, 1e-2, 1e-1), (2.0, 1.0, 9.0)
        >>> curve = LearningRateCurve(rates, losses, losses, suggested=1e-3, diverged=True)
        >>> print_curve(curve, Path("runs/a/rate_finder.png"), examples=64, batch_size=8)
        3 rates from 1.0e-03 to 1.0e-01: runs/a/rate_finder.png
        --optimizer.learning-rate 1.0e-03
    """
    print(f"{len(curve.rates)} rates from {curve.rates[0]:.1e} to {curve.rates[-1]:.1e}: {picture}")
    passes = len(curve.rates) * batch_size / examples
    if passes > MANY_PASSES:
        print(
            f"warning: the {examples} examples were seen {passes:.0f} times: the loss may also have fallen because "
            "they were known by heart, and a lower learning rate may be better; more labels or fewer --steps tell more"
        )
    if not curve.diverged:
        print(
            "warning: the loss had not diverged at the highest learning rate: a higher --highest may show a better one"
        )
    print(f"--optimizer.learning-rate {curve.suggested:.1e}")


class Chosen(keras.optimizers.schedules.LearningRateSchedule):
    """The rate that stands in a variable, whatever the step.

    Args:
        rate: scalar float32, on every replica.
    """

    def __init__(self, rate: tf.Variable):
        self.rate = rate

    def __call__(self, step: Any) -> tf.Tensor:
        """Returns the rate."""
        return tf.convert_to_tensor(self.rate)

    def get_config(self) -> dict[str, Any]:
        """Refuses: it lives as long as the search."""
        raise NotImplementedError("the learning rate of a search is not saved")


class _Rise(keras.callbacks.Callback):
    """Sets the next rate before each step, and stops when the loss has diverged."""

    def __init__(self, rate: tf.Variable, rates: list[float]):
        super().__init__()
        self.rate, self.rates = rate, rates
        self.losses: list[float] = []
        self.smoothed: list[float] = []
        self.diverged = False
        self._mean = 0.0
        self._settled = len(rates) // 10  # before that the mean is of a few batches, low or high by chance

    @property
    def best(self) -> int:
        """Where the mean is lowest."""
        return self._settled + int(np.argmin(self.smoothed[self._settled :]))

    @property
    def fell(self) -> bool:
        """Whether the mean has ever been lower than where it had settled."""
        return len(self.smoothed) > self._settled and self.best > self._settled

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self.rate.assign(self.rates[len(self.losses)])
        self.model.reset_metrics()  # so that the loss shown is this step's

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        loss, norm = (float((logs or {})[name]) for name in ("loss", "gradient_norm"))
        if isinstance(self.model.optimizer, keras.optimizers.LossScaleOptimizer):
            norm = 0.0  # it tries scales that are too big on purpose
        if not math.isfinite(loss) or not math.isfinite(norm):
            self.diverged = self.model.stop_training = True
            return
        self.losses.append(loss)
        self._mean = SMOOTHING * self._mean + (1 - SMOOTHING) * loss
        self.smoothed.append(self._mean / (1 - SMOOTHING ** len(self.losses)))
        if len(self.smoothed) > self._settled and self.smoothed[-1] > DIVERGED * self.smoothed[self.best]:
            self.diverged = self.model.stop_training = True


def _curve(rise: _Rise) -> LearningRateCurve:
    rates = rise.rates[: len(rise.losses)]
    if not rise.fell:
        found = f"from {rates[0]:.1e} to {rates[-1]:.1e}" if rates else "even once"
        raise RunError(
            f"learning rate finder: the loss did not fall {found}: give other `lowest` and `highest`, or more steps"
        )
    suggested = rates[rise.best] / BELOW_LOWEST
    return LearningRateCurve(tuple(rates), tuple(rise.losses), tuple(rise.smoothed), suggested, rise.diverged)


def _values(model: keras.Model) -> dict[str, list[np.ndarray]]:
    """Returns copies of all variables of the run, one for each replica of this process."""
    local = model.distribute_strategy.experimental_local_results
    return {name: [np.array(x.numpy()) for x in local(v.value)] for name, v in run_variables(model).items()}


def _put_back(model: keras.Model, values: dict[str, list[np.ndarray]]) -> None:
    local = model.distribute_strategy.experimental_local_results
    for name, variable in run_variables(model).items():
        for copy, value in zip(local(variable.value), values[name], strict=True):
            copy.assign(value)


def _draw(curve: LearningRateCurve) -> bytes:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 4.0), dpi=100)
    axes = figure.add_subplot(xlabel="learning rate", ylabel="loss", xscale="log")
    axes.plot(curve.rates, curve.losses, color="0.75", linewidth=1, label="one batch")
    axes.plot(curve.rates, curve.smoothed, color="C0", label="running mean")
    axes.axvline(curve.suggested, color="C1", linestyle="--", label=f"suggested: {curve.suggested:.2g}")
    best = int(np.argmin(np.abs(np.subtract(curve.rates, BELOW_LOWEST * curve.suggested))))
    low, high = min(curve.smoothed), max(curve.smoothed[: best + 1])
    axes.set_ylim(low - 0.2 * (high - low), high + 0.5 * (high - low))
    axes.legend(loc="upper left")
    file = io.BytesIO()
    figure.savefig(file, format="png", bbox_inches="tight")
    return file.getvalue()
