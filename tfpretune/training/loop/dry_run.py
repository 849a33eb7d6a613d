"""What a run would do, without doing it."""

import keras
from rich.console import Console

from tfpretune.data.batches.step_indexed import StepIndexed
from tfpretune.finetune.methods.freezing import format_table, frozen_table
from tfpretune.finetune.methods.unfreezing import format_stages
from tfpretune.settings import file as config_file
from tfpretune.settings.run import RunConfig
from tfpretune.training.devices.memory_estimate import memory_estimate


def describe(model: keras.Model, batches: StepIndexed, run: RunConfig) -> None:
    """Prints settings, the shapes of one batch, parameters, steps and an estimate of the memory."""
    total = run.total_steps(batches.steps_per_epoch)
    batch = next(iter(batches.from_step(0, 1)))
    console = Console(highlight=False, soft_wrap=True)
    console.print("settings", style="bold")
    console.print(config_file.to_json(run), markup=False)
    console.print("one batch", style="bold")
    for name, column in batch.items():
        console.print(f"  {name}: {column.dtype.name} {tuple(column.shape)}", markup=False)
    console.print("parameters", style="bold")
    console.print(format_table(frozen_table(model)), markup=False)
    if model.unfreezing is not None:
        console.print(format_stages(model.unfreezing.stages), markup=False)
    console.print(f"steps: {total:,} of {run.batch_size} from {batches.num_rows:,} rows", style="bold")
    fixed, working = memory_estimate(model, run.optimizer.name, run.batch_size)
    console.print(
        f"memory, estimated: {fixed / 2**20:,.0f} MiB weights, gradients and optimizer, "
        f"{working / 2**20:,.0f} MiB activations",
        style="bold",
    )
