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
import tensorflow as tf

from tfpretune.data.batches.examples import require_kind
from tfpretune.data.batches.transforms import jitter
from tfpretune.data.sources.labelled import labelled_parts
from tfpretune.errors import UsageError
from tfpretune.evaluation.report.report import write_report
from tfpretune.evaluation.report.tables import Table
from tfpretune.experiments.adaptation import METHODS, Domains, Strengths, adapt_preset, from_adapted
from tfpretune.experiments.adaptation_inputs import image_inputs, text_inputs
from tfpretune.experiments.adaptation_trials import compare_methods, comparison_table
from tfpretune.experiments.trial_folder import check_same_comparison, trial_identity
from tfpretune.runtime.files import write_atomic
from tfpretune.runtime.lock import alone_in
from tfpretune.settings import launch
from tfpretune.settings.run import OptimizerConfig, require_shares
from tfpretune.tasks.known_words import require_known

MethodName = Literal["source-only", "dann", "coral", "dapt", "pseudo-labels", "target-only"]


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings."""

    source: tuple[str, ...] = ("demo:mnist5k",)
    """Labelled domains; several get equal shares of every batch."""
    target: str = "demo:digits"
    """Another domain with the same classes. Its labels are read by target-only and for the score."""
    labels_as_written: bool = False
    """Each spelling is a class of its own, such as NA, or Sport beside sport."""
    out_dir: str = "runs/adapt_domain"
    """Folder of the comparison. Trials that are finished there are not made again."""
    methods: tuple[MethodName, ...] = ("source-only", "dann", "coral", "pseudo-labels", "target-only")
    """Rows of the table; dapt goes on with the preset's masked language model on the target's texts first."""
    seeds: int = 3
    """Start weights and orders that each figure is the mean of, at least 2."""
    steps: int = 500
    """Optimizer steps of every method."""
    batch_size: int = 64
    """Labelled examples a step; dann, coral and pseudo-labels see as many of the target's beside them."""
    preset: str = ""
    """Pre-trained backbone to start from, for texts with its tokenizer; empty for images: a new --backbone."""
    backbone: str = "cnn-small"
    """Images without a preset: cnn-small, cnn-medium, vit-mini, vit-tiny or vit-small."""
    image_shape: tuple[int, int, int] = (16, 16, 1)
    """Height, width and channels that all images are brought to."""
    sequence_length: int = 128
    """Tokens of a text that are read."""
    shift: int = 1
    """Augmentation, the same for all methods and domains: largest move, pixels."""
    rotate_degrees: float = 10.0
    """Augmentation: largest angle to either side."""
    scale: float = 0.2
    """Augmentation: largest zoom in or out, as a share of the size."""
    strengths: Strengths = dataclasses.field(default_factory=Strengths)
    dapt_steps: int = 600
    """dapt: steps of the masked language model, 32 rows each."""
    dapt_optimizer: OptimizerConfig = OptimizerConfig(learning_rate=1e-3)
    optimizer: OptimizerConfig = OptimizerConfig(learning_rate=3e-3, warmup=0.1, weight_decay=0.05)
    fast: bool = False
    """Rehearse on a few batches: the figures mean nothing."""

    def __post_init__(self) -> None:
        """Refuses what gives no standard deviation, and methods that need texts."""
        if self.seeds < 2 or self.steps < 1 or self.batch_size < 1:
            raise UsageError("--seeds must be at least 2, --steps and --batch-size at least 1")
        if "dapt" in self.methods and not self.preset:
            raise UsageError("--methods dapt goes on with the masked language model of a text preset: give --preset")
        if "pseudo-labels" in self.methods and not self.fast:
            self.strengths.require_steps(self.steps)
        require_shares(self, "scale")


def main(run: Config) -> Table:
    """Data, one trial for each method and seed, the table."""
    tf.config.experimental.enable_op_determinism()
    tf.get_logger().setLevel("ERROR")  # many small models, so many traces: no news
    out_dir = Path(run.out_dir)
    with alone_in(out_dir):
        domains = open_domains(run)
        sources = {f"source {number}": parts for number, parts in enumerate(domains.sources, 1)}
        made_with = trial_identity(run.preset, sources | {"target": domains.target})
        check_same_comparison(out_dir, run, may_differ=("methods", "seeds", "out_dir"), identity=made_with)
        methods = {str(name): METHODS.get(name) or from_adapted(adapt(run, domains)) for name in run.methods}
        found = compare_methods(domains, methods, seeds=run.seeds, out_dir=out_dir)
        size = f"{run.seeds} seeds, {len(domains.target.test)} test examples"
        table = comparison_table(f"{' + '.join(run.source)} to {run.target}: {size}", found)
        write_atomic(out_dir / "results.md", table.markdown())
        means = {name: float(np.mean([trial["target"] for trial in trials])) for name, trials in found.items()}
        settings = dataclasses.asdict(run)
        page = write_report(out_dir, title="Another domain", metrics=means, tables=[table], settings=settings)
    print(f"\n{table.markdown()}\nreport: {page}")
    return table


def open_domains(run: Config) -> Domains:
    """Opens the domains and says how their examples become batches and classifiers."""
    most = 64 if run.fast else 0
    *sources, target = [
        labelled_parts(name, most=most, label_kind="class", labels_as_written=run.labels_as_written)
        for name in (*run.source, run.target)
    ]
    num_classes, kind = len(target.class_names), target.train.kind
    for part in sources:
        require_kind(part.train, kind)
    if kind == "text" and not run.preset:
        raise UsageError(f"--target {run.target} holds texts: give --preset, which has a tokenizer")
    if kind == "text":
        inputs = text_inputs(num_classes, preset=run.preset, sequence_length=run.sequence_length)
        for name, part in zip((*run.source, run.target), (*sources, target), strict=True):
            require_known(inputs.tokenizer, part.train.inputs, source=name, preset=run.preset)
    else:
        moved = jitter(shift=run.shift, rotate_degrees=run.rotate_degrees, scale=run.scale)
        inputs = image_inputs(
            num_classes, image_shape=run.image_shape, backbone=run.backbone, preset=run.preset, transform=moved
        )
    steps = max(3, run.strengths.rounds + 1) if run.fast else run.steps
    return Domains(tuple(sources), target, inputs, run.optimizer, steps, run.batch_size, run.strengths)


def adapt(run: Config, domains: Domains) -> str:
    """Returns the preset that went on learning from the target's training texts; it is made once."""
    folder = f"{run.out_dir}/adapted_preset"
    if not Path(folder).is_dir():
        settings = {"steps": 3 if run.fast else run.dapt_steps, "sequence_length": run.sequence_length}
        adapt_preset(run.preset, folder, domains.unlabelled, optimizer=run.dapt_optimizer, **settings)
    return folder


if __name__ == "__main__":
    launch.run(Config, main, __doc__)
