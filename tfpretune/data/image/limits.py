"""What an image may be, for all that decode one. Imports no TensorFlow."""

MAX_PIXELS = 89_478_485
"""The most pixels of an image, all frames together, that is decoded: as many as Pillow reads without a warning. A file of
some kB can announce far more and would take the memory for them."""
MAX_JPEG_PIXELS = 8 * MAX_PIXELS
"""The same of JPEG files: with more than `MAX_PIXELS` they are decoded at a half or a quarter of their size."""
MAX_PROGRESSIVE_PIXELS = 2 * MAX_PIXELS
"""The same of progressive JPEG files, whose decoder holds the whole image before it makes it smaller."""
DIM = 63
"""An image of 16 bits per pixel without a pixel above this, of 255, uses 14 of them at most, as cameras and scanners do."""
DARK = 16
"""An image without a pixel above this, of 255, is nearly black."""
