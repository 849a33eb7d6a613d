"""A model reads other sources as its run read its own, but for what is given and for how files are written."""

from types import SimpleNamespace

import pytest

from tfpretune.data.readers.source_form import SourceForm
from tfpretune.errors import UsageError
from tfpretune.settings import ColumnsOfRun
from tfpretune.tasks.finetuning.finetuned_runs import FinetunedModel

STORED = {
    "source": "a.csv",
    "text_column": ["title", "body"],
    "label_column": "desk",
    "delimiter": ";",
    "encoding": "cp1252",
}


def member(*inputs, **task):
    return FinetunedModel("runs/a", SimpleNamespace(input=dict.fromkeys(inputs)), STORED | task, inputs=None)


def test_the_own_source_is_read_in_the_same_way():
    form = SourceForm(("title", "body"), "desk", delimiter=";", encoding="cp1252", label_kind="single", split_column="")
    assert member("token_ids").form_of("a.csv", ColumnsOfRun()) == form


def test_another_source_has_the_columns_and_not_the_encoding():
    form = member("token_ids").form_of("b.csv", ColumnsOfRun())
    assert form == SourceForm(("title", "body"), "desk", label_kind="single", split_column="")


def test_what_is_given_counts():
    given = ColumnsOfRun(text_column=("text",), label_column="topic", encoding="gb18030")
    form = member("token_ids").form_of("b.csv", given)
    assert form == SourceForm("text", "topic", encoding="gb18030", label_kind="single", split_column="")
    assert member("segment_ids").form_of("b.csv", ColumnsOfRun(pair_column="other")).pair_column == "other"
    assert member("segment_ids").form_of("b.csv", ColumnsOfRun()).pair_column == "text_pair"
    with pytest.raises(UsageError, match="--pair-column other: runs/a reads single texts"):
        member("token_ids").form_of("b.csv", ColumnsOfRun(pair_column="other"))
