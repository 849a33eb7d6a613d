"""The statistics of BatchNormalization, taken anew for weights that no step has made: an average, a soup."""

from collections.abc import Iterable

import keras
import numpy as np
import tensorflow as tf

from tfpretune.data.batches.step_indexed import Batch
from tfpretune.runtime.keras_internals import all_layers


def refresh_normalization(model: keras.Model, batches: Iterable[Batch]) -> int:
    """Sets the means and variances of a model's `BatchNormalization` layers to those of these batches.

    Izmailov et al. 2018 (arXiv:1803.05407), section 3.2. One pass in training mode, so dropout is on. All rows count the same;
    the variance is that within the batches and between them. Layers that are frozen keep what they have.

    Args:
        model: an `Objective`.
        batches: rows as in training.

    Returns:
        The number of layers that were refreshed; with 0 of them no batch is read.
    """
    return Statistics(model).refresh(batches)


class Statistics:
    """`refresh_normalization` that may be called again and again: the pass is traced once.

    Args:
        model: an `Objective`.
    """

    def __init__(self, model: keras.Model):
        self.model = model
        self._traced_for: list[keras.layers.BatchNormalization] = []

    @property
    def layers(self) -> list[keras.layers.BatchNormalization]:
        """The layers whose statistics follow the batches."""
        layers = all_layers(self.model, include_self=False)
        return [layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable]

    @property
    def variables(self) -> list[keras.Variable]:
        """What `refresh` changes: the statistics, and the state of the model's random numbers; none without such layers."""
        layers = self.layers
        statistics = [variable for layer in layers for variable in (layer.moving_mean, layer.moving_variance)]
        seeds = [variable for variable in self.model.variables if "seed_generator" in variable.path]
        return statistics + seeds if layers else []

    def refresh(self, batches: Iterable[Batch]) -> int:
        """Takes the statistics; see `refresh_normalization`."""
        layers = self.layers
        if not layers:
            return 0
        if layers != self._traced_for:  # gradual unfreezing lets more and more of them follow the batches
            self._pass = tf.function(lambda inputs: self.model(inputs, training=True), reduce_retracing=True)
            self._traced_for = layers
        momenta = [layer.momentum for layer in layers]
        for layer in layers:
            layer.momentum = 0.0  # what is stored after a batch is that batch's own
        try:
            moments, rows = self._sums(layers, batches)
        finally:
            for layer, momentum in zip(layers, momenta, strict=True):
                layer.momentum = momentum
        for layer, (mean, square) in zip(layers, moments, strict=True):
            layer.moving_mean.assign(mean / rows)
            layer.moving_variance.assign(np.maximum(square / rows - np.square(mean / rows), 0.0))
        return len(layers)

    def _sums(
        self, layers: list[keras.layers.BatchNormalization], batches: Iterable[Batch]
    ) -> tuple[list[tuple[np.ndarray, np.ndarray]], int]:
        """Returns, for each layer, the sums over rows of the mean and of the mean square; and the number of rows."""
        moments, total = [(np.zeros(layer.moving_mean.shape),) * 2 for layer in layers], 0
        for batch in batches:
            rows = len(next(iter(batch.values())))
            self._pass(self.model.pick_inputs(batch))
            for index, layer in enumerate(layers):
                mean, variance = (np.float64(v.numpy()) for v in (layer.moving_mean, layer.moving_variance))
                first, second = moments[index]
                moments[index] = first + rows * mean, second + rows * (variance + np.square(mean))
            total += rows
        if not total:
            raise ValueError("expected at least one batch to take statistics of, received none")
        return moments, total
