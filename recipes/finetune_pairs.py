"""Fine-tunes a pre-trained text backbone into a classifier of pairs of texts: paraphrase, entailment, same subject, likeness.

    python recipes/finetune_pairs.py --preset runs/pretrain_text/preset --source demo:bbc-pairs

Leaves OUT_DIR/preset (classifier, backbone, tokenizer), report/index.html (test set), logs (TensorBoard), checkpoints.
--label-kind number learns a number for each pair, such as how alike the texts are; --label-kind set several labels or none.
Then: python recipes/export.py --run-dir runs/finetune_pairs
"""

import dataclasses

import keras

from tfpretune.backbones.by_name import load_backbone, load_tokenizer
from tfpretune.data.batches.pairs import pair_batches
from tfpretune.finetune import pair_head, start_head_from_probe
from tfpretune.settings import launch
from tfpretune.settings.finetune import FinetuneConfig
from tfpretune.settings.run import OptimizerConfig
from tfpretune.tasks.classification import HEADS, fit_labelled, make_target, open_parts, report_labelled
from tfpretune.tasks.known_words import require_known
from tfpretune.tasks.methods import apply_methods
from tfpretune.training import FitResult, make_strategy, resolve_precision
from tfpretune.training.loop.dry_run import describe
from tfpretune.training.presets import save_preset


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


def main(run: Config) -> FitResult | None:
    """Data, model, fit, report, save."""
    strategy = make_strategy(run.devices.replicas)
    parts = open_parts(run, pair_column=run.pair_column)
    target = make_target(parts.train, run)
    tokenizer = load_tokenizer(run.preset)
    require_known(
        tokenizer,
        [*parts.train.inputs, *(parts.train.seconds or [])],
        source=run.source,
        preset=run.preset,
        limit=run.most_unknown,
    )
    settings = {"tokenizer": tokenizer, "sequence_length": run.sequence_length, "seed": run.seed}
    batches = pair_batches(parts.train, run.batch_size, **settings)
    validation = pair_batches(parts.validation, run.batch_size, **settings).in_order()
    test = pair_batches(parts.test, run.batch_size, **settings).in_order()
    keras.utils.set_random_seed(run.seed)

    with strategy.scope():
        dtype, dropout = resolve_precision(run.precision), run.backbone_dropout
        backbone = load_backbone(run.preset, dtype=dtype, random_weights=run.from_scratch, dropout=dropout)
        name = f"pair_{HEADS[parts.train.label_kind]}"
        model = pair_head(backbone, target, dropout=run.dropout, name=name)
    table = apply_methods(model, run)
    if run.dry_run:
        describe(model, batches, run)
        return None
    print(table)
    if run.probe_head and not run.from_scratch:
        start_head_from_probe(model, batches.in_order())

    watched = {"validation": validation, "examples": parts.validation}
    result = fit_labelled(model, batches, run, train=parts.train, tokenizer=tokenizer, **watched)
    both = [f"{first}\n{second}" for first, second in zip(parts.test.inputs, parts.test.seconds or [], strict=True)]
    report = report_labelled(model, run, result, parts=parts, validation=validation, batches=test, inputs=both)
    task = report.task | {"sequence_length": run.sequence_length} | parts.form.as_task()
    save_preset(f"{run.out_dir}/preset", model, tokenizer=tokenizer, task=task)
    print(f"test {report.summary}\nreport: {report.page}")
    return result


if __name__ == "__main__":
    launch.run(Config, main, __doc__)
