"""Makes an archive of what a version leaves behind: `python -m tests.data.old.make ARCHIVE`, from the project's root.

The archive beside this file was made so before any file of the package had moved, and is never made again: `test_old.py`
holds that it can still be read. A later version's gets a name of its own.
"""

import contextlib
import json
import shutil
import sys
import tarfile
import tempfile
from pathlib import Path

import keras
import numpy as np

from tests.faults.tiny import make_encoder, make_tokenizer, write_presets
from tests.recipes.test_recipes import run_recipe
from tfpretune.backbones import BertEncoder, SmallCNN, VisionTransformer
from tfpretune.data.text.tokens import encode_all
from tfpretune.finetune import (
    classifier,
    embedder,
    enable_lora,
    multi_head,
    multi_label,
    pair_classifier,
    regressor,
    segmenter,
    span_finder,
    tagger,
)
from tfpretune.objectives import (
    Autoencoder,
    Classification,
    DeepCoral,
    DenoisingAutoencoder,
    DomainAdversarial,
    MaskedAutoencoder,
    MaskedLM,
    Regression,
)
from tfpretune.settings.run import OptimizerConfig
from tfpretune.training.adapters import save_adapter
from tfpretune.training.presets import load_task

ADAPTED = "classifier_lora"
TEXTS = ["w1 w2 w3", "w40 w41 w42 w43", "w7 w50"]
RUNS = {
    "text": (
        "finetune_text",
        {
            "source": "csv:texts.csv",
            "preset": "presets/text",
            "sequence_length": 16,
            "window_length": 8,
            "optimizer": OptimizerConfig(learning_rate=0.01, multipliers=(("logits", 3.0),), ema=0.9),
        },
    ),
    "images": (
        "pretrain_image",
        {
            "source": "demo:digits",
            "preset": "presets/images",
            "objective": "denoising",
            "optimizer": OptimizerConfig(name="sgd", learning_rate=0.05),
        },
    ),
}
SIZES = {"steps": 12, "batch_size": 8, "save_every_steps": 6, "jit": "off", "precision": "float32"}


def models():
    """One of every kind, by name."""
    cnn = lambda: SmallCNN((8, 8, 1), (4,), groups=2)  # noqa: E731
    vit = {"num_layers": 1, "num_heads": 1, "hidden_dim": 8, "intermediate_dim": 8}
    patches = lambda: VisionTransformer((8, 8, 1), 2, **vit)  # noqa: E731
    bert = BertEncoder(30, 1, 1, 8, 8)
    return {
        "masked_lm": MaskedLM(make_encoder()),
        "autoencoder": Autoencoder(cnn()),
        "denoising": DenoisingAutoencoder(cnn()),
        "mae": MaskedAutoencoder(patches(), decoder_dim=8, decoder_heads=1),
        "classifier": classifier(make_encoder(), 2, window_length=4),
        "classifier_of_images": classifier(patches(), 3),
        "classifier_bert": classifier(bert, 2),
        ADAPTED: classifier(make_encoder(), 2),
        "multi_label": multi_label(cnn(), 3),
        "regressor": regressor(cnn()),
        "pairs": pair_classifier(make_encoder(), 2),
        "tagger": tagger(make_encoder(), 3),
        "spans": span_finder(bert),
        "segmenter": segmenter(cnn(), 2),
        "embedder": embedder(make_encoder(), 4),
        "multi_task": multi_head(
            cnn(), {"a": Classification(2, column="a"), "b": Regression(column="b")}, weighting="uncertainty"
        ),
        "adversarial": DomainAdversarial(classifier(cnn(), 2), domain_units=4),
        "coral": DeepCoral(classifier(cnn(), 2)),
    }


def inputs_of(model):
    """Four rows for each input, six tokens long."""
    draw, found = np.random.default_rng(0), {}
    for name, tensor in model.input.items():
        shape = (4, *(6 if size is None else size for size in tensor.shape[1:]))
        high = {"padding_mask": 1, "token_ids": 30}.get(name.removesuffix("_pair"), 2)
        found[name] = (
            draw.random(shape).astype("float32")
            if "float" in tensor.dtype
            else np.ones(shape, "int32")
            if high == 1
            else draw.integers(0, high, shape).astype("int32")
        )
    return found


def arrays(outputs):
    """The outputs of a model by number, whatever they are held in."""
    return [np.asarray(each) for each in keras.tree.flatten(outputs)]


def make(folder):
    """Writes texts, presets, models with what they say, runs that stopped at step 6 of 12, an adapter and an export."""
    folder.mkdir(parents=True)
    with contextlib.chdir(folder):
        Path("presets").mkdir()
        write_presets(Path("presets"))
        shutil.move("presets/texts.csv", "texts.csv")
        Path("models").mkdir()
        keras.utils.set_random_seed(0)
        said = {}
        for name, model in models().items():
            model.save(f"models/{name}.keras")
            if name == ADAPTED:
                enable_lora(model, rank=2)
                for weight in model.trainable_weights:
                    weight.assign_add(keras.random.normal(weight.shape, stddev=0.1, seed=1))
                save_adapter("adapter", model)
            inputs = inputs_of(model)
            said |= {f"{name}/inputs/{key}": value for key, value in inputs.items()}
            said |= {f"{name}/outputs/{number}": value for number, value in enumerate(arrays(model(inputs)))}
        np.savez_compressed("models/said.npz", **said)
        for name, (recipe, settings) in RUNS.items():
            run_recipe(recipe, out_dir=f"runs/{name}", **SIZES, **settings)
        run_recipe("export", run_dir="runs/text", name="old", saved_models="saved_models", fast=True)
        model, _ = load_task("runs/text/preset")
        rows = encode_all(make_tokenizer(), TEXTS, sequence_length=16)
        probabilities = keras.ops.softmax(model(rows)).numpy().tolist()
        metrics = {name: json.loads(Path(f"runs/{name}/report/metrics.json").read_text("utf-8")) for name in RUNS}
        about = {"metrics": metrics, "texts": TEXTS, "probabilities": probabilities}
        Path("about.json").write_text(json.dumps(about, indent=1) + "\n", "utf-8")
        shutil.copytree("runs/text/preset", "presets/classifier")
        for name in RUNS:
            for path in Path("runs", name).iterdir():
                if path.name not in ("config.json", "checkpoints"):
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
            shutil.rmtree(Path("runs", name, "checkpoints", "step-00000012"))


if __name__ == "__main__":
    target = Path(sys.argv[1]).absolute()
    with tempfile.TemporaryDirectory() as place:
        make(Path(place, "old"))
        with tarfile.open(target, "w:xz") as archive:
            archive.add(Path(place, "old"), "old")
