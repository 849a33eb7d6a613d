"""Kinds that KerasHub's converters know: read as KerasHub reads them, and without a prefix, where it does not, the same."""

import json
import math

import keras_hub
import numpy as np
import pytest
import safetensors.numpy

from tests.backbones.hugging_face.test_folder import refused
from tfpretune.backbones.by_name import load_backbone, load_tokenizer
from tfpretune.backbones.feeding import read_pixels
from tfpretune.backbones.hugging_face.converted import CONVERTED
from tfpretune.errors import RunError, UsageError
from tfpretune.runtime.keras_internals import hugging_face_converter

SIZES = {
    "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16, "hidden_act": "gelu",
    "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "layer_norm_eps": 1e-12,
}  # fmt: skip
IMAGE = {"image_size": 32, "patch_size": 16, "num_channels": 3, "qkv_bias": True, "layer_norm_eps": 1e-5}
CONFIGS = {
    "vit": SIZES | IMAGE,
    "deit": SIZES | IMAGE,
    "dinov2": SIZES
    | IMAGE
    | {"mlp_ratio": 2, "layerscale_value": 1.0, "use_swiglu_ffn": False, "drop_path_rate": 0.0, "layer_norm_eps": 1e-6},
    "albert": SIZES
    | {
        "hidden_act": "gelu_new", "vocab_size": 20, "embedding_size": 4, "num_hidden_groups": 1, "inner_group_num": 1,
        "max_position_embeddings": 16, "type_vocab_size": 2,
    },
}  # fmt: skip


class Recorder:
    """Finds which arrays a converter asks for: random ones, of a shape that it makes the variable's of."""

    def __init__(self):
        self.weights, self.rng = {}, np.random.default_rng(0)

    def port_weight(self, keras_variable, hf_weight_key, hook_fn=None):
        shape = tuple(keras_variable.shape)
        flat = [(math.prod(shape[cut:]), math.prod(shape[:cut])) for cut in range(1, len(shape))]
        moved = [tuple(shape[axis] for axis in (3, 2, 0, 1))] if len(shape) == 4 else []
        for candidate in [*moved, *flat, shape, (1, *shape), (math.prod(shape),)]:
            values = self.rng.normal(0, 0.5, candidate).astype("float32")
            try:
                found = hook_fn(values, list(shape)) if hook_fn else values
            except ValueError:
                continue
            if found.shape == shape:
                self.weights[hf_weight_key] = values
                return
        raise AssertionError(hf_weight_key)


def write(folder, kind, *, base=True, **config):
    """A folder as Transformers saves it, the weights under the base model's name or under none."""
    converter, known = hugging_face_converter(CONVERTED[kind].module), CONVERTED[kind]
    settings = CONFIGS[kind] | {"model_type": kind}
    recorder = Recorder()
    backbone = converter.backbone_cls(**converter.convert_backbone_config(settings))
    converter.convert_weights(backbone, recorder, settings)
    folder.mkdir(exist_ok=True)
    names = {name: name.removeprefix(known.base) for name in recorder.weights}
    weights = {(known.base if base else "") + names[name]: value for name, value in recorder.weights.items()}
    safetensors.numpy.save_file(weights, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(settings | config))
    pixels = {"rescale_factor": 1 / 255, "image_mean": [0.5, 0.4, 0.3], "image_std": [0.5, 0.25, 0.2]}
    (folder / "preprocessor_config.json").write_text(json.dumps(pixels))
    return weights


@pytest.mark.parametrize("kind", sorted(CONFIGS))
def test_they_are_read_with_and_without_a_prefix_as_kerashub_reads_them(kind, tmp_path):
    write(tmp_path / "model", kind)
    theirs = keras_hub.models.Backbone.from_preset(str(tmp_path / "model")).get_weights()
    for base in (True, False):
        write(tmp_path / "model", kind, base=base)
        ours = load_backbone(str(tmp_path / "model"))
        for one, other in zip(ours.get_weights(), theirs, strict=True):
            np.testing.assert_array_equal(one, other)
    if kind in ("vit", "deit"):
        assert ours.layer_norm_epsilon == 1e-5  # KerasHub's own has 1e-6, whatever the config says


def test_pixels_are_those_of_the_preprocessor(tmp_path):
    write(tmp_path, "vit")
    found = read_pixels(str(tmp_path))
    np.testing.assert_allclose(found.scale, (2, 4, 5))
    np.testing.assert_allclose(found.offset, (-1, -1.6, -1.5))
    path = tmp_path / "preprocessor_config.json"
    path.write_text(json.dumps({"do_normalize": False}))
    assert read_pixels(str(tmp_path)).scale == pytest.approx(1.0)
    path.write_text(json.dumps({"image_mean": [0.5], "image_std": [1, 1, 1]}))
    refused(tmp_path, RunError, r"image_mean should be three numbers, found \[0.5\]", read_pixels)
    path.write_text(json.dumps({"image_mean": [0, 0, 0], "image_std": [1, 0, 1]}))
    refused(tmp_path, RunError, "image_std should be three numbers", read_pixels)
    path.unlink()
    refused(tmp_path, UsageError, "preprocessor_config.json is missing: it says how pixels are scaled", read_pixels)


def test_each_recipe_says_who_takes_it(tmp_path):
    write(tmp_path / "vit", "vit")
    refused(tmp_path / "vit", UsageError, "it takes images, not texts: use a recipe of images", load_tokenizer)
    write(tmp_path / "albert", "albert")
    refused(tmp_path / "albert", UsageError, "it takes texts, not images: use a recipe of texts", read_pixels)
    refused(tmp_path / "albert", RunError, "damaged: .*spiece.model", load_tokenizer)


def test_faults_are_one_line(tmp_path):
    weights = write(tmp_path, "vit")
    safetensors.numpy.save_file(
        {name: value for name, value in weights.items() if "layer.1" not in name}, tmp_path / "model.safetensors"
    )
    refused(tmp_path, RunError, "lacks vit.encoder.layer.1")
    safetensors.numpy.save_file(
        weights | {"vit.encoder.layer.7.a.weight": np.ones(1, "float32")}, tmp_path / "model.safetensors"
    )
    refused(tmp_path, RunError, "holds vit.encoder.layer.7.a.weight, which a vit as in config.json has not")
    write(tmp_path, "vit", num_channels=1)
    refused(tmp_path, UsageError, "num_channels 1 is not known here")
    write(tmp_path, "vit", image_size=48)
    refused(tmp_path, RunError, "has the shape .*: by config.json beside it .* was expected")
    write(tmp_path, "vit", patch_size=15)
    refused(tmp_path, RunError, "config.json is damaged: ")
    write(tmp_path, "vit")
    with pytest.raises(UsageError, match=r"`load_backbone\(dropout\)` 0.1: the backbone of .* has no dropout"):
        load_backbone(str(tmp_path), dropout=0.1)


def test_a_pooler_that_is_missing_stays_fresh(tmp_path):
    weights = write(tmp_path, "albert")
    kept = {name: value for name, value in weights.items() if "pooler" not in name}
    safetensors.numpy.save_file(kept, tmp_path / "model.safetensors")
    assert type(load_backbone(str(tmp_path))).__name__ == "AlbertBackbone"
