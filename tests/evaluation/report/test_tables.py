import pytest

from tfpretune.evaluation.report.page import html_table
from tfpretune.evaluation.report.tables import Table, show


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (0.8125, "0.812"),
        (-0.25, "-0.250"),
        (0.0, "0.000"),
        (0.00042, "0.00042"),
        (12345.6, "12,346"),
        (12345, "12,345"),
    ],
)
def test_numbers(cell, text):
    assert show(cell) == text


def test_markdown_is_padded_and_numbers_stand_right():
    table = Table(
        "Runs", ("start", "accuracy", "seeds"), [("scratch", 0.5, 3), ("预训练", ".833 (.028)", None)], "Note."
    )
    assert table.markdown() == (
        "**Runs**\n"
        "\n"
        "| start   |    accuracy | seeds |\n"
        "| ------- | ----------: | ----: |\n"
        "| scratch |       0.500 |     3 |\n"
        "| 预训练  | .833 (.028) |     – |\n"
        "\n"
        "Note.\n"
    )


def test_markdown_keeps_a_cell_in_its_cell():
    assert "| a\\|b c |" in Table("", ("x",), [("a|b\nc",)]).markdown()


def test_empty_table():
    assert Table("", ("name", "value"), []).markdown() == "| name | value |\n| ---- | ----- |\n"
    assert "<tbody></tbody>" in html_table(Table("", ("name", "value"), []))


def test_html_has_header_cells_and_a_caption():
    page = html_table(Table("Runs <1>", ("start", "accuracy"), [("a&b", 0.5)], "x<y"))
    assert "<caption>Runs &lt;1&gt;</caption>" in page
    assert '<th scope="col">start</th><th scope="col" class="number">accuracy</th>' in page
    assert '<th scope="row">a&amp;b</th><td class="number">0.500</td>' in page
    assert '<p class="note">x&lt;y</p>' in page


def test_short_rows_are_refused():
    with pytest.raises(ValueError, match="table 'T', row 1: expected 2 cells, received 1"):
        Table("T", ("a", "b"), [(1, 2), (3,)])
