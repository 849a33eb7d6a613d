"""Asks an export, or a TF Serving that holds it, for its answers to raw texts or image files."""

import base64
import json
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tfpretune.config import RunError, UsageError
from tfpretune.files import check_manifest
from tfpretune.serving.loading import ServedModel, load, version_folder

BATCH_SIZE = 32
TIMEOUT_SECONDS = 60.0


class Prediction(NamedTuple):
    """The likeliest class of one input."""

    label: str
    probability: float


def predict(target: Path | str, inputs: Sequence[str]) -> list[Prediction]:
    """Classifies raw texts, or image files by their paths, whichever the model takes.

    Args:
        target: an export (NAME/VERSION, or NAME for its highest version), or a TF Serving model's REST address such as
            `http://localhost:8501/v1/models/NAME`.
        inputs: texts or paths.

    Returns:
        One prediction for each input, in their order.

    Raises:
        UsageError: there is no such export or file.
        RunError: the export is damaged, a file is no image, or the server cannot be reached or refuses.
    """
    if str(target).startswith(("http://", "https://")):
        return _predict_rest(str(target).rstrip("/"), inputs)
    folder = version_folder(target)
    check_manifest(folder)
    return _predict_folder(load(folder), inputs)


def _predict_folder(served: ServedModel, inputs: Sequence[str]) -> list[Prediction]:
    from tfpretune.data.images import DECODE_ERRORS

    predictions = []
    for start in range(0, len(inputs), BATCH_SIZE):
        part = inputs[start : start + BATCH_SIZE]
        raw = [_read(path) for path in part] if served.kind == "image" else part
        try:
            answers = served.call("serving_default", raw)
        except DECODE_ERRORS as error:
            raise RunError(_explain(served, part, raw, error)) from error
        for label, row in zip(answers["label"], answers["probabilities"], strict=True):
            predictions.append(Prediction(label.decode("utf-8"), float(row.max())))
    return predictions


def _explain(served: ServedModel, inputs: Sequence[str], raw: Sequence[str | bytes], error: Any) -> str:
    """Finds the input that makes the batch fail: one bad image fails all."""
    from tfpretune.data.images import DECODE_ERRORS, explain_decode_error

    for name, value in zip(inputs, raw, strict=True):
        try:
            served.call("serving_default", [value])
        except DECODE_ERRORS as alone:
            if served.kind == "image":
                return f"{name}: {explain_decode_error(alone)}"
    return f"{served.folder} failed: {str(error).splitlines()[0]}"


def _predict_rest(url: str, inputs: Sequence[str]) -> list[Prediction]:
    metadata = _request(f"{url}/metadata")
    try:
        names = metadata["metadata"]["signature_def"]["signature_def"]["serving_default"]["inputs"]
        name = next(name for name in ("texts", "image_bytes") if name in names)
    except (KeyError, TypeError, StopIteration):
        raise RunError(f"{url}: not exported by tfpretune: serving_default has no texts or image_bytes") from None
    predictions = []
    for start in range(0, len(inputs), BATCH_SIZE):
        part = inputs[start : start + BATCH_SIZE]
        values = part if name == "texts" else [{"b64": base64.b64encode(_read(path)).decode("ascii")} for path in part]
        rows = _request(f"{url}:predict", {"instances": [{name: value} for value in values]}).get("predictions", [])
        if len(rows) != len(part):
            raise RunError(f"{url}: sent {len(part)} inputs, received {len(rows)} predictions")
        predictions += [Prediction(row["label"], max(row["probabilities"])) for row in rows]
    return predictions


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
