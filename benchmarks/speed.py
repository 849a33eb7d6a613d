"""Masked-LM pre-training, tokens per second: tfpretune beside KerasHub, and beside Transformers with PyTorch, on the CPU.

    make .venv-oracle
    python benchmarks/speed.py --quick

Every side trains the same size of model on the same tokens, each in a process of its own, in turn A B C A B C …;
without .venv-oracle the rows of Transformers say so. Prints Markdown and writes it to OUT_DIR/speed.md. Trust the
ratios of one run only, and only if nothing else ran: see the load.
"""

import dataclasses
import os
import platform
from pathlib import Path

from sides.processes import CHANGE, PIPELINE, SIDES, Side, in_turn, measure, median
from sides.tables import change_table, machine, pipeline_table, speed_table

from tfpretune.evaluation.report.tables import Table
from tfpretune.settings import launch


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings."""

    out_dir: str = "runs/speed"
    """Folder for speed.md."""
    quick: bool = False
    """2 rounds of 8 steps with 8,000 tokens in the vocabulary, instead of 5 rounds of 20 with 30,522 and with 8,000."""
    warmup_steps: int = 3
    """First steps of each process, not counted; at least 1."""


def main(run: Config) -> list[Table]:
    """The table of each vocabulary, then the input pipeline and what bfloat16 changes."""
    loads = [os.getloadavg()[0]]
    versions = {"Python": platform.python_version()}
    tables, step_ms = [], dict[Side, float]()
    rounds, steps = (2, 8) if run.quick else (5, 20)
    sizes = {"batch_size": 32, "sequence_length": 128, "masked": 20, "warmup_steps": run.warmup_steps, "steps": steps}
    for vocabulary_size in (8000,) if run.quick else (30522, 8000):
        sizes["vocabulary_size"] = vocabulary_size
        results = in_turn(SIDES, sizes, rounds)
        for found in results.values():
            versions |= found[0].get("versions", {})
        tokens = sizes["batch_size"] * sizes["sequence_length"]
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


if __name__ == "__main__":
    launch.run(Config, main, __doc__)
