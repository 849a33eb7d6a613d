"""TensorBoard pages written once a run: validation features for the projector, settings with final metrics."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfpretune.finetune.heads.pooled import MeanPool
from tfpretune.runtime.files import write_atomic
from tfpretune.training.tensorboard.log_writer import LogWriter

PROJECTOR_CONFIG = """embeddings {
  tensor_name: "features"
  tensor_path: "features.tsv"
  metadata_path: "features_metadata.tsv"
}
"""


class EmbeddingsCallback(keras.callbacks.Callback):
    """Puts the features of the validation set into TensorBoard's projector at the end of training.

    Args:
        batches: the validation batches, in a fixed order.
        metadata: column name -> one value for each row, in the same order: `{"label": […], "text": […]}`.
        log_dir: the run's `logs` folder; the files go to `log_dir/validation`.
        max_rows: only the first rows are shown.
        outputs: show what the model says, such as an embedding, and not the features below its head.
    """

    def __init__(
        self,
        batches: tf.data.Dataset,
        metadata: Mapping[str, Sequence[Any]],
        *,
        log_dir: Path | str,
        max_rows: int = 2000,
        outputs: bool = False,
    ):
        super().__init__()
        if not metadata:
            raise ValueError("EmbeddingsCallback: expected at least one metadata column, received none")
        self.batches = batches
        self.metadata = {name: list(column[:max_rows]) for name, column in metadata.items()}
        self.folder = Path(log_dir) / "validation"
        self.max_rows = max_rows
        self.outputs = outputs

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Counts the rows, so that a mistake shows before the training and not after it."""
        rows = 0
        for batch in self.batches:
            rows = min(rows + len(next(iter(batch.values()))), self.max_rows)
            if rows == self.max_rows:
                break
        sizes = {name: len(column) for name, column in self.metadata.items()}
        if set(sizes.values()) != {rows}:
            raise ValueError(f"EmbeddingsCallback: expected {rows} metadata values in each column, received {sizes}")

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Writes `features.tsv`, `features_metadata.tsv` and, last, `projector_config.pbtxt`."""
        rows = features(self.model, self.batches, max_rows=self.max_rows, outputs=self.outputs)
        write_atomic(self.folder / "features.tsv", "".join("\t".join(f"{v:.6g}" for v in row) + "\n" for row in rows))
        write_atomic(self.folder / "features_metadata.tsv", _metadata_tsv(self.metadata))
        write_atomic(self.folder / "projector_config.pbtxt", PROJECTOR_CONFIG)


def features(
    model: keras.Model, batches: tf.data.Dataset, *, max_rows: int | None = None, outputs: bool = False
) -> np.ndarray:
    """Computes one vector for each example: the layer "features", else the backbone's mean-pooled output.

    Args:
        model: a `Supervised` model, or an objective with a `backbone`.
        batches: dicts with at least the inputs of that part.
        max_rows: stop after so many.
        outputs: the model's own outputs instead.

    Returns:
        float32 `(rows, dim)`.
    """
    extractor = model if outputs else _feature_model(model)
    names = list(extractor.input)
    call = tf.function(lambda inputs: extractor(inputs, training=False), reduce_retracing=True)
    parts: list[np.ndarray] = []
    for batch in batches:
        parts.append(np.asarray(call({name: batch[name] for name in names}), np.float32))
        if max_rows is not None and sum(map(len, parts)) >= max_rows:
            break
    if not parts:
        raise ValueError("features: the batches have no rows, expected at least one")
    return np.concatenate(parts)[:max_rows]


def write_hparams(
    log_dir: Path | str, settings: Mapping[str, Any], metrics: Mapping[str, float], *, step: int = 0
) -> None:
    """Writes a run's settings and final metrics for TensorBoard's HParams page, as the sub-run `log_dir/hparams`.

    Args:
        log_dir: the run's `logs` folder.
        settings: plain values; nested ones get dotted names (`optimizer.learning_rate`).
        metrics: name -> final value.
        step: optimizer steps made.
    """
    from tensorboard.plugins.hparams import api

    folder = Path(log_dir) / "hparams"
    for old in folder.glob("events.out.tfevents.*"):  # a second call replaces the first: one session for each run
        old.unlink()
    writer = LogWriter(folder)
    with writer.at(step):
        api.hparams(_flat(settings))
        for name, value in metrics.items():
            tf.summary.scalar(name, float(value))
    writer.flush()


def _feature_model(model: keras.Model) -> keras.Model:
    if any(layer.name == "features" for layer in model.layers):
        return keras.Model(model.input, model.get_layer("features").output)
    backbone = model.backbone
    output = backbone.output["sequence_output"] if isinstance(backbone.output, dict) else backbone.output
    if len(output.shape) == 2:
        return keras.Model(backbone.input, output)
    pool = MeanPool(dtype="float32")
    mask = backbone.input.get("padding_mask")
    return keras.Model(backbone.input, pool(output) if mask is None else pool(output, mask))


def _metadata_tsv(columns: Mapping[str, list[Any]]) -> str:
    """One line per row; a header only where there are several columns, as the projector wants it."""
    rows: list[tuple[Any, ...]] = list(zip(*columns.values(), strict=True))
    rows = [tuple(columns), *rows] if len(columns) > 1 else rows
    return "".join("\t".join(" ".join(str(value).split())[:200] or "-" for value in row) + "\n" for row in rows)


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, bool | int | float | str]:
    flat: dict[str, bool | int | float | str] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = (
                value if isinstance(value, bool | int | float | str) else json.dumps(value, default=str)
            )
    return flat
