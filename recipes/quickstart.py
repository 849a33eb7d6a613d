"""The whole job twice, on images and on text: pre-train, fine-tune on few labels, compare with training from scratch, serve.

    python recipes/quickstart.py

Images: 5,000 handwritten digits (demo:mnist5k), denoising autoencoder, 10 labels a class.
Text: 2,124 news texts in 5 topics (demo:bbc), masked language model, 10 and 50 labels a class.
About 9 minutes on 2 cores; expect the tables of the README.
Leaves OUT_DIR/{images,text}/ (preset, logs, report/index.html), OUT_DIR/results.md and saved_models/{digits,news}/1/.
"""

import dataclasses
import functools
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfpretune.backbones.by_name import load_tokenizer
from tfpretune.data.batches.examples import image_array, image_batches, text_batches
from tfpretune.data.batches.transforms import jitter
from tfpretune.data.examples.examples import Examples
from tfpretune.data.sources.labelled import labelled_parts
from tfpretune.errors import RunError, UsageError
from tfpretune.evaluation.baselines.linear import pixel_baseline, tfidf_baseline
from tfpretune.evaluation.report.tables import Table
from tfpretune.experiments.comparison import COLUMNS, PRETRAINED, SCRATCH, Side, Trials, compare
from tfpretune.experiments.export_and_verify import deliver
from tfpretune.finetune import classifier
from tfpretune.serving import verify
from tfpretune.settings import launch
from tfpretune.settings.run import OptimizerConfig

IMAGE_SHAPE = (28, 28, 1)
IMAGE_RATE = OptimizerConfig(learning_rate=3e-3, weight_decay=0.05, warmup=0.1)
IMAGE_SIDES = [Side(SCRATCH, False, 300, IMAGE_RATE), Side(PRETRAINED, True, 300, IMAGE_RATE, probe_head=True)]
WINDOWS = {"sequence_length": 512, "window_length": 128}
SCRATCH_10 = OptimizerConfig(learning_rate=1e-3, warmup=0.1, multipliers=(("logits", 5.0),))
SCRATCH_50 = OptimizerConfig(learning_rate=2e-3, warmup=0.1)
TUNED_10 = OptimizerConfig(learning_rate=1e-4, warmup=0.1, multipliers=(("logits", 3.0),))
TUNED_50 = OptimizerConfig(learning_rate=3e-4, warmup=0.1, multipliers=(("logits", 3.0),))
TEXT_SIDES = {  # labels a class -> sides, each with the best settings of those that were tried for it
    10: [
        Side(SCRATCH, False, 60, SCRATCH_10, head_dropout=0.3, backbone_dropout=0.1),
        Side(PRETRAINED, True, 60, TUNED_10, probe_head=True),
    ],
    50: [Side(SCRATCH, False, 160, SCRATCH_50), Side(PRETRAINED, True, 160, TUNED_50, probe_head=True)],
}
NEXT = """Next:
  .venv/bin/tfpretune board {out_dir}
  .venv/bin/tfpretune run finetune_text --source csv:reviews.csv --preset {out_dir}/text/preset --out-dir runs/mine
  .venv/bin/tfpretune predict {saved_models}/news 'The striker scored twice in the second half.'"""


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings."""

    out_dir: str = "runs/quickstart"
    """Folder of the runs. Pre-training that is finished there is not done again."""
    saved_models: str = "saved_models"
    """Folder of the served models."""
    seeds: int = 3
    """Draws of the labels and of the start weights that each figure is the mean of, at least 2."""
    fast: bool = False
    """Rehearse on a few batches: the figures mean nothing."""

    def __post_init__(self) -> None:
        """Refuses what gives no standard deviation."""
        if self.seeds < 2:
            raise UsageError(f"--seeds must be at least 2, received {self.seeds}")


def main(run: Config) -> list[Table]:
    """Images, then text; each from unlabelled data to a checked SavedModel."""
    tf.config.experimental.enable_op_determinism()
    tf.get_logger().setLevel("ERROR")  # many small models, so many traces: no news
    started = time.perf_counter()
    tables = [images(run), text(run)]
    results = "\n".join(table.markdown() for table in tables)
    Path(run.out_dir, "results.md").write_text(results, "utf-8")
    minutes = (time.perf_counter() - started) / 60
    places = f"Reports: {run.out_dir}/*/report/index.html. Models: {run.saved_models}/*/"
    print(f"\n{results}\n{minutes:.1f} minutes. {places}\n")
    print(NEXT.format(out_dir=run.out_dir, saved_models=run.saved_models))
    return tables


def images(run: Config) -> Table:
    """Digits: denoising autoencoder, then 10 labels a class."""
    preset = pretrain("pretrain_image", "demo:mnist5k", f"{run.out_dir}/images", run.fast)
    parts = labelled_parts("demo:mnist5k")
    trials = Trials(
        preset,
        parts.train,
        parts.test,
        make_batches=functools.partial(image_batches, image_shape=IMAGE_SHAPE),
        make_model=functools.partial(classifier, num_classes=10),
        batch_size=32,
        seeds=run.seeds,
        transform=jitter(shift=2, rotate_degrees=15.0, scale=0.1),
        most_steps=2 if run.fast else 0,
    )

    def regression(few: Examples, test: Examples) -> np.ndarray:
        pixels = [image_array(part, IMAGE_SHAPE) for part in (few, test)]
        return pixel_baseline(pixels[0], few.known_labels, pixels[1], num_classes=10)

    found = compare(trials, IMAGE_SIDES, labels=10, baselines={"logistic regression on pixels": regression})
    title = f"demo:mnist5k: accuracy on {len(parts.test)} test images"
    table = Table(title, COLUMNS, found.rows(), note=found.gain().sentence)
    folder = deliver(
        found.model,
        parts.test,
        batches=trials.test_batches(),
        out_dir=f"{run.out_dir}/digits",
        saved_models=run.saved_models,
        name="digits",
        reads={"image_shape": IMAGE_SHAPE},
        tables=[table],
    )
    print(verify(folder), flush=True)
    return table


def text(run: Config) -> Table:
    """News: masked language model, then 10 and 50 labels a class."""
    preset = pretrain("pretrain_text", "demo:bbc", f"{run.out_dir}/text", run.fast)
    parts, tokenizer, length = labelled_parts("demo:bbc"), load_tokenizer(preset), WINDOWS["sequence_length"]
    trials = Trials(
        preset,
        parts.train,
        parts.test,
        make_batches=functools.partial(text_batches, tokenizer=tokenizer, sequence_length=length),
        make_model=functools.partial(classifier, num_classes=5, window_length=WINDOWS["window_length"]),
        batch_size=16,
        seeds=run.seeds,
        most_steps=2 if run.fast else 0,
    )

    def regression(few: Examples, test: Examples) -> np.ndarray:
        return tfidf_baseline(few.inputs, few.known_labels, test.inputs, num_classes=5, characters=False)

    baselines = {"TF-IDF + logistic regression": regression}
    found = [compare(trials, sides, labels=labels, baselines=baselines) for labels, sides in TEXT_SIDES.items()]
    title = f"demo:bbc: accuracy on {len(parts.test)} test texts"
    notes = [f"{each.labels} labels a class: {each.gain().sentence}" for each in found]
    table = Table(title, COLUMNS, [row for each in found for row in each.rows()], note="\n".join(notes))
    folder = deliver(
        found[-1].model,
        parts.test,
        batches=trials.test_batches(),
        out_dir=f"{run.out_dir}/news",
        saved_models=run.saved_models,
        name="news",
        reads=WINDOWS,
        tokenizer=tokenizer,
        tables=[table],
    )
    print(verify(folder), flush=True)
    return table


def pretrain(recipe: str, source: str, out_dir: str, fast: bool) -> str:
    """Runs a recipe as its user would; returns the preset that it leaves."""
    command = [str(Path(__file__).with_name(f"{recipe}.py")), "--source", source, "--out-dir", out_dir]
    command += ["--fast"] if fast else []
    print(f"$ python {' '.join(command)}", flush=True)
    if subprocess.run([sys.executable, *command], check=False).returncode:
        raise RunError(f"{recipe} failed: its message stands above")
    return f"{out_dir}/preset"


if __name__ == "__main__":
    launch.run(Config, main, __doc__)
