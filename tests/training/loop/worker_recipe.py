"""A recipe for the tests of several workers: `python -m tests.training.loop.worker_recipe --model toy --out-dir … --result …`.

`INTERRUPT="0 6 SIGKILL"` in the environment: worker 0 sends itself that signal at the end of step 6.
"""

import dataclasses
import json
import os
import signal
import time
from pathlib import Path
from typing import Literal

import keras
import numpy as np

from tests.training.loop.toys import ROWS, Net, Toy, make_batches
from tfpretune.backbones import TextEncoder
from tfpretune.data.batches.step_indexed import StepIndexed
from tfpretune.data.masking.tokens import mask_tokens
from tfpretune.finetune import GradualUnfreezing
from tfpretune.objectives import MaskedLM
from tfpretune.runtime.workers import this_task
from tfpretune.settings import launch
from tfpretune.settings.run import OptimizerConfig, RunConfig
from tfpretune.training import fit, make_strategy
from tfpretune.training.loop.checkpoints import CheckpointFolder
from tfpretune.training.run_variables import optimizer_step, snapshot


@dataclasses.dataclass(frozen=True)
class Config(RunConfig):
    """Settings."""

    source: str = "toy"
    out_dir: str = ""
    steps: int = 8
    batch_size: int = 4
    save_every_steps: int = 4
    jit: Literal["auto", "on", "off"] = "off"
    precision: Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    optimizer: OptimizerConfig = OptimizerConfig(learning_rate=0.05, warmup=0.0, clip_norm=0.5)
    model: Literal["toy", "mlm", "gradual"] = "toy"
    dropout: float = 0.0
    result: str = ""
    """Prefix of what every worker leaves: its index, `.npz` with all variables and `.json` with the curves."""


class Interrupt(keras.callbacks.Callback):
    """Sends this process a signal at the end of a step, when the checkpoints of the steps before are on the disk."""

    def __init__(self, step, number, run):
        super().__init__()
        self.step, self.number, self.run = step, number, run

    def on_train_batch_end(self, batch, logs=None):
        if optimizer_step(self.model) == self.step:
            checkpoints = CheckpointFolder(self.run.shared_dir / "checkpoints")
            last = (self.step - 1) // self.run.save_every_steps * self.run.save_every_steps
            while last and last not in checkpoints.steps():
                time.sleep(0.01)
            os.kill(os.getpid(), self.number)


def interrupts(run):
    """Returns the callback that `INTERRUPT` asks of this worker, in a list."""
    worker, step, name = os.environ.get("INTERRUPT", "-1 0 SIGTERM").split()
    task = this_task()
    wanted = task is not None and task.index == int(worker)
    return [Interrupt(int(step), signal.Signals[name], run)] if wanted else []


def toy(run):
    """Ten rows in batches of 4: the last of the 9 validation rows is a batch for one worker alone."""
    validation = make_batches(None, {name: rows[:9] for name, rows in ROWS.items()}).in_order()
    return lambda: Toy(run.dropout), make_batches(), validation


def gradual(run):
    """After every 3 steps a layer more learns, one of them with batch normalisation."""
    _, batches, validation = toy(run)

    def make():
        model = Net(run.dropout)
        GradualUnfreezing(model, every_steps=3)
        return model

    return make, batches, validation


def masked_lm(run):
    """Between 1 and 3 of 8 words are hidden in each row, so no two workers have the same number."""
    rng = np.random.default_rng(0)
    rows = {"token_ids": rng.integers(5, 30, (13, 8)).astype("int32"), "padding_mask": np.ones((13, 8), "int32")}
    rows["padding_mask"][::3, 5:] = 0

    def hide(batch, seed):
        masks = mask_tokens(
            batch["token_ids"] * batch["padding_mask"],
            seed,
            vocabulary_size=30,
            mask_token_id=4,
            special_token_ids=(0, 1, 2, 3, 4),
            mask_rate=0.3,
        )
        return batch | masks

    batches = StepIndexed(rows, run.batch_size, seed=run.seed, transform=hide)

    def make():
        sizes = {"num_heads": 2, "hidden_dim": 8, "intermediate_dim": 16}
        return MaskedLM(TextEncoder(30, 1, **sizes, dropout=run.dropout, dtype="float32"))

    return make, batches, batches.in_order()


def main(run):
    """As the recipes do it: strategy, model, fit."""
    strategy = make_strategy(run.devices.replicas)
    make, batches, validation = {"toy": toy, "mlm": masked_lm, "gradual": gradual}[run.model](run)
    keras.utils.set_random_seed(run.seed)
    with strategy.scope():
        model = make()
    result = fit(model, batches, run, validation=validation, callbacks=interrupts(run))
    evaluated = model.evaluate(validation, verbose=0, return_dict=True)
    if run.result:
        name = run.result + (Path(run.out_dir).name if run.out_dir != str(run.shared_dir) else "")
        np.savez(f"{name}.npz", **snapshot(model))
        Path(f"{name}.json").write_text(json.dumps(result.curves | {"evaluated": evaluated}))
    return result


if __name__ == "__main__":
    launch.run(Config, main, __doc__)
