"""Autoencoders: restore the image from its code, or from the code of a corrupted copy."""

import dataclasses
import math
from typing import Any

import keras
import tensorflow as tf

from tfpretune.backbones.feeding import Pixels, Preprocessing, feed, sequence_features
from tfpretune.backbones.layers.blocks import MeanPool
from tfpretune.objectives.base import Batch, Objective, Term


def _decoder(code: keras.KerasTensor, image_shape: tuple[int, int, int], dtype: Any) -> keras.KerasTensor:
    """Unfolds a code `(batch, dim)` to a small map and doubles it up to images `(batch, height, width, channels)`."""
    height, width, channels = image_shape
    stages = max(0, math.ceil(math.log2(max(height, width) / 8)))
    rows, columns = -(-height // 2**stages), -(-width // 2**stages)
    x = keras.layers.Dense(rows * columns * 32, activation="relu", dtype=dtype, name="decoder_dense")(code)
    x = keras.layers.Reshape((rows, columns, 32), dtype=dtype, name="decoder_map")(x)
    for stage in range(stages):
        x = keras.layers.UpSampling2D(dtype=dtype, name=f"decoder_up_{stage}")(x)
        if stage < stages - 1:
            x = keras.layers.Conv2D(
                32, 3, padding="same", activation="relu", dtype=dtype, name=f"decoder_conv_{stage}"
            )(x)
    x = keras.layers.Conv2D(channels, 3, padding="same", dtype="float32", name="reconstruction")(x)
    crop = ((0, x.shape[1] - height), (0, x.shape[2] - width))
    return keras.layers.Cropping2D(crop, dtype="float32", name="decoder_crop")(x)


def _image_terms(outputs: tf.Tensor, targets: tf.Tensor, training: bool) -> dict[str, Term]:
    """Mean squared error of each image, and in evaluation SSIM (Wang et al. 2004), as terms."""
    outputs = tf.cast(outputs, tf.float32)
    count = tf.shape(targets)[0]
    errors = tf.reduce_mean(tf.math.squared_difference(outputs, targets), axis=(1, 2, 3))
    terms = {"mse": Term(tf.reduce_sum(errors), count)}
    if not training:
        size = min(11, targets.shape[1], targets.shape[2])
        total = tf.cond(  # a replica that got no row of the last batch has a broken shape: oneDNN gives no rows a wrong depth
            count > 0,
            lambda: tf.reduce_sum(tf.image.ssim(tf.clip_by_value(outputs, 0.0, 1.0), targets, 1.0, filter_size=size)),
            lambda: 0.0,
        )
        terms["ssim"] = Term(total, count, weight=0.0)
    return terms


def psnr(mse: tf.Tensor) -> tf.Tensor:
    """Peak signal-to-noise ratio in dB of pixels in [0, 1]."""
    return -10.0 * tf.math.log(tf.maximum(tf.cast(mse, tf.float32), 1e-10)) / math.log(10.0)


class _Reconstruction(Objective):
    """What the two autoencoders share: one network from images to images."""

    term_names = ("mse", "ssim")

    def __init__(
        self,
        backbone: keras.Model,
        *,
        pixels: Pixels | dict[str, Any] | None = None,
        dtype: Any = None,
        name: str | None = None,
    ):
        if isinstance(backbone, dict):
            backbone = keras.saving.deserialize_keras_object(backbone)
        pixels = Pixels(**pixels) if isinstance(pixels, dict) else pixels
        policy = keras.dtype_policies.get(dtype) if dtype is not None else backbone.dtype_policy
        inputs, seen = feed(backbone, Preprocessing(pixels=pixels))
        if "images" not in inputs:
            raise ValueError(f"{type(self).__name__} needs an image backbone, received {type(backbone).__name__}")
        code = MeanPool(dtype=policy, name="code")(sequence_features(backbone, seen))
        outputs = _decoder(code, tuple(inputs["images"].shape[1:]), policy)
        super().__init__(inputs=inputs, outputs=outputs, name=name)
        self.backbone = backbone
        self.pixels = pixels
        self.add_term_metrics()

    def terms(self, batch: Batch, training: bool) -> dict[str, Term]:
        """Squared error to `targets`, or to `images` where the batch has no targets."""
        outputs = self({"images": batch["images"]}, training=training)
        return _image_terms(outputs, batch.get("targets", batch["images"]), training)

    def figures(self, means: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """PSNR in dB."""
        return {"psnr": psnr(means["mse"])}

    def reconstruct(self, batch: Batch) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns what the model sees and what it makes of it, both `(batch, height, width, channels)`."""
        return batch["images"], tf.clip_by_value(self({"images": batch["images"]}, training=False), 0.0, 1.0)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {
            "backbone": keras.saving.serialize_keras_object(self.backbone),
            "pixels": self.pixels and dataclasses.asdict(self.pixels),
            "name": self.name,
        }


@keras.saving.register_keras_serializable("tfpretune")
class Autoencoder(_Reconstruction):
    """Restores the image from the backbone's mean-pooled features, a narrow code (Hinton and Salakhutdinov 2006).

    The code is the vector that a classifier reads later, so what is learnt here is what fine-tuning starts from.

    Batches: float32 `images` `(batch, height, width, channels)` in [0, 1].

    Args:
        backbone: from images of one size to features `(batch, …, dim)`.
        pixels: what a pre-trained backbone was trained to see, from `backbones.feeding.read_pixels`; targets stay in [0, 1].
        dtype: policy of the decoder; the backbone's by default.

    Raises:
        ValueError: the backbone takes no images.

    Examples:
        >>> import numpy as np
        >>> from tfpretune.backbones import SmallCNN
        >>> from tfpretune.objectives import Autoencoder
        >>> model = Autoencoder(SmallCNN((8, 8, 1), (8,)))
        >>> model.compile(run_eagerly=True)
        >>> found = model.evaluate({"images": np.zeros((2, 8, 8, 1), "float32")}, verbose=0, return_dict=True)
        >>> {name: round(value, 3) for name, value in sorted(found.items())}  # a new network keeps black images black
        {'loss': 0.0, 'mse': 0.0, 'psnr': 100.0, 'ssim': 1.0}
    """


@keras.saving.register_keras_serializable("tfpretune")
class DenoisingAutoencoder(_Reconstruction):
    """Restores the clean image from a corrupted one (Vincent et al. 2008, "Extracting and composing robust features").

    What the corruption does, the features learn to see through: noise and blanked patches, and also shifts and turns, when the
    input is moved and the target is not.

    Batches: `images` (corrupted, see `tfpretune.data.masking.patches.corrupt_images` and
    `tfpretune.data.image.augmentation.augment`) and `targets` (clean), float32 in [0, 1].

    Args:
        backbone: from images of one size to features `(batch, …, dim)`.
        pixels: what a pre-trained backbone was trained to see, from `backbones.feeding.read_pixels`; targets stay in [0, 1].
        dtype: policy of the decoder; the backbone's by default.

    Raises:
        ValueError: the backbone takes no images; in training, batches without `targets`.

    Examples:
        >>> import numpy as np
        >>> from tfpretune.backbones import SmallCNN
        >>> from tfpretune.objectives import DenoisingAutoencoder
        >>> model = DenoisingAutoencoder(SmallCNN((8, 8, 1), (8,)))
        >>> black, grey = np.zeros((2, 8, 8, 1), "float32"), np.full((2, 8, 8, 1), 0.5, "float32")
        >>> error = model.terms({"images": black, "targets": grey}, training=False)["mse"]
        >>> float(error.total), int(error.count)  # (0 - 0.5)^2 for each image
        (0.5, 2)
    """

    def terms(self, batch: Batch, training: bool) -> dict[str, Term]:
        """Squared error to `targets`, which must be there."""
        if "targets" not in batch:
            raise ValueError(
                f"DenoisingAutoencoder needs the column 'targets' (clean images), received {sorted(batch)}"
            )
        return super().terms(batch, training)
