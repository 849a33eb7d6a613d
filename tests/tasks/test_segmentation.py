"""What the classes of pixels are weighed by, worked by hand."""

import numpy as np
import pytest

from tfpretune.tasks.segmentation import pixel_weights


def test_all_classes_weigh_the_same():
    """12 pixels, 3 classes that occur: 12 / 3 = 4 for each, over its 8, 2 or 2 pixels; the one without any does not count."""
    assert pixel_weights(np.array([8, 2, 0, 2])) == pytest.approx((0.5, 2.0, 1.0, 2.0))
