"""Takes a classifier to a domain without labels: each method beside training on the source alone and on the target's labels.

    python recipes/adapt_domain.py --source demo:mnist5k --target demo:digits

Texts: --preset runs/pretrain_text/preset and, say, --source demo:reviews-zh-books --target demo:reviews-zh-hotels.
Leaves OUT_DIR/results.md (the table), report/index.html, METHOD/preset and METHOD/report (the network of seed 0), and trials/:
the same command goes on where it was stopped. docs/domains.md says how long it takes and what comes out.
Then: python recipes/export.py --run-dir runs/adapt_domain/coral
"""

import dataclasses
from pathlib import Path
from typing import Literal

import numpy as np

import tfpretune as tp
from tfpretune.errors import UsageError
from tfpretune.runtime import alone_in, write_atomic
from tfpretune.settings import OptimizerConfig, launch

MethodName = Literal["source-only", "dann", "coral", "dapt", "pseudo-labels", "target-only"]


@dataclasses.dataclass(frozen=True)
class Config(tp.experiments.DomainsConfig):
    """Settings."""

    source: tuple[str, ...] = ("demo:mnist5k",)
    target: str = "demo:digits"
    out_dir: str = "runs/adapt_domain"
    methods: tuple[MethodName, ...] = ("source-only", "dann", "coral", "pseudo-labels", "target-only")
    """Rows of the table; dapt goes on with the preset's masked language model on the target's texts first."""
    dapt_steps: int = 600
    """dapt: steps of the masked language model, 32 rows each."""
    dapt_optimizer: OptimizerConfig = OptimizerConfig(learning_rate=1e-3)

    def __post_init__(self) -> None:
        """Refuses methods that need texts, or steps."""
        super().__post_init__()
        if "dapt" in self.methods and not self.preset:
            raise UsageError("--methods dapt goes on with the masked language model of a text preset: give --preset")
        if "pseudo-labels" in self.methods and not self.fast:
            self.strengths.require_steps(self.steps)


def main(run: Config) -> "tp.evaluation.Table":
    """Data, one trial for each method and seed, the table."""
    tp.experiments.begin_trials()
    out_dir = Path(run.out_dir)
    with alone_in(out_dir):
        domains = tp.experiments.open_domains(run)
        sources = {f"source {number}": parts for number, parts in enumerate(domains.sources, 1)}
        made_with = tp.training.trial_fingerprint(run.preset, sources | {"target": domains.target})
        tp.training.check_same_comparison(out_dir, run, may_differ=("methods", "seeds", "out_dir"), identity=made_with)
        methods = {
            str(name): tp.experiments.METHODS.get(name) or tp.experiments.from_adapted(adapt(run, domains))
            for name in run.methods
        }
        found = tp.experiments.compare_methods(domains, methods, seeds=run.seeds, out_dir=out_dir)
        size = f"{run.seeds} seeds, {len(domains.target.test)} test examples"
        table = tp.experiments.comparison_table(f"{' + '.join(run.source)} to {run.target}: {size}", found)
        write_atomic(out_dir / "results.md", table.markdown())
        means = {name: float(np.mean([trial["target"] for trial in trials])) for name, trials in found.items()}
        settings = dataclasses.asdict(run)
        page = tp.evaluation.write_report(
            out_dir, title="Another domain", metrics=means, tables=[table], settings=settings
        )
    print(f"\n{table.markdown()}")
    best = max((mean, name) for name, mean in means.items() if name != "target-only" or len(means) == 1)
    launch.close(
        f"best without the target's labels: {best[1]} {best[0]:.3f}", page, ["export", f"{run.out_dir}/{best[1]}"]
    )
    return table


def adapt(run: Config, domains: "tp.experiments.Domains") -> str:
    """Returns the preset that went on learning from the target's training texts; it is made once."""
    folder = f"{run.out_dir}/adapted_preset"
    if not Path(folder).is_dir():
        settings = {"steps": 3 if run.fast else run.dapt_steps, "sequence_length": run.sequence_length}
        tp.experiments.adapt_preset(run.preset, folder, domains.unlabelled, optimizer=run.dapt_optimizer, **settings)
    return folder


if __name__ == "__main__":
    launch.run(Config, main, __doc__)
