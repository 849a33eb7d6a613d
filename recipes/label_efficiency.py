"""Shows whether pre-training paid: every way of fine-tuning beside training from scratch, over the number of labels.

    python recipes/label_efficiency.py --preset runs/pretrain_text/preset --source demo:bbc --processes 2

Of images: --preset runs/pretrain_image/preset --source demo:mnist5k
Same network, same steps, same draws of labels for all; a classical baseline beside them. No other label chooses anything: a
trial makes all its steps, and its last weights are scored. Leaves OUT_DIR/report/index.html
(curves with bands, the table), results.md, and trials/: the same command goes on where it was stopped.
How each method trains stands in tfpretune/experiments/label_efficiency/methods.py; docs/quality.md says what comes out.
"""

import dataclasses
from pathlib import Path

import tfpretune as tp
from tfpretune.errors import UsageError
from tfpretune.runtime import alone_in, write_atomic
from tfpretune.settings import launch, require_at_least


@dataclasses.dataclass(frozen=True)
class Config(tp.experiments.MethodsConfig):
    """Settings."""

    preset: str = "runs/pretrain_text/preset"
    source: str = "demo:bbc"
    out_dir: str = "runs/label_efficiency"
    labels: tuple[int, ...] = (10, 30, 100, 300, 0)
    """Labels a class; 0 is all there are. A number that a class does not have is left out, with a word."""
    seeds: int = 5
    processes: int = 1
    """Trials that are made side by side, each in a process of its own with its share of the cores."""

    def __post_init__(self) -> None:
        """Refuses what leaves nothing to compare."""
        super().__post_init__()
        require_at_least(self, 1, "processes")
        if not self.labels or min(self.labels) < 0:
            raise UsageError(f"--labels must be whole numbers from 0, received {list(self.labels)}")


def main(run: Config) -> "tp.evaluation.Table":
    """Trials, curves, table."""
    out_dir = Path(run.out_dir)
    with alone_in(out_dir):
        splits = tp.tasks.split_form(run)
        parts = tp.data.labelled_splits(run.source, run.form, splits=splits, most=256 if run.fast else 0)
        train = parts.train
        if train.kind == "text":
            tp.tasks.require_known(
                tp.backbones.load_tokenizer(run.preset), train.inputs, source=run.source, preset=run.preset
            )
        run = run.for_examples(train)
        fewest = min(int((train.known_labels == label).sum()) for label in range(len(train.class_names)))
        counts = [labels for labels in run.labels if labels <= fewest]
        if len(counts) < len(run.labels):
            print(f"left out: more than the {fewest} labels that the smallest class has")
        may_differ = ("methods", "labels", "seeds", "processes", "out_dir")
        made_with = tp.training.trial_fingerprint(run.preset, {"source": parts})
        tp.training.check_same_comparison(out_dir, run, may_differ=may_differ, identity=made_with)
        methods = [*dict.fromkeys(run.methods)]
        trials = [
            tp.experiments.LabelTrial(name, n, seed) for name in methods for n in counts for seed in range(run.seeds)
        ]
        scores = tp.experiments.run_trials(run.work(train), trials, out_dir=out_dir, processes=run.processes)
        places = {labels: float(labels or len(train) / len(train.class_names)) for labels in counts}
        curves = [
            tp.evaluation.LabelCurve(
                name,
                {
                    places[n]: [scores[tp.experiments.LabelTrial(name, n, seed)] for seed in range(run.seeds)]
                    for n in counts
                },
            )
            for name in methods
        ]
        title = f"{run.source}: accuracy on the test set, {run.seeds} seeds"
        table = tp.evaluation.label_table(title, curves, scratch="from scratch", plain="full", baselines=("baseline",))
        write_atomic(out_dir / "results.md", table.markdown())
        page = tp.evaluation.write_report(
            out_dir,
            title=f"Labels that pre-training saves: {run.source}",
            metrics={name: mean for curve in curves for name, mean in curve.figures().items()},
            tables=[table],
            settings=dataclasses.asdict(run),
            figures=tp.evaluation.label_chart(curves),
        )
    print(f"\n{table.markdown()}")
    best = max((float(curve.means[0]), curve.name) for curve in curves)
    then = ["run", f"finetune_{train.kind}", "--preset", run.preset, "--source", run.source]
    launch.close(f"with the fewest labels the best is {best[1]}: accuracy {best[0]:.3f}", page, then)
    return table


if __name__ == "__main__":
    launch.run(Config, main, __doc__)
