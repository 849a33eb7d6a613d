"""Compares an export's answers with the stored ones of the Keras model. As a program it does so with Keras shut out."""

import base64
import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tfpretune.config import RunError
from tfpretune.serving.loading import ServedModel, load, read_json

TOLERANCE = 1e-5
ALONE = 4  # so many examples are also sent one by one, to see that an answer does not depend on its batch


class Comparison(NamedTuple):
    """How far the answers are apart."""

    examples: int
    difference: float


def compare(folder: Path | str) -> Comparison:
    """Calls both signatures with the stored raw inputs: all at once, some alone, and none at all.

    Returns:
        The number of examples and the largest difference: absolute up to values of 1, relative above.

    Raises:
        RunError: a difference above 1e-5, a label that does not fit, or wrong shapes.
    """
    folder = Path(folder)
    checks = read_json(folder, "checks.json")
    raw = [base64.b64decode(item["base64"]) if "base64" in item else item["text"] for item in checks["inputs"]]
    served = load(folder)
    difference = 0.0
    for part in [slice(None), *(slice(index, index + 1) for index in range(min(ALONE, len(raw))))]:
        answers = served.call("serving_default", raw[part]) | served.call("embed", raw[part])
        for name, expected in checks["answers"].items():
            wanted = np.asarray(expected[part], np.float32)
            difference = max(difference, _difference(folder, name, answers[name], wanted))
        _check_labels(served, answers, checks["answers"]["probabilities"][part])
    for signature in ("serving_default", "embed"):
        if any(len(values) for values in served.call(signature, []).values()):
            raise RunError(f"{folder}: {signature} gives answers to an empty batch")
    return Comparison(len(raw), difference)


def _difference(folder: Path, name: str, received: np.ndarray, expected: np.ndarray) -> float:
    if received.shape != expected.shape:
        raise RunError(f"{folder}: {name} has shape {received.shape}, the Keras model gave {expected.shape}")
    apart = np.abs(received - expected) / np.maximum(1.0, np.abs(expected))
    worst = np.unravel_index(np.argmax(apart), apart.shape)  # a NaN counts as the largest
    if not apart[worst] <= TOLERANCE:
        place = f"{name}{[int(index) for index in worst]}"
        raise RunError(
            f"{folder}: answers differ from the Keras model's, most in {place}: expected {expected[worst]:.8g}, "
            f"received {received[worst]:.8g}, difference {apart[worst]:.3g} > {TOLERANCE}"
        )
    return float(apart[worst])


def _check_labels(served: ServedModel, answers: dict[str, np.ndarray], probabilities: Any) -> None:
    for label, row in zip(answers["label"], probabilities, strict=True):
        name = label.decode("utf-8")
        if name not in served.class_names or row[served.class_names.index(name)] < max(row) - TOLERANCE:
            best = served.class_names[int(np.argmax(row))]
            raise RunError(f"{served.folder}: the label is {name!r}, the Keras model gave {best!r}")


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
