import math

import numpy as np
from sides import keras_side, processes, tables
from sides.inputs import END, MASK, START, Clock, Sizes, masked_rows, texts, token_rows, vocabulary

TINY = Sizes(
    vocabulary_size=50, num_layers=1, num_heads=2, hidden_dim=8, intermediate_dim=16, batch_size=4, sequence_length=16,
    masked=2, warmup_steps=1, steps=2,
)  # fmt: skip


def test_our_side_runs():
    result = keras_side.measure("text_encoder", "float32", TINY)
    assert result["tokens_per_second"] > 0
    assert abs(result["start_loss"] / math.log(50) - 1) < 0.1
    assert set(result["versions"]) == {"tensorflow", "keras", "keras-hub"}


def test_warm_up_does_not_count():
    """2 steps of 4 x 16 tokens in 4 s on one and a half cores, after a first one that took 100 s."""
    clock = Clock(TINY, wall=[100.0, 101.0, 104.0], processor=[90.0, 92.0, 96.0])
    assert clock.result() == {"tokens_per_second": 32.0, "cores": 1.5}


def test_all_sides_get_the_same_full_rows():
    rows = token_rows(TINY, 6)
    np.testing.assert_array_equal(rows, token_rows(TINY, 6))
    assert (rows[:, 0] == START).all()
    assert (rows[:, -1] == END).all()
    words = vocabulary(TINY)
    assert len(set(words)) == 50
    assert [[words.index(word) for word in line.split()] for line in texts(TINY, rows)] == rows[:, 1:-1].tolist()
    masked = masked_rows(TINY, rows)
    assert masked["mask_positions"].shape == (6, 2)
    assert MASK in masked["token_ids"]
    changed = masked["token_ids"].copy()
    np.put_along_axis(changed, masked["mask_positions"], masked["mask_ids"], axis=1)
    np.testing.assert_array_equal(changed, rows)


def test_tables_show_medians_ratios_and_what_did_not_run(monkeypatch, tmp_path):
    monkeypatch.setattr(processes, "ORACLE", tmp_path / "python")
    assert processes.measure(processes.USUAL, {}) == {"error": "not run: make .venv-oracle"}
    fast, slow, usual = (
        {"tokens_per_second": speed, "start_loss": 9.0, "cores": 2.0} for speed in (300.0, 100.0, 50.0)
    )
    sizes = {
        "vocabulary_size": 8000,
        "batch_size": 2,
        "sequence_length": 100,
        "masked": 20,
        "warmup_steps": 1,
        "steps": 2,
    }
    found = {processes.OURS: [fast, slow, {"error": "failed: x"}], processes.USUAL: [usual]}
    table = tables.speed_table(found, sizes | {"rounds": 3})
    assert table.rows[0] == [processes.OURS.label, "float32", 200, 300, 1000, "2.0", "4.00", "9.00"]
    missing = tables.speed_table({processes.USUAL: [{"error": processes.MISSING}]}, sizes | {"rounds": 3})
    assert missing.rows[0][2] == processes.MISSING
    parts = {"draw_ms": [5.0, 9.0], "tokenise": [1, 2], "mask": [3, 4]}
    share = tables.pipeline_table(parts, {processes.OURS: 500.0}).rows[1]
    assert list(share) == ["the same, fraction of a float32 step", "1.0 %", None]
    change = tables.change_table([{"before": 9.0, "after": 6.5}, {"before": 9.0, "after": 6.51}])
    assert change.rows[1] == ["after 50 steps", "6.5000", "6.5100", "+0.0100"]
