import numpy as np
import tensorflow as tf

from tfpretune.evaluation.report.pictures import painted
from tfpretune.evaluation.report.segmentation import MOST_COLOURS, segmentation_pictures, segmentation_tables


def test_a_class_that_does_not_occur_has_no_figure():
    own = {"mean_iou": 0.5, "mean_dice": 0.6, "pixel_accuracy": 0.7, "iou/sky": 0.5, "dice/sky": 0.6}
    own |= {"support/sky": 9.0, "support/sea": 0.0}
    overall, classes = segmentation_tables({"simple": own, "segmenter": own}, ("sky", "sea"), model="segmenter")
    assert overall.rows == [["simple", 0.5, 0.6, 0.7], ["segmenter", 0.5, 0.6, 0.7]]
    assert classes.rows == [["sky", 9, 0.5, 0.6], ["sea", 0, None, None]]


def test_the_colours_named_are_those_painted():
    batch = {"images": tf.zeros((1, 1, 3, 1)), "labels": tf.constant([[[0, 1, 2]]])}
    (shown,) = segmentation_pictures(lambda images: np.zeros(images.shape[:3], int), batch, ("no", "sky", "sea"))
    assert list(shown.colours.values()) == [
        tuple(pixel) for pixel in painted(np.array([[[0, 1, 2]]]), 3)[0, 0].tolist()
    ]
    assert list(shown.colours) == ["no", "sky", "sea"]
    (shown,) = segmentation_pictures(
        lambda images: np.zeros(images.shape[:3], int), batch, [str(n) for n in range(MOST_COLOURS + 1)]
    )
    assert shown.colours == {}
