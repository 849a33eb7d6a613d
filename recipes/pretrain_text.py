"""Pre-trains a text backbone on texts without labels: vocabulary, packed rows, masked language model.

    python recipes/pretrain_text.py --source demo:bbc --out-dir runs/pretrain_text

Leaves OUT_DIR/preset (backbone and tokenizer), report/index.html (loss, unigram entropy), logs (TensorBoard), checkpoints.
About 3.3 minutes on 2 cores; expect a validation loss of 4.77; the unigram entropy is 6.84.
A run that ends near the unigram entropy knows word counts only and is worth nothing: more steps or a higher learning rate.
What an --objective is made of stands in the table of tfpretune/tasks/pretraining/texts.py.
"""

import dataclasses
import functools
from typing import Any

import tfpretune as tp
from tfpretune.settings import OptimizerConfig, launch, require_fractions


@dataclasses.dataclass(frozen=True)
class Config(tp.tasks.TextPretrainingConfig):
    """Settings."""

    source: str = "demo:bbc"
    """Texts, labels are not used: demo:NAME, tfds:NAME, csv:FILES, jsonl:FILES, text:FILES, shards:FOLDER of prepare_text."""
    out_dir: str = "runs/pretrain_text"
    steps: int = 1500
    batch_size: int = 32
    backbone: str = "mini"
    """mini, small, medium or base; with bert- in front KerasHub's post-norm BERT of that size."""
    dropout: float = 0.0
    """0 is best for pre-training in a small budget; for long runs try 0.1."""
    optimizer: OptimizerConfig = OptimizerConfig(learning_rate=2e-3, multipliers=(("token_embedding", 3.0),))

    def __post_init__(self) -> None:
        """Refuses values that cannot work."""
        super().__post_init__()
        require_fractions(self, "dropout")


def main(run: Config) -> "tp.training.FitResult | None":
    """Data, model, fit, save, report."""
    strategy, objective = tp.training.make_strategy(run.devices.replicas), tp.tasks.TEXT_OBJECTIVES[run.objective]
    if run.source.startswith("shards:"):
        data = tp.tasks.sequences_on_disk(run.source.removeprefix("shards:"), run, preset=run.preset, fast=run.fast)
    else:
        form = tp.tasks.source_form(run, label_column="")
        few: dict[str, Any] = {"most": 300 if run.fast else 0, "seed": run.seed}
        opened = functools.partial(tp.data.pretraining_parts, run.source, form, kind="text", **few)
        parts = tp.tasks.splits_of_run(run, lambda splits: opened(splits=splits))
        data = tp.tasks.sequences_in_memory(parts, run, preset=run.preset, seed=run.seed)
    hide, size = objective.transform(run, data.tokenizer), run.batch_size
    batches = tp.data.StepIndexed({"token_ids": data.train}, size, seed=run.seed, transform=hide)
    held_out = tp.data.StepIndexed({"token_ids": data.validation}, size, seed=run.seed, transform=hide).in_order()
    tp.training.set_random_seed(run.seed)

    with strategy.scope():
        dtype = tp.training.resolve_precision(run.precision)
        if run.preset:
            backbone = tp.backbones.load_backbone(run.preset, dtype=dtype)
        else:
            sizes = {"vocabulary_size": data.tokenizer.vocabulary_size(), "sequence_length": run.sequence_length}
            backbone = tp.backbones.make_text_backbone(run.backbone, **sizes, dropout=run.dropout, dtype=dtype)
        model = objective.make_model(backbone, run)
    if run.dry_run:
        tp.training.describe(model, batches, run)
        return None

    pages = [objective.make_page(data, f"{run.out_dir}/logs")] if objective.make_page else []
    with tp.data.damage_named():
        about = tp.training.fingerprint_of(backbone, batches, tokenizer=data.tokenizer, data=data.data)
        result = tp.training.fit(model, batches, run, validation=held_out, callbacks=pages, identity=about)
    tp.training.save_preset(f"{run.out_dir}/preset", model, tokenizer=data.tokenizer)

    figures = model.evaluate(held_out, verbose=0, return_dict=True)
    found = objective.judge(figures, data)
    figures, counts = figures | dict(found.figures), data.data.near_copies()
    report = tp.tasks.report_pretraining(run, result, figures, loss_levels=found.levels, data=counts, notes=found.notes)
    print(f"preset: {run.out_dir}/preset")
    verdict = tp.tasks.curves_verdict(result, run)
    launch.close(found.printed, report, launch.to_finetune("finetune_text", run), verdict=verdict)
    return result


if __name__ == "__main__":
    launch.run(Config, main, __doc__)
