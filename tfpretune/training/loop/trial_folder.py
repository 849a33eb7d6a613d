"""The folder of a comparison, whose finished trials are not made again."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras_hub

from tfpretune.backbones.hugging_face.folder import packaged_folder
from tfpretune.data.sources.labelled import LabelledSplits
from tfpretune.errors import UsageError
from tfpretune.runtime.files import MANIFEST, write_atomic
from tfpretune.settings import file as config_file
from tfpretune.training.loop.fingerprint import comparable, fingerprints

WAY = 3
"""Of making trials; it is counted up when the same settings come to mean another training. 2: an average of the weights is
what is scored, and shares are of the steps that a trial makes. 3: position tables do not decay; the strength of the probe is
chosen; AdaGrad's sums begin where they should in every trial."""
_DATED = "metadata.json"  # says when a preset was saved


def check_same_comparison(
    out_dir: Path, run: Any, *, may_differ: tuple[str, ...], identity: Mapping[str, Any] | None = None
) -> None:
    """Writes the settings to `config.json`; trials that were made with others are not mixed with these.

    Args:
        out_dir: the folder.
        run: the settings.
        may_differ: names of settings that do not matter.
        identity: what else must be the same, such as `trial_fingerprint`; JSON values, which go to `identity.json`.

    Raises:
        UsageError: lists what differs.
    """
    file, beside = out_dir / "config.json", out_dir / "identity.json"
    if file.is_file():
        changed = config_file.differences(config_file.read_config(type(run), file), run, may_differ=may_differ)
        if identity is not None:
            before = _read(beside)
            changed += config_file.changes(before, comparable(before, identity, where=str(out_dir)))
        if changed:
            raise UsageError(
                f"{out_dir} was started with other settings ({'; '.join(changed)}): choose another `out_dir`"
            )
    if identity is not None:
        write_atomic(beside, json.dumps(identity, indent=2) + "\n")
    write_atomic(file, config_file.to_json(run))


def trial_fingerprint(preset: str, parts: Mapping[str, LabelledSplits] | None = None) -> dict[str, Any]:
    """Returns what trials are made of beside their settings: the way they are made, the files of the preset, the data.

    Args:
        preset: of the run.
        parts: a name for each source -> its examples.

    Raises:
        UsageError: there is no such preset.
    """
    data = {f"{name}: training": each.train for name, each in (parts or {}).items()}
    data |= {f"{name}: test": each.test for name, each in (parts or {}).items()}
    made = {"way of making trials": WAY, "files of the preset": preset_fingerprint(preset)}
    return made | fingerprints(data)


def preset_fingerprint(preset: str) -> str:
    """Returns a short digest of the names and contents of a preset's files.

    Args:
        preset: a folder, "demo:NAME", or a KerasHub name; one of these always is the same, so it has none. Nor has "".

    Raises:
        UsageError: there is no such preset.
    """
    folder = Path(packaged_folder(preset))
    if not preset or not folder.is_dir():
        if preset and "://" not in preset and preset not in keras_hub.models.Backbone.presets:
            raise UsageError(f"`preset` {preset}: no such folder, and no preset that KerasHub knows")
        return ""
    digest = hashlib.sha256()
    for path in sorted(Path(parent, name) for parent, _, names in os.walk(folder) for name in names):
        if path.name != _DATED and path.name != MANIFEST:
            digest.update(path.relative_to(folder).as_posix().encode("utf-8", "surrogateescape") + b"\0")
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]


def _read(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    try:
        found = json.loads(file.read_text("utf-8"))
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise UsageError(f"{file} is damaged: choose another `out_dir`")
    return found
