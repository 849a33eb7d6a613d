"""Options, fields and values of before are read, with one line each."""

import dataclasses
import json
from typing import Literal

import keras
import pytest

from tfpretune.cli.arguments import main as command
from tfpretune.cli.recipes import recipe_path
from tfpretune.errors import UsageError
from tfpretune.finetune.methods.distillation import SoftClassification
from tfpretune.objectives import Classification, ExtractiveQA, Regression, SupervisedContrastive
from tfpretune.settings import launch
from tfpretune.settings.file import from_json
from tfpretune.settings.renamed import FIELDS, VALUES, modern_arguments, modern_keys

OLD_CLASSES = {
    "Classes": Classification,
    "Numbers": Regression,
    "Similar": SupervisedContrastive,
    "SoftClasses": SoftClassification,
    "Spans": ExtractiveQA,
}


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings."""

    source: str = "demo:digits"
    """Data."""
    init_head_from_probe: bool = True
    """A field that was called probe_head."""
    test_fraction: float = 0.1
    """A field that was called test_share."""
    label_kind: Literal["", "single", "multi-label", "regression"] = ""
    """A field whose values had other names."""


@pytest.mark.parametrize(
    ("typed", "meant", "lines"),
    [
        (
            ["--no-probe-head"],
            Config(init_head_from_probe=False),
            ["--no-probe-head is called --no-init-head-from-probe"],
        ),
        (["--test_share", "0.2"], Config(test_fraction=0.2), ["--test-share is called --test-fraction"]),
        (["--test-share=0.2"], Config(test_fraction=0.2), ["--test-share is called --test-fraction"]),
        (
            ["--label-kind", "set"],
            Config(label_kind="multi-label"),
            ["--label-kind set is called --label-kind multi-label"],
        ),
        (
            ["--label_kind=number"],
            Config(label_kind="regression"),
            ["--label-kind number is called --label-kind regression"],
        ),
        (
            ["--label-kind", "class", "--probe-head"],
            Config(label_kind="single"),
            ["--label-kind class", "--probe-head"],
        ),
        (["--label-kind", "single", "--source", "set"], Config(label_kind="single", source="set"), []),
    ],
)
def test_options_of_before(typed, meant, lines, capsys):
    assert launch.parse(Config, typed) == meant
    printed = capsys.readouterr().err.splitlines()
    assert [line for line in printed if not line.startswith("note: ")] == []
    assert len(printed) == len(lines)
    assert all(line.removeprefix("note: ").startswith(said) for line, said in zip(printed, lines, strict=True))


def test_an_old_name_that_the_settings_have_is_theirs():
    assert modern_arguments(["--share", "0.5"], ["--share", "--teacher-weight"]) == ["--share", "0.5"]


def test_an_old_option_that_the_settings_never_had_is_unknown(capsys):
    with pytest.raises(SystemExit):
        launch.parse(Config, ["--lora-rate", "2"])
    assert "unknown option --lora-rate" in capsys.readouterr().err


def test_fields_of_before(capsys):
    old = {"probe_head": False, "label_kind": "set", "source": "set"}
    settings = from_json(Config, json.dumps(old), where="old/config.json")
    assert settings == Config(init_head_from_probe=False, label_kind="multi-label", source="set")
    assert capsys.readouterr().err.splitlines() == [
        "note: old/config.json: probe_head is called init_head_from_probe now; the old name is read in this version only",
        "note: old/config.json: label_kind set is called label_kind multi-label now; the old name is read in this version only",
    ]


def test_a_field_under_both_names_is_refused():
    both = {"probe_head": False, "init_head_from_probe": True}
    with pytest.raises(UsageError, match="unknown field 'probe_head'"):
        from_json(Config, json.dumps(both), where="config.json")


def test_no_new_name_is_an_old_one():
    assert not set(FIELDS) & set(FIELDS.values())
    assert all(not set(known) & set(known.values()) for known in VALUES.values())


def test_a_recipe_of_before(capsys):
    assert recipe_path("find_rate", None).name == "find_learning_rate.py"
    assert capsys.readouterr().err == (
        "note: recipe find_rate is called find_learning_rate now; the old name is read in this version only\n"
    )


def test_check_takes_values_of_before(tmp_path, capsys):
    (tmp_path / "a.csv").write_text("text,label\na,x;y\nb,x\nc,\nd,y\n", "utf-8")
    assert command(["check", f"csv:{tmp_path}/a.csv", "--label-kind", "set"]) == 0
    printed = capsys.readouterr()
    assert printed.err.startswith("note: --label-kind set is called --label-kind multi-label now;")


def test_what_a_program_wrote_before_needs_no_word(capsys):
    assert modern_keys({"licence": "MIT", "label_kind": "number", "share": 1}) == {
        "license": "MIT",
        "label_kind": "regression",
        "teacher_weight": 1,
    }
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("old", "new"), list(OLD_CLASSES.items()))
def test_saved_models_find_classes_by_their_names_of_before(old, new):
    assert keras.saving.get_registered_object(f"tfpretune>{old}") is new
    assert keras.saving.get_registered_name(new) == f"tfpretune>{new.__name__}"
