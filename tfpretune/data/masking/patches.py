"""Patches that the model must restore, and noise that it must remove: pure functions of (batch, seed), vectorised."""

import tensorflow as tf


def mask_patches(
    batch: tf.Tensor, seed: tf.Tensor, *, num_patches: int, mask_rate: float = 0.75
) -> dict[str, tf.Tensor]:
    """Draws which patches of each image stay visible (masked autoencoder, arXiv:2111.06377, section 3).

    Args:
        batch: number of images, an int32 scalar.
        seed: int32 `(2,)`.
        num_patches: patches an image.
        mask_rate: fraction of the patches that is masked, in (0, 1).

    Returns:
        int32 `visible_positions` `(batch, kept)` and `masked_positions` `(batch, num_patches - kept)`, both in rising order.
    """
    kept = num_patches - round(num_patches * mask_rate)
    if not 0 < kept < num_patches:
        raise ValueError(
            f"mask_rate {mask_rate} leaves {kept} of {num_patches} patches: at least one must stay and one must go"
        )
    order = tf.argsort(tf.random.stateless_uniform((batch, num_patches), seed), axis=1)
    return {
        "visible_positions": tf.sort(order[:, :kept], axis=1),
        "masked_positions": tf.sort(order[:, kept:], axis=1),
    }


def corrupt_images(
    images: tf.Tensor, seed: tf.Tensor, *, noise_stddev: float = 0.0, mask_rate: float = 0.0, patch_size: int = 4
) -> tf.Tensor:
    """Adds Gaussian noise to images and sets random square patches to 0 (Vincent et al. 2010, sections 3.3 and 4.1).

    Args:
        images: float32 `(batch, height, width, channels)` in [0, 1].
        seed: int32 `(2,)`.
        noise_stddev: standard deviation of the noise, in units of the pixel range.
        mask_rate: chance of each patch to be blanked, in [0, 1).
        patch_size: side of a patch, pixels.

    Returns:
        Images of the same shape, clipped to [0, 1].

    Raises:
        ValueError: a deviation below 0, a rate outside [0, 1), or patches of no pixel.
    """
    if noise_stddev < 0.0 or not 0.0 <= mask_rate < 1.0 or patch_size < 1:
        raise ValueError(
            "noise_stddev must be at least 0, mask_rate in [0, 1) and patch_size at least 1, "
            f"received {noise_stddev}, {mask_rate} and {patch_size}"
        )
    noise_seed, mask_seed = tf.unstack(tf.random.experimental.stateless_split(seed, 2))
    if noise_stddev:
        images = images + tf.random.stateless_normal(tf.shape(images), noise_seed, stddev=noise_stddev)
    if mask_rate:
        batch, height, width, _ = tf.unstack(tf.shape(images))
        grid = (batch, -(-height // patch_size), -(-width // patch_size), 1)
        keep = tf.cast(tf.random.stateless_uniform(grid, mask_seed) >= mask_rate, images.dtype)
        keep = tf.repeat(tf.repeat(keep, patch_size, axis=1), patch_size, axis=2)
        images = images * keep[:, :height, :width]
    return tf.clip_by_value(images, 0.0, 1.0)
