"""Images with masks -> batches."""

from typing import Any

import numpy as np
import tensorflow as tf

from tfpretune.data.batches import examples as columns
from tfpretune.data.batches.examples import file_column, file_loader, image_array
from tfpretune.data.batches.step_indexed import Batch, Load, StepIndexed, Transform
from tfpretune.data.examples.masks import MaskExamples
from tfpretune.data.image.fitting import OUTSIDE, Resize, axes, nearest
from tfpretune.data.readers.masks.files import READ_ERRORS
from tfpretune.data.readers.masks.reader import MaskReader
from tfpretune.data.readers.masks.records import NO_CLASS
from tfpretune.errors import RunError

IGNORED = -1


def mask_batches(
    examples: MaskExamples,
    batch_size: int,
    *,
    image_shape: tuple[int, int, int],
    seed: int = 0,
    transform: Transform | None = None,
) -> StepIndexed:
    """Serves float32 `images` `(batch, height, width, channels)` in [0, 1] and int32 `labels` `(batch, height, width)`.

    Labels are -1 where a pixel has no class, and in padding. Masks of another size are resized to the nearest pixel, as
    `examples.images.resize` says. Up to 1 GiB of pixels is decoded once; files beyond that are decoded when their step comes.

    Args:
        examples: images with masks.
        batch_size: images per step.
        image_shape: height, width, channels (1 or 3).
        seed: decides order and transforms.
        transform: applied to batches; one that moves pixels must move the labels as well: `augmented(masks="labels")` does.

    Returns:
        The batches, by step.

    Raises:
        RunError: naming a mask that cannot be read.

    Examples:
        >>> import numpy as np
        >>> from tfpretune.data import Examples, MaskExamples, mask_batches
        >>> images = Examples("image", np.zeros((1, 2, 2, 3), "uint8"), None, (), ["mine:1"], "mine")
        >>> examples = MaskExamples(images, np.array([[[0, 1], [1, 255]]], "uint8"), ("road", "sky"))
        >>> batch = next(iter(mask_batches(examples, 1, image_shape=(2, 2, 3)).in_order()))
        >>> tuple(batch["images"].shape), batch["labels"].numpy().tolist()
        ((1, 2, 2, 3), [[[0, 1], [1, -1]]])
    """
    size = image_shape[:2]
    values: dict[str, np.ndarray]
    load = None
    held = isinstance(examples.images.inputs, np.ndarray)
    if held or len(examples) * int(np.prod(image_shape)) <= columns.IN_MEMORY_BYTES:
        masks = mask_array(examples, size).astype(np.int16)
        values = {
            "images": image_array(examples.images, image_shape),
            "labels": np.where(masks == NO_CLASS, np.int16(IGNORED), masks),
        }
    else:
        values = {"images": file_column(examples.images), "labels": np.asarray(examples.masks)}
        load = _loader(image_shape, examples.read, examples.images.resize)

    def prepare(batch: Batch, batch_seed: tf.Tensor) -> Batch:
        images, labels = batch["images"], tf.cast(batch["labels"], tf.int32)
        pixels = images if images.dtype == tf.float32 else tf.cast(images, tf.float32) / 255.0
        batch = {
            "images": tf.ensure_shape(pixels, (None, *image_shape)),
            "labels": tf.ensure_shape(tf.where(labels == NO_CLASS, IGNORED, labels), (None, *size)),
        }
        return transform(batch, batch_seed) if transform else batch

    return StepIndexed(values, batch_size, seed=seed, transform=prepare, load=load)


def mask_array(examples: MaskExamples, size: tuple[int, int]) -> np.ndarray:
    """Returns all masks as uint8 `(n, height, width)`, decoded and resized where needed.

    Raises:
        RunError: naming a mask that cannot be read.
    """
    masks: Any = examples.masks
    resize = examples.images.resize
    if isinstance(masks, np.ndarray):
        return masks if masks.shape[1:] == size else _resized(masks, size, resize)
    return np.stack([_read(examples.read, path, size, resize) for path in masks])


def _read(read: MaskReader, path: str, size: tuple[int, int], resize: Resize) -> np.ndarray:
    try:
        return _resized(read(path), size, resize)
    except READ_ERRORS as error:
        raise RunError(f"{path}: the mask cannot be read ({error})") from error


def _resized(masks: np.ndarray, size: tuple[int, int], resize: Resize) -> np.ndarray:
    """Takes the nearest pixel to the middle of each new one, as `tf.image.resize` does, and no class for padding.

    In NumPy, since operations of TensorFlow inside of a `numpy_function` would wait for the threads that it runs on.
    """
    height, width = masks.shape[-2:]
    up, across = axes(height, width, size, resize)
    rows, columns = nearest(up, size[0], height)[:, None], nearest(across, size[1], width)
    found = masks[..., np.maximum(rows, 0), np.maximum(columns, 0)]
    return np.where((rows == OUTSIDE) | (columns == OUTSIDE), found.dtype.type(NO_CLASS), found)


def _loader(image_shape: tuple[int, int, int], read: MaskReader, resize: Resize) -> Load:
    size = image_shape[:2]
    load_photo = file_loader(image_shape, resize)

    def decoded(path: bytes) -> np.ndarray:
        try:
            return _resized(read(path.decode()), size, resize)
        except READ_ERRORS:
            return np.zeros((0, 0), np.uint8)  # of no right shape: `StepIndexed` names the file

    def load(row: Batch) -> Batch:
        mask = tf.numpy_function(decoded, [row["labels"]], tf.uint8, stateful=False)
        return {"images": load_photo(row)["images"], "labels": tf.ensure_shape(mask, size)}

    return load
