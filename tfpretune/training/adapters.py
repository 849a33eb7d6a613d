"""What fine-tuning with LoRA has learnt, without the backbone: a small folder, and several of them for one backbone."""

import dataclasses
import hashlib
import json
import re
from collections.abc import Collection
from pathlib import Path

import keras
import numpy as np
import safetensors.numpy

from tfpretune.errors import RunError, UsageError
from tfpretune.finetune.methods.lora import (
    LoraSettings,
    enable_lora,
    lora_paths,
    lora_settings,
    lora_variables,
    remove_lora,
)
from tfpretune.runtime.files import atomic_folder, check_manifest
from tfpretune.training.run_variables import LoadReport, restore


def save_adapter(folder: Path | str, model: keras.Model) -> Path:
    """Writes LoRA's matrices, the head, and what else of the backbone learns (after `freeze(model, "bias")`).

    Args:
        folder: where to; an older adapter there is replaced in one rename.
        model: a model with LoRA.

    Returns:
        The folder: `adapter.safetensors`, `adapter.json` (rank, alpha, dropout, layers, the sum of the backbone) and a
        manifest.

    Raises:
        UsageError: the model has no LoRA.
        RunError: a value is not a number, or the disk is full.

    Examples:
        >>> from tfpretune.backbones import TextEncoder
        >>> from tfpretune.finetune import classifier, enable_lora
        >>> from tfpretune.training import save_adapter
        >>> model = classifier(TextEncoder(100, 1, num_heads=2, hidden_dim=8, intermediate_dim=16), 2)
        >>> rows = enable_lora(model, rank=2)
        >>> sorted(path.name for path in save_adapter("runs/a/adapter", model).iterdir())
        ['adapter.json', 'adapter.safetensors', 'manifest.json']
    """
    settings = lora_settings(model)
    if settings is None:
        raise UsageError("the model has no LoRA: save_preset writes all of it")
    learning = [name for name, weight in _base(model).items() if weight.trainable]
    variables = _variables(model, learning)
    arrays = {name: np.array(variable.numpy(), order="C") for name, variable in variables.items()}
    bad = [name for name, array in arrays.items() if not np.isfinite(array.astype("float32", copy=False)).all()]
    if bad:
        raise RunError(f"{len(bad)} of {len(arrays)} variables hold values that are not numbers, the first is {bad[0]}")
    about = dataclasses.asdict(settings) | {"backbone": type(model.backbone).__name__, "base": _sum(model, arrays)}
    folder = Path(folder)
    needed = sum(array.nbytes for array in arrays.values())
    with atomic_folder(folder, replace=folder.exists(), needed=needed) as temporary:
        safetensors.numpy.save_file(arrays, temporary / "adapter.safetensors")
        (temporary / "adapter.json").write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return folder


def load_adapter(model: keras.Model, folder: Path | str) -> LoadReport:
    """Puts an adapter into a model on the same backbone; nothing is changed where anything does not fit.

    A model without LoRA gets it as it was when the adapter was saved, and has to be compiled again. To learn on with biases,
    call `freeze(model, "bias")` and `enable_lora` first. Where LoRA is there, only values are replaced, in place.

    Args:
        model: the same backbone with a head of the same shape, and either no LoRA or the same rank, alpha, dropout and layers.
        folder: from `save_adapter`.

    Returns:
        The names that were loaded; the other lists are empty.

    Raises:
        UsageError: no adapter, another backbone, or LoRA with other settings.
        RunError: the folder is damaged, or a variable is missing, too many or of another shape.

    Examples:
        >>> from tfpretune.backbones import TextEncoder
        >>> from tfpretune.finetune import classifier, enable_lora
        >>> from tfpretune.training import load_adapter, save_adapter
        >>> backbone = TextEncoder(100, 1, num_heads=2, hidden_dim=8, intermediate_dim=16)
        >>> model = classifier(backbone, 2)
        >>> rows = enable_lora(model, rank=2)
        >>> folder = save_adapter("runs/a/adapter", model)
        >>> report = load_adapter(model, folder)  # LoRA with the same settings is there: its values are replaced
    """
    return _load(model, Path(folder), change=False)


def set_adapter(model: keras.Model, folder: Path | str) -> LoadReport:
    """Like `load_adapter`, but where LoRA has other settings, it is switched over to those of the adapter.

    With the same settings the values are replaced in place, so that one backbone serves several tasks in turn and compiled
    functions stay. Otherwise the model has to be compiled again.

    Examples:
        >>> from tfpretune.backbones import TextEncoder
        >>> from tfpretune.finetune import classifier, enable_lora
        >>> from tfpretune.training import save_adapter, set_adapter
        >>> model = classifier(TextEncoder(100, 1, num_heads=2, hidden_dim=8, intermediate_dim=16), 2)
        >>> rows = enable_lora(model, rank=2)
        >>> folder = save_adapter("runs/a/adapter", model)
        >>> report = set_adapter(model, folder)
    """
    return _load(model, Path(folder), change=True)


def _load(model: keras.Model, folder: Path, *, change: bool) -> LoadReport:
    settings, base = _read(folder)
    arrays = _arrays(folder / "adapter.safetensors")
    before = lora_settings(model)
    if before not in (None, settings) and not change:
        raise UsageError(f"{folder} has other settings ({_difference(before, settings)}): set_adapter switches over")
    _check(model, folder, settings, arrays, base)
    if before == settings:
        return _put_in(model, folder, arrays)
    kept = {name: variable.numpy() for name, variable in _variables(model, arrays).items()}
    remove_lora(model)
    _enable(model, settings)
    try:
        return _put_in(model, folder, arrays)
    except RunError:
        remove_lora(model)
        if before is not None:
            _enable(model, before)
            restore(_variables(model, kept), kept)
        raise


def _check(model: keras.Model, folder: Path, settings: LoraSettings, arrays: dict[str, np.ndarray], base: str) -> None:
    """Refuses what can be refused before LoRA is touched."""
    found = lora_paths(model.backbone)
    lacking = [path for path in settings.layers if path not in found]
    if lacking:
        raise UsageError(f"{folder} changes {lacking[0]}, which this {type(model.backbone).__name__} does not have")
    if _sum(model, arrays) != base:
        raise UsageError(
            f"{folder} was trained on another backbone (sha256 of its weights {base[:12]}, here {_sum(model, arrays)[:12]}): "
            "load the preset that it started from"
        )
    mine = {name: variable for name, variable in _variables(model, arrays).items() if not name.startswith("lora/")}
    _compare(mine, {name: array for name, array in arrays.items() if not name.startswith("lora/")}).require_all(folder)


def _put_in(model: keras.Model, folder: Path, arrays: dict[str, np.ndarray]) -> LoadReport:
    variables = _variables(model, arrays)
    _compare(variables, arrays).require_all(folder)
    return restore(variables, arrays)


def _compare(variables: dict[str, keras.Variable], arrays: dict[str, np.ndarray]) -> LoadReport:
    """What `restore` would do; nothing counts as loaded unless all would be."""
    missing = [name for name in variables if name not in arrays]
    other = [
        f"{name} {array.shape} for {tuple(variables[name].shape)}"
        for name, array in arrays.items()
        if name in variables and array.shape != tuple(variables[name].shape)
    ]
    unused = [name for name in arrays if name not in variables]
    return LoadReport([] if missing or other or unused else list(variables), missing, other, unused)


def _enable(model: keras.Model, settings: LoraSettings) -> None:
    exactly = "|".join(re.escape(path) for path in settings.layers)
    enable_lora(model, settings.rank, alpha=settings.alpha, dropout=settings.dropout, layers=f"^(?:{exactly})$")


def _difference(one: LoraSettings | None, two: LoraSettings) -> str:
    names = [field.name for field in dataclasses.fields(two) if getattr(one, field.name) != getattr(two, field.name)]
    return ", ".join(
        "layers" if name == "layers" else f"{name} {getattr(two, name)} for {getattr(one, name)}" for name in names
    )


def _variables(model: keras.Model, names: Collection[str]) -> dict[str, keras.Variable]:
    """LoRA's matrices, the head, and those of the backbone's own weights that stand among `names`."""
    lora = {f"lora/{path}": variable for path, variable in lora_variables(model).items()}
    inner = {id(weight) for weight in model.backbone.weights}
    head = [weight for weight in model.weights if id(weight) not in inner]
    own = {name: weight for name, weight in _base(model).items() if name in names}
    return lora | {f"head/{index:03d}/{_tail(weight)}": weight for index, weight in enumerate(head)} | own


def _base(model: keras.Model) -> dict[str, keras.Variable]:
    """The backbone's own weights by number and name, the same with LoRA and without."""
    lora = {id(variable) for variable in lora_variables(model).values()}
    own = [weight for weight in model.backbone.weights if id(weight) not in lora]
    return {f"base/{index:05d}/{_tail(weight)}": weight for index, weight in enumerate(own)}


def _tail(variable: keras.Variable) -> str:
    return "/".join(variable.path.split("/")[-2:])


def _sum(model: keras.Model, without: Collection[str]) -> str:
    """The sha256 of the backbone's own weights, but for those that the adapter has itself."""
    digest = hashlib.sha256()
    for name, weight in _base(model).items():
        if name not in without:
            digest.update(f"{weight.name} {tuple(weight.shape)} {weight.dtype}\n".encode())
            digest.update(np.ascontiguousarray(weight.numpy()).view(np.uint8).data)
    return digest.hexdigest()


def _read(folder: Path) -> tuple[LoraSettings, str]:
    if not (folder / "adapter.json").is_file():
        raise UsageError(f"{folder} holds no adapter (no adapter.json): give a folder that save_adapter has written")
    check_manifest(folder)
    try:
        about = json.loads((folder / "adapter.json").read_text("utf-8"))
        layers = tuple(str(path) for path in about["layers"])
        settings = LoraSettings(int(about["rank"]), float(about["alpha"]), float(about["dropout"]), layers)
        return settings, str(about["base"])
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(f"{folder}/adapter.json is not as save_adapter writes it: {error}") from None


def _arrays(file: Path) -> dict[str, np.ndarray]:
    try:
        return safetensors.numpy.load_file(file)
    except (safetensors.SafetensorError, OSError) as error:
        raise RunError(f"{file} cannot be read: {error}") from None
