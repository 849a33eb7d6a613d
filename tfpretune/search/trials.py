"""A search for the settings of a recipe: trials that train as the recipe does, judged on the validation set."""

import contextlib
import dataclasses
import gc
import importlib.util
import json
import math
import shutil
import signal
import sys
import threading
import time
import typing
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any, NoReturn

import keras
import tensorflow as tf

from tfpretune import training
from tfpretune.errors import RunError, UsageError
from tfpretune.runtime.files import write_atomic
from tfpretune.search.space import Space
from tfpretune.search.state import EARLY, WHOLE, Lagging, Outcome, SearchResult, SearchState, Trial
from tfpretune.settings.file import changes
from tfpretune.settings.finetune import FinetuneConfig, TaskConfig
from tfpretune.settings.launch import as_options
from tfpretune.training import FitResult
from tfpretune.training.loop.fingerprint import data_facts
from tfpretune.training.loop.signals import Stopped
from tfpretune.training.tensorboard.run import write_hparams

Main = Callable[[Any], FitResult | None]
DATA_FILE = "data.json"
STOPPED = 128 + signal.SIGINT


@dataclasses.dataclass(frozen=True)
class Budget:
    """When a search ends: after N trials in all, or N minutes of this call (0: no end), whichever is first.

    Examples:
        >>> from tfpretune.search import Budget
        >>> Budget(trials=20, minutes=30)  # whichever is first
        Budget(trials=20, minutes=30)
    """

    trials: int
    minutes: float = 0.0


def open_recipe(path: Path) -> ModuleType:
    """Imports a recipe by its path.

    Raises:
        UsageError: it is no fine-tuning of a single training.
    """
    name = f"recipe_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"--recipe {path}: expected a Python file")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    returned = typing.get_args(typing.get_type_hints(module.main).get("return"))
    if not issubclass(module.Config, TaskConfig) or FitResult not in returned:
        raise UsageError(f"--recipe {path.stem}: expected a recipe that fine-tunes once, such as finetune_text")
    return module


def search(
    main: Main, space: Space, out_dir: Path, *, budget: Budget, seed: int = 0, prune: bool = True
) -> SearchResult:
    """Makes trials until the budget is spent. The same call goes on with the study in `out_dir/study.db`.

    SIGINT ends it after the present trial. A trial that was killed is made again; one that fails counts.

    Args:
        main: of a recipe; it calls `tfpretune.training.loop.fit` once, and what it does afterwards is left out.
        space: what to draw from.
        out_dir: a trial leaves its logs in `trials/NUMBER`, and a line of TensorBoard's HParams page in `logs/NUMBER`.
        budget: when to end.
        seed: of the draws.
        prune: end a trial early when it lags behind the median of the others.

    Raises:
        UsageError: Optuna is not installed, the settings of the very first trial do not work, or the data have changed.
    """
    tf.get_logger().setLevel("ERROR")  # a network for each trial, so many traces: no news
    with contextlib.closing(SearchState(out_dir, space, seed=seed, prune=prune)) as study, _AfterThisTrial() as stop:
        for number in study.make_killed_again(out_dir / "trials"):
            print(f"trial {number} was killed: it is made again", flush=True)
        ends = time.monotonic() + 60 * budget.minutes if budget.minutes else math.inf
        while len(study.outcomes()) < budget.trials and time.monotonic() < ends and not stop.received:
            _make(study, main, out_dir, stop)
        return SearchResult(study.outcomes(), study.monitor, study.mode, stop.received)


def _make(study: SearchState, main: Main, out_dir: Path, stop: "_AfterThisTrial") -> None:
    """Makes one trial and prints a line."""
    keras.utils.clear_session(free_memory=False)  # names of layers must not depend on what was made before
    gc.collect()
    trial, figure = study.ask(), None
    folder = out_dir / "trials" / f"{trial.number:03d}"
    try:
        figure, ended = _train(main, trial, folder, stop), WHOLE
    except Lagging:
        ended = EARLY
    except OtherData:
        raise
    except UsageError as error:
        if not study.outcomes():
            study.discard()
            raise
        ended = as_options(error, type(trial.settings))
    except RunError as error:
        ended = as_options(error, type(trial.settings))
    except Stopped as error:
        if error.code != STOPPED:
            raise
        stop.received = True  # it came before the first step: the trial is made again
        return
    finally:
        shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    outcome = trial.end(figure, ended)
    shown = study.space.values(outcome.settings)
    if outcome.figure is not None:
        figures = {study.monitor: outcome.figure}
        write_hparams(out_dir / "logs" / folder.name, shown | {"ended": outcome.ended}, figures)
    print(f"trial {trial.number}: {_said(outcome)} ({', '.join(f'{k} {v}' for k, v in shown.items())})", flush=True)


def _said(outcome: Outcome) -> str:
    if outcome.figure is None:
        return f"failed: {outcome.ended}"
    return f"{outcome.figure:.4g}" + (", ended early" if outcome.ended == EARLY else "")


class OtherData(UsageError):
    """The trials before were made with other examples."""


def _require_same_data(file: Path, identity: Mapping[str, Any]) -> None:
    """Compares the fingerprints of the examples with those in a file of the search, which the first trial writes.

    Raises:
        OtherData: they differ.
    """
    now = data_facts(identity)
    if file.is_file() and (changed := changes(json.loads(file.read_text("utf-8")), now)):
        raise OtherData(f"{file.parent} was started with other data ({'; '.join(changed)}): choose another --out-dir")
    write_atomic(file, json.dumps(now, indent=2) + "\n")


class _Fitted(Exception):
    """Ends a recipe after its fit: the test set is for the winner."""

    def __init__(self, result: FitResult):
        super().__init__("fitted")
        self.result = result


def _train(main: Main, trial: Trial, folder: Path, stop: "_AfterThisTrial") -> float:
    """Returns the best validation metric of the recipe's training; what it prints goes to `folder/log.txt`."""
    true_fit = training.fit

    def fit(model: Any, batches: Any, run: Any, **given: Any) -> NoReturn:
        _require_same_data(folder.parents[1] / DATA_FILE, given.get("identity") or {})
        trial.judge_by(given["monitor"], given["mode"])
        callbacks = [*given.pop("callbacks", ()), _Watch(trial, given["monitor"], stop)]
        raise _Fitted(true_fit(model, batches, run, callbacks=callbacks, **given))

    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "log.txt").open("w", encoding="utf-8") as log, contextlib.redirect_stdout(log), _fit_is(fit):
        try:
            settings = dataclasses.replace(trial.settings, out_dir=str(folder))
            main(dataclasses.replace(settings, folds="none") if isinstance(settings, FinetuneConfig) else settings)
        except _Fitted as done:
            if done.result.best is None:
                raise RunError("the recipe has no validation metric") from None
            return done.result.best
    raise UsageError("the recipe called no fit: --dry-run trains nothing")


@contextlib.contextmanager
def _fit_is(replacement: Callable[..., NoReturn]) -> Iterator[None]:
    """Puts another function in the place of `training.fit`, in every module that has imported it."""
    true_fit = training.fit
    modules = [module for module in [*sys.modules.values()] if getattr(module, "__dict__", {}).get("fit") is true_fit]
    for module in modules:
        vars(module)["fit"] = replacement
    try:
        yield
    finally:
        for module in modules:
            vars(module)["fit"] = true_fit


class _Watch(keras.callbacks.Callback):
    """Reports the validation metric after each interval."""

    def __init__(self, trial: Trial, monitor: str, stop: "_AfterThisTrial"):
        super().__init__()
        self.trial, self.monitor, self.stop = trial, monitor, stop
        self.interval = 0

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Takes SIGINT back from `fit`, which would stop in the middle of the trial."""
        self.stop.watch()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Raises Lagging when the trial need not go on."""
        self.interval += 1
        figure = (logs or {}).get(self.monitor)
        if figure is not None and math.isfinite(figure):  # else the run ends with a word about it
            self.trial.report(float(figure), self.interval)


class _AfterThisTrial:
    """Notes SIGINT; a second one stops at once."""

    def __init__(self) -> None:
        self.received = False
        self._old: Any = None

    def __enter__(self) -> "_AfterThisTrial":
        if threading.current_thread() is threading.main_thread():
            self._old = signal.getsignal(signal.SIGINT)
        self.watch()
        return self

    def __exit__(self, *error: object) -> None:
        if self._old is not None:
            signal.signal(signal.SIGINT, self._old)

    def watch(self) -> None:
        """Takes the signal over, where Python allows it."""
        if self._old is not None:
            signal.signal(signal.SIGINT, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.received:
            raise KeyboardInterrupt
        self.received = True
        print("\nSIGINT: stopping after this trial; once more stops at once", file=sys.stderr, flush=True)
