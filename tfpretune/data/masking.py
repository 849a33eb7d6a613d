"""What the model must restore: masked tokens, masked patches, noise. Pure functions of (batch, seed), vectorised."""

import tensorflow as tf


def mask_tokens(
    token_ids: tf.Tensor,
    seed: tf.Tensor,
    *,
    vocabulary_size: int,
    mask_token_id: int,
    special_token_ids: tuple[int, ...],
    mask_rate: float = 0.15,
) -> dict[str, tf.Tensor]:
    """Chooses tokens for a masked language model and hides them.

    Of the chosen tokens 80 % become the mask token, 10 % a random token, and 10 % stay (BERT, arXiv:1810.04805, section 3.1).

    Args:
        token_ids: int32 `(batch, length)`.
        seed: int32 `(2,)`. The same batch and seed give the same masks.
        vocabulary_size: number of token ids; random tokens are drawn from all of them.
        mask_token_id: the id of the mask token.
        special_token_ids: ids that are never chosen: `data.unknown.never_hidden` of a tokenizer.
        mask_rate: share of the other tokens that are chosen, in (0, 1]; at least one in each row that has any.

    Returns:
        A dict: `token_ids` with the chosen tokens hidden, and int32 or float32 `(batch, slots)` tensors `mask_positions`
        (where), `mask_ids` (what stood there) and `mask_weights` (1 for a chosen token, 0 for an unused slot).
    """
    if not 0.0 < mask_rate <= 1.0:
        raise ValueError(f"mask_rate must be in (0, 1], received {mask_rate}")
    batch, length = tf.unstack(tf.shape(token_ids))
    static_length = token_ids.shape[1]
    if static_length:
        slots = max(1, round(static_length * mask_rate))
    else:
        slots = tf.minimum(length, tf.cast(tf.cast(length, tf.float32) * mask_rate, tf.int32) + 1)
    seeds = tf.random.experimental.stateless_split(seed, 3)
    candidates = tf.ones_like(token_ids, tf.bool)
    for special in special_token_ids:
        candidates &= token_ids != special
    order = tf.where(candidates, tf.random.stateless_uniform((batch, length), seeds[0]), -1.0)
    scores, positions = tf.math.top_k(order, k=slots, sorted=True)
    available = tf.reduce_sum(tf.cast(candidates, tf.float32), axis=1, keepdims=True)
    wanted = tf.minimum(tf.maximum(tf.round(available * mask_rate), 1.0), available)
    chosen = tf.cast(tf.range(tf.shape(scores)[1])[tf.newaxis], tf.float32) < wanted
    original = tf.gather(token_ids, positions, batch_dims=1)
    draw = tf.random.stateless_uniform(tf.shape(scores), seeds[1])
    random_ids = tf.random.stateless_uniform(tf.shape(scores), seeds[2], 0, vocabulary_size, tf.int32)
    hidden = tf.where(draw < 0.8, mask_token_id, tf.where(draw < 0.9, random_ids, original))
    hidden = tf.where(chosen, hidden, original)
    rows = tf.broadcast_to(tf.range(batch)[:, tf.newaxis], tf.shape(positions))
    return {
        "token_ids": tf.tensor_scatter_nd_update(token_ids, tf.stack([rows, positions], -1), hidden),
        "mask_positions": positions,
        "mask_ids": original,
        "mask_weights": tf.cast(chosen, tf.float32),
    }


def mask_patches(
    batch: tf.Tensor, seed: tf.Tensor, *, num_patches: int, mask_rate: float = 0.75
) -> dict[str, tf.Tensor]:
    """Draws which patches of each image stay visible (masked autoencoder, arXiv:2111.06377, section 3).

    Args:
        batch: number of images, an int32 scalar.
        seed: int32 `(2,)`.
        num_patches: patches an image.
        mask_rate: share of the patches that is hidden, in (0, 1).

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
    """
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
