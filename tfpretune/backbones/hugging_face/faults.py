"""Why what `preset` names is no checkpoint that is read here, and what to do, in one line. Looks at names and config.json."""

import difflib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tfpretune.backbones.hugging_face.files import INDEX, WEIGHTS, read_json, refuse_pointer
from tfpretune.errors import UsageError

_CONFIG = "config.json"
_SAFE = "from transformers import AutoModel; AutoModel.from_pretrained('{0}').save_pretrained('{0}-safe')"
_WEIGHTS: tuple[tuple[str, str], ...] = (  # pattern of names -> what to do
    (
        "adapter_model.*",
        "holds an adapter alone ({name}): merge it into its model with PEFT's merge_and_unload, and save that",
    ),
    ("*.bin", '{name} can hold code and is not read: convert it where PyTorch is: python -c "{safe}"'),
    ("*.pt", '{name} can hold code and is not read: convert it where PyTorch is: python -c "{safe}"'),
    ("*.pth", '{name} can hold code and is not read: convert it where PyTorch is: python -c "{safe}"'),
    ("tf_model*.h5", "{name} holds TensorFlow weights of Transformers: fetch or save model.safetensors"),
    ("*.msgpack", "{name} holds weights of Flax: fetch or save model.safetensors"),
    ("*.ckpt*", "{name} is a checkpoint of TensorFlow: convert it with Transformers, and save model.safetensors"),
    ("*.gguf", "{name} holds quantized weights for llama.cpp, which cannot be trained on: fetch model.safetensors"),
    ("*.onnx", "{name} is an ONNX graph, which cannot be trained on: fetch model.safetensors"),
    ("onnx/*.onnx", "{name} is an ONNX graph, which cannot be trained on: fetch model.safetensors"),
    (
        "model-*-of-*.safetensors",
        "{name} is one of several files, and their index model.safetensors.index.json is missing",
    ),
    ("*.safetensors", "{name} is not read: expected model.safetensors"),
    ("*.weights.h5", "{name} holds weights alone: its config.json is missing"),
    ("*.keras", "{name} is one saved model: from its backbone make a preset with save_to_preset"),
    ("*.h5", "{name} is one saved model: from its backbone make a preset with save_to_preset"),
)


def require_config(preset: str, folder: Path) -> dict[str, Any]:
    """Returns the `config.json` of a folder.

    Raises:
        UsageError: there is none; says what the folder holds instead.
        RunError: it is damaged.
    """
    path = folder / _CONFIG
    if (folder / "preset").is_dir() and not _is_model(path):
        raise UsageError(f"`preset` {preset}: the folder of a run: give {preset}/preset")
    if path.is_file():
        return read_json(path)
    if not any(folder.iterdir()):
        raise UsageError(f"`preset` {preset}: the folder is empty")
    if (folder / "saved_model.pb").is_file() or any(folder.glob("*/saved_model.pb")):
        raise UsageError(f"`preset` {preset}: an export, which cannot be trained on: give the preset of its run")
    if (folder / "bert_config.json").is_file():
        raise UsageError(f"`preset` {preset}: a BERT as its authors saved it: convert it with Transformers")
    inner = sorted({found.parent for found in (*folder.glob("*/config.json"), *folder.glob("snapshots/*/config.json"))})
    if inner:
        raise UsageError(f"`preset` {preset}: no config.json: did you mean {inner[0]}?")
    raise UsageError(f"`preset` {preset}: no config.json: {other_weights(folder) or _contents(folder)}")


def _is_model(path: Path) -> bool:
    try:
        return bool({"registered_name", "model_type", "architecture"} & read_json(path).keys())
    except (UsageError, RuntimeError):
        return False


def _contents(folder: Path) -> str:
    names = sorted(path.name for path in folder.iterdir())
    return f"it holds {', '.join(names[:3])}{', …' if len(names) > 3 else ''}, and no model of Hugging Face or KerasHub"


def other_weights(folder: Path) -> str:
    """Returns what to do with weights that are not read here; empty: there are none."""
    for pattern, todo in _WEIGHTS:
        for path in sorted(folder.glob(pattern)):
            if path.name not in ("training_args.bin", WEIGHTS):
                return todo.format(name=path.relative_to(folder), safe=_SAFE.format(folder))
    return ""


def require_weights(preset: str, folder: Path) -> None:
    """Looks whether a folder of Hugging Face's has weights that are read here.

    Raises:
        UsageError: it has none; says what to do with those that it has.
    """
    for name in (WEIGHTS, INDEX):
        refuse_pointer(folder / name)
    if not (folder / WEIGHTS).is_file() and not (folder / INDEX).is_file():
        todo = other_weights(folder) or "save the model with Transformers' save_pretrained"
        raise UsageError(f"`preset` {preset}: no {WEIGHTS}: {todo}")


def require_kind(preset: str, config: dict[str, Any], texts: Sequence[str], images: Sequence[str]) -> str:
    """Returns the kind of a model of Hugging Face's, `model_type`.

    Raises:
        UsageError: it is not read here, or not named; says which ones are.
    """
    kind, classes = config.get("model_type"), config.get("architectures")
    taken = f"taken are {', '.join(texts)} for texts and {', '.join(images)} for images"
    if not isinstance(kind, str):
        raise UsageError(
            f'`preset` {preset}: config.json names no model: add "model_type": "bert", if it is one; {taken}'
        )
    if kind not in (*texts, *images):
        named = f" ({classes[0]})" if isinstance(classes, list) and classes else ""
        raise UsageError(f"`preset` {preset}: a {kind}{named}, which is not read here: {taken}")
    if "quantization_config" in config:
        raise UsageError(f"`preset` {preset}: its weights are quantized: fetch or save them as float32")
    return kind


def no_such_preset(preset: str, known: Iterable[str]) -> UsageError:
    """Returns what to say of a name that is no folder and no preset of KerasHub's."""
    path = Path(preset)
    if path.is_file():
        return UsageError(f"`preset` {preset}: a file: give the folder that holds it")
    near = _near_folder(path) or next(iter(difflib.get_close_matches(preset, list(known), n=1, cutoff=0.75)), "")
    hint = f", did you mean {near}?" if near else ""
    hub = (
        ""
        if preset.startswith((".", "/", "~", "runs/")) or "://" in preset
        else f"; from the hub of Hugging Face: hf://{_owned(preset)}"
    )
    return UsageError(f"`preset` {preset}: no such folder, and no preset that KerasHub knows{hint}{hub}")


def _owned(preset: str) -> str:
    return preset if "/" in preset else f"OWNER/{preset}"


def _near_folder(path: Path) -> str:
    """Finds the folder that was meant: the first missing part of the path is put right, and the rest has to be there."""
    parts, here = path.parts, Path(path.anchor)
    for index, part in enumerate(parts[1:] if path.anchor else parts):
        if (here / part).is_dir():
            here /= part
            continue
        rest = (parts[1:] if path.anchor else parts)[index + 1 :]
        try:
            names = [child.name for child in here.iterdir() if child.is_dir()]
        except OSError:
            return ""
        for name in difflib.get_close_matches(part, names, n=3):
            if here.joinpath(name, *rest).is_dir():
                return str(here.joinpath(name, *rest))
        return ""
    return ""


def pooling_note(folder: Path) -> str:
    """Returns what to say of the pooling of a folder of sentence-transformers; empty: it is none."""
    path = folder / "1_Pooling" / _CONFIG
    if not (folder / "modules.json").is_file() or not path.is_file():
        return ""
    try:
        found = json.loads(path.read_text("utf-8"))
        modes = [
            name.removeprefix("pooling_mode_") for name, on in found.items() if name.startswith("pooling_mode_") and on
        ]
    except (OSError, ValueError, AttributeError):
        return f"{path} cannot be read: here the mean of the tokens is taken"
    if found.get("pooling_mode"):
        modes = [str(found["pooling_mode"])]
    if modes in (["mean_tokens"], ["mean"]):
        return f"{folder}: sentence-transformers' pooling is the mean of the tokens, as here; its other modules are not read"
    return f"{path} asks for {' and '.join(map(str, modes)) or 'nothing'}: here the mean of the tokens is taken"
