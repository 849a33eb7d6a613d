"""What a run is told, and how it is told: no TensorFlow."""
