"""Compares an export's answers with the stored ones of the Keras model. As a program it does so with Keras shut out."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tfpretune.errors import RunError
from tfpretune.serving.loading import WORDS, ServedModel, load, raw_inputs, read_json

TOLERANCE = 1e-5
ALONE = 4  # so many examples are also sent one by one, to see that an answer does not depend on its batch


class ReplayComparison(NamedTuple):
    """How far the answers are apart."""

    examples: int
    difference: float


def compare(folder: Path | str) -> ReplayComparison:
    """Calls all signatures with the stored raw inputs: all at once, some alone, and none at all.

    Returns:
        The number of examples and the largest difference: absolute up to values of 1, relative above.

    Raises:
        RunError: a difference above 1e-5, another text or whole number, or wrong shapes.
    """
    folder = Path(folder)
    checks = read_json(folder, "checks.json")
    served = load(folder)
    apart = [WORDS] if WORDS in checks else []  # words are sent to this one, and texts to the others
    parts = [([name for name in served.signatures if name not in apart], checks)]
    parts += [([name], checks[name]) for name in apart]
    compared = [_compare(folder, served, signatures, part) for signatures, part in parts]
    return ReplayComparison(sum(one.examples for one in compared), max(one.difference for one in compared))


def _compare(
    folder: Path, served: ServedModel, signatures: Sequence[str], checks: Mapping[str, Any]
) -> ReplayComparison:
    names = served.inputs_of(signatures[0])
    raw = [raw_inputs(item, names) for item in checks["inputs"]]
    sent: list[Any] = [one[0] for one in raw] if len(names) == 1 and names != (WORDS,) else raw
    count, difference = len(sent), 0.0
    for rows in [range(count), *(range(row, row + 1) for row in range(min(ALONE, count)))]:
        for name, values in _answers(served, signatures, [sent[row] for row in rows]):
            if name not in checks["answers"]:
                raise RunError(f"{folder}: {name} has no stored answer to compare with")
            expected = _expected(checks["answers"][name], rows, values, padded=name in checks.get("padded", ()))
            unsure = {(place[0] - rows.start, *place[1:]) for place in checks.get("unsure", {}).get(name, ())}
            difference = max(difference, _difference(folder, name, values, expected, unsure))
    for name, values in _answers(served, signatures, []):
        if len(values):
            raise RunError(f"{folder}: {name} has answers to an empty batch")
    return ReplayComparison(count, difference)


def _answers(served: ServedModel, signatures: Sequence[str], raw: Sequence[Any]) -> list[tuple[str, np.ndarray]]:
    """Calls the signatures. A task's own answers must be those of `serving_default`, which have its name before theirs."""
    return [
        (f"{signature}_{name}" if signature in served.heads else name, values)
        for signature in signatures
        for name, values in served.call(signature, raw).items()
    ]


def _expected(stored: list, rows: range, received: np.ndarray, *, padded: bool) -> np.ndarray:
    """Returns the stored answers of some rows; padding that only other rows made necessary is taken off."""
    text = received.dtype == object
    expected = np.asarray([stored[row] for row in rows], object if text else received.dtype)
    if padded and received.ndim == expected.ndim == 2 and not expected[:, received.shape[1] :].any():
        expected = expected[:, : received.shape[1]]
    return np.vectorize(str.encode, otypes=[object])(expected) if text and expected.size else expected


def _difference(folder: Path, name: str, received: np.ndarray, expected: np.ndarray, unsure: set[tuple]) -> float:
    if received.shape != expected.shape:
        raise RunError(f"{folder}: {name} has shape {received.shape}, the Keras model gave {expected.shape}")
    if not received.size:
        return 0.0
    if received.dtype.kind != "f":
        _require_same(folder, name, received, expected, unsure)
        return 0.0
    apart = np.abs(received - expected) / np.maximum(1.0, np.abs(expected))
    worst = np.unravel_index(np.argmax(apart), apart.shape)  # a NaN counts as the largest
    if not apart[worst] <= TOLERANCE:
        place = f"{name}{[int(index) for index in worst]}"
        raise RunError(
            f"{folder}: answers differ from the Keras model's, most in {place}: expected {expected[worst]:.8g}, "
            f"received {received[worst]:.8g}, difference {apart[worst]:.3g} > {TOLERANCE}"
        )
    return float(apart[worst])


def _require_same(folder: Path, name: str, received: np.ndarray, expected: np.ndarray, unsure: set[tuple]) -> None:
    for place in np.argwhere(received != expected).tolist():
        if tuple(place) not in unsure:
            given, wanted = (_shown(values[tuple(place)]) for values in (received, expected))
            raise RunError(f"{folder}: {name}{place} is {given}, the Keras model gave {wanted}")


def _shown(value: Any) -> str:
    return repr(value.decode("utf-8", "replace") if isinstance(value, bytes) else value.item())


def main(folder: str) -> int:
    """Prints the comparison, or what is wrong, as one line of JSON; returns the exit code."""
    for package in ("keras", "keras_hub", "keras_nlp", "tf_keras"):
        sys.modules[package] = None  # type: ignore[assignment]  # importing it raises from here on
    try:
        print(json.dumps(compare(folder)._asdict()))
    except RunError as error:
        print(json.dumps({"error": str(error)}))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
