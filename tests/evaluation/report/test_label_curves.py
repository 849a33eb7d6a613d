import numpy as np
import pytest

from tfpretune.evaluation.report.label_curves import LabelCurve, label_chart, label_table

SCRATCH = LabelCurve("from scratch", {10: (0.4, 0.5, 0.6), 100: (0.7, 0.7, 0.7), 1000: (0.9, 0.9, 0.9)})
FULL = LabelCurve("full", {10: (0.61, 0.7, 0.82), 100: (0.77, 0.81, 0.85), 1000: (0.85, 0.85, 0.87)})
BASELINE = LabelCurve("baseline", {10: (0.5, 0.5, 0.5), 100: (0.9, 0.9, 0.9), 1000: (0.95, 0.95, 0.88)})


def test_means_and_spreads():
    np.testing.assert_allclose(SCRATCH.means, [0.5, 0.7, 0.9])
    np.testing.assert_allclose(SCRATCH.spreads, [0.1, 0, 0], atol=1e-12)


@pytest.mark.parametrize(
    ("score", "needed"),
    [(0.3, 10), (0.5, 10), (0.6, np.sqrt(1000)), (0.7, 100), (0.9, 1000), (0.91, None)],  # halfway: sqrt(10 * 100)
)
def test_labels_needed(score, needed):
    found = SCRATCH.labels_needed(score)
    assert (found is None) if needed is None else np.isclose(found, needed)


def test_table_by_hand():
    """From scratch reaches .71 between 100 and 1,000 labels, at 112; .81 at 355; .8567 at 607.

    Differences .21, .20, .22: mean .21, sd .01; .07, .11, .15: mean .11, sd .04; -.05, -.05, -.03: mean -.0433, sd .0115.
    With 2 degrees of freedom p = 1 - t / sqrt(t^2 + 2): t^2 = 1323, 22.7 and 42.25.
    """
    table = label_table("t", [SCRATCH, FULL, BASELINE], scratch="from scratch", baselines=("baseline",))
    rows = {(row[0], row[1]): row for row in table.rows}
    assert rows["full", 10][2] == pytest.approx(0.71)
    assert rows["full", 10][4:] == ["+0.210", "0.00076", "102"]
    assert [rows["full", n][4:] for n in (100, 1000)] == [["+0.110", "0.041", "255"], ["-0.043", "0.023", "-393"]]
    assert rows["from scratch", 10][4:] == [None] * 3
    assert rows["baseline", 100][4:] == [None] * 3
    assert "full: pre-training paid at 10, 100 labels per class; did harm at 1000 labels per class." in table.note
    assert "brackets" not in table.note


def test_a_baseline_is_ahead_by_its_mean_and_shown_by_the_test():
    """.13, .09, .05 at 100: mean .09, sd .04, t^2 = 15.2, p = .06; .1, .1, .01 at 1000: t^2 = 5.44, p = .145. Never shown."""
    note = label_table("t", [SCRATCH, FULL, BASELINE], scratch="from scratch", baselines=("baseline",)).note
    ahead = "baseline has a higher mean than every fine-tuning at 100, 1000 labels per class, shown at"
    assert f"{ahead} none of them (p below 0.05 against each)." in note
    sure = LabelCurve("baseline", BASELINE.scores | {100: (0.87, 0.92, 0.95)})  # .10, .11, .10
    assert (
        f"{ahead} 100 (p"
        in label_table("t", [SCRATCH, FULL, sure], scratch="from scratch", baselines=("baseline",)).note
    )
    low = LabelCurve("baseline", {n: (0.1, 0.1, 0.1) for n in SCRATCH.scores})
    note = label_table("t", [SCRATCH, FULL, low], scratch="from scratch", baselines=("baseline",)).note
    assert "baseline has nowhere a higher mean than every fine-tuning." in note


def test_what_is_not_shown_stands_in_brackets():
    """Differences .1, .2, .3: twice their deviation, and p = .074; two seeds are too few for a test."""
    more = LabelCurve("full", FULL.scores | {10: (0.5, 0.7, 0.9)})
    table = label_table("t", [SCRATCH, more], scratch="from scratch")
    assert table.rows[3][4:] == ["+0.200", "0.074", "(90)"]
    assert (
        "full: pre-training paid at 100 labels per class; did harm at 1000 labels per class; "
        "is ahead at 10 labels per class, which shows nothing.\n"
        "Labels saved in brackets: the difference is not shown, by a paired t-test with p below 0.05."
    ) in table.note
    two = [LabelCurve(curve.name, {n: scores[:2] for n, scores in curve.scores.items()}) for curve in (SCRATCH, FULL)]
    table = label_table("t", two, scratch="from scratch")
    assert [row[5] for row in table.rows] == [None] * 6
    assert "paid" not in table.note
    assert "harm" not in table.note


def test_methods_beside_the_plain_one():
    """l2-sp at 10 labels: .02, -.02 and 0, so 0 with sd .02; lora .01, .02 and .03 below: sd .01."""
    l2_sp = LabelCurve("l2-sp", {10: (0.63, 0.68, 0.82), 100: (0.1, 0.1, 0.1), 1000: (0.1, 0.1, 0.1)})
    lora = LabelCurve("lora", {10: (0.6, 0.68, 0.79), 100: (0.9, 0.9, 0.9), 1000: (0.9, 0.9, 0.9)})
    table = label_table("t", [SCRATCH, FULL, l2_sp, lora], scratch="from scratch", plain="full")
    words = "At 10 labels per class, against full on the same draws: l2-sp +0.000 (sd 0.020), lora -0.020 (sd 0.010)."
    assert words in table.note
    assert "beside full" not in label_table("t", [SCRATCH, FULL, l2_sp], scratch="from scratch").note


def test_words_for_always_and_never():
    """.05 and a little: p far below .05 everywhere."""
    little = np.array([0.001, 0.0, -0.001])
    better = LabelCurve("a", {n: np.array(x) + 0.05 + little for n, x in SCRATCH.scores.items()})
    worse = LabelCurve("b", {n: np.array(x) - 0.05 - little for n, x in SCRATCH.scores.items()})
    table = label_table("t", [SCRATCH, better, worse], scratch="from scratch")
    assert "a: pre-training paid at every number of labels." in table.note
    assert "b: pre-training did harm at every number of labels." in table.note
    saved = {(row[0], row[1]): row[6] for row in table.rows}
    assert saved["a", 1000] == "> 0"  # better than from scratch ever gets
    assert saved["b", 10] == "< 0"


def test_chart_has_a_band_and_a_mark_for_each_number():
    svg = label_chart([SCRATCH, FULL])
    assert svg.count("fill-opacity") == 2 or svg.count("opacity: 0.15") == 2
    for text in (">10<", ">100<", ">1000<", "full"):
        assert text in svg


def test_no_labels_saved_have_no_sign():
    """A mean that from scratch reaches a little below 100 labels saves none, and not "-0"."""
    close = LabelCurve("close", {n: np.array(x) - (1e-5 if n == 100 else 0.0) for n, x in SCRATCH.scores.items()})
    rows = label_table("t", [SCRATCH, close], scratch="from scratch").rows
    assert [row[6] for row in rows if row[:2] == ["close", 100]] == ["(0)"]
