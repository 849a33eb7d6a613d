"""Several heads on one backbone."""

from collections.abc import Mapping

import keras

from tfpretune.backbones.feeding import NO_PREPROCESSING, Preprocessing
from tfpretune.finetune.heads.reading import read_mean
from tfpretune.objectives.targets.base import Target
from tfpretune.objectives.transfer.multitask import MultiTask, Weighting


def multi_head(
    backbone: keras.Model,
    targets: Mapping[str, Target],
    *,
    weighting: Weighting = "fixed",
    weights: Mapping[str, float] | None = None,
    dropout: float = 0.1,
    preprocessing: Preprocessing = NO_PREPROCESSING,
    name: str = "multi_head",
) -> MultiTask:
    """Puts mean pooling on a backbone, and dropout and one dense layer for each task.

    Args:
        backbone: as in `pooled_head`.
        targets: task -> what is to be said of each example; each with a column of its own, such as
            `{"topic": Classification(3, column="topic", may_lack=True)}`.
        weighting: how the losses are weighed; see `MultiTask`.
        weights: see `MultiTask`.
        dropout: rate on the pooled features, in [0, 1); every task has masks of its own.
        preprocessing: as in `pooled_head`.
        name: the model's name.

    Returns:
        A model from the backbone's inputs to float32 `{task: (batch, target.num_outputs)}`. Its layer "features" gives the
        pooled features, the layers "TASK_logits" the outputs.

    Examples:
        >>> from tfpretune.backbones import TextEncoder
        >>> from tfpretune.finetune import multi_head
        >>> from tfpretune.objectives import Classification, Regression
        >>> backbone = TextEncoder(100, 1, num_heads=2, hidden_dim=8, intermediate_dim=16)
        >>> model = multi_head(backbone, {"topic": Classification(3, column="topic"), "stars": Regression(column="stars")})
        >>> {task: output.shape for task, output in model.output.items()}
        {'topic': (None, 3), 'stars': (None, 1)}
    """
    inputs, pooled = read_mean(backbone, preprocessing)
    outputs = {}
    for task, target in targets.items():
        x = keras.layers.Dropout(dropout, dtype="float32", name=f"{task}_dropout")(pooled)
        outputs[task] = keras.layers.Dense(target.num_outputs, dtype="float32", name=f"{task}_logits")(x)
    return MultiTask(inputs, outputs, name, targets=targets, weighting=weighting, weights=weights)
