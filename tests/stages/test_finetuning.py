import tensorflow as tf

from tfpretune.backbones import SmallCNN
from tfpretune.data.columns import image_batches
from tfpretune.data.parts import labelled_parts
from tfpretune.finetune import classifier
from tfpretune.finetune_config import FinetuneConfig
from tfpretune.stages import finetuning
from tfpretune.stages.finetuning import fit_classifier
from tfpretune.training.pages import ConfusionPage
from tfpretune.training.pages_run import EmbeddingsPage


def test_the_best_validation_accuracy_is_kept(monkeypatch, tmp_path):
    """What is asked of `fit`: the recipes' tests see it run."""
    asked = {}
    monkeypatch.setattr(finetuning, "fit", lambda *given, **named: asked.update(named, given=given))
    run = FinetuneConfig(source="demo:digits", out_dir=str(tmp_path), preset="p", steps=2, patience=3)
    examples = labelled_parts("demo:digits").validation
    validation, model = tf.data.Dataset.range(1), classifier(SmallCNN((8, 8, 1), (8,)), 10)
    batches = image_batches(examples, 4, image_shape=(8, 8, 1))
    fit_classifier(model, batches, run, validation=validation, examples=examples)
    assert asked["given"] == (model, batches, run)
    assert asked["validation"] is validation
    chosen = {name: asked[name] for name in ("monitor", "mode", "patience", "restore_best")}
    assert chosen == {"monitor": "val_accuracy", "mode": "max", "patience": 3, "restore_best": True}
    assert asked["identity"]["class_names"] == [str(digit) for digit in range(10)]
    confusion, embeddings = asked["callbacks"]
    assert isinstance(confusion, ConfusionPage)
    assert isinstance(embeddings, EmbeddingsPage)
    assert embeddings.metadata["label"][:3] == [str(label) for label in examples.known_labels[:3]]
    assert embeddings.metadata["where"][:3] == list(examples.where[:3])
