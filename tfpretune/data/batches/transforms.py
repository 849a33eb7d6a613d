"""Transforms of batches, ready for `StepIndexed`: augmentation, and what each pre-training objective masks."""

from typing import Any

import tensorflow as tf

from tfpretune.data.batches.step_indexed import Batch, Transform
from tfpretune.data.image.augmentation import augment, augment_with_masks
from tfpretune.data.masking.patches import corrupt_images, mask_patches
from tfpretune.data.masking.tokens import mask_tokens
from tfpretune.data.text.tokenizer import Tokenizer
from tfpretune.data.text.unknown import never_masked
from tfpretune.errors import UsageError


def augmented(
    *, flip: bool = False, shift: int = 0, rotate_degrees: float = 0.0, scale: float = 0.0, masks: str = ""
) -> Transform:
    """Moves the `images` of a batch at random; the first arguments are those of `augment`.

    Args:
        flip: mirror left and right.
        shift: largest move in each direction, whole pixels, at least 0.
        rotate_degrees: largest angle to either side, at least 0.
        scale: largest zoom in or out, as a fraction of the size, in [0, 1).
        masks: a column of classes of pixels that is moved by the same draw, such as "labels"; what came from outside of an
            image gets -1. The images are the same with and without.

    Returns:
        A transform for `image_batches` or `mask_batches`. It raises ValueError for amounts out of their range.

    Examples:
        >>> import tensorflow as tf
        >>> from tfpretune.data import augmented
        >>> move, batch = augmented(shift=2), {"images": tf.random.uniform((4, 8, 8, 1))}
        >>> once, again = (move(batch, tf.constant([0, 7])) for _ in range(2))
        >>> bool(tf.reduce_all(once["images"] == again["images"]))  # the seed decides
        True
        >>> bool(tf.reduce_all(once["images"] == batch["images"]))
        False
    """
    settings: dict[str, Any] = {"flip": flip, "shift": shift, "rotate_degrees": rotate_degrees, "scale": scale}

    def transform(batch: Batch, seed: tf.Tensor) -> Batch:
        if not masks:
            return batch | {"images": augment(batch["images"], seed, **settings)}
        images, moved = augment_with_masks(batch["images"], batch[masks], seed, **settings)
        return batch | {"images": images, masks: moved}

    return transform


def denoising(
    noise_stddev: float, mask_rate: float, *, patch_size: int = 4, move: Transform | None = None
) -> Transform:
    """Keeps `images` as `targets` and corrupts them: see `corrupt_images` for the first three arguments.

    Args:
        noise_stddev: standard deviation of the noise, in units of the pixel range, at least 0.
        mask_rate: chance of each patch to be blanked, in [0, 1).
        patch_size: side of a patch, pixels.
        move: applied to the images first and not to the targets, such as `augmented`.

    Returns:
        A transform for `image_batches`. It raises ValueError for rates and deviations out of their range.

    Examples:
        >>> import tensorflow as tf
        >>> from tfpretune.data import denoising
        >>> images = tf.ones((1, 8, 8, 1))
        >>> batch = denoising(0.0, 0.999, patch_size=4)({"images": images}, tf.constant([0, 0]))
        >>> float(tf.reduce_sum(batch["images"])), float(tf.reduce_sum(batch["targets"]))  # all 4 patches are blanked
        (0.0, 64.0)
    """

    def transform(batch: Batch, seed: tf.Tensor) -> Batch:
        moved = (move(batch, seed) if move else batch)["images"]
        noisy = corrupt_images(moved, seed, noise_stddev=noise_stddev, mask_rate=mask_rate, patch_size=patch_size)
        return batch | {"images": noisy, "targets": batch["images"]}

    return transform


def masked_patches(num_patches: int, mask_rate: float) -> Transform:
    """Adds `visible_positions` and `masked_positions` to a batch of `images`: see `mask_patches`.

    Args:
        num_patches: patches an image, such as `VisionTransformer.num_patches`.
        mask_rate: fraction of them that is hidden, in (0, 1).

    Returns:
        A transform for `image_batches`, as `MaskedAutoencoder` needs it. It raises ValueError where no patch is hidden,
        or none visible.

    Examples:
        >>> import tensorflow as tf
        >>> from tfpretune.data import masked_patches
        >>> batch = masked_patches(4, 0.75)({"images": tf.zeros((2, 8, 8, 1))}, tf.constant([0, 0]))
        >>> tuple(batch["visible_positions"].shape), tuple(batch["masked_positions"].shape)
        ((2, 1), (2, 3))
    """

    def transform(batch: Batch, seed: tf.Tensor) -> Batch:
        count = tf.shape(batch["images"])[0]
        return batch | mask_patches(count, seed, num_patches=num_patches, mask_rate=mask_rate)

    return transform


def masked_tokens(tokenizer: Tokenizer, mask_rate: float) -> Transform:
    """Hides tokens of a batch of `token_ids` and adds what stood there and a `padding_mask`: see `mask_tokens`.

    Args:
        tokenizer: of the batches.
        mask_rate: fraction of the tokens, special ones left out, that is chosen, in (0, 1].

    Returns:
        A transform for `text_batches`, as `MaskedLM` needs it. It raises ValueError for a rate out of its range.

    Raises:
        UsageError: the tokenizer has no mask token.

    Examples:
        >>> import tensorflow as tf
        >>> from tfpretune.backbones import TextEncoderTokenizer
        >>> from tfpretune.data import masked_tokens
        >>> tokenizer = TextEncoderTokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad"])
        >>> batch = masked_tokens(tokenizer, 0.5)({"token_ids": tf.constant([[2, 5, 5, 3]])}, tf.constant([0, 0]))
        >>> batch["mask_ids"].numpy()[batch["mask_weights"] == 1]  # one of the two words was chosen
        array([5], dtype=int32)
    """
    if getattr(tokenizer, "mask_token_id", None) is None:
        name = type(tokenizer).__name__
        raise UsageError(f"{name} has no mask token, and a masked language model needs one: take a BERT or a RoBERTa")
    ids = {"vocabulary_size": tokenizer.vocabulary_size(), "mask_token_id": tokenizer.mask_token_id}
    special, padding = never_masked(tokenizer), tokenizer.pad_token_id

    def transform(batch: Batch, seed: tf.Tensor) -> Batch:
        masked = mask_tokens(batch["token_ids"], seed, **ids, special_token_ids=special, mask_rate=mask_rate)
        return masked | {"padding_mask": tf.cast(batch["token_ids"] != padding, tf.int32)}

    return transform
