"""Files of a folder as Hugging Face's Transformers saves it, read with one clear line for each fault."""

import json
from pathlib import Path
from typing import Any

from tfpretune.backbones.notes import note
from tfpretune.data.text.tokenizer import Tokenizer
from tfpretune.errors import RunError, UsageError

WEIGHTS = "model.safetensors"
INDEX = f"{WEIGHTS}.index.json"
_POINTER = b"version https://git-lfs.github.com/spec/"


def refuse_pointer(path: Path) -> None:
    """Refuses a file that git-lfs has left in the place of the real one.

    Raises:
        UsageError: it is one; says how to get the file.
    """
    try:
        with path.open("rb") as file:
            pointer = file.read(len(_POINTER)) == _POINTER
    except OSError:
        return  # who reads it says so
    if pointer:
        raise UsageError(f"{path} is a pointer of git-lfs, not the file: run git lfs pull in {path.parent}")


def read_json(path: Path) -> dict[str, Any]:
    """Reads an object of settings.

    Raises:
        UsageError: it cannot be read.
        RunError: it is damaged.
    """
    refuse_pointer(path)
    try:
        found = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    except ValueError as error:  # no JSON, or no UTF-8
        raise RunError(f"{path} is damaged: {error}") from None
    if not isinstance(found, dict):
        raise RunError(f"{path} is damaged: expected an object with settings")
    return found


def read_if_there(path: Path) -> dict[str, Any]:
    """Reads an object of settings; a file that is not there has none."""
    return read_json(path) if path.is_file() else {}


def check_size(folder: str, tokens: int, last: str) -> None:
    """Refuses a tokenizer with more tokens than the model's embeddings have rows, by `config.json`.

    Raises:
        UsageError: says both numbers.
    """
    rows = read_json(Path(folder) / "config.json").get("vocab_size")
    if isinstance(rows, int) and tokens > rows:
        raise UsageError(
            f"{folder}: the tokenizer has {tokens} tokens, the last is {last}, the model {rows} (vocab_size in config.json): "
            "they are not of one model, or its embeddings were not resized"
        )
    if isinstance(rows, int) and tokens < rows:
        note(
            f"{folder}: the tokenizer has {tokens} tokens, the model {rows}: the last {rows - tokens} rows stay unused"
        )


def check_added(folder: str, tokenizer: Tokenizer) -> None:
    """Refuses a tokenizer of KerasHub's that does not know the tokens that were added to it.

    Raises:
        UsageError: names the first.
    """
    path = Path(folder) / "added_tokens.json"
    for content, number in read_if_there(path).items():
        try:
            found = tokenizer.token_to_id(content)
        except (ValueError, KeyError):
            found = None
        if found != number:
            raise UsageError(
                f"{path}: {content} is not known to {type(tokenizer).__name__}: added tokens are read for BERT only"
            )
