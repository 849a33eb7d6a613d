"""Tokens that the model must restore: a pure function of (batch, seed), vectorised."""

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
        special_token_ids: ids that are never chosen: `data.text.unknown.never_masked` of a tokenizer.
        mask_rate: fraction of the other tokens that are chosen, in (0, 1]; at least one in each row that has any.

    Returns:
        A dict: `token_ids` with the chosen tokens hidden, and int32 or float32 `(batch, slots)` tensors `mask_positions`
        (where), `mask_ids` (what stood there) and `mask_weights` (1 for a chosen token, 0 for an unused slot).

    Examples:
        >>> import tensorflow as tf
        >>> from tfpretune.data import mask_tokens
        >>> rows, seed = tf.constant([[2, 7, 8, 9, 6, 3]]), tf.constant([0, 1])
        >>> batch = mask_tokens(
        ...     rows, seed, vocabulary_size=10, mask_token_id=4, special_token_ids=(0, 1, 2, 3, 4), mask_rate=0.5
        ... )
        >>> float(tf.reduce_sum(batch["mask_weights"]))  # half of the four words
        2.0
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
