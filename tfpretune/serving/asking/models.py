"""A model that is asked: an export in memory, or one that a TF Serving holds. Both take the same and answer the same."""

import base64
import json
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from tfpretune.errors import RunError, UsageError
from tfpretune.runtime.files import check_manifest
from tfpretune.serving.loading import DEFAULT, FILE_INPUTS, RAW_INPUTS, WORDS, filled, load, version_folder

TIMEOUT_SECONDS = 60.0

Answer = dict[str, Any]


class Refused(RunError):
    """The model cannot answer one of the inputs of a request, such as bytes that are no image."""


class Model(Protocol):
    """What is asked."""

    @property
    def names(self) -> tuple[str, ...]:
        """The raw inputs of `serving_default`."""

    @property
    def takes_words(self) -> bool:
        """Whether it has a signature for words that are split already."""

    @property
    def class_names(self) -> Mapping[str, Sequence[str]]:
        """The names of the outputs by task, "" where there is one; empty where they are not known."""

    @property
    def of_files(self) -> bool:
        """Whether it takes the contents of files."""

    def ask(self, raw: Sequence[Any], *, words: bool = False) -> list[Answer]:
        """Returns the answers to some inputs, in one request.

        Args:
            raw: tuples of a value for each of `names`, texts or the contents of files; or lists of words.
            words: ask the signature for words.

        Raises:
            Refused: one of the inputs cannot be answered.
        """


def open_model(target: Path | str) -> Model:
    """Opens an export, or the REST address of a model.

    Raises:
        UsageError: there is no such export.
        RunError: it is damaged, or the server cannot be reached.
    """
    if is_address(target):
        return ServerModel(str(target).rstrip("/"))
    return FolderModel(target)


def is_address(target: Path | str) -> bool:
    """Returns whether a target is the address of a server."""
    return str(target).startswith(("http://", "https://"))


def require_form(model: Model, *, words: bool) -> None:
    """Raises UsageError where a model does not take words, or nothing else."""
    if words and not model.takes_words:
        raise UsageError(
            "words are asked of taggers, and this model is none; or it was exported before there was a form for words: "
            "export it again"
        )
    if not words and model.names == (WORDS,):
        raise UsageError(
            "this tagger takes words as they were split for its training (raw text is split otherwise: see its model card): "
            "send lists of words"
        )


class FolderModel:
    """An export in memory."""

    def __init__(self, target: Path | str):
        folder = version_folder(target)
        check_manifest(folder)
        self.served = load(folder)
        self.names = self.served.input_names
        self.takes_words = WORDS in self.served.signatures and self.served.inputs_of(WORDS) == (WORDS,)
        self.class_names = {task: head.get("class_names", ()) for task, head in self.served.heads.items()}
        self.of_files = self.served.of_files

    def ask(self, raw: Sequence[Any], *, words: bool = False) -> list[Answer]:
        """See `Model`."""
        from tfpretune.data.image.decoding import DECODE_ERRORS, explain_decode_error

        if not raw:
            return []
        single = not words and len(self.names) == 1
        try:
            found = self.served.call(WORDS if words else DEFAULT, [one[0] for one in raw] if single else raw)
        except DECODE_ERRORS as error:
            said = explain_decode_error(error) if self.of_files else str(error).splitlines()[0]
            raise Refused(said if self.of_files else f"{self.served.folder} failed: {said}") from error
        plain = {name: _plain(values) for name, values in found.items()}
        return [{name: values[row] for name, values in plain.items()} for row in range(len(raw))]


class ServerModel:
    """A model of a TF Serving, by its REST address. The server does not tell the names of classes."""

    class_names: Mapping[str, Sequence[str]] = {}

    def __init__(self, url: str):
        self.url = url
        metadata = request(f"{url}/metadata")
        try:
            self.signatures = metadata["metadata"]["signature_def"]["signature_def"]
            given = self.signatures[DEFAULT]["inputs"]
            self.names = next(names for names in RAW_INPUTS if set(names) == set(given))
        except (KeyError, TypeError, StopIteration):
            raise RunError(f"{url}: not exported by tfpretune: serving_default has no texts or image_bytes") from None
        self.takes_words = set(self.signatures.get(WORDS, {}).get("inputs", ())) == {WORDS}
        self.of_files = self.names in FILE_INPUTS

    def ask(self, raw: Sequence[Any], *, words: bool = False) -> list[Answer]:
        """See `Model`."""
        if not raw:
            return []
        body: dict[str, Any] = (
            {"instances": [dict(zip(self.names, one, strict=True)) for one in raw]} if not words else {}
        )
        if self.of_files:
            body = {"instances": [{self.names[0]: {"b64": base64.b64encode(one[0]).decode("ascii")}} for one in raw]}
        if words:
            body = {"signature_name": WORDS, "instances": [{WORDS: row} for row in filled(raw)]}
        rows = request(f"{self.url}:predict", body).get("predictions", [])
        if len(rows) != len(raw):
            raise RunError(f"{self.url}: sent {len(raw)} inputs, received {len(rows)} predictions")
        # TF Serving leaves the name out where there is one answer only.
        outputs = self.signatures[WORDS if words else DEFAULT].get("outputs", {"answer": None})
        return [row if isinstance(row, dict) else {next(iter(outputs)): row} for row in rows]


def _plain(values: Any) -> list:
    def decoded(value: Any) -> Any:
        return [decoded(one) for one in value] if isinstance(value, list) else value.decode("utf-8")

    return decoded(values.tolist()) if values.dtype == object else values.tolist()


def request(url: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """Sends a JSON object, or nothing, and returns the one that comes back.

    Raises:
        Refused: the server refuses what is sent (400).
        RunError: it cannot be reached, or answers otherwise.
    """
    data = None if body is None else json.dumps(body).encode("utf-8")
    sent = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(sent, timeout=TIMEOUT_SECONDS) as response:
            answer = json.load(response)
    except urllib.error.HTTPError as error:
        text = error.read().decode("utf-8", "replace")[:300]
        kind = Refused if error.code == 400 else RunError
        raise kind(f"{url}: the server answered {error.code}: {' '.join(text.split())}") from None
    except OSError as error:
        raise RunError(f"{url}: the server cannot be reached: {getattr(error, 'reason', error)}") from None
    except ValueError:
        raise RunError(f"{url}: the server's answer is not JSON: is this the REST port (8501)?") from None
    if not isinstance(answer, dict):
        raise RunError(f"{url}: expected a JSON object, received {type(answer).__name__}")
    return answer


def read_file(path: str) -> bytes:
    """Returns the content of a file; raises UsageError where it cannot be read."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
