import numpy as np
import pytest

from tfpretune.evaluation.label_curves import LabelCurve, label_chart, label_table

SCRATCH = LabelCurve("from scratch", {10: (0.4, 0.6), 100: (0.7, 0.7), 1000: (0.9, 0.9)})
FULL = LabelCurve("full", {10: (0.7, 0.72), 100: (0.8, 0.82), 1000: (0.85, 0.85)})
BASELINE = LabelCurve("baseline", {10: (0.5, 0.5), 100: (0.9, 0.9), 1000: (0.95, 0.95)})


def test_means_and_spreads():
    np.testing.assert_allclose(SCRATCH.means, [0.5, 0.7, 0.9])
    np.testing.assert_allclose(SCRATCH.spreads, [np.sqrt(0.02), 0, 0], atol=1e-12)


@pytest.mark.parametrize(
    ("score", "needed"),
    [(0.3, 10), (0.5, 10), (0.6, np.sqrt(1000)), (0.7, 100), (0.9, 1000), (0.91, None)],  # halfway: sqrt(10 * 100)
)
def test_labels_needed(score, needed):
    found = SCRATCH.labels_needed(score)
    assert (found is None) if needed is None else np.isclose(found, needed)


def test_table_by_hand():
    """From scratch reaches .71 between 100 and 1,000 labels, at 112; .81 at 355; .85 at 562.

    p of the differences .3 and .12: t = .21 / .09, so 1 - 2 / pi * atan(t).
    """
    table = label_table("t", [SCRATCH, FULL, BASELINE], scratch="from scratch", baselines=("baseline",))
    rows = {(row[0], row[1]): row for row in table.rows}
    assert rows["full", 10][2] == pytest.approx(0.71)
    assert rows["full", 10][4:] == ["+0.210", "0.26", "102"]
    assert [rows["full", n][6] for n in (100, 1000)] == ["255", "-438"]
    assert rows["from scratch", 10][4:] == [None] * 3
    assert rows["baseline", 100][4:] == [None] * 3
    assert "full: pre-training paid at 10, 100 labels a class; pre-training did not pay at 1000." in table.note
    assert "baseline is ahead of every fine-tuning at 100, 1000 labels a class." in table.note


def test_methods_beside_the_plain_one():
    """l2-sp at 10 labels: .72 - .70 and .70 - .72, so 0 with sd sqrt(.0008); lora .01 and .03 below: sd sqrt(.0002)."""
    l2_sp = LabelCurve("l2-sp", {10: (0.72, 0.70), 100: (0.1, 0.1), 1000: (0.1, 0.1)})
    lora = LabelCurve("lora", {10: (0.69, 0.69), 100: (0.9, 0.9), 1000: (0.9, 0.9)})
    table = label_table("t", [SCRATCH, FULL, l2_sp, lora], scratch="from scratch", plain="full")
    words = "At 10 labels a class, beside full on the same draws: l2-sp +0.000 (sd 0.028), lora -0.020 (sd 0.014)."
    assert words in table.note
    assert "beside full" not in label_table("t", [SCRATCH, FULL, l2_sp], scratch="from scratch").note


def test_words_for_always_and_never():
    better = LabelCurve("a", {n: [x + 0.05 for x in s] for n, s in SCRATCH.scores.items()})
    worse = LabelCurve("b", {n: [x - 0.05 for x in s] for n, s in SCRATCH.scores.items()})
    table = label_table("t", [SCRATCH, better, worse], scratch="from scratch")
    assert "a: pre-training paid at every number of labels." in table.note
    assert "b: pre-training did not pay here, at no number of labels." in table.note
    saved = {(row[0], row[1]): row[6] for row in table.rows}
    assert saved["a", 1000] == "> 0"  # better than from scratch ever gets
    assert saved["b", 10] == "< 0"


def test_chart_has_a_band_and_a_mark_for_each_number():
    svg = label_chart([SCRATCH, FULL])
    assert svg.count("fill-opacity") == 2 or svg.count("opacity: 0.15") == 2
    for text in (">10<", ">100<", ">1000<", "full"):
        assert text in svg
