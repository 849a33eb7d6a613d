"""The tables of objectives: whole, and a new line of either is all that a recipe needs."""

import dataclasses
import json
import typing

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.faults.tiny import write_presets
from tests.recipes.test_recipes import load
from tfpretune import tasks
from tfpretune.backbones.feeding import Preprocessing, feed, sequence_features
from tfpretune.backbones.layers.blocks import MeanPool
from tfpretune.errors import UsageError
from tfpretune.objectives import Objective, Term
from tfpretune.tasks.pretraining.images import IMAGE_OBJECTIVES, ImageObjective
from tfpretune.tasks.pretraining.report import report_pretraining
from tfpretune.tasks.pretraining.settings import BACKBONES, ImagePretrainingConfig, TextPretrainingConfig
from tfpretune.tasks.pretraining.texts import TEXT_OBJECTIVES, Judged, TextObjective

FAST = {"fast": True, "batch_size": 8, "jit": "off", "precision": "float32"}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    write_presets(folder)
    return folder


@pytest.mark.parametrize(
    ("table", "config"),
    [(IMAGE_OBJECTIVES, ImagePretrainingConfig), (TEXT_OBJECTIVES, TextPretrainingConfig)],
    ids=["images", "texts"],
)
def test_every_name_has_a_line_and_every_line_a_name(table, config):
    assert tuple(table) == typing.get_args(typing.get_type_hints(config)["objective"])


@pytest.mark.parametrize(
    ("objective", "backbone", "message"),
    [
        ("mae", "cnn-small", "--objective mae with --backbone cnn-small: mae needs a vit"),
        ("denoising", "vit-mini", "--objective denoising with --backbone vit-mini: denoising needs a cnn"),
        ("turned", "rnn", "--objective turned with --backbone rnn: turned needs a cnn or a vit"),
    ],
)
def test_a_backbone_that_an_objective_cannot_have(objective, backbone, message, monkeypatch):
    monkeypatch.setitem(BACKBONES, "turned", ("cnn", "vit"))
    with pytest.raises(UsageError, match=f"^{message}$"):
        ImagePretrainingConfig(source="x", out_dir="y", steps=1, objective=objective, backbone=backbone)


@keras.saving.register_keras_serializable("tests")
class Turned(Objective):
    """Says by how many quarters an image was turned (Gidaris et al. 2018): nothing is restored, so no picture is shown."""

    term_names = ("turned",)

    def __init__(self, backbone, *, pixels=None, name=None):
        inputs, seen = feed(backbone, Preprocessing(pixels=pixels))
        outputs = keras.layers.Dense(4, name="quarters")(MeanPool(name="pool")(backbone(seen)))
        super().__init__(inputs=inputs, outputs=outputs, name=name)
        self.backbone = backbone
        self.add_term_metrics()

    def terms(self, batch, training):
        logits = self(self.pick_inputs(batch), training=training)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(batch["quarters"], tf.cast(logits, tf.float32))
        return {"turned": Term(tf.reduce_sum(losses), tf.size(losses))}


@dataclasses.dataclass(frozen=True)
class TurnedConfig:
    """Its own settings, a group of options."""

    most_quarters: int = 2


def turn(run, backbone):
    """Turns each image by up to so many quarters: a pure function of batch and seed."""
    assert backbone.image_shape == (8, 8, 1)

    def transform(batch, seed):
        rows, most = tf.shape(batch["images"])[0], run.turned.most_quarters
        quarters = tf.random.stateless_uniform((rows,), seed, maxval=most + 1, dtype=tf.int32)
        copies = tf.stack([tf.image.rot90(batch["images"], k) for k in range(most + 1)], axis=1)
        return {"images": tf.gather(copies, quarters, batch_dims=1), "quarters": quarters}

    return transform


TURNED = ImageObjective(
    make_model=lambda backbone, pixels, run: Turned(backbone, pixels=pixels),
    transform=turn,
    make_page=None,
    report=lambda model, batch, run, result, figures: report_pretraining(
        run, result, {**figures, "shown": int(batch["quarters"].shape[0])}
    ),
)


def test_an_objective_of_images_is_a_line(tiny, tmp_path, monkeypatch):
    """Another kind of batch, a setting of its own, a model that restores nothing, no page, a report of its own."""
    table = {**IMAGE_OBJECTIVES, "turned": TURNED}
    recipe = load("pretrain_image")
    monkeypatch.setattr(tasks, "IMAGE_OBJECTIVES", table)  # where recipes find it
    monkeypatch.setitem(BACKBONES, "turned", ("cnn", "vit"))

    @dataclasses.dataclass(frozen=True)
    class Config(recipe.Config):
        turned: TurnedConfig = dataclasses.field(default_factory=TurnedConfig)

    given = {"source": "demo:digits", "preset": f"{tiny}/images", "out_dir": str(tmp_path)}
    run = Config(**FAST, **given, objective="turned")
    assert recipe.main(run).steps == 3
    metrics = json.loads((tmp_path / "report/metrics.json").read_text("utf-8"))
    assert sorted(metrics) == ["loss", "shown", "turned"]
    assert metrics["shown"] == 8
    assert (tmp_path / "preset/manifest.json").is_file()
    assert not (tmp_path / "report/reconstructions.png").exists()


@keras.saving.register_keras_serializable("tests")
class Guessed(Objective):
    """Says what the tokens of a row are on average: it reads rows as they are, so nothing is done to a batch."""

    term_names = ("guessed",)

    def __init__(self, backbone, *, name=None):
        inputs, full = feed(backbone)
        outputs = keras.layers.Dense(1, name="mean")(sequence_features(backbone, full))
        super().__init__(inputs=inputs, outputs=outputs, name=name)
        self.backbone = backbone
        self.add_term_metrics()

    def pick_inputs(self, batch):
        return {"token_ids": batch["token_ids"], "padding_mask": tf.ones_like(batch["token_ids"])}

    def terms(self, batch, training):
        found = tf.cast(self(self.pick_inputs(batch), training=training), tf.float32)[..., 0]
        errors = tf.math.squared_difference(found, tf.cast(batch["token_ids"], tf.float32) / 400.0)
        return {"guessed": Term(tf.reduce_sum(errors), tf.size(errors))}


def test_an_objective_of_texts_is_a_line(tiny, tmp_path, monkeypatch, capsys):
    """Rows as they are, no page, and other words about its figures."""
    table = {
        "guessed": TextObjective(
            make_model=lambda backbone, run: Guessed(backbone),
            transform=lambda run, tokenizer: None,
            make_page=None,
            judge=lambda figures, rows: Judged(
                f"guessed {figures['guessed']:.3f}", ["Toy."], {"rows": len(rows.validation)}, {"nothing": 0.0}
            ),
        )
    }
    recipe = load("pretrain_text")
    monkeypatch.setattr(tasks, "TEXT_OBJECTIVES", table)
    given = {"source": f"csv:{tiny}/texts.csv", "preset": f"{tiny}/text", "out_dir": str(tmp_path)}
    run = recipe.Config(**FAST, **given, objective="guessed", sequence_length=16)
    assert recipe.main(run).steps == 3
    printed = capsys.readouterr().out
    metrics = json.loads((tmp_path / "report/metrics.json").read_text("utf-8"))
    assert {"guessed", "loss", "rows"} <= set(metrics)
    assert metrics["rows"] > 0
    assert f"preset: {tmp_path}/preset\nguessed {metrics['guessed']:.3f}; " in printed
    page = (tmp_path / "report/index.html").read_text("utf-8")
    assert "Toy." in page
    assert "nothing" in page
    assert np.isfinite(metrics["loss"])
