"""What a new scheme has to give: rows. The rest follows: labels, what is asked about, the check, the parts."""

import pytest

from tfpretune.data.checks.examples import check
from tfpretune.data.readers.records import Problem, Records
from tfpretune.data.readers.source_form import SourceForm
from tfpretune.data.sources.examples import open_source
from tfpretune.data.sources.labelled import labelled_splits
from tfpretune.data.sources.schemes import SCHEMES
from tfpretune.errors import RunError, UsageError


def read_spoken(spec, count, form):
    """A toy: `spoken:COUNT`, so many sentences; the last class is what the label column is called."""
    rows = Records("text", license="none", in_order=True)
    for number in range(int(count)):
        rows.add_text(f"sentence {number}", ("question", form.label_column)[number % 2], f"{spec}[{number}]")
    if int(count) == 13:
        rows.problems.append(Problem(spec, "thirteen", "say one more"))
    return rows


@pytest.fixture(autouse=True)
def spoken(monkeypatch):
    monkeypatch.setitem(SCHEMES, "spoken", read_spoken)


def test_a_new_scheme_is_opened_split_and_checked():
    parts = labelled_splits("spoken:40", SourceForm(label_column="answer"))
    assert parts.class_names == ("answer", "question")
    assert [len(part) for part in (parts.train, parts.validation, parts.test)] == [32, 4, 4]
    assert parts.test.inputs == [f"sentence {number}" for number in range(36, 40)]
    assert check("spoken:40", SourceForm(label_column="answer")).histogram == {"answer": 20, "question": 20}


def test_its_problems_are_named():
    assert [str(problem) for problem in check("spoken:13").problems] == ["spoken:13: thirteen; say one more"]
    with pytest.raises(RunError, match="spoken:13: thirteen; say one more; for all problems run: tfpretune check"):
        open_source("spoken:13")


def test_it_is_among_those_that_are_expected():
    with pytest.raises(UsageError, match="did you mean spoken:40.: expected one of demo:, .*, spoken:"):
        open_source("spokn:40")
