"""Examples to columns of equal length, ready for `StepIndexed`."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfpretune.data.batches.step_indexed import Batch, Load, StepIndexed, Transform
from tfpretune.data.examples.examples import Examples
from tfpretune.data.image.decoding import decode_image, load_image
from tfpretune.data.image.file_headers import read_headers
from tfpretune.data.image.fitting import Resize
from tfpretune.data.image.limits import DARK
from tfpretune.data.image.resizing import resized
from tfpretune.data.text.tokenizer import Tokenizer
from tfpretune.data.text.tokens import CHUNK, encode_all
from tfpretune.errors import RunError, UsageError

IN_MEMORY_BYTES = 1 << 30


def image_batches(
    examples: Examples,
    batch_size: int,
    *,
    image_shape: tuple[int, int, int],
    seed: int = 0,
    transform: Transform | None = None,
    more_labels: Sequence[str] = (),
) -> StepIndexed:
    """Serves images as float32 `images` `(batch, height, width, channels)` in [0, 1], with int32 `labels` where there are any.

    Up to 1 GiB of pixels is decoded once and held as bytes; files beyond that are decoded when their step comes.

    Args:
        examples: of kind "image".
        batch_size: images per step.
        image_shape: height, width, channels (1 or 3); other sizes are resized as `examples.resize` says, other
            colours converted.
        seed: decides order and transforms.
        transform: applied to batches, after the pixels are in [0, 1].
        more_labels: further label columns of the examples, served under their own names.

    Returns:
        The batches, by step.

    Raises:
        UsageError: the examples are texts.
        RunError: naming a file that cannot be read; of files that are decoded later their headers are looked at.
        ValueError: an array that is not uint8.

    Examples:
        >>> from tfpretune.data import image_batches, open_source
        >>> batches = image_batches(open_source("demo:digits"), 64, image_shape=(8, 8, 1))
        >>> batches
        <StepIndexed: 1,797 rows in batches of 64: images uint8 (8, 8, 1), labels int32 ()>
        >>> batch = next(iter(batches.from_step(0, 1)))
        >>> tuple(batch["images"].shape), batch["images"].dtype.name, tuple(batch["labels"].shape)
        ((64, 8, 8, 1), 'float32', (64,))
    """
    examples.require_kind("image")
    columns: dict[str, np.ndarray] = {}
    load: Load | None = None
    if isinstance(examples.inputs, np.ndarray) or len(examples) * int(np.prod(image_shape)) <= IN_MEMORY_BYTES:
        columns["images"] = image_array(examples, image_shape)
    else:
        columns["images"], load = file_column(examples), file_loader(image_shape, examples.resize)
    columns |= label_columns(examples, more_labels)

    def prepare(batch: Batch, batch_seed: tf.Tensor) -> Batch:
        images = batch["images"]
        pixels = images if images.dtype == tf.float32 else tf.cast(images, tf.float32) / 255.0
        batch = batch | {"images": tf.ensure_shape(pixels, (None, *image_shape))}
        return transform(batch, batch_seed) if transform else batch

    return StepIndexed(columns, batch_size, seed=seed, transform=prepare, load=load)


def image_array(examples: Examples, image_shape: tuple[int, int, int]) -> np.ndarray:
    """Returns all images as uint8 `(n, height, width, channels)`, decoded and resized where needed.

    Raises:
        ValueError: the examples hold an array of another type.

    Examples:
        >>> from tfpretune.data import image_array, open_source
        >>> pixels = image_array(open_source("demo:digits").take([0, 1]), (16, 16, 3))  # enlarged, from grey to colour
        >>> pixels.shape, pixels.dtype.name
        ((2, 16, 16, 3), 'uint8')
    """
    height, width, channels = image_shape
    inputs = examples.inputs
    if isinstance(inputs, np.ndarray):
        if inputs.dtype != np.uint8:
            raise ValueError(f"{examples.name}: images must be uint8 in [0, 255], received an array of {inputs.dtype}")
        if inputs.shape[1:] == tuple(image_shape):
            return inputs
        parts = [inputs[start : start + CHUNK] for start in range(0, len(inputs), CHUNK)]
        return np.concatenate([_converted(part, image_shape, examples.resize) for part in parts])
    found = np.stack(
        [
            _to_bytes(load_image(path, size=(height, width), channels=channels, resize=examples.resize))
            for path in inputs
        ]
    )
    if found.size and found.max() <= DARK:
        print(f"{examples.name}: all images are nearly black (no pixel above {DARK} of 255): tfpretune check says more")
    return found


def text_batches(
    examples: Examples,
    batch_size: int,
    *,
    tokenizer: Tokenizer,
    sequence_length: int,
    seed: int = 0,
    transform: Transform | None = None,
    more_labels: Sequence[str] = (),
) -> StepIndexed:
    """Serves texts as int32 `token_ids` and `padding_mask` `(batch, sequence_length)`, with `labels` where there are any.

    Args:
        examples: of kind "text", no pairs.
        batch_size: texts per step.
        tokenizer: a KerasHub BERT-like tokenizer.
        sequence_length: length of the rows.
        seed: decides order and transforms.
        transform: applied to batches.
        more_labels: further label columns of the examples, served under their own names.

    Returns:
        The batches: each row is `[CLS] tokens [SEP]`, cut at `sequence_length` or padded to it.

    Raises:
        UsageError: the examples are images or pairs, or the rows shorter than 3 tokens.

    Examples:
        >>> from tfpretune.backbones import TextEncoderTokenizer
        >>> from tfpretune.data import Examples, text_batches
        >>> tokenizer = TextEncoderTokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad"])
        >>> examples = Examples("text", ["good", "bad good"], None, (), ["mine:1", "mine:2"], "mine")
        >>> batches = text_batches(examples, 2, tokenizer=tokenizer, sequence_length=5)
        >>> next(iter(batches.in_order()))["token_ids"].numpy().tolist()
        [[2, 5, 3, 0, 0], [2, 6, 5, 3, 0]]
    """
    examples.require_kind("text")
    if examples.seconds is not None:
        raise UsageError(f"`source` {examples.name} holds pairs of texts, expected single ones")
    columns = encode_all(tokenizer, examples.inputs, sequence_length=sequence_length)
    columns |= label_columns(examples, more_labels)
    return StepIndexed(columns, batch_size, seed=seed, transform=transform)


def label_columns(examples: Examples, more_labels: Sequence[str] = ()) -> dict[str, np.ndarray]:
    """Returns the column `labels`, where there are labels, and the further label columns that are asked for, by name.

    An example without a further label has -1 there.
    """
    columns = {} if examples.labels is None else {"labels": examples.labels}
    return columns | {name: examples.more_column(name).labels for name in more_labels}


def _converted(images: np.ndarray, image_shape: tuple[int, int, int], resize: Resize) -> np.ndarray:
    height, width, channels = image_shape
    pixels = resized(tf.cast(images, tf.float32), (height, width), resize)
    if images.shape[-1] == 3 and channels == 1:
        pixels = tf.reduce_sum(pixels * [0.299, 0.587, 0.114], axis=-1, keepdims=True)
    if images.shape[-1] == 1 and channels == 3:
        pixels = tf.repeat(pixels, 3, axis=-1)
    return _to_bytes(pixels / 255.0)


def _to_bytes(pixels: tf.Tensor) -> np.ndarray:
    return np.clip(np.round(np.asarray(pixels) * 255.0), 0, 255).astype(np.uint8)


def file_column(examples: Examples) -> np.ndarray:
    """Returns the paths of images that are decoded when their step comes, once the header and the end of each were looked at.

    Raises:
        RunError: naming the first file that is gone, no image, too large or cut off.
    """
    for path, found in zip(examples.inputs, read_headers(examples.inputs), strict=True):
        if isinstance(found, str):
            raise RunError(f"{path}: {found}")
        if not found.whole:
            load_image(path, size=(8, 8))  # what stands behind the image may be of no harm
    return np.asarray(examples.inputs)


def file_loader(image_shape: tuple[int, int, int], resize: Resize = "squeeze") -> Load:
    """Returns a function from a row with the path of an image, `images`, to the row with its pixels in [0, 1]."""
    height, width, channels = image_shape

    def load(row: Batch) -> Batch:
        contents = tf.io.read_file(row["images"])
        return row | {"images": decode_image(contents, size=(height, width), channels=channels, resize=resize)}

    return load
