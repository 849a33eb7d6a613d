"""How far the backbone has moved from where it started, as TensorBoard curves."""

import math
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from tfpretune.finetune.methods.layerwise_rates import depths
from tfpretune.finetune.methods.penalties import learnable
from tfpretune.training.tensorboard.images import PageCallback


class DistanceFromInitialization(PageCallback):
    """Writes `||w - w_0||` over the backbone's weights, and its ratio to `||w_0||`, at the end of each save interval.

    The scalars are `l2_from_initialization/norm`, `l2_from_initialization/ratio`, and the ratio of each depth of the backbone
    on its own: `l2_from_initialization_by_depth/00 token_embedding` and so on upwards. `w_0` is what the weights are now, so
    make it before `fit` restores a checkpoint. It is kept in the machine's own memory. Where the run evaluates an average of
    the weights, that is what is measured.

    Args:
        model: a model with a `backbone`.
        log_dir: the run's `logs` folder.
    """

    def __init__(self, model: keras.Model, log_dir: Path | str):
        super().__init__(log_dir)
        known: set[int] = set()
        self._groups: dict[str, list[tuple[keras.Variable, np.ndarray]]] = {}
        groups = [(f"{index:02} {layers[0].path}", layers) for index, layers in enumerate(depths(model.backbone))]
        for name, layers in [*groups, (f"{len(groups):02} above", [model.backbone])]:
            variables = [v for layer in layers for v in learnable(layer) if id(v) not in known]
            known |= {id(variable) for variable in variables}
            if variables:
                self._groups[name] = [(variable, np.array(variable.numpy())) for variable in variables]

    def write(self) -> None:
        """Writes the scalars of one interval."""
        total = (0.0, 0.0)
        for name, pairs in self._groups.items():
            moved = sum(_square(variable.numpy() - start) for variable, start in pairs)
            size = sum(_square(start) for _, start in pairs)
            tf.summary.scalar(f"l2_from_initialization_by_depth/{name}", _share(moved, size))
            total = (total[0] + moved, total[1] + size)
        tf.summary.scalar("l2_from_initialization/norm", math.sqrt(total[0]))
        tf.summary.scalar("l2_from_initialization/ratio", _share(*total))


def _square(values: np.ndarray) -> float:
    return float(np.sum(np.square(values, dtype=np.float64)))


def _share(moved: float, size: float) -> float:
    """Returns the ratio of the norms; where the start is zero, as LoRA's B, whether there is any distance."""
    return math.sqrt(moved / size) if size else float(moved > 0)
