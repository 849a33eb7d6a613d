"""The check in a fresh process, and damage that it must find."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from tfpretune.errors import RunError, UsageError
from tfpretune.runtime import files
from tfpretune.serving import clean_process, verify


@pytest.mark.parametrize(("name", "examples"), [("films", 9), ("spots", 7)])
def test_a_process_without_keras_answers_as_keras_did(saved_models, name, examples):
    result = verify(saved_models / name)
    assert result.folder == saved_models / name / "1"
    assert result.examples == examples
    assert result.difference <= 1e-5
    assert f"{name}/1: {examples} examples answered without Keras as with it, largest difference" in str(result)
    assert "\n" not in str(result)


@pytest.fixture
def copy(saved_models, tmp_path):
    return shutil.copytree(saved_models / "films" / "1", tmp_path / "films" / "1")


def seal_again(folder):
    """Makes the manifest true again, as someone who changes an export on purpose would."""
    entries = {name: files._entry(folder / name) for name in files._names(folder)}
    (folder / "manifest.json").write_bytes(files._manifest(entries))


def test_a_flipped_byte_in_any_file_is_refused_by_name(copy):
    names = files._names(copy)
    assert "variables/variables.data-00000-of-00001" in names
    assert len(names) == 11
    for name in names:
        content = (copy / name).read_bytes()
        middle = len(content) // 2
        (copy / name).write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
        with pytest.raises(RunError, match=f"{name} is damaged"):
            verify(copy)
        (copy / name).write_bytes(content)
    files.check_manifest(copy)


def test_what_the_process_finds_is_told(copy):
    (copy / "assets.extra" / "checks.json").unlink()
    seal_again(copy)
    with pytest.raises(RunError, match=r"assets\.extra/checks\.json is missing: .* was not exported by tfpretune"):
        verify(copy)
    (copy / "assets.extra" / "checks.json").write_text('{"inputs": ["text"]}')
    seal_again(copy)
    with pytest.raises(RunError, match=r"the process without Keras failed \(1\): TypeError"):
        verify(copy)


class Canned:
    """Has one answer for the text "x" and one for the bytes "y"."""

    folder = "canned"
    input_names = ("texts",)
    signatures = ("serving_default", "embed")
    heads = ("",)

    def __init__(self, changes):
        self.answers = {
            "probabilities": [[0.25, 0.75], [0.5, 0.5]],
            "scores": [[1.0, 200.0], [0.0, 0.0]],
            "embedding": [[3.0], [4.0]],
            "label": [b"b", b"a"],
        } | changes

    def inputs_of(self, signature):
        return self.input_names

    def call(self, signature, raw):
        names = ["embedding"] if signature == "embed" else ["probabilities", "scores", "label"]
        rows = np.array([(b"x", b"y").index(one) for one in raw], int)
        return {name: np.asarray(self.answers[name], object if name == "label" else None)[rows] for name in names}


def compare(tmp_path, monkeypatch, changes):
    answers = Canned({}).answers | {"label": ["b", "a"]}
    checks = {"inputs": [{"text": "x"}, {"base64": "eQ=="}], "answers": answers, "unsure": {"label": [[1]]}}
    (tmp_path / "assets.extra").mkdir()
    (tmp_path / "assets.extra" / "checks.json").write_text(json.dumps(checks))
    monkeypatch.setattr(clean_process, "load", lambda folder: Canned(changes))
    return clean_process.compare(tmp_path)


def test_differences_are_relative_above_one(tmp_path, monkeypatch):
    result = compare(tmp_path, monkeypatch, {"scores": [[1.0, 200.001], [0.0, 0.0]], "label": [b"b", b"b"]})
    assert result == (2, pytest.approx(0.001 / 200, rel=1e-2))  # the tied second label may be either


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"probabilities": [[0.25, 0.7501], [0.5, 0.5]]},
            r"most in probabilities\[0, 1\]: expected 0\.75, .* 0\.0001 >",
        ),
        ({"embedding": [[3.0], [np.nan]]}, r"most in embedding\[1, 0\]: expected 4, received nan"),
        ({"embedding": [[3.0, 1.0], [4.0, 1.0]]}, r"embedding has shape \(2, 2\), the Keras model gave \(2, 1\)"),
        ({"label": [b"a", b"a"]}, r"label\[0\] is 'a', the Keras model gave 'b'"),
        ({"label": [b"c", b"a"]}, r"label\[0\] is 'c', the Keras model gave 'b'"),
    ],
)
def test_answers_that_differ_are_refused(tmp_path, monkeypatch, changes, message):
    with pytest.raises(RunError, match=message):
        compare(tmp_path, monkeypatch, changes)


def test_nothing_to_verify(tmp_path, copy):
    with pytest.raises(UsageError, match="holds no export"):
        verify(tmp_path / "nowhere")
    (copy / "manifest.json").unlink()
    with pytest.raises(RunError, match=r"manifest\.json is missing"):
        verify(copy)


def test_importing_serving_starts_neither_tensorflow_nor_keras():
    code = "import sys, tfpretune.serving; sys.exit(any(name in sys.modules for name in ('tensorflow', 'keras')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
