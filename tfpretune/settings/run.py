"""Settings of a training run. Imports no TensorFlow."""

import dataclasses
from pathlib import Path
from typing import Any, Literal

from tfpretune.errors import UsageError
from tfpretune.runtime.workers import WORKER_PREFIX

Schedule = Literal["constant", "cosine", "linear", "exponential", "one_cycle"]
Optimizer = Literal["adamw", "adam", "sgd", "adagrad"]
Precision = Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"]


@dataclasses.dataclass(frozen=True)
class OptimizerConfig:
    """How the weights are updated.

    Examples:
        >>> from tfpretune.settings import OptimizerConfig
        >>> OptimizerConfig(name="sgd", learning_rate=0.1).schedule
        'cosine'
        >>> OptimizerConfig(warmup=6)
        Traceback (most recent call last):
            ...
        tfpretune.errors.UsageError: --optimizer.warmup must be in [0, 1), received 6
    """

    name: Optimizer = "adamw"
    """The update rule. AdamW and Adam take learning rates near 1e-3, SGD (momentum 0.9) near 1e-1, AdaGrad near 1e-2."""
    learning_rate: float = 1e-3
    """Peak learning rate, reached at the end of the warm-up."""
    schedule: Schedule = "cosine"
    """How the learning rate falls after the warm-up: to 0 (cosine, linear), to a hundredth (exponential), or not at all.
    one_cycle: from a 25th up to the peak and along half a wave down to a 10,000th; give it a longer warm-up, such as 0.3."""
    warmup: float = 0.06
    """Fraction of all steps in which the learning rate rises from 0 to its peak, in [0, 1)."""
    weight_decay: float = 0.01
    """Decoupled decay of kernels and tables of tokens, with every update rule; never of biases, normalisation, position tables
    and class tokens. 0: none."""
    clip_norm: float = 1.0
    """Largest norm of the global gradient; 0 switches clipping off."""
    ema: float = 0.0
    """Decay of a moving average of the weights, such as 0.999; it is what is evaluated and kept. 0: none."""
    swa: float = 0.0
    """After this fraction of the steps the equal average of the weights of all steps since is evaluated and kept, such as 0.75.
    It wants a learning rate that does not fall to 0, such as --optimizer.schedule constant. 0: none."""
    multipliers: tuple[tuple[str, float], ...] = ()
    """Pairs of a pattern on a variable's path and a factor of its learning rate, such as token_embedding 3. The first that fits
    counts, and comes on top of what --layer-decay says."""

    def __post_init__(self) -> None:
        """Refuses values that cannot work."""
        if not self.learning_rate > 0:
            raise UsageError(f"--optimizer.learning-rate must be above 0, received {self.learning_rate}")
        if not 0 <= self.warmup < 1:
            raise UsageError(f"--optimizer.warmup must be in [0, 1), received {self.warmup}")
        if not 0 <= self.ema < 1:
            raise UsageError(f"--optimizer.ema must be in [0, 1), received {self.ema}")
        if not 0 <= self.swa < 1:
            raise UsageError(f"--optimizer.swa must be in [0, 1), received {self.swa}")
        if self.swa and self.ema:
            raise UsageError("--optimizer.swa and --optimizer.ema are two averages of the weights: give one of them")
        if self.weight_decay < 0 or self.clip_norm < 0:
            raise UsageError("--optimizer.weight-decay and --optimizer.clip-norm must not be negative")


@dataclasses.dataclass(frozen=True)
class DevicesConfig:
    """What the run computes on.

    Examples:
        >>> from tfpretune.settings import DevicesConfig, RunConfig
        >>> RunConfig("demo:digits", "runs/digits", steps=10, devices=DevicesConfig(replicas=2)).devices
        DevicesConfig(replicas=2, ray_workers=0)
    """

    replicas: int = 0
    """Copies of the model that share each batch; 0 takes every GPU, or the one CPU. Without a GPU: logical CPUs."""
    ray_workers: int = 0
    """Processes on a Ray cluster that share each batch (needs the extra tfpretune[ray]); 0: this process alone."""

    def __post_init__(self) -> None:
        """Refuses values that cannot work."""
        if self.ray_workers < 0:
            raise UsageError(f"--devices.ray-workers must not be negative, received {self.ray_workers}")


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """The settings that every training recipe has.

    Examples:
        >>> from tfpretune.settings import RunConfig
        >>> run = RunConfig("demo:digits", "runs/digits", epochs=2.5, batch_size=64)
        >>> run.total_steps(steps_per_epoch=20), run.optimizer.learning_rate
        (50, 0.001)
    """

    source: str
    """Where the examples come from: demo:NAME, tfds:NAME, csv:FILES, jsonl:FILES, text:FILES, images:FOLDER."""
    out_dir: str
    """Folder of the run: settings, checkpoints, logs, preset, report."""
    preset: str = ""
    """Start from this preset (a folder, or a KerasHub name) instead of random weights."""
    epochs: float = 0.0
    """Passes over the training examples; not used when --steps is given."""
    steps: int = 0
    """Optimizer steps; 0 to give --epochs."""
    batch_size: int = 64
    """Examples a step, over all replicas. auto (the recipe's own): in as many micro-batches as needed to fit in memory."""
    accumulate_steps: int = 1
    """Micro-batches that a batch is trained in, one after the other: less memory, the same update. 0: as few as fit."""
    steps_per_execution: int = 1
    """Steps in one call of TensorFlow: less work between the steps of a small model; divides --save-every-steps."""
    seed: int = 0
    """Decides the start weights, the order, the masks and the noise."""
    save_every_steps: int = 500
    """Steps between two checkpoints; the validation set is evaluated as often."""
    save_every_minutes: float = 10.0
    """Save also when N minutes have passed since the last checkpoint; 0: only at the steps above."""
    keep_checkpoints: int = 2
    """How many of the newest stay, beside the best; with 2 there is another one when a disk has damaged the last."""
    max_minutes: float = 0.0
    """Save and stop after N minutes, with exit code 143; the same command goes on. 0: no end."""
    skip_bad_steps: int = 0
    """Go back to the last checkpoint and leave a step out whose gradient is not a number, at most so often."""
    resume: Literal["auto", "never"] = "auto"
    """auto: go on from the newest checkpoint in OUT_DIR; never: refuse a folder that has one."""
    deterministic: bool = True
    """The same seed gives the same bits, on the same devices; off may be faster on a GPU."""
    precision: Precision = "auto"
    """auto: mixed_bfloat16 where the processor has it, float32 elsewhere."""
    jit: Literal["auto", "on", "off"] = "auto"
    """XLA for the whole step. auto: time a few steps each way when the run is long enough to win the time back."""
    devices: DevicesConfig = dataclasses.field(default_factory=DevicesConfig)
    optimizer: OptimizerConfig = dataclasses.field(default_factory=OptimizerConfig)
    fast: bool = False
    """Rehearse the whole recipe on a few batches."""
    dry_run: bool = False
    """Print settings, shapes, parameters, steps and memory, and stop."""

    def __post_init__(self) -> None:
        """Refuses values that cannot work."""
        if not self.epochs and not self.steps:
            raise UsageError("give --epochs or --steps: both are 0")
        for name in ("epochs", "steps"):
            if getattr(self, name) < 0:
                raise UsageError(f"--{name} must not be negative, received {getattr(self, name)}")
        require_at_least(self, 1, "batch_size", "save_every_steps", "steps_per_execution", "keep_checkpoints")
        for name in ("accumulate_steps", "save_every_minutes", "max_minutes", "skip_bad_steps"):
            if getattr(self, name) < 0:
                raise UsageError(f"--{name.replace('_', '-')} must not be negative, received {getattr(self, name)}")

    @property
    def shared_dir(self) -> Path:
        """The folder that all workers share: on a worker that is not the chief, `out_dir` is a folder of its own inside."""
        path = Path(self.out_dir)
        return path.parent if path.name.startswith(WORKER_PREFIX) else path

    def total_steps(self, steps_per_epoch: int) -> int:
        """Returns the optimizer steps of the whole run (3 with `fast`)."""
        if self.fast:
            return 3
        return self.steps or max(1, round(self.epochs * steps_per_epoch))


def require_fractions(settings: Any, *names: str) -> None:
    """Raises UsageError unless each of these fields is a share in [0, 1).

    Examples:
        >>> from types import SimpleNamespace
        >>> from tfpretune.settings import require_fractions
        >>> require_fractions(SimpleNamespace(mask_rate=0.15), "mask_rate")
        >>> require_fractions(SimpleNamespace(mask_rate=15), "mask_rate")
        Traceback (most recent call last):
            ...
        tfpretune.errors.UsageError: --mask-rate must be in [0, 1), received 15
    """
    for name in names:
        value = getattr(settings, name)
        if not 0 <= value < 1:
            raise UsageError(f"--{name.replace('_', '-')} must be in [0, 1), received {value}")


def require_at_least(settings: Any, least: int, *names: str) -> None:
    """Raises UsageError unless each of these fields is a number from `least` on.

    Examples:
        >>> from types import SimpleNamespace
        >>> from tfpretune.settings import require_at_least
        >>> require_at_least(SimpleNamespace(seeds=2), 2, "seeds")
        >>> require_at_least(SimpleNamespace(seeds=1), 2, "seeds")
        Traceback (most recent call last):
            ...
        tfpretune.errors.UsageError: --seeds must be at least 2, received 1
    """
    for name in names:
        value = getattr(settings, name)
        if value < least:
            raise UsageError(f"--{name.replace('_', '-')} must be at least {least}, received {value}")
