"""Which side of a split an example is on, and which texts are near copies."""
