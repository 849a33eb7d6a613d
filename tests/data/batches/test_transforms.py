import types

import numpy as np
import tensorflow as tf

from tfpretune.backbones import TextEncoderTokenizer
from tfpretune.data.batches.transforms import augmented, denoising, masked_patches, masked_tokens
from tfpretune.data.text.tokens import SPECIAL_TOKENS

SEED = tf.constant([1, 2])
IMAGES = tf.constant(np.random.default_rng(0).random((3, 8, 8, 1)), tf.float32)
BATCH = {"images": IMAGES, "labels": tf.constant([0, 1, 0])}


def test_augmentation_moves_the_images_and_nothing_else():
    np.testing.assert_array_equal(augmented()(BATCH, SEED)["images"], IMAGES)
    moved = augmented(flip=True)(BATCH, SEED)
    assert moved["labels"] is BATCH["labels"]
    for image, before in zip(moved["images"].numpy(), IMAGES.numpy(), strict=True):
        assert np.allclose(image, before) or np.allclose(image, before[:, ::-1])
    flips = np.array([augmented(flip=True)(BATCH, [seed, 0])["images"][0, 0, 0, 0] for seed in range(20)])
    assert 0 < np.isclose(flips, IMAGES[0, 0, 0, 0]).sum() < 20


def test_denoising_keeps_the_clean_images_as_targets():
    """Of white images, 2 x 2 patches are blanked and nothing else: the targets are not."""
    white = {"images": tf.ones((50, 8, 8, 1))}
    batch = denoising(0.0, 0.5, patch_size=2)(white, SEED)
    np.testing.assert_array_equal(batch["targets"], white["images"])
    patches = batch["images"].numpy().reshape(50, 4, 2, 4, 2).mean(axis=(2, 4))
    assert set(np.unique(patches)) == {0.0, 1.0}
    assert abs(patches.mean() - 0.5) < 0.06  # 800 patches: 3.5 standard deviations


def test_denoising_moves_the_input_only():
    batch = denoising(0.0, 0.0, move=augmented(shift=2))(BATCH, SEED)
    np.testing.assert_array_equal(batch["targets"], IMAGES)
    np.testing.assert_array_equal(batch["images"], augmented(shift=2)(BATCH, SEED)["images"])
    assert not np.allclose(batch["images"], IMAGES)


def test_hidden_patches_are_all_that_is_not_visible():
    batch = masked_patches(4, 0.75)(BATCH, SEED)
    assert batch["visible_positions"].shape == (3, 1)
    together = np.concatenate([batch["visible_positions"], batch["masked_positions"]], axis=1)
    np.testing.assert_array_equal(np.sort(together, axis=1), [[0, 1, 2, 3]] * 3)
    assert batch["images"] is IMAGES


def test_hidden_tokens_can_be_put_back():
    """Ids 0 padding, 1 start, 2 end, 3 mask: half of the six words of each row are hidden, padding and ends never."""
    tokenizer = types.SimpleNamespace(
        vocabulary_size=lambda: 30, mask_token_id=3, pad_token_id=0, special_token_ids=[0, 1, 2, 3]
    )
    rows = np.array([[1, 10, 11, 12, 13, 14, 15, 2, 0, 0], [1, 20, 21, 22, 23, 24, 25, 2, 0, 0]], np.int32)
    batch = masked_tokens(tokenizer, 0.5)({"token_ids": tf.constant(rows)}, SEED)
    np.testing.assert_array_equal(batch["padding_mask"], [[1] * 8 + [0] * 2] * 2)
    np.testing.assert_array_equal(tf.reduce_sum(batch["mask_weights"], axis=1), [3.0, 3.0])
    restored = batch["token_ids"].numpy()
    np.put_along_axis(restored, batch["mask_positions"].numpy(), batch["mask_ids"].numpy(), axis=1)
    np.testing.assert_array_equal(restored, rows)


def test_the_unknown_token_is_never_hidden_nor_to_be_guessed():
    """All else of a row is, with a rate of 1; a row of unknown words alone has nothing to guess, and counts nothing."""
    tokenizer = TextEncoderTokenizer([*SPECIAL_TOKENS, "a", "b"], lowercase=True)
    rows = tf.constant([[2, 5, 1, 6, 1, 3], [2, 1, 1, 1, 3, 0], [2, 1, 5, 1, 1, 3]], tf.int32)
    batch = masked_tokens(tokenizer, 1.0)({"token_ids": rows}, SEED)
    np.testing.assert_array_equal(tf.reduce_sum(batch["mask_weights"], axis=1), [2.0, 0.0, 1.0])
    guessed = batch["mask_ids"].numpy()[batch["mask_weights"].numpy() == 1]
    assert sorted(guessed.tolist()) == [5, 5, 6]
    np.testing.assert_array_equal(batch["token_ids"].numpy()[rows.numpy() == 1], 1)
