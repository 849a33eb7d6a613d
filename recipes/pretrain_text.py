"""Pre-trains a text backbone on texts without labels: vocabulary, packed rows, masked language model.

    python recipes/pretrain_text.py --source demo:bbc --out-dir runs/pretrain_text

Leaves OUT_DIR/preset (backbone and tokenizer), report/index.html (loss with the unigram line), logs (TensorBoard), checkpoints.
About 3 minutes on 2 cores; expect a validation loss of 4.75, the unigram line being at 6.84.
A run that ends near the unigram line has learnt word counts only and is worth nothing: give it more steps or a higher rate.
"""

import dataclasses
from typing import Literal

import keras
import tensorflow as tf

from tfpretune import config
from tfpretune.backbones import TextEncoderTokenizer
from tfpretune.backbones.sizes import load_backbone, load_tokenizer, make_text_backbone
from tfpretune.config import OptimizerConfig, RunConfig
from tfpretune.data.batches import StepIndexed
from tfpretune.data.columns import require_kind
from tfpretune.data.masking import mask_tokens
from tfpretune.data.sources import open_source
from tfpretune.data.tokens import pack, train_wordpiece, unigram_loss
from tfpretune.evaluation.report import write_pretraining_report
from tfpretune.objectives import MaskedLM
from tfpretune.training import FitResult, fit, make_strategy, resolve_precision
from tfpretune.training.dry_run import describe
from tfpretune.training.pages_text import FillingsPage
from tfpretune.training.presets import save_preset


@dataclasses.dataclass(frozen=True)
class Config(RunConfig):
    """Settings."""

    source: str = "demo:bbc"
    """Texts, labels are not used: demo:NAME, tfds:NAME, csv:FILES, jsonl:FILES, text:FILES."""
    out_dir: str = "runs/pretrain_text"
    """Folder of the run: settings, checkpoints, logs, preset, report."""
    steps: int = 1500
    """Optimizer steps; 0 to give --epochs."""
    objective: Literal["mlm"] = "mlm"
    """mlm: guess hidden tokens."""
    backbone: str = "mini"
    """mini, small, medium or base; with bert- in front KerasHub's post-norm BERT of that size."""
    vocabulary_size: int = 8000
    """Upper bound of the tokens that are learnt from the texts; not used with --preset."""
    lowercase: bool = True
    """Fold case."""
    sequence_length: int = 128
    """Tokens in a row. Texts are joined and cut, so no row is padded."""
    mask_rate: float = 0.4
    """Share of the tokens that is hidden; 0.15 in the paper, 0.4 learns faster (Wettig et al. 2022, arXiv:2202.08005)."""
    batch_size: int = 32
    """Rows a step, over all replicas."""
    dropout: float = 0.0
    """0 is best for pre-training in a small budget; for long runs try 0.1."""
    optimizer: OptimizerConfig = OptimizerConfig(learning_rate=2e-3, multipliers=(("token_embedding", 3.0),))


def main(run: Config) -> FitResult | None:
    """Data, model, fit, save."""
    config.require_shares(run, "mask_rate", "dropout")
    strategy = make_strategy(run.devices.replicas)
    examples = require_kind(open_source(run.source), "text").without_duplicates()
    examples = examples.sample(300, seed=run.seed) if run.fast else examples
    train, validation = examples.split("train"), examples.split("validation")
    if run.preset:
        tokenizer = load_tokenizer(run.preset)
    else:
        vocabulary = train_wordpiece(train.inputs, run.vocabulary_size, lowercase=run.lowercase)
        tokenizer = TextEncoderTokenizer(vocabulary, lowercase=run.lowercase, strip_accents=run.lowercase)
    rows = pack(tokenizer, train.inputs, sequence_length=run.sequence_length)
    keras.utils.set_random_seed(run.seed)

    with strategy.scope():
        dtype = resolve_precision(run.precision)
        if run.preset:
            backbone = load_backbone(run.preset, dtype=dtype)
        else:
            sizes = {"vocabulary_size": len(vocabulary), "sequence_length": run.sequence_length}
            backbone = make_text_backbone(run.backbone, **sizes, dropout=run.dropout, dtype=dtype)
        model = MaskedLM(backbone)

    def transform(batch: dict[str, tf.Tensor], seed: tf.Tensor) -> dict[str, tf.Tensor]:
        ids = {"vocabulary_size": tokenizer.vocabulary_size(), "mask_token_id": tokenizer.mask_token_id}
        special = tuple(tokenizer.special_token_ids)
        masked = mask_tokens(batch["token_ids"], seed, **ids, special_token_ids=special, mask_rate=run.mask_rate)
        padding_mask = tf.cast(batch["token_ids"] != tokenizer.pad_token_id, tf.int32)
        return masked | {"padding_mask": padding_mask}

    batches = StepIndexed({"token_ids": rows}, run.batch_size, seed=run.seed, transform=transform)
    held_out = pack(tokenizer, validation.inputs, sequence_length=run.sequence_length)
    validation_batches = StepIndexed({"token_ids": held_out}, run.batch_size, seed=run.seed, transform=transform)
    if run.dry_run:
        describe(model, batches, run)
        return None

    pages = [FillingsPage(tokenizer, validation.sample(5, seed=run.seed).inputs, log_dir=f"{run.out_dir}/logs")]
    result = fit(model, batches, run, validation=validation_batches.in_order(), callbacks=pages)

    figures = model.evaluate(validation_batches.in_order(), verbose=0, return_dict=True)
    plateau = unigram_loss(rows, special_token_ids=tuple(tokenizer.special_token_ids))
    save_preset(f"{run.out_dir}/preset", model, tokenizer=tokenizer)
    left = figures["masked_lm"] < plateau - 0.3
    verdict = (
        "left the plateau" if left else "STILL ON THE PLATEAU: give more steps or a higher rate, it is of no use yet"
    )
    report = write_pretraining_report(
        run.out_dir,
        title=f"Pre-training on {run.source}",
        metrics=figures | {"unigram_loss": plateau},
        curves={"loss": {"training": result.curves["loss"], "validation": result.curves["val_loss"]}},
        hlines={"loss": {"unigram loss": plateau}},
        settings=dataclasses.asdict(run),
        notes=[f"Validation loss {figures['masked_lm']:.3f}, unigram loss {plateau:.3f}: {verdict}."],
    )
    print(f"validation loss {figures['masked_lm']:.3f}, unigram loss {plateau:.3f}: {verdict}")
    print(f"masked accuracy {figures['masked_accuracy']:.3f}\npreset: {run.out_dir}/preset\nreport: {report}")
    return result


if __name__ == "__main__":
    config.run(Config, main, __doc__)
