"""Several heads on one backbone."""

from collections.abc import Mapping

import keras

from tfpretune.backbones.feeding import Pixels, feed
from tfpretune.backbones.layers.blocks import MeanPool
from tfpretune.finetune.heads.reading import read
from tfpretune.objectives.targets.base import Target
from tfpretune.objectives.transfer.multitask import MultiTask, Weighting


def multi_head(
    backbone: keras.Model,
    targets: Mapping[str, Target],
    *,
    weighting: Weighting = "fixed",
    weights: Mapping[str, float] | None = None,
    dropout: float = 0.1,
    window_length: int = 0,
    image_size: tuple[int, int] | None = None,
    pixels: Pixels | None = None,
    name: str = "multi_head",
) -> MultiTask:
    """Puts mean pooling on a backbone, and dropout and one dense layer for each task.

    Args:
        backbone: as in `pooled_head`.
        targets: task -> what is to be said of each example; each with a column of its own, such as
            `{"topic": Classes(3, column="topic", may_lack=True)}`.
        weighting: how the losses are weighed; see `MultiTask`.
        weights: see `MultiTask`.
        dropout: rate on the pooled features, in [0, 1); every task has masks of its own.
        window_length: as in `pooled_head`.
        image_size: as in `pooled_head`.
        pixels: as in `pooled_head`.
        name: the model's name.

    Returns:
        A model from the backbone's inputs to float32 `{task: (batch, target.num_outputs)}`. Its layer "features" gives the
        pooled features, the layers "TASK_logits" the outputs.
    """
    inputs, rows = feed(backbone, image_size=image_size, pixels=pixels)
    features = read(backbone, rows, window_length=window_length)
    pool = MeanPool(dtype="float32", name="features")
    pooled = pool(features, inputs["padding_mask"]) if "padding_mask" in inputs else pool(features)
    outputs = {}
    for task, target in targets.items():
        x = keras.layers.Dropout(dropout, dtype="float32", name=f"{task}_dropout")(pooled)
        outputs[task] = keras.layers.Dense(target.num_outputs, dtype="float32", name=f"{task}_logits")(x)
    return MultiTask(inputs, outputs, name, targets=targets, weighting=weighting, weights=weights)
