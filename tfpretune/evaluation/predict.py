"""What a model says of batches, as it is served."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf


def predict_outputs(model: keras.Model, batches: tf.data.Dataset) -> Any:
    """Returns the model's outputs after its target's activation, float32 `(rows, …)`, in the order of the batches.

    Args:
        model: a `Supervised` or a `MultiTask`: it picks its inputs out of a batch.
        batches: dicts with at least the model's inputs.

    Returns:
        Probabilities of a classifier `(rows, num_classes)`, numbers of a regressor, and so on; a dict of several tasks.

    Examples:
        >>> import tensorflow as tf
        >>> from tfpretune.backbones import SmallCNN
        >>> from tfpretune.evaluation import predict_outputs
        >>> from tfpretune.finetune import classifier
        >>> model = classifier(SmallCNN((8, 8, 1), (8,)), 2)
        >>> batches = tf.data.Dataset.from_tensor_slices({"images": tf.zeros((3, 8, 8, 1))}).batch(2)
        >>> predict_outputs(model, batches).tolist()  # probabilities of a new head
        [[0.5, 0.5], [0.5, 0.5], [0.5, 0.5]]
    """
    return predictor(model)(batches)


def predictor(model: keras.Model) -> Callable[[tf.data.Dataset], Any]:
    """Returns `predict_outputs` of one model, traced once, with the weights that it has when called.

    Examples:
        >>> import tensorflow as tf
        >>> from tfpretune.backbones import SmallCNN
        >>> from tfpretune.evaluation import predictor
        >>> from tfpretune.finetune import regressor
        >>> predict = predictor(regressor(SmallCNN((8, 8, 1), (8,)), offset=20.0))
        >>> predict(tf.data.Dataset.from_tensor_slices({"images": tf.zeros((2, 8, 8, 1))}).batch(2)).tolist()
        [[20.0], [20.0]]
    """

    @tf.function(reduce_retracing=True)
    def answer(inputs: dict[str, tf.Tensor]) -> Any:
        outputs = model(inputs, training=False)
        if isinstance(outputs, dict):
            return {task: model.targets[task].activate(tf.cast(x, tf.float32)) for task, x in outputs.items()}
        return model.target.activate(outputs)

    def predict(batches: tf.data.Dataset) -> Any:
        parts = [tf.nest.map_structure(lambda x: x.numpy(), answer(model.pick_inputs(batch))) for batch in batches]
        return tf.nest.map_structure(lambda *columns: np.concatenate(columns), *parts)

    return predict
