"""What a run would do, without doing it."""

import math

import keras
from rich.console import Console

from tfpretune.data.batches.step_indexed import StepIndexed
from tfpretune.finetune.methods.freezing import format_table, frozen_table
from tfpretune.finetune.methods.unfreezing import format_stages
from tfpretune.settings import file as config_file
from tfpretune.settings.run import RunConfig

SLOTS = {"adamw": 2, "adam": 2, "sgd": 1, "adagrad": 1}


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


def memory_estimate(model: keras.Model, optimizer: str, batch_size: int) -> tuple[int, int]:
    """Returns bytes for weights, gradients and optimizer slots, and bytes for the activations that backpropagation keeps.

    The second is a rule of thumb: the outputs of all layers of the functional graphs, once forward and once backward, at the
    width of the compute type. A block counts eight times its output, which is near the truth for a Transformer block.
    """
    learning = model.trainable_variables if model.unfreezing is None else model.unfreezing.variables
    trainable = sum(math.prod(v.shape) for v in learning)
    frozen = sum(math.prod(v.shape) for v in model.variables) - trainable
    fixed = 4 * (trainable * (2 + SLOTS[optimizer]) + frozen)
    values = 0
    for layer in _leaf_layers(model):
        for output in keras.tree.flatten(layer.output):
            size = math.prod(dim or 128 for dim in output.shape[1:])
            values += size * (8 if "block" in layer.name else 1)
    return fixed, 2 * 4 * batch_size * values


def _leaf_layers(model: keras.Model) -> list[keras.layers.Layer]:
    leaves = []
    for layer in model.layers:
        leaves += _leaf_layers(layer) if isinstance(layer, keras.Model) else [layer] if layer._inbound_nodes else []
    return leaves
