"""What a search for settings may try: every setting that the recipe and the backbone take, and no other."""

import bisect
import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import keras

from tfpretune.errors import UsageError
from tfpretune.finetune import enable_lora, freeze, remove_lora
from tfpretune.search.searched import Searched
from tfpretune.settings.finetune import TaskConfig

if TYPE_CHECKING:
    from optuna.trial import BaseTrial

OFF: Mapping[str, Mapping[str, Any]] = {
    "frozen": {"frozen": "none", "cache_features": False},
    "lora_rank": {"lora_rank": 0, "lora_alpha": 0.0, "lora_dropout": 0.0, "lora_layers": ""},
    "l2_sp": {"l2_sp": 0.0},
    "layer_decay": {"layer_decay": 1.0},
    "r_drop": {"r_drop": 0.0},
}
_RANGES: Mapping[str, tuple[float, float]] = {
    "dropout": (0.0, 0.5),
    "lora_rank": (2, 32),
    "l2_sp": (1e-4, 1.0),
    "layer_decay": (0.5, 0.95),
    "r_drop": (0.1, 5.0),
}
_METHODS = ("lora_rank", "l2_sp", "layer_decay", "r_drop")  # each is on or off; the earlier ones come first
_EVEN = ("dropout", "layer_decay")  # drawn evenly; the others evenly in their logarithm


@dataclasses.dataclass(frozen=True)
class Space:
    """The settings that a search draws from.

    Attributes:
        base: the settings that are not searched, and those of the first trial.
        searched: names of the others.
        rates: lowest and highest learning rate.
        depth: layers of the backbone; all of them frozen is `--frozen all`.
        deepest: the most of them that are frozen.
        lora_beside: the values of `frozen` that leave a layer for LoRA.
    """

    base: TaskConfig
    searched: tuple[Searched, ...]
    rates: tuple[float, float]
    depth: int
    deepest: int
    lora_beside: frozenset[str]

    def settings(self, trial: "BaseTrial") -> TaskConfig:
        """Draws the settings of a trial; what is not compatible with what was drawn before is not asked for."""
        run = _plain(self.base, self.searched)
        if "learning_rate" in self.searched:
            low, high = self.rates
            rate = _short(trial.suggest_float("learning_rate", low, high, log=True), self.base.optimizer.learning_rate)
            run = dataclasses.replace(run, optimizer=dataclasses.replace(run.optimizer, learning_rate=rate))
        if "dropout" in self.searched:
            least = 0.0 if _accepts(run, dropout=0.0) else 0.01  # R-Drop needs some
            run = dataclasses.replace(run, dropout=self._draw(trial, "dropout", least))
        if "frozen" in self.searched:
            depth = trial.suggest_int("frozen", 0, self.deepest)
            run = dataclasses.replace(run, **_frozen(self.base, depth, self.depth))
        for name in _METHODS:
            if self.takes(run, name) and trial.suggest_categorical(f"use_{name}", (False, True)):
                run = dataclasses.replace(run, **self._beside(name), **{name: self._draw(trial, name)})
        return run

    def first(self) -> dict[str, Any]:
        """Returns what a trial has to draw to get the base's settings, as far as they lie in the space."""
        base, found = self.base, dict[str, Any]()
        depths = [n for n in range(self.deepest + 1) if _frozen(base, n, self.depth)["frozen"] == base.frozen]
        found |= {"frozen": depths[0]} if depths else {}
        if self.rates[0] <= base.optimizer.learning_rate <= self.rates[1]:
            found["learning_rate"] = base.optimizer.learning_rate
        for name, (low, high) in _RANGES.items():
            value = getattr(base, name)
            found |= {f"use_{name}": value != OFF[name][name]} if name in OFF else {}
            found |= {name: value} if low <= value <= high else {}
        return {name: value for name, value in found.items() if name.removeprefix("use_") in self.searched}

    def values(self, settings: TaskConfig) -> dict[str, Any]:
        """Returns name -> value of what is searched."""
        rate = settings.optimizer.learning_rate
        return {name: rate if name == "learning_rate" else getattr(settings, name) for name in self.searched}

    def takes(self, run: TaskConfig, name: str) -> bool:
        """Whether a method is searched and can be switched on beside what `run` has."""
        fits = name in self.searched and (name != "lora_rank" or run.frozen in self.lora_beside)
        return fits and _accepts(run, **self._beside(name), **{name: _RANGES[name][0]})

    @property
    def left_out(self) -> list[str]:
        """What is searched and can never be switched on: not even with nothing frozen and no other method."""
        plain = _plain(self.base, self.searched)
        return [name for name in _METHODS if name in self.searched and not self.takes(plain, name)]

    def _draw(self, trial: "BaseTrial", name: str, least: float = 0.0) -> Any:
        low, high = max(least, _RANGES[name][0]), _RANGES[name][1]
        if name == "lora_rank":
            return trial.suggest_int(name, int(low), int(high), log=True)
        return _short(trial.suggest_float(name, low, high, log=name not in _EVEN), getattr(self.base, name))

    def _beside(self, name: str) -> dict[str, Any]:
        """The base's other settings of a method."""
        return {field: getattr(self.base, field) for field in OFF[name] if field != name}


def make_space(
    base: TaskConfig, searched: tuple[Searched, ...], *, rates: tuple[float, float], backbone: keras.Model
) -> Space:
    """Finds out what the backbone takes, and leaves its layers frozen in some way.

    Args:
        base: the settings that are not searched.
        searched: names of the others.
        rates: lowest and highest learning rate.
        backbone: of `base.preset`.

    Examples:
        >>> from tfpretune.backbones import SmallCNN
        >>> from tfpretune.search import make_space
        >>> from tfpretune.settings import FinetuneConfig
        >>> base = FinetuneConfig("demo:digits", "runs/search", epochs=1, preset="runs/a/preset")
        >>> space = make_space(base, ("learning_rate", "frozen"), rates=(1e-4, 1e-2), backbone=SmallCNN((8, 8, 1), (8,)))
        >>> space.depth, space.deepest  # two convolutions, two normalisations: all of them may be frozen
        (4, 4)
    """
    depth = sum(bool(layer.weights) for layer in backbone.layers)
    plain = _plain(base, searched)
    deepest = depth if _accepts(plain, **_frozen(base, depth, depth)) else depth - 1
    if "lora_rank" not in searched and not base.lora_rank:
        return Space(base, searched, rates, depth, deepest, frozenset())
    model = keras.Model(backbone.input, backbone.output)
    model.backbone = backbone
    frozen = ["none", *map(str, range(1, depth))] if "frozen" in searched else [base.frozen]
    # The more is frozen from below, the less is left for LoRA.
    count = bisect.bisect_left(frozen, True, key=lambda value: not _leaves_room(model, value, base.lora_layers))
    if base.lora_rank and "lora_rank" not in searched:
        deepest = min(deepest, count - 1)
    return Space(base, searched, rates, depth, deepest, frozenset(frozen[:count]))


def _plain(base: TaskConfig, searched: tuple[Searched, ...]) -> TaskConfig:
    """The base with all that is searched switched off."""
    off: dict[str, Any] = {}
    for name in searched:
        off |= OFF.get(name, {})
    return dataclasses.replace(base, **off)


def _frozen(base: TaskConfig, depth: int, of: int) -> dict[str, Any]:
    if depth == of:
        return {"frozen": "all", "cache_features": base.cache_features}
    return {"frozen": str(depth) if depth else "none"}


def _leaves_room(model: keras.Model, frozen: str, layers: str) -> bool:
    freeze(model, frozen)
    try:
        enable_lora(model, 1, layers=layers)
    except UsageError:
        return False
    remove_lora(model)
    return True


def _accepts(run: TaskConfig, **changes: Any) -> bool:
    try:
        dataclasses.replace(run, **changes)
    except UsageError:
        return False
    return True


def _short(value: float, given: float) -> float:
    """Two digits that count, so that what is printed is what was tried; what was given stays as it is."""
    return value if value == given else float(f"{value:.2g}")
