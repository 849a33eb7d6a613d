import keras
import tensorflow as tf

from tfpretune.data.parts import labelled_parts
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
    batches, validation, model = object(), tf.data.Dataset.range(1), keras.Sequential()
    fit_classifier(model, batches, run, validation=validation, examples=examples)
    assert asked["given"] == (model, batches, run)
    assert asked["validation"] is validation
    chosen = {name: asked[name] for name in ("monitor", "mode", "patience", "restore_best")}
    assert chosen == {"monitor": "val_accuracy", "mode": "max", "patience": 3, "restore_best": True}
    confusion, embeddings = asked["callbacks"]
    assert isinstance(confusion, ConfusionPage)
    assert isinstance(embeddings, EmbeddingsPage)
    assert embeddings.metadata["label"][:3] == [str(label) for label in examples.known_labels[:3]]
    assert embeddings.metadata["where"][:3] == list(examples.where[:3])
