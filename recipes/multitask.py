"""Fine-tunes one pre-trained text backbone for two tasks at once: sentiment and topic of the same text.

    python recipes/multitask.py --preset runs/reviews/preset --source demo:reviews-zh --tasks label topic

The preset is what pretrain_text leaves, with --source demo:reviews-zh --out-dir runs/reviews
Of your own texts: --source csv:reviews.csv --tasks sentiment topic, columns beside "text" (jsonl: keys, tfds: features).
Leaves OUT_DIR/preset (model, backbone, tokenizer), report/index.html (each task on the test set), logs, checkpoints.
Then: python recipes/export.py --run-dir runs/multitask, one model with a signature for each task.
"""

import dataclasses
from typing import Any, Literal

import keras

from tfpretune.backbones import Preprocessing
from tfpretune.backbones.by_name import load_backbone, load_tokenizer
from tfpretune.data.batches.examples import text_batches
from tfpretune.errors import UsageError
from tfpretune.evaluation.metrics.classification import classification_metrics
from tfpretune.evaluation.predict import predict_outputs
from tfpretune.evaluation.report.report import write_report
from tfpretune.evaluation.report.tables import Cell, Table
from tfpretune.finetune import freeze, multi_head
from tfpretune.objectives import Classes
from tfpretune.settings import launch
from tfpretune.settings.finetune import TaskConfig
from tfpretune.settings.run import OptimizerConfig
from tfpretune.tasks.fitting import fit_head
from tfpretune.tasks.known_words import require_known
from tfpretune.tasks.methods import apply_methods
from tfpretune.tasks.multitask import open_tasks, read_places
from tfpretune.training import FitResult, make_strategy, resolve_precision
from tfpretune.training.adapters import save_adapter
from tfpretune.training.devices.strategies import is_chief
from tfpretune.training.loop.dry_run import describe
from tfpretune.training.loop.fingerprint import identity_of
from tfpretune.training.presets import save_preset

FIGURES = ("accuracy", "f1_macro")
SHARED = ("gradnorm", "pcgrad")  # they compare the tasks' gradients on the weights that all tasks use


@dataclasses.dataclass(frozen=True)
class Config(TaskConfig):
    """Settings."""

    source: str = "demo:reviews-zh"
    """Texts with several labels: csv:, jsonl: or tfds: with a column for each task, or demo:reviews-zh."""
    out_dir: str = "runs/multitask"
    preset: str = "runs/reviews/preset"
    tasks: tuple[str, ...] = ("label", "topic")
    """Columns of the source with a class for each text (of a demo, label is its own); an empty one does not count for its task.
    Or NAME=SOURCE for a task with texts of its own, whose column is label: topic=csv:news.csv"""
    labels_as_written: bool = False
    """Each spelling is a class of its own, such as NA, -1 beside 0 1 2, or Sport beside sport."""
    temperature: float = 1.0
    """With several sources: 1 fills batches in proportion to their sizes, more takes more of the small ones, inf takes as
    much of each."""
    weighting: Literal["fixed", "uncertainty", "gradnorm", "pcgrad"] = "fixed"
    """How the tasks' losses are weighed: by --weights, learnt as variances, evened out by gradient norms, or summed without
    the parts of gradients that oppose each other."""
    weights: tuple[float, ...] = ()
    """A factor for each task, in their order; empty: 1 each."""
    layered: bool = False
    """After the steps learn as many again with the backbone frozen: shared layers first, then the heads."""
    steps: int = 900
    batch_size: int = 32
    save_every_steps: int = 150
    sequence_length: int = 128
    """Tokens of a text that are read."""
    window_length: int = 64
    """Read them in windows of this length and average; 0 reads them at once."""
    optimizer: OptimizerConfig = OptimizerConfig(
        learning_rate=1e-3, warmup=0.1, multipliers=(("logits", 3.0), ("log_variance", 30.0))
    )

    def __post_init__(self) -> None:
        """Refuses values that cannot work."""
        super().__post_init__()
        read_places(self.tasks, self.source)
        length, window = self.sequence_length, self.window_length
        if window and length % window:
            raise UsageError(f"--sequence-length {length} is no multiple of --window-length {window}")
        if not self.temperature > 0:
            raise UsageError(f"--temperature must be above 0, received {self.temperature}")
        if len(self.tasks) < 2 or (self.weights and len(self.weights) != len(self.tasks)):
            raise UsageError("--tasks needs two or more, and --weights none or as many as there are tasks")
        if self.layered and (self.unfreeze_every or self.frozen == "all"):
            raise UsageError(
                "--layered freezes the backbone after the steps: it goes with no --unfreeze-every or --frozen all"
            )
        if self.weighting in SHARED and self.frozen == "all":
            raise UsageError(_nothing_shared(self))
        if self.weights and self.weighting not in ("fixed", "pcgrad"):
            raise UsageError(f"--weighting {self.weighting} finds the weights itself: leave --weights out")


def main(run: Config) -> FitResult | None:
    """Data, model, fit, report, save."""
    strategy = make_strategy(run.devices.replicas)
    places, most = read_places(run.tasks, run.source), 64 if run.fast else 0
    sources = open_tasks(places, most=most, seed=run.seed, labels_as_written=run.labels_as_written)
    names = {task: sources.class_names(task) for task in sources.places}
    tokenizer = load_tokenizer(run.preset)
    for source, parts in sources.parts.items():
        require_known(tokenizer, parts.train.inputs, source=source, preset=run.preset, limit=run.most_unknown)
    settings = {"tokenizer": tokenizer, "sequence_length": run.sequence_length, "seed": run.seed}
    batches = sources.batches("train", run.batch_size, temperature=run.temperature, **settings)
    validation = sources.batches("validation", run.batch_size, **settings)
    keras.utils.set_random_seed(run.seed)

    with strategy.scope():
        dtype, dropout = resolve_precision(run.precision), run.backbone_dropout
        backbone = load_backbone(run.preset, dtype=dtype, random_weights=run.from_scratch, dropout=dropout)
        model = multi_head(
            backbone,
            {task: Classes(len(names[task]), column=task, may_lack=True) for task in names},
            weighting=run.weighting,
            weights=dict(zip(names, run.weights, strict=False)),
            dropout=run.dropout,
            preprocessing=Preprocessing(run.window_length),
        )
    table = apply_methods(model, run)
    if run.weighting in SHARED and not (run.unfreeze_every or model.backbone.trainable_variables):
        raise UsageError(_nothing_shared(run))
    if run.dry_run:
        describe(model, batches, run)
        return None
    print(table)

    data = {f"source {number}": parts.train for number, parts in enumerate(sources.parts.values(), 1)}
    same = identity_of(backbone, batches, tokenizer=tokenizer, data=data)
    same["tasks"] = {task: [*names[task]] for task in names}
    result = fit_head(model, batches, run, validation=validation.in_order(), identity=same)
    if run.layered:
        learnt = model.backbone.trainable_variables
        freeze(model, "all")
        no_lora = dataclasses.replace(
            run, lora_rank=0, lora_alpha=0.0, lora_dropout=0.0, lora_layers=""
        )  # it is frozen, too
        heads = dataclasses.replace(no_lora, out_dir=f"{run.out_dir}/heads")
        model.compiled = False  # `fit` compiles it anew, for what learns now
        result = fit_head(model, batches, heads, validation=validation.in_order(), identity=same)
        for variable in learnt:
            variable.trainable = True  # it belongs to the adapter
        if run.lora_rank and is_chief(strategy):
            save_adapter(f"{run.out_dir}/adapter", model)  # the one of the shared steps has their heads

    tests = {source: text_batches(parts.test, run.batch_size, **settings) for source, parts in sources.parts.items()}
    answers = {source: predict_outputs(model, rows.in_order()) for source, rows in tests.items()}
    metrics: dict[str, float] = {}
    lines: list[list[Cell]] = []
    for task, (source, _) in sources.places.items():
        said = answers[source][task][sources.known(task, "test")]
        found = classification_metrics(sources.examples(task, "test").labels, said, names[task])
        lines.append([task, *(found[figure] for figure in FIGURES)])
        metrics |= {f"{task}/{figure}": value for figure, value in found.items()}
    report = write_report(
        run.out_dir,
        title=f"{', '.join(sources.parts)}: {', '.join(names)} on the test set",
        metrics={name: value for name, value in metrics.items() if name.split("/", 1)[1] in FIGURES},
        curves={"loss": {"training": result.curves["loss"], "validation": result.curves["val_loss"]}},
        tables=[Table("Tasks", ("", *FIGURES), lines)],
        settings=dataclasses.asdict(run) | {"licence": sources.licence},
        data=sources.near_copies(),
    )
    facts: dict[str, Any] = {
        "kind": "text",
        "source": next(iter(sources.parts)),
        "licence": sources.licence,
        "metrics": metrics,
    }
    facts |= {"sequence_length": run.sequence_length, "window_length": run.window_length}
    facts |= {"class_names": {task: [*names[task]] for task in names}}
    save_preset(f"{run.out_dir}/preset", model, tokenizer=tokenizer, task=facts)
    figures = ", ".join(f"{row[0]} accuracy {row[1]:.3f}" for row in lines)
    print(f"test {figures}\nreport: {report}")
    return result


def _nothing_shared(run: Config) -> str:
    return (
        f"--weighting {run.weighting} and --frozen {run.frozen}: it compares the tasks' gradients on the backbone, of which "
        "nothing learns: let part of it learn, or take fixed or uncertainty"
    )


if __name__ == "__main__":
    launch.run(Config, main, __doc__)
