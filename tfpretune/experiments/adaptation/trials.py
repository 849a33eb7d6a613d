"""Comparison of methods of domain adaptation: a trial for each method and seed, each made once, and one table."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import f1_score

from tfpretune.data.examples.examples import Examples
from tfpretune.evaluation.metrics.paired import paired_test
from tfpretune.evaluation.predict import predict_outputs
from tfpretune.evaluation.report.classifier import report_classes
from tfpretune.evaluation.report.tables import Cell, Table
from tfpretune.experiments.adaptation.methods import PREDICT_BATCH_SIZE, Adapted, Domains
from tfpretune.objectives import Supervised
from tfpretune.runtime.files import write_atomic
from tfpretune.training.presets import save_preset

SOURCE_ONLY, TARGET_ONLY = "source-only", "target-only"
COLUMNS = ("", "target accuracy", "sd", "target macro F1", "gain", "source accuracy", "seconds")

Method = Callable[[Domains, int], Adapted]
Trial = dict[str, Any]


def compare_methods(
    domains: Domains, methods: Mapping[str, Method], *, seeds: int, out_dir: Path
) -> dict[str, list[Trial]]:
    """Makes every method's trials that are not made yet, seed by seed, and prints a line for each.

    Args:
        domains: what all trials share.
        methods: name -> method.
        seeds: start weights and orders, from 0.
        out_dir: a trial becomes `trials/METHOD-SEED.json` there; the network of seed 0 `METHOD/preset`, with its report.

    Returns:
        Name -> the figures of each seed.
    """
    found: dict[str, list[Trial]] = {name: [] for name in methods}
    for seed in range(seeds):
        for name, method in methods.items():
            file = out_dir / "trials" / f"{name}-{seed}.json"
            trial = json.loads(file.read_text("utf-8")) if file.is_file() else None
            if trial is None:
                trial = _make(domains, method, seed, keep=out_dir / name if seed == 0 else None)
                write_atomic(file, json.dumps(trial, indent=2) + "\n")
            found[name].append(trial)
            notes = "".join(f", {what} {value:g}" for what, value in trial["notes"].items())
            print(f"{name}, seed {seed}: {trial['target']:.3f} on the target{notes}", flush=True)
    return found


def comparison_table(title: str, found: Mapping[str, Sequence[Trial]]) -> Table:
    """Returns a row for each method, and in words which of them are better than the sources alone."""
    alone = [trial["target"] for trial in found.get(SOURCE_ONLY, [])]
    rows: list[list[Cell]] = []
    for name, trials in found.items():
        scores = [trial["target"] for trial in trials]
        gain = float(np.mean(scores) - np.mean(alone)) if alone and name != SOURCE_ONLY else None
        means = {key: float(np.mean([trial[key] for trial in trials])) for key in ("target_f1", "source", "seconds")}
        rows.append(
            [name, float(np.mean(scores)), _sd(scores), means["target_f1"], gain, means["source"], means["seconds"]]
        )
    verdicts = [
        verdict(name, [trial["target"] for trial in trials], alone)
        for name, trials in found.items()
        if alone and name not in (SOURCE_ONLY, TARGET_ONLY)
    ]
    return Table(title, COLUMNS, rows, note="\n".join([*verdicts, *_kept(found)]))


def verdict(name: str, scores: Sequence[float], alone: Sequence[float]) -> str:
    """Says whether a method is better or worse than the sources alone, by a paired t-test over the seeds."""
    test = paired_test(scores, alone)
    wins = sum(a > b for a, b in zip(scores, alone, strict=True))
    found = {"better": "paid", "worse": "did harm here"}.get(test.verdict)
    said = found or f"is {test.side} here, and no more is shown"
    return f"{name} {said}: {test.change} against {SOURCE_ONLY}, better with {wins} of {len(alone)} seeds; {test.test}."


def _make(domains: Domains, method: Method, seed: int, *, keep: Path | None) -> Trial:
    """Trains and scores one network; with `keep`, writes it there with its report."""
    start = time.perf_counter()
    adapted = method(domains, seed)
    trial = {"seconds": round(time.perf_counter() - start, 1), "notes": adapted.notes}
    if keep is not None:
        test, inputs = domains.target.test, domains.inputs
        batches = inputs.make_batches(test, PREDICT_BATCH_SIZE).in_order()
        title = f"{keep.name}: {test.name}"
        report = report_classes(test, predict_outputs(adapted.model, batches), out_dir=keep, title=title)
        task = report.task | domains.target.form.as_task() | dict(inputs.reads)
        save_preset(keep / "preset", adapted.model, tokenizer=inputs.tokenizer, task=task)
    return trial | _figures(domains, adapted.model)


def _figures(domains: Domains, model: Supervised) -> dict[str, float]:
    def score(examples: Examples) -> tuple[float, float]:
        labels, guesses = examples.known_labels, domains.probabilities(model, examples).argmax(axis=1)
        return float((guesses == labels).mean()), float(f1_score(labels, guesses, average="macro", zero_division=0.0))

    accuracy, f1 = score(domains.target.test)
    held_out = [score(part.validation)[0] for part in domains.sources]
    return {"target": accuracy, "target_f1": f1, "source": float(np.mean(held_out))}


def _kept(found: Mapping[str, Sequence[Trial]]) -> list[str]:
    """What pseudo-labels say of themselves, as means over the seeds."""
    lines = []
    for name, trials in found.items():
        for what in trials[0]["notes"] if trials else ():
            lines.append(f"{name}, {what} {np.mean([trial['notes'][what] for trial in trials]):.1f} (mean)")
    return lines


def _sd(scores: Sequence[float]) -> float:
    return float(np.std(scores, ddof=1))
