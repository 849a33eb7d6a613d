"""A small Vision Transformer whose blocks can run on a subset of the patches."""

from typing import Any

import keras
import keras_hub
import tensorflow as tf

from tfpretune.backbones.layers.blocks import EncoderBlock, PositionEmbedding


@keras.saving.register_keras_serializable("tfpretune")
class VisionTransformer(keras_hub.models.Backbone):
    """Pre-norm Vision Transformer without a class token (Dosovitskiy et al. 2020, arXiv:2010.11929, section 3.1).

    Input: float32 `images` `(batch, height, width, channels)` in [0, 1]; `patch_size` must divide height and width.
    Output: `(batch, patches, hidden_dim)`.

    Args:
        image_shape: height, width, channels.
        patch_size: side of a patch, pixels.
        num_layers: Transformer blocks.
        num_heads: of each block; must divide `hidden_dim`.
        hidden_dim: width.
        intermediate_dim: of the feed-forward layers.
        dropout: rate, in [0, 1).
        dtype: Keras dtype policy.
        name: of the model.
        trainable: whether its weights learn.

    Raises:
        ValueError: patches or heads that do not divide.

    Examples:
        >>> from tfpretune.backbones import VisionTransformer
        >>> backbone = VisionTransformer((28, 28, 1), 7, num_layers=1, num_heads=2, hidden_dim=8, intermediate_dim=16)
        >>> backbone.num_patches, backbone.output.shape  # 4 x 4 patches of 7 x 7 pixels
        (16, (None, 16, 8))
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        patch_size: int,
        *,
        num_layers: int,
        num_heads: int,
        hidden_dim: int,
        intermediate_dim: int,
        dropout: float = 0.0,
        dtype: Any = None,
        name: str | None = None,
        trainable: bool = True,
    ):
        height, width, channels = image_shape
        if height % patch_size or width % patch_size:
            raise ValueError(f"patch_size must divide height and width, received {patch_size} for {height} x {width}")
        dtype = keras.dtype_policies.get(dtype)
        images = keras.Input(tuple(image_shape), name="images")
        embed = keras.layers.Dense(hidden_dim, dtype=dtype, name="patch_embedding")
        positions = PositionEmbedding(
            (height // patch_size) * (width // patch_size), dtype=dtype, name="position_embedding"
        )
        blocks = [
            EncoderBlock(
                num_heads,
                hidden_dim,
                intermediate_dim=intermediate_dim,
                dropout=dropout,
                dtype=dtype,
                name=f"block_{index}",
            )
            for index in range(num_layers)
        ]
        norm = keras.layers.LayerNormalization(epsilon=1e-6, dtype=dtype, name="final_norm")
        to_patches = Patches(patch_size, dtype=dtype, name="patches")
        x = positions(embed(to_patches(images)))
        for block in blocks:
            x = block(x)
        super().__init__(inputs={"images": images}, outputs=norm(x), dtype=dtype, name=name, trainable=trainable)
        self.image_shape = (height, width, channels)
        self.patch_size = patch_size
        self.num_patches = (height // patch_size) * (width // patch_size)
        self.num_layers = num_layers
        self.num_heads = num_heads
        self.hidden_dim = hidden_dim
        self.intermediate_dim = intermediate_dim
        self.dropout = dropout

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return super().get_config() | {
            "image_shape": self.image_shape,
            "patch_size": self.patch_size,
            "num_layers": self.num_layers,
            "num_heads": self.num_heads,
            "hidden_dim": self.hidden_dim,
            "intermediate_dim": self.intermediate_dim,
            "dropout": self.dropout,
        }


@keras.saving.register_keras_serializable("tfpretune")
class Patches(keras.layers.Layer):
    """Cuts images `(batch, height, width, channels)` into patches `(batch, patches, patch_size * patch_size * channels)`."""

    def __init__(self, patch_size: int, name: str | None = None, trainable: bool = True, dtype: Any = None):
        super().__init__(name=name, trainable=trainable, dtype=dtype)
        self.patch_size = patch_size

    def call(self, images: tf.Tensor) -> tf.Tensor:
        """Returns the patches, row by row."""
        _, height, width, channels = images.shape
        rows, columns, size = height // self.patch_size, width // self.patch_size, self.patch_size
        x = tf.reshape(images, (-1, rows, size, columns, size, channels))
        x = tf.transpose(x, (0, 1, 3, 2, 4, 5))
        return tf.reshape(x, (-1, rows * columns, size * size * channels))

    def compute_output_shape(self, input_shape: tuple[Any, ...]) -> tuple[Any, ...]:
        """`(batch, patches, values in a patch)`."""
        batch, height, width, channels = input_shape
        size = self.patch_size
        return (batch, (height // size) * (width // size), size * size * channels)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return super().get_config() | {"patch_size": self.patch_size}


def join_patches(patches: tf.Tensor, image_shape: tuple[int, int, int], patch_size: int) -> tf.Tensor:
    """Puts patches `(batch, patches, values)` back into images `(batch, height, width, channels)`."""
    height, width, channels = image_shape
    rows, columns = height // patch_size, width // patch_size
    x = tf.reshape(patches, (-1, rows, columns, patch_size, patch_size, channels))
    return tf.reshape(tf.transpose(x, (0, 1, 3, 2, 4, 5)), (-1, height, width, channels))
