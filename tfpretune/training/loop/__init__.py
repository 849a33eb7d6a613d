"""From a compiled model to checkpoints on disk, and on from there."""
