"""An exponential moving average of the weights: what is evaluated and kept in the end, while training goes on without it."""

from typing import Any

import keras


class AverageWeights(keras.callbacks.Callback):
    """Evaluates with the optimizer's moving average of the weights in their place (Polyak and Juditsky 1992).

    Does nothing where the optimizer has none (`use_ema`). Add it before the callbacks that look at the weights.
    """

    def __init__(self) -> None:
        super().__init__()
        self._kept: list[Any] | None = None

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Puts the averages in the place of the weights."""
        self.put_in()

    def put_in(self) -> None:
        """Puts the averages in the place of the weights."""
        pairs = _pairs(self.model)
        if pairs and self._kept is None:
            self._kept = [weight.numpy() for weight, _ in pairs]
            for weight, average in pairs:
                weight.assign(average.numpy())

    def put_back(self) -> None:
        """Puts the weights back, if the averages are in their place."""
        if self._kept is not None:
            for (weight, _), value in zip(_pairs(self.model), self._kept, strict=True):
                weight.assign(value)
            self._kept = None


def keep_weights_when_fit_ends(optimizer: keras.optimizers.Optimizer) -> None:
    """Stops Keras' `fit` from putting the averages in the place of the weights: a run calls `fit` several times."""
    optimizer.finalize_variable_values = lambda var_list: None


def _pairs(model: keras.Model) -> list[tuple[keras.Variable, keras.Variable]]:
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    if not optimizer.use_ema:
        return []
    averages = optimizer._model_variables_moving_average
    return [(w, a) for w, a in zip(optimizer._trainable_variables, averages, strict=True) if a is not None]
