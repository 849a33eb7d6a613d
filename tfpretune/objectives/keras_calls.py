"""The calls that Keras users know, for our models: arrays, tuples and `StepIndexed` batches become batches of named columns.

What cannot be is a `ValueError` of one line, before a graph is made where arrays are given.
"""

import math
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfpretune.data.batches.step_indexed import StepIndexed

Columns = dict[str, Any]


class NamedColumns(dict[str, Any]):
    """A batch that says what it lacks."""

    def __init__(self, columns: Any = (), reader: str = "the model"):
        super().__init__(columns)
        self.reader = reader

    def __missing__(self, name: str) -> Any:
        raise ValueError(f"{self.reader} needs the column {name!r}, the batch has {', '.join(self)}")


def refuse_losses(model: Any, given: Mapping[str, Any]) -> None:
    """Refuses what `compile` takes in Keras and has no place here.

    Raises:
        ValueError: a loss or metrics are given.
    """
    for name, value in given.items():
        if value is not None:
            raise ValueError(
                f"compile({name}=…): {type(model).__name__} has its own loss and metrics ({', '.join(model.term_names)}); "
                "give the optimizer alone"
            )


def as_batch(model: Any, data: Any) -> Mapping[str, Any]:
    """Returns named columns: `data` itself where it has names, else inputs and labels under the names that the model reads.

    Args:
        model: an `Objective`.
        data: columns by name; or the inputs, as one tensor where the model has one input; or a tuple of inputs and labels.

    Raises:
        ValueError: sample weights, labels for a model that takes none, several inputs without names, whole numbers where the
            model reads floats.
    """
    if isinstance(data, Mapping):
        return NamedColumns(data, type(model).__name__)
    inputs, labels, weights = keras.utils.unpack_x_y_sample_weight(data)
    if weights is not None:
        raise ValueError(f"{type(model).__name__} takes no sample_weight")
    columns = dict(inputs) if isinstance(inputs, Mapping) else _only_input(model, inputs)
    if labels is not None:
        columns |= _label_columns(model, labels)
    return NamedColumns(columns, type(model).__name__)


def as_columns(model: Any, inputs: Any, labels: Any = None) -> Any:
    """Returns arrays as named columns that Keras can cut into batches; anything else as it is.

    Args:
        model: an `Objective`.
        inputs: an array, or arrays by name; anything else is a data set, which has its labels within.
        labels: of several tasks by task; of a target with several columns by column.

    Raises:
        ValueError: as `as_batch`; a column that the model reads is missing; labels out of range; no whole numbers for classes.
    """
    arrays = isinstance(inputs, np.ndarray | list) or tf.is_tensor(inputs) or isinstance(inputs, Mapping)
    if not arrays:
        if labels is not None:
            raise ValueError(f"{type(model).__name__}: a data set has its labels within, leave y out")
        return inputs
    inputs = np.asarray(inputs) if isinstance(inputs, list) else inputs
    batch = as_batch(model, inputs if labels is None else (inputs, labels))
    columns = dict(batch) | {name: batch[name] for name in model.input}  # one that is missing is named here
    for target in model.all_targets().values():
        if isinstance(column := columns.get(target.column), np.ndarray | list):
            columns[target.column] = checked_labels(target, np.asarray(column))
    return columns


def as_steps(batches: StepIndexed, epochs: int, initial_epoch: int, steps_per_epoch: int | None) -> Columns:
    """Returns `fit`'s arguments for batches that are a function of the step."""
    steps = steps_per_epoch or batches.steps_per_epoch
    data = batches.from_step(initial_epoch * steps, (epochs - initial_epoch) * steps)
    return {"x": data, "steps_per_epoch": steps, "shuffle": False}


def checked_labels(target: Any, labels: np.ndarray) -> np.ndarray:
    """Returns labels of any number type in that of the target, checked against its range.

    Raises:
        ValueError: labels that are not numbers, out of range, or, for classes, no whole ones.
    """
    if labels.dtype.kind not in "biuf":
        raise ValueError(
            f"{target.column}: expected numbers, received {labels.dtype}: turn names of classes into indices"
        )
    span = target.label_range()
    if span is None:
        return labels.astype("float32")
    low, high = span
    classes = math.isfinite(low) and math.isfinite(high)
    wrong = labels[~((labels >= low) & (labels <= high)) | (classes & (labels != np.round(labels)))]
    if wrong.size:
        expected = f"whole numbers from {low} to {high}" if classes else "finite numbers"
        raise ValueError(f"{target.column}: expected {expected}, received {wrong.flat[0]}")
    return labels.astype("int32" if classes else "float32")


def _label_columns(model: Any, labels: Any) -> Columns:
    targets = model.all_targets()
    if not targets:
        raise ValueError(f"{type(model).__name__} learns from its inputs alone: leave y out")
    if "" in targets:
        return dict(labels) if isinstance(labels, Mapping) else {targets[""].column: labels}
    if not isinstance(labels, Mapping) or set(labels) != set(targets):
        raise ValueError(f"give the labels of each task: a dict of {', '.join(targets)}")
    return {targets[task].column: each for task, each in labels.items()}


def _only_input(model: Any, inputs: Any) -> Columns:
    names = list(model.input)
    if len(names) != 1:
        raise ValueError(f"{type(model).__name__} reads {', '.join(names)}: give a dict of them")
    wanted, given = model.input[names[0]].dtype, getattr(inputs, "dtype", None)
    if given is not None and tf.as_dtype(wanted).is_floating and tf.as_dtype(given).is_integer:
        raise ValueError(
            f"{names[0]}: {type(model).__name__} reads {wanted}, received {tf.as_dtype(given).name}: pixels are floats in "
            "[0, 1], divide them by 255 (data.image_batches does)"
        )
    return {names[0]: inputs}
