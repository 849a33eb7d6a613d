"""Fine-tunes a pre-trained text backbone into a classifier of pairs of texts: paraphrase, entailment, same subject, likeness.

    python recipes/finetune_pairs.py --preset runs/pretrain_text/preset --source demo:bbc-pairs

Leaves OUT_DIR/preset (classifier, backbone, tokenizer), report/index.html (test set), logs (TensorBoard), checkpoints.
--label-kind regression learns a number for each pair, such as how alike the texts are;
--label-kind multi-label several labels or none.
Then: python recipes/export.py --run-dir runs/finetune_pairs
"""

import dataclasses
import functools
from typing import Any

import tfpretune as tp
from tfpretune.settings import FinetuneConfig, OptimizerConfig, launch


@dataclasses.dataclass(frozen=True)
class Config(FinetuneConfig):
    """Settings."""

    source: str = "demo:bbc-pairs"
    """Pairs of texts with labels: csv:FILES, jsonl:FILES (columns text, text_pair, label), demo:bbc-pairs."""
    out_dir: str = "runs/finetune_pairs"
    preset: str = "runs/pretrain_text/preset"
    steps: int = 600
    batch_size: int = 32
    save_every_steps: int = 100
    sequence_length: int = 128
    """Tokens of both texts together that are read."""
    pair_column: str = "text_pair"
    """Column of the second text."""
    optimizer: OptimizerConfig = OptimizerConfig(learning_rate=3e-4, warmup=0.1, multipliers=(("logits", 3.0),))


def main(run: Config) -> "tp.training.FitResult | None":
    """Data, model, fit, report, save."""
    strategy = tp.training.make_strategy(run.devices.replicas)
    parts = tp.tasks.open_splits(run)
    labels = tp.tasks.LABELS[parts.train.label_kind]
    tokenizer = tp.backbones.load_tokenizer(run.preset)
    texts = [*parts.train.inputs, *(parts.train.seconds or [])]
    tp.tasks.require_known(tokenizer, texts, source=run.source, preset=run.preset, limit=run.most_unknown)
    make = functools.partial(tp.data.pair_batches, tokenizer=tokenizer, sequence_length=run.sequence_length)

    def build(train: "tp.data.Examples", seed: int) -> "tp.objectives.Supervised":
        """A new model for these examples; folds have one each."""
        tp.training.set_random_seed(seed)
        target, name = labels.target(train, run), f"pair_{labels.head}"
        with strategy.scope():
            return tp.finetune.pair_head(tp.tasks.load_start(run), target, dropout=run.dropout, name=name)

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
    facts = report.task | {"sequence_length": run.sequence_length}
    tp.training.save_preset(f"{run.out_dir}/preset", model, tokenizer=tokenizer, task=facts)
    launch.close(report.closing, report.page, launch.to_export(run), verdict=report.verdict)
    return result


if __name__ == "__main__":
    launch.run(Config, main, __doc__)
