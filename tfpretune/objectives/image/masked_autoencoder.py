"""The masked autoencoder: restores an image from a few of its patches."""

import dataclasses
from typing import Any

import keras
import tensorflow as tf

from tfpretune.backbones.feeding import Pixels
from tfpretune.backbones.image.vit import Patches, VisionTransformer, join_patches
from tfpretune.backbones.layers.blocks import EncoderBlock, PositionEmbedding
from tfpretune.objectives.base import Batch, Objective, Term
from tfpretune.objectives.image.reconstruction import psnr


@keras.saving.register_keras_serializable("tfpretune")
class MaskedAutoencoder(Objective):
    """Restores masked patches from the visible ones (He et al. 2021, arXiv:2111.06377, section 3).

    Only visible patches go through the encoder. The decoder sees mask tokens for the rest, put back in their places before
    the positions are added. The loss is the squared error on the masked patches only.

    Batches: `images` `(batch, height, width, channels)` in [0, 1], and int32 `visible_positions` and `masked_positions`
    from `tfpretune.data.masking.patches.mask_patches`.

    Args:
        backbone: a `VisionTransformer`.
        decoder_dim: width of the decoder.
        decoder_layers: blocks of the decoder.
        decoder_heads: attention heads of the decoder; must divide its width.
        pixels: what a pre-trained backbone was trained to see, from `backbones.feeding.read_pixels`; targets stay in [0, 1].
        normalize_patches: compare with patches of mean 0 and deviation 1 (the paper's section 4.1, "reconstruction target").

    Raises:
        ValueError: another backbone, or heads that do not divide the width.

    Examples:
        >>> import tensorflow as tf
        >>> from tfpretune.backbones import VisionTransformer
        >>> from tfpretune.data import masked_patches
        >>> from tfpretune.objectives import MaskedAutoencoder
        >>> vit = VisionTransformer((8, 8, 1), 4, num_layers=1, num_heads=2, hidden_dim=8, intermediate_dim=16)
        >>> model = MaskedAutoencoder(vit, decoder_dim=8, decoder_heads=2)
        >>> batch = masked_patches(vit.num_patches, 0.75)({"images": tf.zeros((2, 8, 8, 1))}, tf.constant([0, 0]))
        >>> int(model.terms(batch, training=False)["masked_mse"].count)  # 3 of 4 patches of each image are hidden
        6
    """

    term_names = ("masked_mse",)

    def __init__(
        self,
        backbone: VisionTransformer,
        *,
        decoder_dim: int = 64,
        decoder_layers: int = 1,
        decoder_heads: int = 4,
        normalize_patches: bool = False,
        pixels: Pixels | dict[str, Any] | None = None,
        name: str | None = None,
    ):
        if isinstance(backbone, dict):
            backbone = keras.saving.deserialize_keras_object(backbone)
        if not isinstance(backbone, VisionTransformer):
            raise ValueError(f"MaskedAutoencoder needs a VisionTransformer, received {type(backbone).__name__}")
        pixels = Pixels(**pixels) if isinstance(pixels, dict) else pixels
        policy = backbone.dtype_policy
        values = backbone.patch_size**2 * backbone.image_shape[-1]
        images = keras.Input(backbone.image_shape, name="images")
        visible = keras.Input((None,), dtype="int32", name="visible_positions")
        masked = keras.Input((None,), dtype="int32", name="masked_positions")
        x = backbone.get_layer("patches")(pixels.scaled(images) if pixels else images)
        x = backbone.get_layer("position_embedding")(backbone.get_layer("patch_embedding")(x))
        x = PickPatches(dtype=policy, name="visible_patches")(x, visible)
        for index in range(backbone.num_layers):
            x = backbone.get_layer(f"block_{index}")(x)
        x = backbone.get_layer("final_norm")(x)
        x = keras.layers.Dense(decoder_dim, dtype=policy, name="decoder_embedding")(x)
        x = FillMaskTokens(dtype=policy, name="mask_token")(x, visible, masked)
        x = PositionEmbedding(backbone.num_patches, dtype=policy, name="decoder_positions")(x)
        for index in range(decoder_layers):
            block = EncoderBlock(
                decoder_heads,
                decoder_dim,
                intermediate_dim=4 * decoder_dim,
                dtype=policy,
                name=f"decoder_block_{index}",
            )
            x = block(x)
        x = keras.layers.LayerNormalization(epsilon=1e-6, dtype=policy, name="decoder_norm")(x)
        outputs = keras.layers.Dense(values, dtype="float32", name="patch_pixels")(x)
        inputs = {"images": images, "visible_positions": visible, "masked_positions": masked}
        super().__init__(inputs=inputs, outputs=outputs, name=name)
        self.backbone = backbone
        self.to_patches = Patches(backbone.patch_size, dtype="float32")
        self.decoder_dim = decoder_dim
        self.decoder_layers = decoder_layers
        self.decoder_heads = decoder_heads
        self.normalize_patches = normalize_patches
        self.pixels = pixels
        self.add_term_metrics()

    def terms(self, batch: Batch, training: bool) -> dict[str, Term]:
        """Squared error on the masked patches; each value of a patch counts the same."""
        outputs = self(self.pick_inputs(batch), training=training)  # (batch, patches, values)
        targets = tf.cast(self.to_patches(batch["images"]), tf.float32)
        if self.normalize_patches:
            mean, variance = tf.nn.moments(targets, axes=[-1], keepdims=True)
            targets = (targets - mean) * tf.math.rsqrt(variance + 1e-6)
        masked = batch["masked_positions"]
        errors = tf.math.squared_difference(
            tf.gather(outputs, masked, batch_dims=1), tf.gather(targets, masked, batch_dims=1)
        )
        return {"masked_mse": Term(tf.reduce_sum(tf.reduce_mean(errors, axis=-1)), tf.size(masked))}

    def figures(self, means: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """PSNR in dB of the masked patches, where the targets are pixels."""
        return {} if self.normalize_patches else {"psnr": psnr(means["masked_mse"])}

    def reconstruct(self, batch: Batch) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the images with masked patches blanked, and the images with masked patches restored."""
        patches = tf.cast(self.to_patches(batch["images"]), tf.float32)
        outputs = tf.cast(self(self.pick_inputs(batch), training=False), tf.float32)
        if self.normalize_patches:
            mean, variance = tf.nn.moments(patches, axes=[-1], keepdims=True)
            outputs = outputs * tf.sqrt(variance + 1e-6) + mean
        hidden = tf.reduce_sum(tf.one_hot(batch["masked_positions"], self.backbone.num_patches), axis=1)[
            ..., tf.newaxis
        ]
        shape, size = self.backbone.image_shape, self.backbone.patch_size
        seen = join_patches(patches * (1.0 - hidden), shape, size)
        return seen, tf.clip_by_value(join_patches(patches * (1.0 - hidden) + outputs * hidden, shape, size), 0.0, 1.0)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {
            "backbone": keras.saving.serialize_keras_object(self.backbone),
            "decoder_dim": self.decoder_dim,
            "decoder_layers": self.decoder_layers,
            "decoder_heads": self.decoder_heads,
            "normalize_patches": self.normalize_patches,
            "pixels": self.pixels and dataclasses.asdict(self.pixels),
            "name": self.name,
        }


@keras.saving.register_keras_serializable("tfpretune")
class PickPatches(keras.layers.Layer):
    """Takes the tokens at `positions` `(batch, kept)` out of `(batch, patches, dim)`."""

    def call(self, tokens: tf.Tensor, positions: tf.Tensor) -> tf.Tensor:
        """Returns `(batch, kept, dim)`."""
        return tf.gather(tokens, positions, batch_dims=1)

    def compute_output_shape(self, tokens_shape: tuple, positions_shape: tuple) -> tuple[int | None, ...]:
        """`(batch, kept, dim)`."""
        return (tokens_shape[0], positions_shape[1], tokens_shape[2])


@keras.saving.register_keras_serializable("tfpretune")
class FillMaskTokens(keras.layers.Layer):
    """Puts visible tokens back in their places and one learned vector in all others."""

    def build(self, tokens_shape: tuple, visible_shape: tuple, masked_shape: tuple) -> None:
        """Creates the mask token `(dim,)`."""
        self.mask_token = self.add_weight(
            name="mask_token", shape=(tokens_shape[-1],), initializer=keras.initializers.TruncatedNormal(stddev=0.02)
        )

    def call(self, tokens: tf.Tensor, visible: tf.Tensor, masked: tf.Tensor) -> tf.Tensor:
        """Returns `(batch, kept + hidden, dim)` in the order of the image."""
        batch, hidden = tf.unstack(tf.shape(masked))
        filler = tf.broadcast_to(tf.cast(self.mask_token, tokens.dtype), (batch, hidden, tokens.shape[-1]))
        places = tf.argsort(tf.concat([visible, masked], axis=1), axis=1)
        return tf.gather(tf.concat([tokens, filler], axis=1), places, batch_dims=1)

    def compute_output_shape(
        self, tokens_shape: tuple, visible_shape: tuple, masked_shape: tuple
    ) -> tuple[int | None, ...]:
        """`(batch, patches, dim)`."""
        return (tokens_shape[0], None, tokens_shape[2])
