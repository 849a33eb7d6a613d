"""One tiny text model and one tiny image model, exported once for all tests here."""

import keras
import numpy as np
import pytest

from tfpretune.backbones.image.cnn import SmallCNN
from tfpretune.backbones.text.text_encoder import TextEncoder, TextEncoderTokenizer
from tfpretune.finetune.heads.pooled import classifier
from tfpretune.serving import export
from tfpretune.serving.loading import load

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", "film", "##s", "."]
TEXTS = ["Good films.", "bad film", "a\u0301 \ufeffgood\tbad"]


@pytest.fixture(scope="session")
def tokenizer():
    return TextEncoderTokenizer(vocabulary=VOCABULARY, lowercase=True)


@pytest.fixture(scope="session")
def text_model():
    keras.utils.set_random_seed(0)
    backbone = TextEncoder(10, 1, num_heads=1, hidden_dim=2, intermediate_dim=4)
    model = classifier(backbone, 3)
    model.get_layer("logits").set_weights([np.array([[1.0, -2.0, 0.5], [-1.0, 3.0, 2.0]]), np.array([0.1, 0.2, 0.3])])
    return model


@pytest.fixture(scope="session")
def image_model():
    keras.utils.set_random_seed(0)
    return classifier(SmallCNN((8, 8, 1), (4, 8), groups=2), 2)


@pytest.fixture(scope="session")
def text_settings(tokenizer):
    metadata = {
        "source": "demo:films",
        "license": "CC0",
        "metrics": {"accuracy": 0.875, "precision/neutral": 0.5, "baseline_linear_accuracy": 0.5},
        "baselines": {"TF-IDF": {"accuracy": 0.5}},
        "verdict": ["Ahead of TF-IDF."],
        "rehearsal": True,
        "command": "recipes/finetune_text.py",
    }
    return {
        "name": "films",
        "kind": "text",
        "class_names": ("neutral", "négatif", "positive"),
        "tokenizer": tokenizer,
        "sequence_length": 8,
        "examples": TEXTS,
        "metadata": metadata,
    }


@pytest.fixture(scope="session")
def image_settings():
    pixels = np.arange(3 * 8 * 8, dtype=np.uint8).reshape(3, 8, 8, 1)
    return {
        "name": "spots",
        "kind": "image",
        "class_names": ("dark", "light"),
        "image_shape": (8, 8, 1),
        "examples": pixels,
    }


@pytest.fixture(scope="session")
def saved_models(tmp_path_factory, text_model, text_settings, image_model, image_settings):
    folder = tmp_path_factory.mktemp("saved_models")
    export(text_model, folder, **text_settings)
    export(image_model, folder, **image_settings)
    return folder


@pytest.fixture(scope="session")
def films(saved_models):
    return load(saved_models / "films" / "1")


@pytest.fixture(scope="session")
def spots(saved_models):
    return load(saved_models / "spots" / "1")
