"""Shows whether pre-training paid: every way of fine-tuning beside training from scratch, over the number of labels.

    python recipes/label_efficiency.py --preset runs/pretrain_text/preset --source demo:bbc --processes 2

Of images: --preset runs/pretrain_image/preset --source demo:mnist5k
Same network, same steps, same draws of labels for all; a classical baseline beside them. Leaves OUT_DIR/report/index.html
(curves with bands, the table), results.md, and trials/: the same command goes on where it was stopped.
docs/quality.md says what comes out.
"""

import dataclasses
from pathlib import Path
from typing import Any, Literal

from tfpretune.backbones.by_name import load_tokenizer
from tfpretune.data.sources.labelled import labelled_parts
from tfpretune.errors import UsageError
from tfpretune.evaluation.report.label_curves import LabelCurve, label_chart, label_table
from tfpretune.evaluation.report.report import write_report
from tfpretune.evaluation.report.tables import Table
from tfpretune.experiments.label_efficiency import Trial, Work, run_trials
from tfpretune.experiments.trial_folder import check_same_comparison, trial_identity
from tfpretune.runtime.files import write_atomic
from tfpretune.runtime.lock import alone_in
from tfpretune.settings import launch
from tfpretune.settings.finetune import FinetuneConfig
from tfpretune.settings.run import OptimizerConfig
from tfpretune.tasks.known_words import require_known

MethodName = Literal["from scratch", "head only", "full", "l2-sp", "gradual", "lora", "baseline"]
EVERY: tuple[MethodName, ...] = ("from scratch", "head only", "full", "l2-sp", "gradual", "lora", "baseline")

IMAGE_RATE = OptimizerConfig(learning_rate=3e-3, weight_decay=0.05, warmup=0.1)
FOR_IMAGES: dict[str, Any] = {  # in the place of the defaults, which suit texts
    "steps": 300,
    "batch_size": 32,
    "optimizer": IMAGE_RATE,
    "scratch_optimizer": IMAGE_RATE,
    "scratch_dropout": 0.1,
}


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings."""

    preset: str = "runs/pretrain_text/preset"
    """The pre-trained backbone, with its tokenizer where it reads text: a folder, or a KerasHub name."""
    source: str = "demo:bbc"
    """Labelled texts or images."""
    labels_as_written: bool = False
    """Each spelling is a class of its own, such as NA, or Sport beside sport."""
    out_dir: str = "runs/label_efficiency"
    """Folder of the comparison. Trials that are finished there are not made again."""
    labels: tuple[int, ...] = (10, 30, 100, 300, 0)
    """Labels a class; 0 is all there are. A number that a class does not have is left out, with a word."""
    seeds: int = 5
    """Draws of labels and start weights that each figure is the mean of, at least 2."""
    methods: tuple[MethodName, ...] = EVERY
    """Rows of the table; from scratch is always one."""
    processes: int = 1
    """Trials that are made side by side, each in a process of its own with its share of the cores."""
    steps: int = 120
    """Optimizer steps of every method, at least; 300 for images."""
    epochs: float = 3.0
    """Passes over the labelled examples of every method, at least."""
    batch_size: int = 16
    """Examples a step; 32 for images."""
    sequence_length: int = 512
    """Texts: tokens that are read."""
    window_length: int = 128
    """Texts: in windows of this length; 0 reads them at once."""
    jitter: tuple[int, float, float] = (2, 15.0, 0.1)
    """Images: augmentation for all; largest move in pixels, angle in degrees, and zoom."""
    l2_sp: float = 0.01
    """Strength of l2-sp; on the head it is the same."""
    lora_rank: int = 8
    """Rank of lora."""
    unfreeze_share: float = 0.15
    """Share of a trial's steps, as many as it makes, between two unfreezings of gradual."""
    lora_rate: float = 5.0
    """lora learns at so many times the rate of the others."""
    optimizer: OptimizerConfig = OptimizerConfig(learning_rate=3e-4, warmup=0.1, multipliers=(("logits", 3.0),))
    scratch_optimizer: OptimizerConfig = OptimizerConfig(learning_rate=2e-3, warmup=0.1)
    scratch_dropout: float = 0.3
    """from scratch: rate of dropout before the head's last layer; 0.1 for images."""
    fast: bool = False
    """Rehearse with 2 steps on a few examples: the figures mean nothing."""

    def __post_init__(self) -> None:
        """Refuses what gives no standard deviation or nothing to compare with."""
        if self.seeds < 2 or self.processes < 1 or self.steps < 1 or self.batch_size < 1:
            raise UsageError("--seeds must be at least 2, --processes, --steps and --batch-size at least 1")
        if "from scratch" not in self.methods or len(set(self.methods) - {"baseline"}) < 2:
            raise UsageError("--methods needs 'from scratch' and at least one way to fine-tune")
        if not 0 < self.unfreeze_share < 1:
            raise UsageError(f"--unfreeze-share must be above 0 and below 1, received {self.unfreeze_share}")
        if not self.labels or min(self.labels) < 0:
            raise UsageError(f"--labels must be whole numbers from 0, received {list(self.labels)}")


def main(run: Config) -> Table:
    """Trials, curves, table."""
    out_dir = Path(run.out_dir)
    with alone_in(out_dir):
        most, as_written = 256 if run.fast else 0, run.labels_as_written
        parts = labelled_parts(run.source, most=most, label_kind="class", labels_as_written=as_written)
        train = parts.train
        if train.kind == "text":
            require_known(load_tokenizer(run.preset), train.inputs, source=run.source, preset=run.preset)
        run = run if train.kind == "text" else for_images(run)
        fewest = min(int((train.known_labels == label).sum()) for label in range(len(train.class_names)))
        counts = [labels for labels in run.labels if labels <= fewest]
        if len(counts) < len(run.labels):
            print(f"left out: more than the {fewest} labels that the smallest class has")
        may_differ = ("methods", "labels", "seeds", "processes", "out_dir")
        made_with = trial_identity(run.preset, {"source": parts})
        check_same_comparison(out_dir, run, may_differ=may_differ, identity=made_with)
        methods = {str(name): settings(run, name) for name in run.methods}
        trials = [Trial(name, n, seed) for name in methods for n in counts for seed in range(run.seeds)]
        jitter = None if train.kind == "text" else run.jitter
        work = Work(
            run.source,
            methods,
            run.sequence_length,
            run.window_length,
            jitter,
            run.epochs,
            run.fast,
            unfreeze_shares={"gradual": run.unfreeze_share},
            labels_as_written=run.labels_as_written,
        )
        scores = run_trials(work, trials, out_dir=out_dir, processes=run.processes)
        places = {labels: float(labels or len(train) / len(train.class_names)) for labels in counts}
        curves = [
            LabelCurve(name, {places[n]: [scores[Trial(name, n, seed)] for seed in range(run.seeds)] for n in counts})
            for name in methods
        ]
        title = f"{run.source}: accuracy on the test set, {run.seeds} seeds"
        table = label_table(title, curves, scratch="from scratch", plain="full", baselines=("baseline",))
        write_atomic(out_dir / "results.md", table.markdown())
        page = write_report(
            out_dir,
            title=f"Labels that pre-training saves: {run.source}",
            metrics={
                f"{curve.name}/{round(n)}": float(m)
                for curve in curves
                for n, m in zip(curve.labels, curve.means, strict=True)
            },
            tables=[table],
            settings=dataclasses.asdict(run),
            figures=label_chart(curves),
        )
    print(f"\n{table.markdown()}\nreport: {page}")
    return table


def for_images(run: Config) -> Config:
    """Returns the settings with `FOR_IMAGES` where they have their defaults."""
    usual = {field.name: field.default for field in dataclasses.fields(Config)}
    return dataclasses.replace(
        run, **{name: it for name, it in FOR_IMAGES.items() if getattr(run, name) == usual[name]}
    )


def settings(run: Config, name: MethodName) -> FinetuneConfig | None:
    """Returns the settings of a method; None for the baseline."""
    own: dict[str, dict[str, object]] = {
        "from scratch": {
            "from_scratch": True,
            "optimizer": run.scratch_optimizer,
            "dropout": run.scratch_dropout,
        },
        "head only": {"frozen": "all"},
        "full": {},
        "l2-sp": {"l2_sp": run.l2_sp, "l2_sp_head": run.l2_sp},
        "gradual": {},
        "lora": {
            "lora_rank": run.lora_rank,
            "optimizer": dataclasses.replace(run.optimizer, learning_rate=run.lora_rate * run.optimizer.learning_rate),
        },
    }
    if name == "baseline":
        return None
    shared = {"source": run.source, "out_dir": run.out_dir, "preset": run.preset, "optimizer": run.optimizer}
    return FinetuneConfig(**(shared | {"steps": run.steps, "batch_size": run.batch_size} | own[name]))  # type: ignore[arg-type]


if __name__ == "__main__":
    launch.run(Config, main, __doc__)
