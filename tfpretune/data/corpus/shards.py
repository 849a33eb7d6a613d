"""A folder of shards: `manifest.json`, `vocabulary.txt` and `data/PART-NNNNN.rows`.

The manifest is written last: it is the seal. Row n of a part is found by counting through its
files in the order of the pieces.
"""

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tfpretune.data.corpus.shard_sequences import ShardSequences, row_dtype
from tfpretune.data.corpus.vocabulary import VOCABULARY, read_vocabulary
from tfpretune.data.splits.near_copies import CopyCounts
from tfpretune.data.splits.rule import CONTENTS
from tfpretune.data.text.wordpiece import AddedToken
from tfpretune.errors import RunError, UsageError
from tfpretune.runtime.files import MANIFEST

FORMAT = "tfpretune shards 1"
CHECKED_BYTES = 1 << 30
"""Folders up to this size are compared with their sha256 sums when they are opened; of larger ones only the sizes."""


class Shards:
    """An opened folder of shards.

    Attributes:
        folder: where it lies.
        manifest: what `manifest.json` holds.
        vocabulary: the tokens, by id.
        sequence_length: tokens in a row.
        settings: of the tokenizer: `lowercase`, `strip_accents`, `normalizer`, `split_on_cjk` and `added_tokens` of `Packing`.
        split_rule: the rule by which the texts were split, of `tfpretune.data.splits.rule`.
    """

    def __init__(self, folder: Path, manifest: dict[str, Any]):
        self.folder = folder
        self.manifest = manifest
        self.vocabulary = read_vocabulary(folder / VOCABULARY)
        self.sequence_length = int(manifest["packing"]["sequence_length"])
        packing = manifest["packing"]
        self.settings: dict[str, Any] = {
            "lowercase": bool(packing["lowercase"]),
            "strip_accents": bool(packing["strip_accents"]),
            "normalizer": packing.get("normalizer", "keras_hub"),  # shards of an older version do not say it
            "split_on_cjk": bool(packing.get("split_on_cjk", True)),
            "added_tokens": tuple(AddedToken(*token) for token in packing.get("added_tokens", ())),
        }
        self.split_rule = int(manifest["settings"].get("split_rule", 1))

    def fingerprint(self) -> dict[str, str]:
        """Returns a short text that changes with the training rows; see `ExampleSet.fingerprint`."""
        digest = hashlib.sha256()
        for piece in self.manifest["pieces"]:
            for name, entry in piece["files"].items():
                if name.startswith("data/train-"):
                    digest.update(entry["sha256"].encode())
        return {CONTENTS: f"{self.manifest['rows']['train']:,} rows, sha256 {digest.hexdigest()[:16]}"}

    def near_copies(self) -> dict[str, int]:
        """Counts the near copies among the texts, each group in one part; {} if an earlier version prepared them."""
        found = self.manifest.get("near_copies")
        return CopyCounts(**found).facts() if found else {}

    def rows(self, part: str) -> ShardSequences:
        """Returns the rows of "train", "validation" or "test".

        Raises:
            UsageError: the part has none.
        """
        files = [
            (name, entry["rows"])
            for piece in self.manifest["pieces"]
            for name, entry in piece["files"].items()
            if name.startswith(f"data/{part}-")
        ]
        if not files:
            raise UsageError(f"{self.folder} has no {part} rows: prepare more texts, or with another fraction")
        dtype = row_dtype(len(self.vocabulary), self.sequence_length)
        return ShardSequences(self.folder, files, dtype, limit=self.manifest["vocabulary"].get("tokens"))


def open_shards(folder: Path | str, *, checked_bytes: int = CHECKED_BYTES) -> Shards:
    """Opens a folder that `recipes/prepare_text.py` wrote, and compares its files with the manifest.

    Args:
        folder: the folder.
        checked_bytes: a folder of at most so many bytes is read and compared with its sha256 sums; a larger one by the sizes of
            its files, and row by row while it is used.

    Raises:
        UsageError: this is not a folder of shards, or it is not ready.
        RunError: a file is missing or damaged; the message names the first.
    """
    folder = Path(folder).expanduser()
    manifest = read_manifest(folder)
    files = files_of(manifest)
    total = sum(entry["bytes"] for entry in files.values())
    faults = find_faults(folder, files, sums=total <= checked_bytes)
    if faults:
        raise RunError(f"{faults[0]}: run prepare_text on this folder again")
    return Shards(folder, manifest)


def read_manifest(folder: Path) -> dict[str, Any]:
    """Reads `manifest.json`; raises as `open_shards` does."""
    path = folder / MANIFEST
    if not path.is_file():
        what = (
            "is not ready: its preparation did not end" if (folder / "work").is_dir() else "is not a folder of shards"
        )
        raise UsageError(f"{folder} {what} (no {MANIFEST}): make it with recipes/prepare_text.py")
    try:
        manifest = json.loads(path.read_bytes())
        if manifest["format"] == FORMAT and isinstance(manifest["pieces"], list):
            return manifest
    except (ValueError, KeyError, TypeError):
        pass
    raise UsageError(f'{path} is not of the form "{FORMAT}": make the folder with recipes/prepare_text.py')


def files_of(manifest: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Returns all files that a manifest lists: name -> entry with `bytes` and `sha256`."""
    files = {VOCABULARY: manifest["vocabulary"]}
    for piece in manifest["pieces"]:
        files |= piece["files"]
    return files


def find_faults(folder: Path, files: dict[str, dict[str, Any]], *, sums: bool = True) -> list[str]:
    """Compares files with their entries in a manifest, several at once.

    Args:
        folder: where the files lie.
        files: name -> entry with `bytes` and `sha256`.
        sums: compare the sums, not only the sizes.

    Returns:
        "PATH is missing", "PATH is damaged: …", in the order of the names.
    """

    def fault(name: str) -> str:
        path = folder / name
        if not path.is_file():
            return f"{path} is missing"
        size = path.stat().st_size
        if size != files[name]["bytes"]:
            return f"{path} is damaged: it has {size} bytes instead of {files[name]['bytes']}"
        if sums:
            with path.open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != files[name]["sha256"]:
                    return f"{path} is damaged: its sha256 is not the one in the manifest"
        return ""

    with ThreadPoolExecutor(4) as threads:
        return list(filter(None, threads.map(fault, sorted(files))))
