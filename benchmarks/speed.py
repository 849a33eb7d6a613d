"""Masked-LM pre-training, tokens a second: tfpretune, KerasHub, and Transformers with PyTorch, on this machine's processor.

    make .venv-oracle
    python benchmarks/speed.py --quick

Every side trains the same model size on the same tokens, each in a process of its own, in turn A B C A B C …; without .venv-oracle
the rows of Transformers say so. Prints Markdown and writes it to OUT_DIR/speed.md. About 15 minutes on 2 cores with --quick, two
hours without. Only ratios within one run mean anything, and only if nothing else runs: the load is printed.
"""

import dataclasses
import datetime
import json
import math
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tfpretune import config
from tfpretune.evaluation.tables import Table

ROOT = Path(__file__).resolve().parents[1]
ORACLE = ROOT / ".venv-oracle" / "bin" / "python"
MISSING = "not run: make .venv-oracle"
FLOAT32, BFLOAT16 = "float32", "mixed_bfloat16"
COLUMNS = ("", "precision", "tokens/s, median", "best", "ms a step", "times Transformers", "starting loss")


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings."""

    out_dir: str = "runs/speed"
    """Folder for speed.md."""
    quick: bool = False
    """2 rounds of 8 steps with 8,000 tokens in the vocabulary, instead of 5 rounds of 20 with 8,000 and with 30,522."""
    warmup_steps: int = 3
    """First steps of each process, not counted."""


@dataclasses.dataclass(frozen=True)
class Side:
    """One row: what to run, and in which module of benchmarks/sides."""

    label: str
    name: str
    dtype: str
    module: str = "keras_side"

    def command(self, sizes: dict[str, int]) -> list[str]:
        """The process to start."""
        python = str(ORACLE) if self.module == "torch_side" else sys.executable
        settings = {"name": self.name, "dtype": self.dtype, "sizes": sizes}
        return [python, "-m", f"benchmarks.sides.{self.module}", json.dumps(settings)]


USUAL = Side("Transformers BertForMaskedLM, eager loop", "eager", FLOAT32, "torch_side")
SIDES = (
    Side("tfpretune MaskedLM, TextEncoder", "text_encoder", FLOAT32),
    Side("tfpretune MaskedLM, TextEncoder", "text_encoder", BFLOAT16),
    Side("tfpretune MaskedLM, KerasHub BertBackbone", "bert", FLOAT32),
    Side("tfpretune MaskedLM, KerasHub BertBackbone", "bert", BFLOAT16),
    Side("KerasHub BertMaskedLM, strings, its defaults (96 slots)", "default_strings", FLOAT32),
    Side("KerasHub BertMaskedLM, strings, 20 slots", "strings", FLOAT32),
    Side("KerasHub BertMaskedLM, ready ids", "ids", FLOAT32),
    Side("KerasHub BertMaskedLM, ready ids", "ids", BFLOAT16),
    USUAL,
    Side("Transformers BertForMaskedLM, autocast", "eager", BFLOAT16, "torch_side"),
)
PIPELINE = Side("pipeline", "pipeline", FLOAT32, "parts_side")
CHANGE = tuple(Side("change", "change", dtype, "parts_side") for dtype in (FLOAT32, BFLOAT16))
NOTES = """\
Sizes: 4 layers, width 256, 4 heads, feed-forward 1,024, {batch_size} x {sequence_length} tokens a step, {masked} masked a row,
vocabulary {vocabulary_size:,}, dropout 0.1, AdamW, {steps} steps a round after {warmup_steps} that are not counted, {rounds} rounds in turn.
Starting loss: a fresh model knows nothing, so the loss is ln {vocabulary_size} = {ln:.2f}. KerasHub's objective divides by all mask slots, the
unused ones of its default of 96 included, and so shows (and learns from) about {masked} / 96 of it. The ids of KerasHub are masked once, before
the clock runs; tfpretune draws new masks in every step. KerasHub compiles the step with XLA, which is its default.
"""


def main(run: Config) -> list[Table]:
    """The table of each vocabulary, then the input pipeline and what bfloat16 changes."""
    loads = [os.getloadavg()[0]]
    rounds, steps = (2, 8) if run.quick else (5, 20)
    versions: dict[str, str] = {"python": platform.python_version()}
    tables = []
    step_ms: dict[Side, float] = {}
    for vocabulary_size in (8000,) if run.quick else (30522, 8000):
        sizes = {
            "vocabulary_size": vocabulary_size, "batch_size": 32, "sequence_length": 128, "masked": 20,
            "warmup_steps": run.warmup_steps, "steps": steps,
        }  # fmt: skip
        tokens = sizes["batch_size"] * sizes["sequence_length"]
        results = in_turn(SIDES, sizes, rounds)
        for found in results.values():
            versions |= found[0].get("versions", {})
        step_ms = {side: 1e3 * tokens / median(found) for side, found in results.items() if median(found)}
        tables.append(speed_table(results, sizes | {"rounds": rounds}))
        loads.append(os.getloadavg()[0])
    tables.append(pipeline_table(measure(PIPELINE, sizes), step_ms))
    tables.append(change_table([measure(side, sizes) for side in CHANGE]))
    text = "\n".join([machine(versions, loads), *(table.markdown() for table in tables)])
    Path(run.out_dir).mkdir(parents=True, exist_ok=True)
    Path(run.out_dir, "speed.md").write_text(text, "utf-8")
    print(text)
    return tables


def in_turn(sides: Sequence[Side], sizes: dict[str, int], rounds: int) -> dict[Side, list[dict[str, Any]]]:
    """A B C A B C …, so that a slow minute of the machine hits all sides."""
    results: dict[Side, list[dict[str, Any]]] = {side: [] for side in sides}
    for number in range(rounds):
        for side in sides:
            results[side].append(measure(side, sizes))
            shown = results[side][-1].get("error") or f"{results[side][-1]['tokens_per_second']:,.0f} tokens/s"
            print(f"round {number + 1} of {rounds}: {side.label}, {side.dtype}: {shown}", file=sys.stderr, flush=True)
    return results


def measure(side: Side, sizes: dict[str, int]) -> dict[str, Any]:
    """Runs one side in a process of its own; what went wrong is the result's `error`."""
    if side.module == "torch_side" and not ORACLE.exists():
        return {"error": MISSING}
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "HF_HUB_OFFLINE": "1", "KERAS_BACKEND": "tensorflow"}
    done = subprocess.run(side.command(sizes), cwd=ROOT, env=os.environ | quiet, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"error": f"failed: {(done.stderr.strip() or 'no message').splitlines()[-1]}"}
    return json.loads(done.stdout.splitlines()[-1])


def median(found: Sequence[dict[str, Any]]) -> float:
    """Tokens a second, the middle of the rounds that ran; 0 if none did."""
    speeds = [each["tokens_per_second"] for each in found if "error" not in each]
    return statistics.median(speeds) if speeds else 0.0


def speed_table(results: dict[Side, list[dict[str, Any]]], settings: dict[str, Any]) -> Table:
    """One row a side; ratios of the medians."""
    usual = median(results.get(USUAL, []))
    rows: list[list[Any]] = []
    for side, found in results.items():
        ran = [each for each in found if "error" not in each]
        if not ran:
            rows.append([side.label, side.dtype, found[0]["error"], None, None, None, None])
            continue
        speed, best = median(ran), max(each["tokens_per_second"] for each in ran)
        times = f"{speed / usual:.2f}" if usual else None
        step = 1e3 * settings["batch_size"] * settings["sequence_length"] / speed
        rows.append([side.label, side.dtype, round(speed), round(best), round(step), times, f"{ran[0]['start_loss']:.2f}"])
    note = NOTES.format(ln=math.log(settings["vocabulary_size"]), **settings)
    return Table(f"Masked-LM pre-training, vocabulary {settings['vocabulary_size']:,}", COLUMNS, rows, note=note)


def pipeline_table(parts: dict[str, Any], step_ms: dict[Side, float]) -> Table:
    """Batches drawn alone, beside the steps that they feed; tokenizers and masks alone."""
    columns = ("input pipeline", "tfpretune", "KerasHub")
    if "error" in parts:
        return Table("", columns, [[parts["error"], None, None]])
    ours, theirs = parts["draw_ms"]
    encoder, encoder_bfloat16, strings = SIDES[0], SIDES[1], SIDES[5]
    rows = [
        ["draw a batch and do nothing else, ms", f"{ours:.1f}", f"{theirs:.1f}"],
        ["the same as a share of a float32 step", share(ours, step_ms.get(encoder)), share(theirs, step_ms.get(strings))],
        ["the same as a share of a mixed_bfloat16 step", share(ours, step_ms.get(encoder_bfloat16)), None],
        ["tokenise, MB/s", *(f"{value:.1f}" for value in parts["tokenise"])],
        ["mask 4,096 x 128, examples/s", *(round(value) for value in parts["mask"])],
    ]
    note = (
        "Batches: tfpretune gathers ready ids and masks them, KerasHub reads strings, tokenises and masks. Tokenise: `encode_all` and\n"
        "KerasHub's tokenizer on the same 4,096 texts of whole words; tfpretune adds ends and padding. Masks: both on one batch."
    )
    return Table("", columns, rows, note=note)


def share(part: float, whole: float | None) -> str | None:
    """A percentage, if there is a whole."""
    return f"{100 * part / whole:.1f} %" if whole else None


def change_table(losses: Sequence[dict[str, Any]]) -> Table:
    """What mixed_bfloat16 changes: the loss after the same steps."""
    columns = ("validation loss of TextEncoder", FLOAT32, BFLOAT16, "difference")
    failed = [each["error"] for each in losses if "error" in each]
    if failed:
        return Table("", columns, [[failed[0], None, None, None]])
    rows = []
    for label, key in (("before", "before"), ("after 50 steps", "after")):
        full, half = (each[key] for each in losses)
        rows.append([label, f"{full:.4f}", f"{half:.4f}", f"{half - full:+.4f}"])
    note = "Equal start weights, batches and masks; no dropout; AdamW at 1e-3. The text is random, so little more than word counts can be learnt."
    return Table("", columns, rows, note=note)


def machine(versions: dict[str, str], loads: Sequence[float]) -> str:
    """Date, processor, versions, load."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text("utf-8").splitlines() if info.exists() else []
    facts = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    formats = " ".join(flag for flag in facts.get("flags", "").split() if "bf16" in flag) or "no bfloat16"
    name = facts.get("model name", platform.processor() or platform.machine())
    shown = ", ".join(f"{key} {value}" for key, value in versions.items())
    return (
        f"{datetime.date.today().isoformat()}, {name}, {os.cpu_count()} cores ({formats}), {shown}.\n"
        f"Load of the machine (1 minute) at the start {loads[0]:.1f}, at the end of the rounds {loads[-1]:.1f}.\n"
    )


if __name__ == "__main__":
    config.run(Config, main, __doc__)
