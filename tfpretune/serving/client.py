"""Asks an export, or a TF Serving that holds it, for its answers to raw texts or image files."""

import base64
import json
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tfpretune.errors import RunError, UsageError
from tfpretune.runtime.files import check_manifest
from tfpretune.serving.loading import DEFAULT, FILE_INPUTS, RAW_INPUTS, ServedModel, load, version_folder

BATCH_SIZE = 32
TIMEOUT_SECONDS = 60.0


Answer = dict[str, Any]


class Prediction(NamedTuple):
    """The most probable class of one input.

    Attributes:
        label: name of the class.
        probability: what the model gives it, in [0, 1].

    Examples:
        >>> from tfpretune.serving import Prediction
        >>> answer = Prediction(label="sport", probability=0.9)  # one of the answers of `predict`
        >>> label, probability = answer
        >>> label, answer.probability
        ('sport', 0.9)
    """

    label: str
    probability: float


def predict(target: Path | str, inputs: Sequence[str]) -> list[Prediction] | list[Answer]:
    """Asks for the answers to raw texts, or to image files by their paths, whichever the model takes.

    Args:
        target: an export (NAME/VERSION, or NAME for its highest version), or a TF Serving model's REST address such as
            `http://localhost:8501/v1/models/NAME`.
        inputs: texts or paths. For a model that takes two texts at once: the first, its second, the next first, ….

    Returns:
        One for each input (or two inputs), in their order: of a classifier `Prediction`s, of any other model the answers of
        `serving_default` by their names, as plain values.

    Raises:
        UsageError: there is no such export or file, or inputs of another number than the model takes.
        RunError: the export is damaged, a file is not an image, or the server cannot be reached or refuses.

    Examples:
        >>> import numpy as np, PIL.Image
        >>> from tfpretune.serving import predict
        >>> PIL.Image.fromarray(np.zeros((8, 8), "uint8")).save("black.png")
        >>> predict("saved_models/digits", ["black.png"])  # written by `export`, not trained: no class is favoured
        [Prediction(label='zero', probability=0.5)]
    """
    if str(target).startswith(("http://", "https://")):
        answers = _ask_server(str(target).rstrip("/"), inputs)
    else:
        folder = version_folder(target)
        check_manifest(folder)
        answers = _ask_folder(load(folder), inputs)
    if all(set(answer) == {"probabilities", "label", "scores"} for answer in answers):
        return [Prediction(answer["label"], max(answer["probabilities"])) for answer in answers]
    return answers


def grouped(inputs: Sequence[str], names: Sequence[str]) -> list[tuple[str, ...]]:
    """Returns the inputs in groups of as many as the model takes at once.

    Raises:
        UsageError: says which inputs it needs.
    """
    if len(inputs) % len(names):
        raise UsageError(
            f"the model takes {' and '.join(names)}: give {len(names)} inputs for each answer, received {len(inputs)}"
        )
    return [tuple(inputs[start : start + len(names)]) for start in range(0, len(inputs), len(names))]


def _ask_folder(served: ServedModel, inputs: Sequence[str]) -> list[Answer]:
    from tfpretune.data.image.decoding import DECODE_ERRORS

    groups = grouped(inputs, served.input_names)
    answers = []
    for start in range(0, len(groups), BATCH_SIZE):
        part = groups[start : start + BATCH_SIZE]
        raw = [_raw(served, group) for group in part]
        try:
            found = served.call(DEFAULT, raw)
        except DECODE_ERRORS as error:
            raise RunError(_explain(served, part, raw, error)) from error
        plain = {name: _plain(values) for name, values in found.items()}
        answers += [{name: values[row] for name, values in plain.items()} for row in range(len(part))]
    return answers


def _raw(served: ServedModel, group: tuple[str, ...]) -> Any:
    values = tuple(map(_read, group)) if served.of_files else group
    return values[0] if len(values) == 1 else values


def _plain(values: Any) -> list:
    def decoded(value: Any) -> Any:
        return [decoded(one) for one in value] if isinstance(value, list) else value.decode("utf-8")

    return decoded(values.tolist()) if values.dtype == object else values.tolist()


def _explain(served: ServedModel, groups: Sequence[tuple[str, ...]], raw: Sequence[Any], error: Any) -> str:
    """Finds the input that makes the batch fail: one bad image fails all."""
    from tfpretune.data.image.decoding import DECODE_ERRORS, explain_decode_error

    for group, value in zip(groups, raw, strict=True):
        try:
            served.call(DEFAULT, [value])
        except DECODE_ERRORS as alone:
            if served.of_files:
                return f"{group[0]}: {explain_decode_error(alone)}"
    return f"{served.folder} failed: {str(error).splitlines()[0]}"


def _ask_server(url: str, inputs: Sequence[str]) -> list[Answer]:
    metadata = _request(f"{url}/metadata")
    try:
        given = metadata["metadata"]["signature_def"]["signature_def"][DEFAULT]["inputs"]
        names = next(names for names in RAW_INPUTS if set(names) == set(given))
    except (KeyError, TypeError, StopIteration):
        raise RunError(f"{url}: not exported by tfpretune: serving_default has no texts or image_bytes") from None
    groups = grouped(inputs, names)
    answers: list[Answer] = []
    for start in range(0, len(groups), BATCH_SIZE):
        part = [dict(zip(names, group, strict=True)) for group in groups[start : start + BATCH_SIZE]]
        if names in FILE_INPUTS:
            instances: list[Any] = [{names[0]: {"b64": _base64(one[names[0]])}} for one in part]
        else:
            instances = part
        rows = _request(f"{url}:predict", {"instances": instances}).get("predictions", [])
        if len(rows) != len(part):
            raise RunError(f"{url}: sent {len(part)} inputs, received {len(rows)} predictions")
        # TF Serving leaves the name out where there is one answer only.
        answers += [row if isinstance(row, dict) else {_only_output(metadata): row} for row in rows]
    return answers


def _only_output(metadata: Any) -> str:
    return next(iter(metadata["metadata"]["signature_def"]["signature_def"][DEFAULT].get("outputs", {"answer": None})))


def _base64(path: str) -> str:
    return base64.b64encode(_read(path)).decode("ascii")


def _request(url: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    data = None if body is None else json.dumps(body).encode("utf-8")
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:
            answer = json.load(response)
    except urllib.error.HTTPError as error:
        text = error.read().decode("utf-8", "replace")[:300]
        raise RunError(f"{url}: the server answered {error.code}: {' '.join(text.split())}") from None
    except OSError as error:
        raise RunError(f"{url}: the server cannot be reached: {getattr(error, 'reason', error)}") from None
    except ValueError:
        raise RunError(f"{url}: the server's answer is not JSON: is this the REST port (8501)?") from None
    if not isinstance(answer, dict):
        raise RunError(f"{url}: expected a JSON object, received {type(answer).__name__}")
    return answer


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
