"""`make demo` in small: the same script on a few batches."""

import subprocess
import sys
from pathlib import Path

import pytest

QUICKSTART = Path(__file__).parents[2] / "recipes" / "quickstart.py"


@pytest.mark.timeout(1800)
def test_quickstart_goes_from_data_to_checked_models(tmp_path):
    command = [sys.executable, str(QUICKSTART), "--fast", "--seeds", "2"]
    command += ["--out-dir", str(tmp_path / "runs"), "--saved-models", str(tmp_path / "saved_models")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    for name in ("images", "text", "digits", "news"):
        assert (tmp_path / "runs" / name / "report" / "index.html").is_file()
        assert (tmp_path / "runs" / name / "preset" / "manifest.json").is_file()
    for name in ("digits", "news"):
        assert (tmp_path / "saved_models" / name / "1" / "saved_model.pb").is_file()
    results = (tmp_path / "runs" / "results.md").read_text("utf-8")
    assert results in done.stdout
    assert results.count("| from scratch") == 3
    assert "answered without Keras as with it" in done.stdout
    assert "Next:" in done.stdout
