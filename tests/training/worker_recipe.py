"""A recipe for the tests of several workers: `python -m tests.training.worker_recipe --model toy --out-dir … --result …`."""

import dataclasses
import json
import time
from pathlib import Path
from typing import Literal

import keras
import numpy as np

from tests.training.toys import ROWS, Net, Toy, make_batches
from tfpretune import config
from tfpretune.backbones import TextEncoder
from tfpretune.config import OptimizerConfig, RunConfig
from tfpretune.data.batches import StepIndexed
from tfpretune.data.masking import mask_tokens
from tfpretune.finetune import GradualUnfreezing
from tfpretune.objectives import MaskedLM
from tfpretune.training import fit, make_strategy
from tfpretune.training.callbacks import optimizer_step
from tfpretune.training.checkpoints import snapshot


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
    pause: float = 0.0
    """Seconds after each step, so that a test can interrupt."""
    result: str = ""
    """Prefix of what every worker leaves: its index, `.npz` with all variables and `.json` with the curves."""


class Pause(keras.callbacks.Callback):
    def __init__(self, seconds):
        super().__init__()
        self.seconds = seconds

    def on_train_batch_end(self, batch, logs=None):
        print("\nstep", optimizer_step(self.model), flush=True)
        time.sleep(self.seconds)


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
    pauses = [Pause(run.pause)] if run.pause else []
    result = fit(model, batches, run, validation=validation, callbacks=pauses)
    evaluated = model.evaluate(validation, verbose=0, return_dict=True)
    if run.result:
        name = run.result + (Path(run.out_dir).name if run.out_dir != str(run.shared_dir) else "")
        np.savez(f"{name}.npz", **snapshot(model))
        Path(f"{name}.json").write_text(json.dumps(result.curves | {"evaluated": evaluated}))
    return result


if __name__ == "__main__":
    config.run(Config, main, __doc__)
