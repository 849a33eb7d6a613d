import keras
import numpy as np
import tensorflow as tf

from tfpretune.evaluation.predict import predict_outputs
from tfpretune.objectives import Classification, Supervised

LOGITS = np.log(np.array([[1, 1], [1, 3], [4, 1], [9, 1], [1, 1]], "float32"))


def test_probabilities_by_hand_and_in_order():
    """The model returns its input, so shares 1:1, 1:3, 4:1, 9:1 come out; the last batch is smaller, labels are not needed."""
    x = keras.Input((2,), name="x")
    model = Supervised({"x": x}, keras.layers.Activation("linear")(x), target=Classification(2))
    batches = tf.data.Dataset.from_tensor_slices({"x": LOGITS, "where": ["a"] * 5}).batch(2)
    found = predict_outputs(model, batches)
    np.testing.assert_allclose(found, [[0.5, 0.5], [0.25, 0.75], [0.8, 0.2], [0.9, 0.1], [0.5, 0.5]], atol=1e-6)
    assert found.dtype == np.float32
