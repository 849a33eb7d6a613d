"""What a segmenter is measured and weighed by, worked by hand."""

import numpy as np
import pytest
import tensorflow as tf

from tfpretune.tasks.segmentation import count_pixels, pixel_weights, segmentation_tables, simple_predictors


def test_counted_pixels_are_summed_over_batches():
    """Class 1 of 2 for pixels above one half; of four known pixels three are so."""
    images = np.array([[0.2, 0.9], [0.8, 0.6], [0.7, 0.1]], np.float32).reshape(3, 1, 2, 1)
    labels = np.array([[0, 1], [1, -1], [0, -1]]).reshape(3, 1, 2)
    batches = tf.data.Dataset.from_tensor_slices({"images": images, "labels": labels}).batch(2)
    assert count_pixels(lambda x: (x[..., 0] > 0.5).astype(int), batches, 2).tolist() == [[1, 1], [0, 2]]


def test_all_classes_weigh_the_same():
    """12 pixels, 3 classes that occur: 12 / 3 = 4 for each, over its 8, 2 or 2 pixels; the one without any does not count."""
    assert pixel_weights(np.array([8, 2, 0, 2])) == pytest.approx((0.5, 2.0, 1.0, 2.0))


def test_the_most_frequent_class_alone_where_nothing_else_can_be_fitted():
    images = np.zeros((3, 2, 2, 1), np.float32)
    rows = tf.data.Dataset.from_tensor_slices({"images": images, "labels": np.full((3, 2, 2), 1)}).batch(2)
    found = simple_predictors(rows, np.array([0, 12]))
    assert list(found) == ["most frequent class"]
    np.testing.assert_array_equal(found["most frequent class"](images), np.ones((3, 2, 2)))


def test_a_class_that_does_not_occur_has_no_figure():
    own = {"mean_iou": 0.5, "mean_dice": 0.6, "pixel_accuracy": 0.7, "iou/sky": 0.5, "dice/sky": 0.6}
    own |= {"support/sky": 9.0, "support/sea": 0.0}
    overall, classes = segmentation_tables({"simple": own, "segmenter": own}, ("sky", "sea"), model="segmenter")
    assert overall.rows == [["simple", 0.5, 0.6, 0.7], ["segmenter", 0.5, 0.6, 0.7]]
    assert classes.rows == [["sky", 9, 0.5, 0.6], ["sea", 0, None, None]]
