"""Options of columns: the same for all recipes that open a source, and for `check`; old settings keep their one name."""

import ast
import dataclasses
import json
from pathlib import Path

import pytest

from tests.recipes.test_recipes import load
from tfpretune.cli.arguments import _parse
from tfpretune.data.readers.source_form import SourceForm
from tfpretune.data.readers.tag_form import TagForm
from tfpretune.settings import FinetuneConfig, TextColumns, launch, read_config
from tfpretune.settings.multitask import read_places

RECIPES = Path(__file__).parents[2] / "recipes"
TEXTS = ["--text-column", "--delimiter", "--encoding"]
LABELLED = [*TEXTS, "--label-column", "--image-column", "--labels-as-written"]
OPTIONS = {
    **dict.fromkeys(("pretrain_text", "prepare_text"), TEXTS),
    "pretrain_image": ["--image-column", "--delimiter", "--encoding"],
    **dict.fromkeys(("finetune_text", "finetune_image", "finetune_embedder", "multitask", "distil"), LABELLED),
    **dict.fromkeys(("adapt_domain", "label_efficiency", "find_learning_rate"), LABELLED),
    "finetune_pairs": [*LABELLED, "--pair-column"],
    **dict.fromkeys(("evaluate", "soup", "tune"), [*TEXTS, "--label-column", "--image-column", "--pair-column"]),
    "finetune_tagger": [
        "--encoding",
        "--words-key",
        "--tags-key",
        "--tag-names",
        "--word-column",
        "--tag-column",
        "--repair",
    ],
    "finetune_qa": ["--encoding", "--may-lack"],
}
OTHERS = {"export", "quickstart", "finetune_segmenter"}  # which open no table


def test_every_recipe_has_its_options_of_columns():
    assert {path.stem for path in RECIPES.glob("*.py")} == {*OPTIONS, *OTHERS}
    for name, options in OPTIONS.items():
        assert set(options) <= set(launch.option_names(load(name).Config)), name


def test_check_takes_what_runs_can_do_and_no_more():
    check = {name.replace("_", "-") for name in vars(_parse(["check", "csv:a.csv"]))}
    runs = {
        option[2:] for name in (*OPTIONS, "finetune_segmenter") for option in launch.option_names(load(name).Config)
    }
    assert check - runs == {"call", "options", "against"}
    fields = {field.name.replace("_", "-") for form in (SourceForm, TagForm) for field in dataclasses.fields(form)}
    assert fields - check == {"class-names", "more-labels", "joiner", "resize"}


def test_settings_of_before_with_one_name_are_read(tmp_path):
    run = FinetuneConfig("csv:a.csv", "runs/a", epochs=1, preset="p", text_column=("body",))
    old = dataclasses.asdict(run) | {"text_column": "body"}
    old = {name: value for name, value in old.items() if name not in ("image_column", "delimiter", "encoding")}
    (tmp_path / "config.json").write_text(json.dumps(old))
    assert read_config(FinetuneConfig, tmp_path / "config.json") == run


@pytest.mark.parametrize("names", [["body"], ["Review Text", "title"]])
def test_several_columns_are_one_option(names):
    assert launch.parse(TextColumns, ["--text-column", *names]).text_column == tuple(names)


def test_a_task_with_texts_of_its_own_has_the_label_column():
    places = read_places(["tone", "topic=csv:b.csv"], "csv:a.csv", "desk")
    assert places == {"tone": ("csv:a.csv", "tone"), "topic": ("csv:b.csv", "desk")}


def test_recipes_open_sources_with_their_form():
    """No recipe calls `open_source`, which would leave its options aside."""
    for path in RECIPES.glob("*.py"):
        calls = [node.func for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)]
        assert "open_source" not in {call.attr for call in calls if isinstance(call, ast.Attribute)}, path.name
