"""Weights of a folder of Hugging Face's: one safetensors file or several, under whatever prefix, each fault in one line."""

import contextlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import keras
import numpy as np
import safetensors

from tfpretune.backbones.hugging_face.files import INDEX, WEIGHTS, read_json, refuse_pointer
from tfpretune.backbones.notes import note
from tfpretune.errors import RunError, UsageError

_LAYER = re.compile(r"(^|\.)layers?\.\d+\.")
_BUFFERS = ("position_ids", "token_type_ids", "relative_position_index", "num_batches_tracked")


class Weights(contextlib.ExitStack):
    """The arrays of a folder, by the names that Transformers gives them within its base model.

    A prefix before all names ("bert.", "model.", none) is found by a weight that every model of the kind has. Arrays are
    float32, whatever the file holds; `LayerNorm.gamma` and `beta` are `weight` and `bias`.

    Args:
        folder: of the checkpoint.
        kind: its `model_type`.
        anchor: a weight that the kind has.
        base: what Transformers calls the base model in its names, such as "bert."; may be missing there.

    Raises:
        UsageError: there are no weights that are read here.
        RunError: a file is damaged, or its weights are of another kind.
    """

    def __init__(self, folder: Path, kind: str, *, anchor: str, base: str):
        super().__init__()
        self._folder, self._kind, self._base = folder, kind, base
        self._path = folder / (WEIGHTS if (folder / WEIGHTS).is_file() else INDEX)
        self._read: set[str] = set()
        try:
            self._files = self._open()
            self._prefix = self._find_prefix(anchor)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        """Opens nothing more; leaving closes the files."""
        return self

    def _open(self) -> dict[str, Any]:
        """Opens all files; returns the one of each name."""
        if self._path.name == WEIGHTS:
            file = self._open_file(WEIGHTS)
            return dict.fromkeys(file.keys(), file)
        places = read_json(self._path).get("weight_map")
        if not isinstance(places, dict) or not all(isinstance(name, str) for name in places.values()):
            raise RunError(f"{self._path} is damaged: expected weight_map with the file of each weight")
        files = {name: self._open_file(name) for name in sorted(set(places.values()))}
        held = {name: set(file.keys()) for name, file in files.items()}
        for weight, name in places.items():
            if weight not in held[name]:
                raise RunError(f"{self._folder / name} is damaged: it lacks {weight}, which {INDEX} says it holds")
        return {weight: files[name] for weight, name in places.items()}

    def _open_file(self, name: str) -> Any:
        path = self._folder / name
        if path.name != name:
            raise RunError(f"{self._path} is damaged: {name} is no name of a file")
        refuse_pointer(path)
        if not path.is_file():
            raise UsageError(f"{path} is missing: fetch it again")
        try:
            return self.enter_context(safetensors.safe_open(path, framework="np"))
        except (safetensors.SafetensorError, OSError) as error:
            raise RunError(f"{path} is damaged: {error}; fetch it again") from None

    def _find_prefix(self, anchor: str) -> str:
        found = sorted(name.removesuffix(anchor) for name in self._files if f".{name}".endswith(f".{anchor}"))
        if not found:
            raise RunError(
                f"{self._path} lacks {self._base}{anchor}: it is not the {self._kind} that config.json beside it says"
            )
        if len(found) > 1:
            raise UsageError(f"{self._path} holds several models: {', '.join(found)}: save one of them alone")
        last = found[0].split(".")[-2] if found[0] else ""
        if f"{last}." != self._base and last in _BASES and self._base.rstrip(".") in _BASES:
            raise RunError(f"{self._path} holds a {last}: it is not the {self._kind} that config.json beside it says")
        return found[0]

    def name_of(self, name: str) -> str | None:
        """Returns a weight's full name; None: there is none."""
        core = name.removeprefix(self._base)
        old = core.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
        return next((full for full in (self._prefix + core, self._prefix + old, core) if full in self._files), None)

    def _require_name(self, name: str) -> str:
        full = self.name_of(name)
        if full is None:
            lacking = self._prefix + name.removeprefix(self._base)
            raise RunError(f"{self._path} lacks {lacking}: it is not the {self._kind} that config.json beside it says")
        return full

    def get_tensor(self, name: str) -> np.ndarray:
        """Returns a weight as float32.

        Raises:
            RunError: there is none, or it is no array of finite floats.
        """
        full = self._require_name(name)
        self._read.add(full)
        try:
            values = self._files[full].get_tensor(full)
        except (safetensors.SafetensorError, OSError, TypeError, AttributeError) as error:
            raise RunError(f"{self._path}: {full} cannot be read: {error}; save the weights as float32") from None
        if values.dtype.name not in ("float16", "bfloat16", "float32", "float64"):
            raise UsageError(f"{self._path}: {full} is {values.dtype}, so quantized: save the weights as float32")
        values = values.astype("float32")
        if not np.isfinite(values).all():
            raise RunError(f"{self._path}: {full} holds values that are not finite")
        return values

    def require_shape(self, name: str, shape: tuple[int, ...]) -> None:
        """Compares a weight's shape with the one that the config asks for; reads no values.

        Raises:
            RunError: there is no such weight, or it has another shape.
        """
        full = self._require_name(name)
        found = tuple(self._files[full].get_slice(full).get_shape())
        if found != shape:
            raise RunError(f"{self._path}: {full} has the shape {found}: by config.json beside it {shape} was expected")

    def fitting(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        """Returns a weight of this shape, see `require_shape` and `get_tensor`."""
        self.require_shape(name, shape)
        return self.get_tensor(name)

    def port_weight(
        self,
        keras_variable: keras.Variable,
        hf_weight_key: str,
        hook_fn: Callable[[np.ndarray, list[int]], np.ndarray] | None = None,
    ) -> None:
        """Puts a weight into a variable; KerasHub's converters call it so. A pooler that is missing stays fresh.

        Raises:
            RunError: there is no such weight, or its shape is not the variable's.
        """
        if self.name_of(hf_weight_key) is None and "pooler." in hf_weight_key:
            return
        values = self.get_tensor(hf_weight_key)
        with contextlib.suppress(ValueError):  # a hook that cannot: the shapes are compared below
            values = hook_fn(values, list(keras_variable.shape)) if hook_fn else values
        if values.shape != tuple(keras_variable.shape):
            raise RunError(
                f"{self._path}: {self.name_of(hf_weight_key)} has the shape {values.shape}: "
                f"by config.json beside it {tuple(keras_variable.shape)} was expected"
            )
        keras_variable.assign(values)

    def require_read(self) -> None:
        """Says which weights were not asked for.

        Raises:
            RunError: a layer's are among them, so the model is another than config.json says.
        """
        left = sorted(name for name in self._files if name not in self._read and not name.endswith(_BUFFERS))
        layers = [name for name in left if name.startswith(self._prefix) and _LAYER.search(name)]
        if layers:
            raise RunError(
                f"{self._path} holds {layers[0]}, which a {self._kind} as in config.json has not: more layers, "
                "other ones, or an adapter that was not merged"
            )
        if left:
            names = ", ".join(left[:3]) + (", …" if len(left) > 3 else "")
            note(f"{self._path}: {len(left)} weights are not read, as of heads: {names}")


_BASES = ("albert", "bert", "deit", "dinov2", "distilbert", "electra", "roberta", "swin", "vit")
