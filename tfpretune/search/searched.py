"""The names of what a search may vary. Imports no TensorFlow."""

from typing import Literal

Searched = Literal["learning_rate", "dropout", "frozen", "lora_rank", "l2_sp", "layer_decay", "r_drop"]
