"""What was measured, as tables."""

import datetime
import math
import os
import platform
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sides.processes import BFLOAT16, FLOAT32, OURS, OURS_BFLOAT16, STRINGS, USUAL, Result, Side, median
from tfpretune.evaluation.report.tables import Table

NOTES = """\
4 layers, width 256, 4 heads, feed-forward 1,024; {batch_size} x {sequence_length} tokens per step, {masked} of each row
masked; dropout 0.1; AdamW; {steps} steps a round after {warmup_steps} that are not counted; {rounds} rounds, all
sides in turn.
Cores: what a process got on average; with fewer than there are, something else ran and the ratios mean little.
Starting loss: a fresh model knows nothing, so the right value is ln {vocabulary_size} = {ln:.2f}. KerasHub divides by
all mask slots, unused ones too: about {masked} of its default of 96 are used, so it shows, and learns from, about
{masked}/96 of the loss.
tfpretune and KerasHub's strings get new masks in every step; KerasHub's ready ids and the rows of Transformers were
masked beforehand. tfpretune's AdamW is its own, one XLA call; no other side uses XLA or torch.compile, as is their default
on a CPU.
"""


def speed_table(results: dict[Side, list[Result]], settings: dict[str, Any]) -> Table:
    """One row a side; ratios of the medians."""
    usual = median(results.get(USUAL, []))
    rows: list[list[Any]] = []
    for side, found in results.items():
        ran = [each for each in found if "error" not in each]
        if not ran:
            rows.append([side.label, side.dtype, found[0]["error"], None, None, None, None, None])
            continue
        speed, best = median(ran), max(each["tokens_per_second"] for each in ran)
        times = f"{speed / usual:.2f}" if usual else None
        step = 1e3 * settings["batch_size"] * settings["sequence_length"] / speed
        loss, cores = f"{ran[0]['start_loss']:.2f}", f"{statistics.median(each['cores'] for each in ran):.1f}"
        rows.append([side.label, side.dtype, round(speed), round(best), round(step), cores, times, loss])
    times_usual = "times Transformers eager float32"
    columns = ("", "precision", "tokens/s, median", "best", "ms a step", "cores", times_usual, "starting loss")
    note = NOTES.format(ln=math.log(settings["vocabulary_size"]), **settings)
    return Table(f"Masked-LM pre-training, vocabulary {settings['vocabulary_size']:,}", columns, rows, note=note)


def pipeline_table(parts: Result, step_ms: dict[Side, float]) -> Table:
    """Batches drawn alone, beside the steps that they feed; tokenizers and masks alone."""
    columns = ("input pipeline", "tfpretune", "KerasHub")
    if "error" in parts:
        return Table("", columns, [[parts["error"], None, None]])
    ours, theirs = parts["draw_ms"]
    rows: list[list[Any]] = [
        ["draw a batch and do nothing else, ms", f"{ours:.1f}", f"{theirs:.1f}"],
        ["the same, fraction of a float32 step", share(ours, step_ms.get(OURS)), share(theirs, step_ms.get(STRINGS))],
        ["the same, fraction of a mixed_bfloat16 step", share(ours, step_ms.get(OURS_BFLOAT16)), None],
        ["tokenise, MB/s", *(f"{value:.1f}" for value in parts["tokenise"])],
        ["mask 4,096 x 128, examples/s", *(round(value) for value in parts["mask"])],
    ]
    note = (
        "Batches: tfpretune gathers ready ids and masks them; KerasHub reads strings, tokenises and masks. Tokenise:\n"
        "`encode_all`, with ends and padding, and KerasHub's tokenizer alone, on the same 32,768 texts of known words.\n"
    )
    return Table("", columns, rows, note=note)


def share(part: float, whole: float | None) -> str | None:
    """A percentage, if there is a whole."""
    return f"{100 * part / whole:.1f} %" if whole else None


def change_table(losses: Sequence[Result]) -> Table:
    """What mixed_bfloat16 changes: the loss after the same steps."""
    columns = ("validation loss, TextEncoder", FLOAT32, BFLOAT16, "difference")
    failed = [each["error"] for each in losses if "error" in each]
    if failed:
        return Table("", columns, [[failed[0], None, None, None]])
    rows = []
    for label, key in (("before", "before"), ("after 50 steps", "after")):
        full, half = (each[key] for each in losses)
        rows.append([label, f"{full:.4f}", f"{half:.4f}", f"{half - full:+.4f}"])
    note = (
        "Equal start weights, batches and masks; no dropout; AdamW at 1e-3, gradient norm clipped at 1. The text is\n"
        "random words with the frequencies of a language, so there is little more than word counts to learn.\n"
    )
    return Table("", columns, rows, note=note)


def machine(versions: dict[str, str], loads: Sequence[float]) -> str:
    """Date, processor, versions, load."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text("utf-8").splitlines() if info.exists() else []
    facts = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    formats = " ".join(flag for flag in facts.get("flags", "").split() if "bf16" in flag) or "no bfloat16"
    name = facts.get("model name", platform.processor() or platform.machine())
    shown = ", ".join(f"{key} {value}" for key, value in versions.items())
    day = datetime.date.today().isoformat()
    load = f"Load of the machine (1 minute): {loads[0]:.1f} before the first round, {loads[-1]:.1f} after the last."
    return f"{day}, {name}, {os.cpu_count()} cores ({formats}), {shown}.\n{load}\n"
