"""Fine-tunes a pre-trained text backbone into a classifier of pairs of texts: paraphrase, entailment, same subject, likeness.

    python recipes/finetune_pairs.py --preset runs/pretrain_text/preset --source demo:bbc-pairs

Leaves OUT_DIR/preset (classifier, backbone, tokenizer), report/index.html (test set), logs (TensorBoard), checkpoints.
--label-kind number learns a number for each pair, such as how alike the texts are; --label-kind set several labels or none.
Then: python recipes/export.py --run-dir runs/finetune_pairs
"""

import dataclasses
import functools

import keras

from tfpretune.backbones import load_tokenizer
from tfpretune.data import pair_batches
from tfpretune.finetune import pair_head, start_head_from_probe
from tfpretune.settings import FinetuneConfig, OptimizerConfig, launch
from tfpretune.tasks import LABELS, fit_task, load_start, made_ready, open_parts, require_known
from tfpretune.training import FitResult, make_strategy, save_preset


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
    labels = LABELS[parts.train.label_kind]
    target = labels.target(parts.train, run)
    tokenizer = load_tokenizer(run.preset)
    texts = [*parts.train.inputs, *(parts.train.seconds or [])]
    require_known(tokenizer, texts, source=run.source, preset=run.preset, limit=run.most_unknown)
    make = functools.partial(pair_batches, tokenizer=tokenizer, sequence_length=run.sequence_length, seed=run.seed)
    batches, validation, test = (make(part, run.batch_size) for part in (parts.train, parts.validation, parts.test))
    keras.utils.set_random_seed(run.seed)

    with strategy.scope():
        name = f"pair_{labels.head}"
        model = pair_head(load_start(run), target, dropout=run.dropout, name=name)
    if not made_ready(model, batches, run):
        return None
    if run.probe_head and not run.from_scratch:
        start_head_from_probe(model, batches.in_order())

    task = labels(parts, validation.in_order(), test.in_order())
    result = fit_task(task, model, batches, run, tokenizer=tokenizer)
    report = task.report(model, run, result)
    facts = report.task | {"sequence_length": run.sequence_length}
    save_preset(f"{run.out_dir}/preset", model, tokenizer=tokenizer, task=facts)
    print(f"test {report.summary}\nreport: {report.page}")
    return result


if __name__ == "__main__":
    launch.run(Config, main, __doc__)
