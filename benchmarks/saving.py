"""What saving costs a run, and how soon a run goes on from far in: the model and the batches of pretrain_text.

    python benchmarks/saving.py

Trains the same steps without a save and with one after every few steps; times saves with nothing beside them, copies of the
values, sums and fsync included, which is the most that saving can cost (in a run a thread writes while the next steps
run); then resumes at step 1,000,000. Writes the table to OUT_DIR/saving.md.
"""

import dataclasses
import tempfile
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tfpretune.backbones import TextEncoderTokenizer
from tfpretune.backbones.by_name import make_text_backbone
from tfpretune.data.batches.step_indexed import StepIndexed
from tfpretune.data.batches.transforms import masked_tokens
from tfpretune.data.text.tokens import SPECIAL_TOKENS
from tfpretune.evaluation.report.tables import Table
from tfpretune.objectives import MaskedLM
from tfpretune.settings import launch
from tfpretune.settings.run import OptimizerConfig, RunConfig
from tfpretune.training import fit, resolve_precision
from tfpretune.training.loop.checkpoints import CheckpointFolder
from tfpretune.training.loop.preparation import compile_model
from tfpretune.training.run_variables import snapshot

FAR = 10**6
WARM = 5  # first steps, not counted


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings."""

    out_dir: str = "runs/saving"
    """Folder for saving.md."""
    backbone: str = "mini"
    """As in pretrain_text."""
    vocabulary_size: int = 8000
    """Tokens."""
    batch_size: int = 32
    """Rows a step."""
    sequence_length: int = 128
    """Tokens a row."""
    steps: int = 60
    """Steps of each side."""
    save_every: int = 10
    """Steps between two saves of the side that saves."""


class Clock(keras.callbacks.Callback):
    """When each step began and ended, s."""

    def __init__(self) -> None:
        super().__init__()
        self.begun: list[float] = []
        self.ended: list[float] = []

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        """Notes the time."""
        self.begun.append(time.perf_counter())

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Notes the time."""
        self.ended.append(time.perf_counter())


def main(run: Config) -> Table:
    """Both sides in turn, twice, then the resume."""
    sides: dict[int, list[float]] = {run.steps: [], run.save_every: []}
    for _ in range(2):
        for interval, found in sides.items():
            found.append(_ms_a_step(run, interval))
    without, with_saves = (min(found) for found in sides.values())
    default, alone = RunConfig.save_every_steps, _ms_a_save(run)
    first, begun = _resume(run)
    rows = [
        ("step without a save, ms", f"{without:.1f}"),
        (f"step with a save every {run.save_every}, ms", f"{with_saves:.1f}"),
        ("one save with nothing beside it, ms", f"{alone:.0f}"),
        (f"the same as a fraction of {default} steps, the default interval", f"{alone / (default * without):.2%}"),
        (f"first batch from step {FAR:,}, s", f"{first:.2f}"),
        (f"from the start of fit to its first step, resumed at step {FAR:,}, s", f"{begun:.2f}"),
    ]
    table = Table("Saving and resuming", ("", f"{run.backbone}, batch {run.batch_size} x {run.sequence_length}"), rows)
    Path(run.out_dir).mkdir(parents=True, exist_ok=True)
    Path(run.out_dir, "saving.md").write_text(table.markdown(), "utf-8")
    print(table.markdown())
    return table


def _make(run: Config) -> tuple[keras.Model, StepIndexed]:
    keras.utils.set_random_seed(0)
    words = [f"w{number}" for number in range(run.vocabulary_size - len(SPECIAL_TOKENS))]
    tokenizer = TextEncoderTokenizer([*SPECIAL_TOKENS, *words], lowercase=True)
    rows = np.random.default_rng(0).integers(5, run.vocabulary_size, (2000, run.sequence_length), dtype=np.int32)
    batches = StepIndexed({"token_ids": rows}, run.batch_size, transform=masked_tokens(tokenizer, 0.4))
    sizes = {"vocabulary_size": run.vocabulary_size, "sequence_length": run.sequence_length}
    return MaskedLM(make_text_backbone(run.backbone, **sizes, dtype=resolve_precision("auto"))), batches


def _settings(run: Config, folder: str, steps: int, interval: int) -> RunConfig:
    sizes: dict[str, Any] = {"steps": steps, "batch_size": run.batch_size, "save_every_steps": interval, "jit": "off"}
    return RunConfig(source="random tokens", out_dir=folder, optimizer=OptimizerConfig(schedule="constant"), **sizes)


def _ms_a_step(run: Config, interval: int) -> float:
    """Returns the mean time of a step with a save after every `interval`, those between two steps included."""
    model, batches = _make(run)
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        fit(model, batches, _settings(run, folder, run.steps, interval), callbacks=[clock])
    counted = clock.ended[WARM - 1 :]
    return 1e3 * (counted[-1] - counted[0]) / (len(counted) - 1)


def _ms_a_save(run: Config) -> float:
    """Returns the median time of a save on its own."""
    model, batches = _make(run)
    times = []
    with tempfile.TemporaryDirectory() as folder:
        compile_model(model, batches, _settings(run, folder, run.steps, run.save_every))
        for step in range(7):
            start = time.perf_counter()
            CheckpointFolder(Path(folder, "checkpoints")).save(snapshot(model), step, {})
            times.append(time.perf_counter() - start)
    return 1e3 * float(np.median(times))


def _resume(run: Config) -> tuple[float, float]:
    """Returns the seconds to the first batch of step `FAR`, and from the call of `fit` to the begin of that step."""
    model, batches = _make(run)
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        settings = _settings(run, folder, FAR + 2, run.save_every)
        compile_model(model, batches, settings)
        CheckpointFolder(Path(folder, "checkpoints")).save(snapshot(model), FAR, {})
        start = time.perf_counter()
        next(iter(batches.from_step(FAR, 1)))
        first = time.perf_counter() - start
        start = time.perf_counter()
        fit(model, batches, settings, callbacks=[clock])
    return first, clock.begun[0] - start


if __name__ == "__main__":
    launch.run(Config, main, __doc__)
