"""Whether two replicas learn what one learns: the first steps of a recipe on each, in processes of their own.

`python -m tfpretune.cli.replica_check FILE REPLICAS RECIPE.py [options]` is one of the two sides.
"""

import dataclasses
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from tfpretune.errors import RunError
from tfpretune.runtime.keras_internals import all_layers
from tfpretune.settings.run import OptimizerConfig, RunConfig

STEPS = 5
TOLERANCE = 1e-5
SGD_RATE, ADAPTIVE_RATE = 0.05, 0.01
STRONG_DECAY = 0.5  # what decays on one side alone shows within a few steps
SMOOTH = 1e-3  # in Adam's divisor: it blows the rounding of a gradient near 0 up to a whole step otherwise
FIGURES = "figures/"  # in front of the names of what was logged; the rest of a side's file are weights


@dataclasses.dataclass(frozen=True)
class Difference:
    """The largest difference of two sides: absolute up to values of 1, relative above."""

    weights: float
    weight: str
    figures: float
    figure: str

    @property
    def same(self) -> bool:
        """Whether both are at most 1e-5."""
        return self.weights <= TOLERANCE and self.figures <= TOLERANCE

    def __str__(self) -> str:
        verdict = "they train the same" if self.same else "they do NOT train the same"
        return (
            f"weights: largest difference {self.weights:.1e} ({self.weight})\n"
            f"logged metrics: largest difference {self.figures:.1e} ({self.figure})\n"
            f"1 and 2 replicas, {STEPS} steps with each update rule: {verdict} (at most {TOLERANCE:.0e})"
        )


def check_replicas(recipe: Path, options: Sequence[str]) -> Difference:
    """Trains the first steps of a recipe on 1 and on 2 replicas from the same start.

    Both sides run in float32, without dropout (replicas draw different masks on purpose), with SGD with momentum first, which
    shows gradients as they are, and then with the run's own update rule, with its averages and factors. Both decay strongly.
    The state of the optimizer is compared, too.

    Args:
        recipe: a script with a `Config` and a `main` that calls `tfpretune.training.loop.fit`.
        options: the recipe's own.

    Raises:
        RunError: a side failed, or trained nothing.
    """
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder, f"{replicas}.safetensors") for replicas in (1, 2)]
        sides = [_start(file, number, recipe, options) for number, file in enumerate(files, 1)]
        lines = [[line for line in side.communicate()[0].splitlines() if line.strip()] for side in sides]
        for number, (side, file, printed) in enumerate(zip(sides, files, lines, strict=True), 1):
            if side.returncode or not file.is_file():
                last = printed[-1] if side.returncode and printed else f"{recipe} called no fit"
                raise RunError(f"{number} replica{'s' * (number > 1)}: {last}")
        return compare(*files)


def _start(file: Path, replicas: int, recipe: Path, options: Sequence[str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tfpretune.cli.replica_check", str(file), str(replicas), str(recipe), *options]
    own = {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.Popen(
        command, env=os.environ | own, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )


def compare(one: Path, two: Path) -> Difference:
    """Compares the files of two sides."""
    import safetensors.numpy

    first, second = safetensors.numpy.load_file(one), safetensors.numpy.load_file(two)
    if first.keys() != second.keys():
        raise RunError(f"the sides have different variables: {sorted(first.keys() ^ second.keys())[:3]}")
    apart = {name: _apart(value, second[name]) for name, value in first.items()}
    figures = {name: apart[name] for name in apart if name.startswith(FIGURES)}
    weights = {name: apart[name] for name in apart if name not in figures}
    weight, figure = (max(found, key=found.__getitem__) for found in (weights, figures))
    return Difference(weights[weight], weight, figures[figure], figure.removeprefix(FIGURES))


def _apart(one: np.ndarray, two: np.ndarray) -> float:
    one, two = one.astype(np.float64), two.astype(np.float64)
    apart = np.abs(one - two) / np.maximum(1.0, np.abs(one))
    return float(np.max(np.where(np.isnan(apart), np.inf, apart), initial=0.0))


def learn(file: str, replicas: str, recipe: str, *options: str) -> None:
    """Runs a recipe up to its first `fit`, makes `STEPS` steps in its place and writes weights and figures to `file`."""
    from tfpretune import training

    true_fit = training.fit

    def fit(model: Any, batches: Any, run: RunConfig, **settings: Any) -> NoReturn:
        del settings
        _write(Path(file), model, _train(model, batches, run))
        raise SystemExit(0)

    for module in [*sys.modules.values()]:  # whoever has imported it by name
        if vars(module).get("fit") is true_fit:
            vars(module)["fit"] = fit
    with tempfile.TemporaryDirectory() as out_dir:
        own = ["--devices.replicas", replicas, "--precision", "float32", "--out-dir", out_dir]
        sys.argv = [recipe, *options, *own]
        runpy.run_path(recipe, run_name="__main__")


def _train(model: Any, batches: Any, run: RunConfig) -> dict[str, list[float]]:
    import keras

    from tfpretune.training.devices.strategies import synchronize_normalization
    from tfpretune.training.loop.preparation import check_combinations, compile_model

    for layer in all_layers(model):
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0
    synchronize_normalization(model)
    figures: dict[str, list[float]] = {}

    def record(step: int, logs: Mapping[str, Any]) -> None:
        for name, value in logs.items():
            figures.setdefault(name, []).append(float(value))

    for number, rule in enumerate(dict.fromkeys(["sgd", run.optimizer.name])):
        sized = dataclasses.replace(
            run, optimizer=_plain(run.optimizer, rule), jit="off", steps_per_execution=1, steps=STEPS, fast=False
        )
        if not number:
            check_combinations(model, batches, sized)
        compile_model(model, batches, sized)
        if hasattr(model.optimizer, "epsilon"):
            model.optimizer.epsilon = SMOOTH
        model.fit(
            batches.from_step(number * STEPS, STEPS),
            steps_per_epoch=STEPS,
            callbacks=[keras.callbacks.LambdaCallback(on_train_batch_end=record)],
            shuffle=False,
            verbose=0,
        )
    return figures


def _plain(optimizer: OptimizerConfig, rule: Any) -> OptimizerConfig:
    """Returns settings under which a difference of the sides shows, and rounding does not."""
    rate = SGD_RATE if rule == "sgd" else ADAPTIVE_RATE
    return dataclasses.replace(
        optimizer,
        name=rule,
        learning_rate=rate,
        schedule="constant",
        warmup=0.0,
        weight_decay=max(optimizer.weight_decay, STRONG_DECAY),
    )


def _write(file: Path, model: Any, figures: Mapping[str, Sequence[float]]) -> None:
    import safetensors.numpy

    from tfpretune.training.run_variables import snapshot

    arrays = {name: value for name, value in snapshot(model).items() if "seed_generator" not in name}
    logged = {f"{FIGURES}{name}": np.asarray(values, np.float64) for name, values in figures.items()}
    safetensors.numpy.save_file(arrays | logged, file)


if __name__ == "__main__":
    learn(*sys.argv[1:])
