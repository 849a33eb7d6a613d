import tensorflow as tf

from tfpretune.backbones import SmallCNN, VisionTransformer
from tfpretune.data.batches.examples import image_batches
from tfpretune.data.sources.labelled import labelled_splits
from tfpretune.finetune import classifier
from tfpretune.settings.finetune import FinetuneConfig
from tfpretune.tasks.classification import ClassificationTask
from tfpretune.tasks.finetuning import fitting as finetuning
from tfpretune.tasks.finetuning.fitting import fit_task
from tfpretune.tasks.finetuning.methods import apply_methods
from tfpretune.training.tensorboard.distance import DistanceFromInitialization
from tfpretune.training.tensorboard.images import ConfusionMatrixCallback
from tfpretune.training.tensorboard.run import EmbeddingsCallback


def test_the_best_validation_accuracy_is_kept(monkeypatch, tmp_path):
    """What is asked of `fit`: the recipes' tests see it run."""
    asked = {}
    monkeypatch.setattr(finetuning, "fit", lambda *given, **named: asked.update(named, given=given))
    run = FinetuneConfig(source="demo:digits", out_dir=str(tmp_path), preset="p", steps=2, patience=3)
    parts = labelled_splits("demo:digits")
    examples = parts.validation
    validation, model = tf.data.Dataset.range(1), classifier(SmallCNN((8, 8, 1), (8,)), 10)
    batches = image_batches(examples, 4, image_shape=(8, 8, 1))
    fit_task(ClassificationTask(parts, validation, None, more={"teacher": "x"}), model, batches, run)
    assert asked["given"] == (model, batches, run)
    assert asked["validation"] is validation
    chosen = {name: asked[name] for name in ("monitor", "mode", "patience", "restore_best")}
    assert chosen == {"monitor": "val_accuracy", "mode": "max", "patience": 3, "restore_best": True}
    assert asked["identity"]["class_names"] == [str(digit) for digit in range(10)]
    assert asked["identity"]["teacher"] == "x"
    confusion, embeddings, distance = asked["callbacks"]
    assert isinstance(distance, DistanceFromInitialization)
    assert isinstance(confusion, ConfusionMatrixCallback)
    assert isinstance(embeddings, EmbeddingsCallback)
    assert embeddings.metadata["label"][:3] == [str(label) for label in examples.known_labels[:3]]
    assert embeddings.metadata["where"][:3] == list(examples.where[:3])


def test_cached_features_and_the_adapter(tmp_path):
    """The recipe's own way with both methods: the head that learnt on features is the model's; LoRA lies beside the run."""
    parts = labelled_splits("demo:digits", labels_per_class=2, most=24)
    shared = {"source": "demo:digits", "preset": "p", "steps": 2, "batch_size": 8, "save_every_steps": 1}
    for number, own in enumerate(({"frozen": "all", "cache_features": True}, {"lora_rank": 1})):
        run = FinetuneConfig(out_dir=str(tmp_path / str(number)), **shared, **own)
        vit = VisionTransformer((8, 8, 1), 4, num_layers=1, num_heads=2, hidden_dim=8, intermediate_dim=8)
        model = classifier(vit, 10)
        apply_methods(model, run)
        before = [v.numpy() for v in model.trainable_variables]
        batches = image_batches(parts.train, 8, image_shape=(8, 8, 1))
        watched = image_batches(parts.validation, 8, image_shape=(8, 8, 1)).in_order()
        result = fit_task(ClassificationTask(parts, watched, None), model, batches, run)
        assert result.steps == 2
        assert any((a != v.numpy()).any() for a, v in zip(before, model.trainable_variables, strict=True))
    assert (tmp_path / "1/adapter/adapter.json").is_file()
    assert not (tmp_path / "0/adapter").exists()
