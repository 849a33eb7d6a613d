"""Finished trials are not mixed with those of other settings, of another preset, or of an older way to make them."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from tfpretune.backbones import SmallCNN
from tfpretune.data.examples.examples import Examples
from tfpretune.data.sources.labelled import LabelledSplits
from tfpretune.errors import UsageError
from tfpretune.experiments.adaptation.methods import Strengths
from tfpretune.objectives import Autoencoder
from tfpretune.training.loop.trial_folder import WAY, check_same_comparison, preset_fingerprint, trial_fingerprint
from tfpretune.training.presets import save_preset


def test_other_settings_are_not_mixed(tmp_path):
    check_same_comparison(tmp_path, Strengths(), may_differ=("rounds",))
    check_same_comparison(tmp_path, Strengths(rounds=5), may_differ=("rounds",))
    with pytest.raises(UsageError, match=r"other settings \(threshold: 0.95 -> 0.9\): choose another `out_dir`"):
        check_same_comparison(tmp_path, Strengths(threshold=0.9), may_differ=("rounds",))


def test_what_else_must_be_the_same(tmp_path):
    def check(**identity):
        check_same_comparison(tmp_path, Strengths(), may_differ=(), identity=identity)

    check(way=2, files="a")
    check(way=2, files="a")
    assert json.loads((tmp_path / "identity.json").read_text("utf-8")) == {"way": 2, "files": "a"}
    with pytest.raises(UsageError, match=r"other settings \(files: 'a' -> 'b'\): choose another `out_dir`"):
        check(way=2, files="b")
    (tmp_path / "identity.json").write_text("[", "utf-8")
    with pytest.raises(UsageError, match=r"identity.json is damaged"):
        check(way=2, files="a")


def test_a_folder_from_before_is_refused(tmp_path):
    """It has settings, and nothing that says how its trials were made."""
    check_same_comparison(tmp_path, Strengths(), may_differ=())
    with pytest.raises(UsageError, match=rf"way of making trials: None -> {WAY}\)"):
        check_same_comparison(tmp_path, Strengths(), may_differ=(), identity={"way of making trials": WAY})


def test_other_data_are_refused_and_a_folder_from_before_goes_on(tmp_path, capsys):
    labels = np.array([0, 1, 0, 1], np.int32)
    one = Examples("text", ["a", "b", "c", "d"], labels, ("x", "y"), ["1", "2", "3", "4"], "toys")

    def check(train, *, known=True):
        made = trial_fingerprint("", {"source": LabelledSplits(train, one, one)} if known else None)
        check_same_comparison(tmp_path, Strengths(), may_differ=(), identity=made)
        return capsys.readouterr().out

    check(one, known=False)
    assert "was begun by an earlier version" in check(one)
    assert check(one) == ""
    with pytest.raises(UsageError, match=r"other settings \(labels of source: training: 'sha256 .*"):
        check(dataclasses.replace(one, labels=1 - labels))


def test_the_fingerprint_is_that_of_the_files(tmp_path):
    """The same weights saved again at another time have the same; one byte more, or another name, another."""
    model, place = Autoencoder(SmallCNN((8, 8, 1), (8,))), tmp_path / "preset"
    found = []
    for date in ("1999", "2000"):
        save_preset(place, model)
        text = (place / "metadata.json").read_text("utf-8").replace('"date_saved": "', f'"date_saved": "{date}')
        (place / "metadata.json").write_text(text, "utf-8")
        found.append(preset_fingerprint(str(place)))
    assert found[0] == found[1] != ""
    shutil.copytree(place, tmp_path / "copy")
    assert preset_fingerprint(str(tmp_path / "copy")) == found[0]
    with (place / "model.weights.h5").open("ab") as file:
        file.write(b"\0")
    assert preset_fingerprint(str(place)) != found[0]
    (tmp_path / "copy" / "config.json").rename(tmp_path / "copy" / "other.json")
    assert preset_fingerprint(str(tmp_path / "copy")) != found[0]


def test_a_preset_without_files_needs_none():
    assert [preset_fingerprint(name) for name in ("", "bert_tiny_en_uncased", "kaggle://someone/model")] == ["", "", ""]
    with pytest.raises(UsageError, match="`preset` runs/nothing: no such folder, and no preset that KerasHub knows"):
        trial_fingerprint("runs/nothing")
