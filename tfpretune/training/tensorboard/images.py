"""TensorBoard pages for images: what an autoencoder makes of eight pictures, and what a classifier mixes up."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfpretune.training.run_variables import optimizer_step
from tfpretune.training.tensorboard.log_writer import LogWriter

# Up to matplotlib 3.10 only the first face of a font collection is seen: of Noto CJK that is the Japanese one.
CJK_FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Noto Serif CJK SC",
    "Noto Serif CJK JP",
    "Source Han Sans SC",
    "WenQuanYi Micro Hei",
    "PingFang HK",
    "Microsoft YaHei",
    "SimHei",
)


class PageCallback(keras.callbacks.Callback):
    """Base of the pages: writes to `log_dir/validation` at the end of each save interval, at the optimizer's own step.

    The event file is opened at the first write, so a run that has nothing left to do leaves none.

    Args:
        log_dir: the run's `logs` folder.
    """

    def __init__(self, log_dir: Path | str):
        super().__init__()
        self.writer = LogWriter(Path(log_dir) / "validation")

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Writes the page and flushes it to the disk."""
        with self.writer.at(optimizer_step(self.model)):
            self.write()
        self.writer.flush()

    def write(self) -> None:
        """Writes the summaries of one interval."""
        raise NotImplementedError(f"{type(self).__name__} must define write()")


class ReconstructionCallback(PageCallback):
    """Shows the same images as input, seen (masked or noisy), output and error.

    Args:
        batch: one transformed batch that never changes: `images`, and where the model needs them `targets`,
            `visible_positions` and `masked_positions`. The first eight rows are shown.
        log_dir: the run's `logs` folder.
        num_images: how many rows of the batch are shown.
    """

    def __init__(self, batch: Mapping[str, tf.Tensor], log_dir: Path | str, *, num_images: int = 8):
        super().__init__(log_dir)
        self.batch = {name: tf.convert_to_tensor(column)[:num_images] for name, column in batch.items()}

    def write(self) -> None:
        """Writes the image `reconstruction`."""
        clean = self.batch.get("targets", self.batch["images"])
        seen, output = self.model.reconstruct(self.batch)
        grid = reconstruction_grid(*(tf.cast(part, tf.float32).numpy() for part in (clean, seen, output)))
        rows = "Rows from the top: input, what the model sees, what it makes of it, absolute error."
        tf.summary.image("reconstruction", grid[np.newaxis], description=rows)


class ConfusionMatrixCallback(PageCallback):
    """Shows how often each true class was taken for each class.

    Args:
        batches: the validation batches, with `labels`; gone over once each interval.
        class_names: names in the order of the labels.
        log_dir: the run's `logs` folder.
    """

    def __init__(self, batches: tf.data.Dataset, class_names: Sequence[str], *, log_dir: Path | str):
        super().__init__(log_dir)
        self.batches = batches
        self.class_names = tuple(class_names)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Compiles the forward pass; every batch stays in order, under any strategy."""
        model = self.model
        self.predict = tf.function(lambda batch: model(batch, training=False), reduce_retracing=True)

    def write(self) -> None:
        """Writes the image `confusion_matrix`."""
        counts = np.zeros((len(self.class_names),) * 2, np.int64)
        for batch in self.batches:
            predicted = np.argmax(self.predict(self.model.pick_inputs(batch)), axis=-1)
            np.add.at(counts, (batch["labels"].numpy(), predicted), 1)
        tf.summary.image("confusion_matrix", confusion_image(counts, self.class_names)[np.newaxis])


def reconstruction_grid(
    inputs: np.ndarray, seen: np.ndarray, outputs: np.ndarray, *, border: int = 2, min_side: int = 56
) -> np.ndarray:
    """Puts images side by side: one column for each, rows input, seen, output and absolute error.

    Args:
        inputs: clean images `(n, height, width, channels)`, floats in [0, 1], 1 or 3 channels.
        seen: what the model was given, same shape.
        outputs: what it made of it, same shape.
        border: white pixels around each image.
        min_side: small images are enlarged by a whole factor until the shorter side has at least this many pixels.

    Returns:
        uint8 `(4 * (h + border) + border, n * (w + border) + border, 3)` with the enlarged height `h` and width `w`.

    Raises:
        ValueError: the shapes differ, or are not images of 1 or 3 channels.
    """
    shapes = [np.shape(part) for part in (inputs, seen, outputs)]
    if len(set(shapes)) != 1 or len(shapes[0]) != 4 or shapes[0][-1] not in (1, 3) or 0 in shapes[0]:
        raise ValueError(
            f"reconstruction_grid: expected three equal shapes (n, height, width, 1 or 3), received {shapes}"
        )
    factor = -(-min_side // min(shapes[0][1:3]))
    rows = np.stack([inputs, seen, outputs, np.abs(np.subtract(outputs, inputs))]).clip(0.0, 1.0)
    tiles = np.round(rows * 255).astype(np.uint8).repeat(factor, axis=2).repeat(factor, axis=3)
    tiles = np.broadcast_to(tiles, (*tiles.shape[:-1], 3))
    tiles = np.pad(tiles, ((0, 0), (0, 0), (border, 0), (border, 0), (0, 0)), constant_values=255)
    grid = np.concatenate([np.concatenate(list(row), axis=1) for row in tiles], axis=0)
    return np.pad(grid, ((0, border), (0, border), (0, 0)), constant_values=255)


def confusion_image(counts: np.ndarray, class_names: Sequence[str], *, max_names: int = 40) -> np.ndarray:
    """Draws a confusion matrix: colour is the fraction of the true class, numbers are counts.

    Args:
        counts: int `(C, C)`, a row for each true class, a column for each predicted one.
        class_names: C names. Indexes are shown instead where no font here has their characters.
        max_names: above this many classes neither names nor counts are drawn.

    Returns:
        uint8 `(height, width, 3)`.
    """
    from matplotlib.figure import Figure

    size = len(counts)
    side = min(2.0 + 0.45 * size, 12.0)
    figure = Figure(figsize=(side + 1.0, side), dpi=100)
    axes = figure.add_subplot(xlabel="predicted", ylabel="true")
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure.colorbar(axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0), label="fraction of the true class")
    if size <= max_names:
        names, font = drawable_names(class_names)
        axes.set_xticks(range(size), names, rotation=90, family=font)
        axes.set_yticks(range(size), names, family=font)
        for row, column in zip(*np.nonzero(counts), strict=True):
            colour = "white" if shares[row, column] > 0.5 else "black"
            axes.text(
                column,
                row,
                str(counts[row, column]),
                ha="center",
                va="center",
                color=colour,
                size=8 if size <= 20 else 6,
            )
    file = io.BytesIO()
    figure.savefig(file, format="png", bbox_inches="tight")
    return tf.io.decode_png(file.getvalue(), channels=3).numpy()


def drawable_names(class_names: Sequence[str], *, max_length: int = 24) -> tuple[list[str], str]:
    """Returns the names, cut to `max_length`, and a font with all their characters; else indexes and the usual font."""
    from matplotlib import font_manager

    names = [name if len(name) <= max_length else name[: max_length - 1] + "…" for name in class_names]
    names = [name.replace("$", r"\$") for name in names]  # a pair of dollar signs would be set as a formula
    installed = {entry.name for entry in font_manager.fontManager.ttflist}
    for family in ("DejaVu Sans", *(family for family in CJK_FONTS if family in installed)):
        font = font_manager.get_font(font_manager.findfont(family))
        if all(font.get_char_index(ord(character)) for name in names for character in name):
            return names, family
    return [str(index) for index in range(len(names))], "DejaVu Sans"
