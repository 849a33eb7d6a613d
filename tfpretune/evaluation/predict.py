"""Class probabilities of a model over batches."""

import keras
import numpy as np
import tensorflow as tf


def predict_probabilities(model: keras.Model, batches: tf.data.Dataset) -> np.ndarray:
    """Returns float32 probabilities `(rows, num_classes)`, in the order of the batches.

    Args:
        model: a `Supervised` classifier: it picks its inputs out of a batch and returns logits.
        batches: dicts with at least the model's inputs.
    """
    call = tf.function(lambda inputs: model.target.activate(model(inputs, training=False)), reduce_retracing=True)
    return np.concatenate([call(model.pick_inputs(batch)).numpy() for batch in batches])
