"""How a source is read is one value: what it refuses, what task.json keeps of it."""

import dataclasses

import pytest

from tfpretune.cli import commands
from tfpretune.cli.arguments import _parse
from tfpretune.data.checks import examples as checks
from tfpretune.data.readers.masks.form import MaskForm
from tfpretune.data.readers.source_form import SourceForm
from tfpretune.data.readers.tag_form import TagForm
from tfpretune.data.sources import examples as sources
from tfpretune.errors import UsageError

EVERY = {
    "text_column": "body",
    "label_column": "topic",
    "pair_column": "other",
    "image_column": "file",
    "delimiter": "\t",
    "encoding": "cp1252",
    "label_kind": "multi-label",
    "label_separator": "|",
    "labels_as_written": True,
    "may_lack": True,
    "blank_labels": "unlabelled",
    "image_folder": "pictures",
    "split_column": "part",
    "group_column": "author",
    "class_names": ("b", "a"),
    "more_labels": ("tone",),
    "resize": "crop",
}
TABLES = ("--image-column", "file", "--delimiter", "tab", "--encoding", "cp1252")
TABLES += (
    "--blank-labels",
    "unlabelled",
    "--image-folder",
    "pictures",
    "--split-column",
    "part",
    "--group-column",
    "author",
)
OTHERS = ("--word-column", "1", "--tag-column", "3", "--repair")
OTHERS += ("--mask-orientation", "stored", "--mask-values", "0", "255")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"label_kind": "sets"}, "unknown kind of labels 'sets': expected one of single, regression, multi-label"),
        ({"label_kind": "multi-label", "label_separator": ""}, "the separator between the classes of a set is empty"),
        ({"class_names": ("a", "b", "a")}, "class_names holds 'a' twice"),
    ],
)
def test_what_cannot_work_is_refused_whatever_the_source(settings, message):
    with pytest.raises(UsageError, match=message):
        SourceForm(**settings)


def test_the_forms_of_tags_and_masks_refuse_too():
    with pytest.raises(UsageError, match="tag_names holds 'O' twice"):
        TagForm(tag_names=("O", "O"))
    for values in ((3,), (3, 3), (0, 256), (-1, 2)):
        with pytest.raises(UsageError, match="`MaskForm.values.` needs two or more different numbers from 0 to 255"):
            MaskForm(values=values)


def test_label_columns_that_must_be_there():
    assert SourceForm().needed_labels == ()
    assert SourceForm(label_column="topic").needed_labels == ("topic",)
    assert SourceForm(more_labels=("tone",)).needed_labels == ("label", "tone")
    assert SourceForm(label_column="", more_labels=("tone",)).needed_labels == ("tone",)


def test_task_json_keeps_what_is_not_usual_under_the_keys_of_before():
    assert SourceForm().as_task() == {}
    assert SourceForm(label_kind="multi-label").as_task() == {"label_separator": ";"}
    columns = ("text_column", "label_column", "pair_column", "image_column")
    columns += ("split_column", "group_column", "image_folder", "blank_labels")
    columns += ("resize",)
    kept = {name: EVERY[name] for name in (*columns, "delimiter", "encoding", "label_separator")}
    assert SourceForm(**EVERY).as_task() == kept | {"labels_as_written": True, "resize": "crop"}


def test_a_task_json_of_any_version_is_read():
    assert SourceForm.from_task({"kind": "text", "class_names": ["a", "b"], "source": "csv:a.csv"}) == SourceForm()
    form = SourceForm(**EVERY)
    told = {"label_kind": "", "may_lack": False, "class_names": (), "more_labels": ()}
    assert SourceForm.from_task(form.as_task() | {"class_names": ["a"]}) == dataclasses.replace(form, **told)


def test_the_call_with_keywords_is_the_call_with_a_form(monkeypatch):
    monkeypatch.setattr(sources, "open_examples", lambda spec, form: (spec, form))
    assert set(EVERY) == {field.name for field in dataclasses.fields(SourceForm)}
    keywords = EVERY | {"class_names": ["b", "a"], "more_labels": ["tone"]}
    assert sources.open_source("csv:a.csv", **keywords) == ("csv:a.csv", SourceForm(**EVERY))
    assert sources.open_source("csv:a.csv") == ("csv:a.csv", SourceForm())


def test_options_of_check_become_a_form(monkeypatch):
    class Called(Exception):
        pass

    def called(spec, form, *, tags, masks, **_):
        raise Called(spec, form, tags, masks)

    monkeypatch.setattr(checks, "check", called)
    options = [
        "--text-column",
        "body",
        "--label-column",
        "topic",
        "--pair-column",
        "other",
        "--label-kind",
        "multi-label",
    ]
    given = _parse(
        [
            "check",
            "csv:a.csv",
            *options,
            "--label-separator",
            "|",
            "--labels-as-written",
            "--may-lack",
            *TABLES,
            *OTHERS,
        ]
    )
    with pytest.raises(Called) as caught:
        commands.check(given)
    unasked = {"class_names": (), "more_labels": (), "resize": "squeeze"}
    tags, masks = TagForm(1, 3, repair=True), MaskForm(orientation="stored", values=(0, 255))
    assert caught.value.args == ("csv:a.csv", dataclasses.replace(SourceForm(**EVERY), **unasked), tags, masks)
    with pytest.raises(Called) as caught:
        commands.check(_parse(["check", "csv:a.csv"]))
    assert caught.value.args == ("csv:a.csv", SourceForm(), TagForm(), MaskForm())


def test_check_looks_at_further_labels_that_are_asked_for(tmp_path):
    (tmp_path / "a.csv").write_text("text,label,tone\na,x,calm\nb,y,\n", "utf-8")
    spec = f"csv:{tmp_path}/a.csv"
    assert checks.check(spec).ok
    (problem,) = checks.check(spec, SourceForm(more_labels=("tone",))).problems
    assert str(problem).startswith(f"{tmp_path}/a.csv:3: the label 'tone' is missing")
