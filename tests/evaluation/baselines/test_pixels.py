import numpy as np
import tensorflow as tf

from tfpretune.evaluation.baselines.pixels import simple_predictors


def test_the_most_frequent_class_alone_where_nothing_else_can_be_fitted():
    images = np.zeros((3, 2, 2, 1), np.float32)
    rows = tf.data.Dataset.from_tensor_slices({"images": images, "labels": np.full((3, 2, 2), 1)}).batch(2)
    found = simple_predictors(rows, np.array([0, 12]))
    assert list(found) == ["most frequent class"]
    np.testing.assert_array_equal(found["most frequent class"](images), np.ones((3, 2, 2)))
