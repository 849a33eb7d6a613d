import sys

import matplotlib
import numpy as np

from tfpretune.evaluation.report.plots import Axis, Line, _thin, line_chart


def chart(lines, **changes):
    return line_chart(lines, name="one", alt="alt", x=Axis("step"), y=Axis(""), **changes)


def line(name, y):
    return Line(name, np.arange(len(y)), np.asarray(y, float))


def test_the_same_curves_give_the_same_text():
    lines = [line("a", [1, 2, 3]), line("b", [3, 2, 1])]
    assert chart(lines) == chart(lines)


def test_colours_follow_the_page():
    text = chart([line("a", [1, 2]), line("b", [2, 1])], levels={"unigram": 1.5}, diagonal=True)
    assert "#0000" not in text
    for name in ("--series-0", "--series-1", "--ink", "--muted", "--rule"):
        assert f"var({name})" in text


def test_names_stand_in_the_legend_and_formulas_are_no_formulas():
    text = chart([line("损失 $x_2$", [1, 2])])
    svg, legend = text.split("</svg>", 1)
    assert "损失" not in svg
    assert "<bdi>损失 $x_2$</bdi>" in legend


def test_empty_single_and_broken_curves_are_drawn():
    chart([line("none", []), line("one", [1.0]), line("gap", [1.0, np.nan, np.inf, 2.0]), line("dead", [np.nan] * 3)])


def test_long_curves_keep_their_peaks():
    y = np.random.default_rng(0).normal(size=200_000)
    y[123_456], y[77] = 50.0, np.nan
    thin_x, thin_y = _thin(np.arange(len(y)), y)
    assert len(thin_x) <= 1502
    assert (np.diff(thin_x) > 0).all()
    assert thin_x[np.nanargmax(thin_y)] == 123_456
    assert (thin_x[0], thin_x[-1]) == (0, 199_999)


def test_settings_of_the_user_stay_outside():
    before = matplotlib.rcParams["font.size"]
    with matplotlib.rc_context({"svg.fonttype": "path", "font.size": 40.0, "axes.facecolor": "red"}):
        changed = chart([line("a", [1, 2])])
    assert changed == chart([line("a", [1, 2])])
    assert matplotlib.rcParams["font.size"] == before


def test_pyplot_is_not_touched(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)  # importing it would now fail
    chart([line("a", [1, 2])], steps=True)
