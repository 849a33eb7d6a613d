"""Fine-tunes a pre-trained text backbone into a classifier, with few labels or many; also on sets of labels and on numbers.

    python recipes/finetune_text.py --preset runs/pretrain_text/preset --source demo:bbc --labels-per-class 10

Leaves OUT_DIR/preset (classifier, backbone, tokenizer), report/index.html (test set), logs (TensorBoard), checkpoints. About
40 seconds on 2 cores; expect an accuracy of 0.92 on the test set with this command.
--label-kind multi-label: several labels per text or none ("sport;politics"), --label-kind regression: a number. To try:
--source demo:people-daily-kinds (multi-label), demo:vader-movie (regression).
Then: python recipes/export.py --run-dir runs/finetune_text
"""

import dataclasses
import functools
from typing import Any

import tfpretune as tp
from tfpretune.settings import FinetuneConfig, OptimizerConfig, WindowedText, launch


@dataclasses.dataclass(frozen=True)
class Config(WindowedText, FinetuneConfig):
    """Settings."""

    source: str = "demo:bbc"
    """Texts with labels: demo:NAME, tfds:NAME, csv:FILES, jsonl:FILES, text:FOLDER/."""
    out_dir: str = "runs/finetune_text"
    preset: str = "runs/pretrain_text/preset"
    steps: int = 120
    batch_size: int = 16
    save_every_steps: int = 20
    sequence_length: int = 512
    optimizer: OptimizerConfig = OptimizerConfig(learning_rate=3e-4, warmup=0.1, multipliers=(("logits", 3.0),))


def main(run: Config) -> "tp.training.FitResult | None":
    """Data, model, fit, report, save."""
    strategy = tp.training.make_strategy(run.devices.replicas)
    parts = tp.tasks.open_splits(run)
    labels = tp.tasks.LABELS[parts.train.label_kind]
    tokenizer = tp.backbones.load_tokenizer(run.preset)
    tp.tasks.require_known(tokenizer, parts.train.inputs, source=run.source, preset=run.preset, limit=run.most_unknown)
    make = functools.partial(tp.data.text_batches, tokenizer=tokenizer, sequence_length=run.sequence_length)

    def build(train: "tp.data.Examples", seed: int) -> "tp.objectives.Supervised":
        """A new model for these examples; folds have one each."""
        tp.training.set_random_seed(seed)
        with strategy.scope():
            return tp.finetune.pooled_head(
                tp.tasks.load_start(run),
                labels.target(train, run),
                preprocessing=tp.backbones.Preprocessing(run.window_length),
                dropout=run.dropout,
                name=labels.head,
            )

    def learn(train: "tp.data.Examples", seed: int) -> "tp.data.StepIndexed":
        return make(train, run.batch_size, seed=seed)

    def read(part: "tp.data.Examples") -> Any:
        return make(part, run.batch_size, seed=run.seed).in_order() if len(part) else None

    model, batches = build(parts.train, run.seed), learn(parts.train, run.seed)
    if not tp.tasks.made_ready(model, batches, run, folds=parts.folds):
        return None
    held_out = tp.tasks.cross_validate(run, parts, build=build, learn=learn, read=read)  # where there are few labels
    if run.init_head_from_probe and not run.from_scratch:
        tp.finetune.start_head_from_probe(model, read(parts.train))

    task = labels(parts, read(parts.validation), read(parts.test), held_out=held_out)
    result = tp.tasks.fit_task(task, model, batches, run, tokenizer=tokenizer)
    report = task.report(model, run, result)
    tp.training.save_preset(f"{run.out_dir}/preset", model, tokenizer=tokenizer, task=report.task | run.reads)
    launch.close(report.closing, report.page, launch.to_export(run), verdict=report.verdict)
    return result


if __name__ == "__main__":
    launch.run(Config, main, __doc__)
