"""The sides, and how each is run: a process of its own, in turn."""

import dataclasses
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[1]
ORACLE = FOLDER.parent / ".venv-oracle" / "bin" / "python"
MISSING = "not run: make .venv-oracle"
FLOAT32, BFLOAT16 = "float32", "mixed_bfloat16"
Result = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Side:
    """One row: what to run, and in which module of benchmarks/sides."""

    label: str
    name: str
    dtype: str
    module: str = "keras_side"


OURS = Side("tfpretune MaskedLM, TextEncoder", "text_encoder", FLOAT32)
OURS_BFLOAT16 = Side("tfpretune MaskedLM, TextEncoder", "text_encoder", BFLOAT16)
STRINGS = Side("KerasHub BertMaskedLM, strings, 20 slots", "strings", FLOAT32)
USUAL = Side("Transformers BertForMaskedLM, eager loop", "eager", FLOAT32, "torch_side")
SIDES = (
    OURS,
    OURS_BFLOAT16,
    Side("tfpretune MaskedLM, KerasHub BertBackbone", "bert", FLOAT32),
    Side("tfpretune MaskedLM, KerasHub BertBackbone", "bert", BFLOAT16),
    Side("KerasHub BertMaskedLM, strings, as documented (96 slots)", "default_strings", FLOAT32),
    STRINGS,
    Side("KerasHub BertMaskedLM, ready ids", "ids", FLOAT32),
    Side("KerasHub BertMaskedLM, ready ids", "ids", BFLOAT16),
    USUAL,
    Side("Transformers BertForMaskedLM, eager loop, autocast", "eager", BFLOAT16, "torch_side"),
)
PIPELINE = Side("input pipeline", "pipeline", FLOAT32, "parts_side")
CHANGE = tuple(Side("change", "change", dtype, "parts_side") for dtype in (FLOAT32, BFLOAT16))


def in_turn(sides: Sequence[Side], sizes: dict[str, int], rounds: int) -> dict[Side, list[Result]]:
    """A B C A B C …, so that a slow minute of the machine hits all sides."""
    results: dict[Side, list[Result]] = {side: [] for side in sides}
    for number in range(rounds):
        for side in sides:
            result = measure(side, sizes)
            results[side].append(result)
            shown = result.get("error") or f"{result['tokens_per_second']:,.0f} tokens/s"
            print(f"round {number + 1} of {rounds}: {side.label}, {side.dtype}: {shown}", file=sys.stderr, flush=True)
    return results


def measure(side: Side, sizes: dict[str, int]) -> Result:
    """Runs one side; what went wrong is the result's `error`."""
    python = ORACLE if side.module == "torch_side" else Path(sys.executable)
    if not python.exists():
        return {"error": MISSING}
    settings = json.dumps({"name": side.name, "dtype": side.dtype, "sizes": sizes})
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "HF_HUB_OFFLINE": "1", "KERAS_BACKEND": "tensorflow"}
    done = subprocess.run(
        [str(python), "-m", f"sides.{side.module}", settings],
        cwd=FOLDER,
        env=os.environ | quiet,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        return {"error": f"failed: {(done.stderr.strip() or 'no message').splitlines()[-1]}"}
    return json.loads(done.stdout.splitlines()[-1])


def median(results: Sequence[Result]) -> float:
    """Tokens a second, the middle of the rounds that ran; 0 if none did."""
    speeds = [each["tokens_per_second"] for each in results if "error" not in each]
    return statistics.median(speeds) if speeds else 0.0
