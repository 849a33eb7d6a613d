"""What an image may be, for all that decode one. Imports no TensorFlow."""

MAX_PIXELS = 89_478_485
"""The most pixels of an image, all frames together, that is decoded: as many as Pillow reads without a warning. A file of
some kB can announce far more and would take the memory for them."""
DARK = 16
"""An image without a pixel above this, of 255, is nearly black."""
