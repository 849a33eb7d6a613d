"""Fine-tunes one pre-trained text backbone for two tasks at once: sentiment and topic of the same text.

    python recipes/multitask.py --preset runs/reviews/preset --source demo:reviews-zh --tasks label topic

The preset is what pretrain_text leaves, with --source demo:reviews-zh --out-dir runs/reviews
Of your own texts: --source csv:reviews.csv --tasks sentiment topic, columns beside "text" (jsonl: keys, tfds: features).
Leaves OUT_DIR/preset (model, backbone, tokenizer), report/index.html (each task on the test set), logs, checkpoints.
Then: python recipes/export.py --run-dir runs/multitask, one model with a signature for each task.
"""

import dataclasses

import tfpretune as tp
from tfpretune.settings import OptimizerConfig, WeighedTasks, WindowedText, launch


@dataclasses.dataclass(frozen=True)
class Config(WeighedTasks, WindowedText):
    """Settings."""

    source: str = "demo:reviews-zh"
    """Texts with several labels: csv:, jsonl: or tfds: with a column for each task, or demo:reviews-zh."""
    out_dir: str = "runs/multitask"
    preset: str = "runs/reviews/preset"
    tasks: tuple[str, ...] = ("label", "topic")
    steps: int = 900
    batch_size: int = 32
    save_every_steps: int = 150
    window_length: int = 64
    optimizer: OptimizerConfig = OptimizerConfig(
        learning_rate=1e-3, warmup=0.1, multipliers=(("logits", 3.0), ("log_variance", 30.0))
    )


def main(run: Config) -> "tp.training.FitResult | None":
    """Data, model, fit, report, save."""
    strategy = tp.training.make_strategy(run.devices.replicas)
    form, splits = tp.tasks.source_form(run), tp.tasks.split_form(run)
    sources = tp.tasks.open_tasks(run.places, form, most=64 if run.fast else 0, seed=run.seed, splits=splits)
    names = {task: sources.class_names(task) for task in sources.places}
    tokenizer = tp.backbones.load_tokenizer(run.preset)
    for source, parts in sources.parts.items():
        tp.tasks.require_known(tokenizer, parts.train.inputs, source=source, preset=run.preset, limit=run.most_unknown)
    reads = {"tokenizer": tokenizer, "sequence_length": run.sequence_length, "seed": run.seed}
    batches = sources.batches("train", run.batch_size, temperature=run.temperature, **reads)
    tp.training.set_random_seed(run.seed)

    with strategy.scope():
        model = tp.finetune.multi_head(
            tp.tasks.load_start(run),
            {task: tp.objectives.Classification(len(names[task]), column=task, may_lack=True) for task in names},
            weighting=run.weighting,
            weights=dict(zip(names, run.weights, strict=False)),
            dropout=run.dropout,
            preprocessing=tp.backbones.Preprocessing(run.window_length),
        )
    if not tp.tasks.made_ready(model, batches, run):
        return None

    several = tp.tasks.SeveralTasks(sources, run.batch_size, **reads)
    result = (tp.tasks.fit_layered if run.layered else tp.tasks.fit_task)(
        several, model, batches, run, tokenizer=tokenizer
    )
    report = several.report(model, run, result)
    tp.training.save_preset(f"{run.out_dir}/preset", model, tokenizer=tokenizer, task=report.task | run.reads)
    launch.close(f"test {report.summary}", report.page, launch.to_export(run), verdict=report.verdict)
    return result


if __name__ == "__main__":
    launch.run(Config, main, __doc__)
