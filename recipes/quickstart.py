"""The whole job twice, on images and on text: pre-train, fine-tune on few labels, compare with training from scratch, serve.

    python recipes/quickstart.py

Images: 5,000 handwritten digits (demo:mnist5k), denoising autoencoder, 10 labels per class.
Text: 2,124 news texts in 5 topics (demo:bbc), masked language model, 10 and 50 labels per class.
A trial sees no other label: no validation split chooses its checkpoint, all steps are made and the last weights are scored.
About 9 minutes on 2 cores; expect the tables of the README.
Leaves OUT_DIR/{images,text}/ (preset, logs, report/index.html), OUT_DIR/results.md and saved_models/{digits,news}/1/.
"""

import dataclasses
import time
from pathlib import Path

import tfpretune as tp
from tfpretune.settings import OptimizerConfig, SeedsConfig, launch

IMAGE_SHAPE = (28, 28, 1)
IMAGE_RATE = OptimizerConfig(learning_rate=3e-3, weight_decay=0.05, warmup=0.1)
IMAGE_SIDES = [
    tp.experiments.Side(tp.experiments.SCRATCH, False, 300, IMAGE_RATE),
    tp.experiments.Side(tp.experiments.PRETRAINED, True, 300, IMAGE_RATE, init_head_from_probe=True),
]
WINDOWS = {"sequence_length": 512, "window_length": 128}
SCRATCH_10 = OptimizerConfig(learning_rate=1e-3, warmup=0.1, multipliers=(("logits", 5.0),))
SCRATCH_50 = OptimizerConfig(learning_rate=2e-3, warmup=0.1)
TUNED_10 = OptimizerConfig(learning_rate=1e-4, warmup=0.1, multipliers=(("logits", 3.0),))
TUNED_50 = OptimizerConfig(learning_rate=3e-4, warmup=0.1, multipliers=(("logits", 3.0),))
TEXT_SIDES = {  # labels per class -> sides, each with the best settings of those that were tried for it
    10: [
        tp.experiments.Side(tp.experiments.SCRATCH, False, 60, SCRATCH_10, head_dropout=0.3, backbone_dropout=0.1),
        tp.experiments.Side(tp.experiments.PRETRAINED, True, 60, TUNED_10, init_head_from_probe=True),
    ],
    50: [
        tp.experiments.Side(tp.experiments.SCRATCH, False, 160, SCRATCH_50),
        tp.experiments.Side(tp.experiments.PRETRAINED, True, 160, TUNED_50, init_head_from_probe=True),
    ],
}
NEXT = """Next:
  .venv/bin/tfpretune board {out_dir}
  .venv/bin/tfpretune run finetune_text --source csv:reviews.csv --preset {out_dir}/text/preset --out-dir runs/mine
  .venv/bin/tfpretune predict {saved_models}/news 'The striker scored twice in the second half.'"""


@dataclasses.dataclass(frozen=True)
class Config(SeedsConfig):
    """Settings."""

    out_dir: str = "runs/quickstart"
    """Folder of the runs. Pre-training that is finished there is not done again."""
    saved_models: str = "saved_models"
    """Folder of the served models."""


def main(run: Config) -> "list[tp.evaluation.Table]":
    """Digits, then news; each from unlabelled data to a checked SavedModel."""
    tp.experiments.begin_trials()
    started, recipes = time.perf_counter(), Path(__file__).parent
    amount = {"seeds": run.seeds, "most_steps": 2 if run.fast else 0}

    preset = tp.experiments.pretrain(
        recipes / "pretrain_image.py", "demo:mnist5k", out_dir=f"{run.out_dir}/images", fast=run.fast
    )
    parts, moved = tp.data.labelled_splits("demo:mnist5k"), tp.data.augmented(shift=2, rotate_degrees=15.0, scale=0.1)
    images = tp.experiments.image_trials(
        preset, parts, image_shape=IMAGE_SHAPE, batch_size=32, transform=moved, **amount
    )
    digits = tp.experiments.compare_and_deliver(
        images,
        {10: IMAGE_SIDES},
        baselines={"logistic regression on pixels": tp.experiments.pixel_regression(IMAGE_SHAPE)},
        out_dir=f"{run.out_dir}/digits",
        saved_models=run.saved_models,
        reads={"image_shape": IMAGE_SHAPE},
    )
    preset = tp.experiments.pretrain(
        recipes / "pretrain_text.py", "demo:bbc", out_dir=f"{run.out_dir}/text", fast=run.fast
    )
    texts = tp.experiments.text_trials(preset, tp.data.labelled_splits("demo:bbc"), **WINDOWS, batch_size=16, **amount)
    news = tp.experiments.compare_and_deliver(
        texts,
        TEXT_SIDES,
        baselines={"TF-IDF + logistic regression": tp.experiments.tfidf_regression},
        out_dir=f"{run.out_dir}/news",
        saved_models=run.saved_models,
        reads=WINDOWS,
        tokenizer=tp.backbones.load_tokenizer(preset),
    )
    results = "\n".join(table.markdown() for table in (digits, news))
    Path(run.out_dir, "results.md").write_text(results, "utf-8")
    places = f"Reports: {run.out_dir}/*/report/index.html. Models: {run.saved_models}/*/"
    print(f"\n{results}\n{(time.perf_counter() - started) / 60:.1f} minutes. {places}\n")
    print(NEXT.format(out_dir=run.out_dir, saved_models=run.saved_models))
    return [digits, news]


if __name__ == "__main__":
    launch.run(Config, main, __doc__)
