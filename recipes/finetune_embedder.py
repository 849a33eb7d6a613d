"""Fine-tunes a pre-trained backbone of texts or images to embeddings: near for examples of one class, far for others.

    python recipes/finetune_embedder.py --preset runs/pretrain_text/preset --source demo:bbc

For images: --preset runs/pretrain_image/preset --source demo:mnist5k. The loss is supervised contrastive; the run is judged on
the validation set by the mean average precision of searching it. Leaves OUT_DIR/preset (embedder, backbone, tokenizer),
report/index.html (recall at 1, 5 and 10 of the test set, beside the backbone before fine-tuning and TF-IDF or pixels),
logs (TensorBoard), checkpoints. Then: python recipes/export.py --run-dir runs/finetune_embedder
"""

import dataclasses
from typing import Any

import tfpretune as tp
from tfpretune.settings import EmbeddingConfig, OptimizerConfig, launch


@dataclasses.dataclass(frozen=True)
class Config(EmbeddingConfig):
    """Settings."""

    source: str = "demo:bbc"
    """Texts or images with classes."""
    out_dir: str = "runs/finetune_embedder"
    preset: str = "runs/pretrain_text/preset"
    steps: int = 240
    batch_size: int = 32
    save_every_steps: int = 40
    sequence_length: int = 256
    optimizer: OptimizerConfig = OptimizerConfig(learning_rate=1e-3, warmup=0.1)


def main(run: Config) -> "tp.training.FitResult | None":
    """Data, model, fit, report, save."""
    strategy, most = tp.training.make_strategy(run.devices.replicas), 64 if run.fast else 0
    form = tp.tasks.source_form(run, label_kind="single")
    few = {"labels_per_class": run.labels_per_class, "most": most, "seed": run.seed}
    parts = tp.tasks.splits_of_run(run, lambda own: tp.data.labelled_splits(run.source, form, splits=own, **few))
    if run.labels_per_class and not run.choose_on_validation:
        parts = dataclasses.replace(parts, validation=parts.validation.take([]))
    kind, text = parts.train.kind, parts.train.kind == "text"
    tokenizer = tp.backbones.load_tokenizer(run.preset) if text else None
    if text:
        tp.tasks.require_known(
            tokenizer, parts.train.inputs, source=run.source, preset=run.preset, limit=run.most_unknown
        )
    tp.training.set_random_seed(run.seed)

    with strategy.scope():
        reads = tp.tasks.INPUTS[kind].preprocessing_of(
            run.preset, window_length=run.window_length, image_size=run.image_size
        )
        model = tp.finetune.embedder(
            tp.tasks.load_start(run), run.size, temperature=run.temperature, dropout=run.dropout, preprocessing=reads
        )
    shape: Any = None if text else tuple(model.input["images"].shape[1:])
    make = (tp.tasks.TextInputs(tokenizer, run.sequence_length) if text else tp.tasks.ImageInputs(shape)).batches
    moved = None if text else tp.data.augmented(**run.moves)
    batches = tp.data.class_balanced(make(parts.train, run.batch_size, seed=run.seed, transform=moved), run.per_class)
    if not tp.tasks.made_ready(model, batches, run):
        return None

    task = tp.tasks.EmbeddingTask.before(model, parts, make, batch_size=run.batch_size, seed=run.seed)
    result = tp.tasks.fit_task(task, model, batches, run, tokenizer=tokenizer)
    report = task.report(model, run, result)
    facts = report.task | (run.reads if text else {})
    tp.training.save_preset(f"{run.out_dir}/preset", model, tokenizer=tokenizer, task=facts)
    launch.close(f"test {report.summary}", report.page, launch.to_export(run), verdict=report.verdict)
    return result


if __name__ == "__main__":
    launch.run(Config, main, __doc__)
