"""Backbones by name and size, fresh or from a preset."""

from pathlib import Path
from typing import Any

import keras
import keras_hub

from tfpretune.backbones.cnn import SmallCNN
from tfpretune.backbones.text_encoder import TextEncoder
from tfpretune.backbones.vit import VisionTransformer
from tfpretune.config import UsageError

TEXT_SIZES = {  # name: layers, heads, width, feed-forward width
    "mini": (2, 2, 128, 512),
    "small": (4, 4, 256, 1024),
    "medium": (8, 8, 512, 2048),
    "base": (12, 12, 768, 3072),
}
IMAGE_NAMES = ("cnn-small", "cnn-medium", "vit-mini", "vit-tiny", "vit-small")


def make_text_backbone(name: str, *, vocabulary_size: int, sequence_length: int, dropout: float = 0.0, dtype: Any = None) -> keras.Model:
    """Builds a fresh text backbone.

    Args:
        name: "mini", "small", "medium" or "base" for the pre-norm `TextEncoder`; the same with "bert-" in front for KerasHub's
            post-norm `BertBackbone`.
        vocabulary_size: number of token ids.
        sequence_length: the longest row that a bert- backbone will see; the others have no limit.
        dropout: rate, in [0, 1).
        dtype: Keras dtype policy.
    """
    layers, heads, hidden, intermediate = _look_up(TEXT_SIZES, name.removeprefix("bert-"), name)
    if name.startswith("bert-"):
        return keras_hub.models.BertBackbone(
            vocabulary_size, layers, heads, hidden, intermediate, dropout, max_sequence_length=sequence_length, dtype=dtype
        )
    return TextEncoder(
        vocabulary_size,
        layers,
        num_heads=heads,
        hidden_dim=hidden,
        intermediate_dim=intermediate,
        dropout=dropout,
        dtype=dtype,
    )


def make_image_backbone(name: str, *, image_shape: tuple[int, int, int], patch_size: int = 4, dtype: Any = None) -> keras.Model:
    """Builds a fresh image backbone.

    Args:
        name: "cnn-small" or "cnn-medium" (`SmallCNN`); "vit-mini", "vit-tiny" or "vit-small" (`VisionTransformer`).
        image_shape: height, width, channels.
        patch_size: side of a ViT patch, pixels.
        dtype: Keras dtype policy.
    """
    cnns = {"cnn-small": (32, 64, 128), "cnn-medium": (64, 128, 256, 512)}
    vits = {"vit-mini": (4, 4, 96), "vit-tiny": (12, 3, 192), "vit-small": (12, 6, 384)}
    found = _look_up(cnns | vits, name, name)
    if name in cnns:
        return SmallCNN(image_shape, found, dtype=dtype)
    layers, heads, hidden = found
    return VisionTransformer(
        image_shape, patch_size, num_layers=layers, num_heads=heads, hidden_dim=hidden, intermediate_dim=4 * hidden, dtype=dtype
    )


def load_backbone(preset: str, *, dtype: Any = None, random_weights: bool = False) -> keras.Model:
    """Loads a pre-trained backbone from a preset: a folder that a run left, or a KerasHub name.

    With `random_weights` only the architecture is taken: the from-scratch side of a comparison.
    """
    try:
        return keras_hub.models.Backbone.from_preset(str(preset), load_weights=not random_weights, dtype=dtype)
    except (ValueError, OSError) as error:
        raise UsageError(_preset_fault(preset, error)) from error


def load_tokenizer(preset: str) -> Any:
    """Loads the tokenizer that lies in a preset."""
    try:
        return keras_hub.tokenizers.Tokenizer.from_preset(str(preset))
    except (ValueError, OSError) as error:
        raise UsageError(_preset_fault(preset, error)) from error


def _preset_fault(preset: str, error: Exception) -> str:
    if Path(preset).is_dir():
        return f"--preset {preset}: not a preset of the right kind: {str(error).splitlines()[0]}"
    return f"--preset {preset}: no such folder, and no preset that KerasHub knows"


def _look_up(table: dict[str, tuple[int, ...]], key: str, name: str) -> tuple[int, ...]:
    if key not in table:
        raise UsageError(f"--backbone {name}: expected one of {', '.join(table)}")
    return table[key]
