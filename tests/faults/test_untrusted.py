"""Files from strangers: nothing in them is run, and no switch allows it."""

import json
import os
import pickle
import re
import shutil
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.faults.tiny import make_encoder, make_tokenizer
from tfpretune.backbones.by_name import load_backbone, load_tokenizer
from tfpretune.errors import RunError, UsageError
from tfpretune.finetune import classifier
from tfpretune.runtime.files import MANIFEST, _manifest
from tfpretune.serving import export
from tfpretune.settings.file import read_config
from tfpretune.settings.run import RunConfig
from tfpretune.training.loop.checkpoints import CheckpointFolder
from tfpretune.training.presets import load_task, save_preset

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("folder", ["tfpretune", "recipes", "benchmarks"])
def test_nothing_in_the_tree_can_run_what_a_file_says(folder):
    forbidden = re.compile(
        r"\b(import|from)\s+(pickle|cloudpickle|dill|marshal|joblib)\b|\b(c?loudpickle|pickle|dill|marshal|joblib)\.\w"
        r"|read_pickle|(?<![\w.])eval\(|(?<![\w.])exec\(|yaml\.(unsafe_|full_)?load\b"
        r"|allow_pickle\s*=\s*True|safe_mode|enable_unsafe_deserialization|shell\s*=\s*True|os\.system"
    )
    files = sorted((ROOT / folder).rglob("*.py"))
    assert files
    hits = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in files
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if forbidden.search(line)
    ]
    assert hits == []


@pytest.fixture
def preset(tmp_path):
    model = classifier(make_encoder(), 2)
    return save_preset(tmp_path / "preset", model, tokenizer=make_tokenizer(), task={"kind": "text"})


def seal(folder):
    """Writes the manifest anew, as a stranger would."""
    from tfpretune.runtime.files import _entry, _names

    (folder / MANIFEST).write_bytes(_manifest({name: _entry(folder / name) for name in _names(folder)}))


def rewrite(folder, change):
    """Changes the config inside `task.keras`."""
    path = folder / "task.keras"
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    files["config.json"] = json.dumps(change(json.loads(files["config.json"]))).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    seal(folder)


def test_a_lambda_with_code_is_refused(tmp_path, preset):
    """The code would write a file."""
    proof = tmp_path / "proof"
    x = keras.Input((3,))
    code = keras.layers.Lambda(lambda value, path=str(proof): (open(path, "w").close(), value)[1], output_shape=(3,))  # noqa: SIM115
    keras.Model(x, code(x)).save(preset / "task.keras")
    proof.unlink(missing_ok=True)
    seal(preset)
    with pytest.raises(RunError, match=r"task.keras cannot be loaded: .*[Ll]ambda"):
        load_task(preset)
    assert not proof.exists()


@pytest.mark.parametrize(
    ("module", "name", "config"),
    [
        ("os", "system", "touch {proof}"),
        ("subprocess", "Popen", {"args": ["touch", "{proof}"]}),
        ("builtins", "eval", "open('{proof}', 'w')"),
        ("pathlib", "Path", {"path": "{proof}"}),
        ("keras.src.utils.file_utils", "get_file", {"fname": "x", "origin": "file:///etc/passwd"}),
    ],
)
def test_a_custom_object_path_is_refused(tmp_path, preset, module, name, config):
    proof = tmp_path / "proof"
    filled = json.loads(json.dumps(config).replace("{proof}", str(proof)))
    evil = {"module": module, "class_name": name, "config": filled, "registered_name": name}
    rewrite(preset, lambda old: evil)
    with pytest.raises(RunError, match=r"task.keras cannot be loaded: ") as refused:
        load_task(preset)
    assert "\n" not in str(refused.value)
    rewrite(preset, lambda old: evil | {"class_name": name})
    (preset / "config.json").write_text(json.dumps(evil))
    seal(preset)
    with pytest.raises(UsageError, match="`preset` ") as refused:
        load_backbone(str(preset))
    assert "\n" not in str(refused.value)
    assert not proof.exists()


def test_a_class_that_is_not_registered_is_refused(preset):
    old = json.loads((preset / "config.json").read_text())
    (preset / "config.json").write_text(json.dumps(old | {"class_name": "Evil", "registered_name": "evil>Evil"}))
    seal(preset)
    with pytest.raises(UsageError, match="`preset` "):
        load_backbone(str(preset))


class Bomb:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_pickles_are_refused_wherever_arrays_are_read(tmp_path, preset):
    proof = tmp_path / "proof"
    bomb = pickle.dumps(Bomb(str(proof)))
    folder = CheckpointFolder(tmp_path / "checkpoints")
    folder.save({"a": np.zeros(2, "float32")}, 1, {})
    (folder.path(1) / "state.safetensors").write_bytes(bomb)
    seal(folder.path(1))
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    with pytest.raises(RunError, match=r"state.safetensors cannot be read"):
        folder.load(model, 1)
    (preset / "model.weights.h5").write_bytes(bomb)
    seal(preset)
    with pytest.raises(RunError, match="`preset` .*: damaged: "):
        load_backbone(str(preset))
    np.save(tmp_path / "x.npy", np.array([Bomb(str(proof))], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="pickle"):
        np.load(tmp_path / "x.npy")
    assert not proof.exists()


def test_settings_are_json_and_nothing_else(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("!!python/object/apply:os.system ['true']\n")
    with pytest.raises(UsageError, match="config.yaml is not JSON"):
        read_config(RunConfig, path)


@pytest.mark.parametrize("name", ["../evil", "/tmp/evil", "a/b", "..", ".hidden", "", "a\nb", "a\0b", "C:\\evil"])
def test_names_that_are_paths_are_refused(tmp_path, name):
    settings = {"kind": "text", "class_names": ("a", "b"), "tokenizer": make_tokenizer(), "sequence_length": 8}
    with pytest.raises(UsageError, match="a model's name is part of URLs"):
        export(classifier(make_encoder(), 2), tmp_path / "saved", name=name, **settings)
    assert not (tmp_path / "saved").exists()


def test_a_manifest_cannot_point_outside(tmp_path, preset):
    """Names in a manifest are compared with the files below the folder; `../x` is never opened."""
    (tmp_path / "secret").write_text("x")
    entries = json.loads((preset / MANIFEST).read_text())["files"]
    entries["../secret"] = {"sha256": "0", "bytes": 1}
    (preset / MANIFEST).write_bytes(_manifest(entries))
    with pytest.raises(RunError, match=r"\.\./secret is missing"):
        load_tokenizer(str(preset))
    shutil.rmtree(preset)
