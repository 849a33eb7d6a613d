"""What a run is about, and whether its rows fit the model: both are looked at before the first step."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import keras
import numpy as np

from tfpretune.data.batches.step_indexed import RecordSource, StepIndexed
from tfpretune.data.splits.rule import CONTENTS, LABELS
from tfpretune.data.text.tokenizer import Tokenizer
from tfpretune.errors import UsageError
from tfpretune.objectives.targets.standard import Regression

CHUNK_VALUES = 1 << 22
_NOT_COMPARED = ("name", "trainable", "dtype")


def fingerprint_of(
    backbone: keras.Model,
    batches: StepIndexed,
    *,
    tokenizer: Tokenizer | None = None,
    class_names: Sequence[str] = (),
    data: "Data | Mapping[str, Data] | None" = None,
) -> dict[str, Any]:
    """Returns what must be the same when a run goes on from a checkpoint: `fit(…, identity=…)` compares and lists it.

    Args:
        backbone: its class and its settings count.
        batches: the shapes of its columns count: image shape, sequence length.
        tokenizer: its vocabulary counts, by number of tokens and sha256.
        class_names: the classes in the order of their indices.
        data: the training examples, or several by name; their contents, labels and order count, not where they lie.

    Examples:
        >>> import numpy as np
        >>> from tfpretune.backbones import SmallCNN
        >>> from tfpretune.data import StepIndexed
        >>> from tfpretune.training import fingerprint_of
        >>> batches = StepIndexed({"images": np.zeros((4, 8, 8, 1), "uint8")}, 2)
        >>> identity = fingerprint_of(SmallCNN((8, 8, 1), (8,)), batches, class_names=("no", "yes"))
        >>> identity["class_names"]
        ['no', 'yes']
    """
    found: dict[str, Any] = {"backbone": type(backbone).__name__}
    for name, value in backbone.get_config().items():
        if name not in _NOT_COMPARED and _is_plain(value):
            found[f"backbone.{name}"] = value
    for name, spec in batches.from_step(0, 1).element_spec.items():
        found[f"shape of {name}"] = spec.shape[1:].as_list()
    if tokenizer is not None:
        tokens = tokenizer.get_vocabulary()
        digest = hashlib.sha256("\n".join(tokens).encode("utf-8")).hexdigest()
        found["vocabulary"] = f"{len(tokens)} tokens, sha256 {digest}"
    if class_names:
        found["class_names"] = list(class_names)
    if data is not None:
        found |= fingerprints(data if isinstance(data, Mapping) else {"the training examples": data})
    return found


class Data(Protocol):
    """Examples of any form, or shards."""

    def fingerprint(self) -> dict[str, str]:
        """Returns short texts that change with contents, labels and order; see `tfpretune.data.examples.base.ExampleSet`."""


def fingerprints(named: Mapping[str, Data]) -> dict[str, str]:
    """Returns the fingerprints of several data: "labels of NAME" -> text.

    Examples:
        >>> from tfpretune.data import open_source
        >>> from tfpretune.training import fingerprints
        >>> digits = open_source("demo:digits")
        >>> fingerprints({"training": digits}) == fingerprints({"training": digits.take(range(len(digits)))})
        True
    """
    return {f"{fact} of {name}": text for name, each in named.items() for fact, text in each.fingerprint().items()}


def data_facts(identity: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what an identity says of the data."""
    return {name: text for name, text in identity.items() if name.startswith((f"{CONTENTS} of ", f"{LABELS} of "))}


def comparable(old: Mapping[str, Any], new: Mapping[str, Any], *, where: str) -> dict[str, Any]:
    """Leaves out of `new` the fingerprints of the data where `old` was written by a version that made none, and says so."""
    unknown = {} if data_facts(old) or not old else data_facts(new)
    if unknown:
        print(
            f"note: {where} was begun by an earlier version: whether its data are the same cannot be seen", flush=True
        )
    return {name: value for name, value in new.items() if name not in unknown}


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, bool | int | float | str)


def check_ranges(model: keras.Model, batches: StepIndexed) -> None:
    """Goes over token ids and labels once: a bad one would be an error late, or with XLA none at all.

    A `RecordSource` whose limit the model has places for is not read.

    Raises:
        UsageError: names the first row with an id or a label that the model has no place for.
    """
    ranges = {}
    backbone = getattr(model, "backbone", None)
    if backbone is not None and "vocabulary_size" in (settings := backbone.get_config()):
        vocabulary = (0, settings["vocabulary_size"] - 1)
        ranges["token_ids"] = (vocabulary, "the vocabulary of the backbone; is it another's tokenizer?")
    for target in model.all_targets().values():
        if target.label_range() is not None:
            what = "the numbers that a label may be" if isinstance(target, Regression) else "the classes of the model"
            ranges[target.column] = (target.label_range(), what)
    for name, ((lowest, highest), what) in ranges.items():
        column = batches.columns.get(name)
        if column is not None and column.dtype.kind in "US":
            continue  # paths of masks, which `open_masks` has looked at
        declared = column.limit if isinstance(column, RecordSource) else None
        if declared is not None and lowest <= 0 and declared - 1 <= highest:
            continue  # it may be larger than memory, and looks at its values itself
        for start, values in _chunks(column):
            bad = np.argwhere(~((values >= lowest) & (values <= highest)))  # NaN is in no range
            if len(bad):
                value = values[tuple(bad[0])]
                raise UsageError(
                    f"training row {start + bad[0][0]}: {name} holds {value}, outside {lowest}..{highest}, {what}"
                )


def _chunks(column: np.ndarray | RecordSource | None) -> Iterator[tuple[int, np.ndarray]]:
    if column is None:
        return
    rows = max(1, CHUNK_VALUES // max(1, int(np.prod(column.shape[1:]))))
    for start in range(0, len(column), rows):
        end = min(start + rows, len(column))
        yield start, column[start:end] if isinstance(column, np.ndarray) else column.read(np.arange(start, end))
