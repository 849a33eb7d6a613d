import numpy as np
import pytest
import sklearn.metrics
import tensorflow as tf

from tfpretune.evaluation.metrics.segmentation import (
    count_pixels,
    fit_neighbourhoods,
    pixel_confusion,
    segmentation_metrics,
)

NAMES = ("sky", "sea", "land")


def test_by_hand():
    """Sky: 2 of 3 pixels found, and 1 of the sea's called sky: 2 / 4. Sea: 1 / 3. No land anywhere. The -1 does not count."""
    truth = np.array([[[0, 0, 0], [1, 1, -1]]])
    predicted = np.array([[[0, 0, 1], [0, 1, 0]]])
    confusion = pixel_confusion(truth, predicted, 3)
    assert confusion.tolist() == [[2, 1, 0], [1, 1, 0], [0, 0, 0]]
    figures = segmentation_metrics(confusion, NAMES)
    assert figures == pytest.approx(
        {
            "mean_iou": (2 / 4 + 1 / 3) / 2,
            "mean_dice": (4 / 6 + 2 / 4) / 2,
            "pixel_accuracy": 3 / 5,
            "pixels": 5,
            "iou/sky": 2 / 4,
            "dice/sky": 4 / 6,
            "support/sky": 3,
            "iou/sea": 1 / 3,
            "dice/sea": 2 / 4,
            "support/sea": 2,
            "support/land": 0,
        }
    )


def test_equal_to_scikit_learn_and_summed_over_batches():
    rng = np.random.default_rng(0)
    truth, predicted = rng.integers(0, 3, (2, 6, 7, 5))
    truth[rng.random(truth.shape) < 0.2] = -1
    confusion = sum(pixel_confusion(truth[part], predicted[part], 3) for part in (slice(0, 2), slice(2, 6)))
    figures = segmentation_metrics(confusion, NAMES)
    known = truth >= 0
    args = truth[known], predicted[known]
    assert [figures[f"iou/{name}"] for name in NAMES] == pytest.approx(
        sklearn.metrics.jaccard_score(*args, average=None)
    )
    assert [figures[f"dice/{name}"] for name in NAMES] == pytest.approx(sklearn.metrics.f1_score(*args, average=None))
    assert figures["mean_iou"] == pytest.approx(sklearn.metrics.jaccard_score(*args, average="macro"))
    assert figures["pixel_accuracy"] == pytest.approx(sklearn.metrics.accuracy_score(*args))


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"expected predictions \(2,\), received \(3,\)"):
        pixel_confusion(np.zeros(2, int), np.zeros(3, int), 2)
    with pytest.raises(ValueError, match=r"predicted must be in 0..1, received 0..2"):
        pixel_confusion(np.zeros(2, int), np.array([0, 2]), 2)
    with pytest.raises(ValueError, match="not all 0"):
        segmentation_metrics(np.zeros((3, 3), int), NAMES)


def test_a_neighbourhood_says_what_one_pixel_cannot():
    """A pixel is of class 1 when its right neighbour is bright; the border's is outside and 0."""
    images = np.random.default_rng(0).integers(0, 2, (20, 6, 5, 1)).astype(np.float32)
    masks = np.concatenate([images[:, :, 1:, 0], np.zeros((20, 6, 1))], axis=2).astype(int)
    masks[:, 0] = -1
    model = fit_neighbourhoods(images[:15], masks[:15], radius=1, most_pixels=300)
    found = model(images[15:])
    assert found.shape == (5, 6, 5)
    np.testing.assert_array_equal(found[:, 1:], masks[15:, 1:])
    assert fit_neighbourhoods(images, np.where(masks == 1, -1, masks)) is None


def test_counted_pixels_are_summed_over_batches():
    """Class 1 of 2 for pixels above one half; of four known pixels three are so."""
    images = np.array([[0.2, 0.9], [0.8, 0.6], [0.7, 0.1]], np.float32).reshape(3, 1, 2, 1)
    labels = np.array([[0, 1], [1, -1], [0, -1]]).reshape(3, 1, 2)
    batches = tf.data.Dataset.from_tensor_slices({"images": images, "labels": labels}).batch(2)
    assert count_pixels(lambda x: (x[..., 0] > 0.5).astype(int), batches, 2).tolist() == [[1, 1], [0, 2]]
