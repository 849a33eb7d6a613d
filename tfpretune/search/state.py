"""The study of a search on the disk: trials that have ended, the next one, and those that were killed."""

import dataclasses
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tfpretune.errors import UsageError
from tfpretune.search.space import Space
from tfpretune.settings.finetune import TaskConfig

FILE = "study.db"
RANDOM_TRIALS = 8  # before the sampler goes by what was found
WHOLE_TRIALS = 4  # before one that lags behind the others is ended early
WHOLE, EARLY = "whole", "early"


@dataclasses.dataclass(frozen=True)
class Outcome:
    """A trial that has ended.

    Attributes:
        number: of the trial.
        settings: what it trained with.
        figure: the best validation metric; of one that was ended early the last; None: it failed.
        ended: `WHOLE`, `EARLY`, or why it failed.
        seconds: wall time.
    """

    number: int
    settings: TaskConfig
    figure: float | None
    ended: str
    seconds: float


@dataclasses.dataclass(frozen=True)
class SearchResult:
    """What a search has found so far.

    Attributes:
        outcomes: all trials that have ended, by number.
        monitor: name of the figure, such as val_accuracy; empty while no trial has trained.
        mode: "max" or "min".
        stopped: a signal came.
    """

    outcomes: Sequence[Outcome]
    monitor: str
    mode: str
    stopped: bool

    @property
    def best(self) -> Outcome | None:
        """The whole trial with the best figure, of equal ones the first."""
        whole = [(outcome.figure, outcome) for outcome in self.outcomes if outcome.ended == WHOLE]
        sign = 1 if self.mode == "max" else -1
        return max(whole, key=lambda pair: sign * (pair[0] or 0.0))[1] if whole else None


def import_optuna() -> Any:
    """Returns Optuna, which logs nothing but errors from then on.

    Raises:
        UsageError: it is not installed.
    """
    try:
        import optuna
    except ImportError:
        raise UsageError("the search needs Optuna: pip install 'tfpretune[tune]'") from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


class SearchState:
    """Optuna's study in `out_dir/study.db`, for one process at a time.

    It maximizes; of a figure that is to fall it has the negative. What a trial draws depends on the seed, its number and the
    trials before it, so a search that was stopped between two trials finds what one finds that was not.

    Args:
        out_dir: folder of the search.
        space: what to draw from. The first trial gets the settings of its base.
        seed: of the draws.
        prune: end a trial early when it lags behind the median of the others.
    """

    def __init__(self, out_dir: Path, space: Space, *, seed: int, prune: bool):
        self._optuna = optuna = import_optuna()
        self.file, self.space, self.seed = out_dir / FILE, space, seed
        out_dir.mkdir(parents=True, exist_ok=True)
        self._storage = optuna.storages.RDBStorage(f"sqlite:///{self.file.absolute()}")
        median = optuna.pruners.MedianPruner(
            n_startup_trials=WHOLE_TRIALS, n_warmup_steps=2
        )  # after the first interval nothing is clear
        self._study = optuna.create_study(
            study_name="tune",
            storage=self._storage,
            direction="maximize",
            pruner=median if prune else optuna.pruners.NopPruner(),
            load_if_exists=True,
        )
        if not self._trials():
            self._study.enqueue_trial(space.first())

    def close(self) -> None:
        """Closes the file."""
        self._storage.remove_session()
        self._storage.engine.dispose()

    def discard(self) -> None:
        """Removes the file of a study in which nothing has ended."""
        self.close()
        self.file.unlink(missing_ok=True)

    @property
    def monitor(self) -> str:
        """Name of the figure; empty before the first training."""
        return self._study.user_attrs.get("monitor", "")

    @property
    def mode(self) -> str:
        """Whether the figure is to rise or to fall: max or min."""
        return self._study.user_attrs.get("mode", "max")

    def judge_by(self, monitor: str, mode: str) -> None:
        """Notes the figure."""
        if (monitor, mode) != (self.monitor, self.mode):
            self._study.set_user_attr("monitor", monitor)
            self._study.set_user_attr("mode", mode)

    def make_killed_again(self, trials: Path) -> list[int]:
        """Marks trials that nobody makes any more as failed, puts their settings in front, and returns their numbers."""
        killed = self._trials("RUNNING")
        for trial in killed:
            shutil.rmtree(trials / f"{trial.number:03d}", ignore_errors=True)
            if trial.number not in self._made_again():
                self._study.enqueue_trial(trial.params, user_attrs={"again": trial.number})
            self._study.tell(trial.number, state=self._optuna.trial.TrialState.FAIL)
        return [trial.number for trial in killed]

    def ask(self) -> "Trial":
        """Returns the next trial."""
        made = len(self._trials("COMPLETE", "PRUNED", "FAIL"))
        own = int(np.random.SeedSequence([self.seed, made]).generate_state(1)[0])
        self._study.sampler = self._optuna.samplers.TPESampler(seed=own, n_startup_trials=RANDOM_TRIALS)
        return Trial(self, self._study.ask())

    def tell(self, trial: Any, figure: float | None, ended: str) -> Outcome:
        """Notes how one of Optuna's trials ended; see `Outcome`."""
        states = self._optuna.trial.TrialState
        if ended == WHOLE:
            self._study.tell(trial, self.signed(figure))
        elif ended == EARLY:
            self._study.tell(trial, state=states.PRUNED)
        else:
            trial.set_user_attr("why", ended)
            self._study.tell(trial, state=states.FAIL)
        return next(outcome for outcome in self.outcomes() if outcome.number == trial.number)

    def outcomes(self) -> list[Outcome]:
        """Returns the trials that count: all that ended but those that were killed."""
        again = self._made_again()
        return [self._outcome(one) for one in self._trials("COMPLETE", "PRUNED", "FAIL") if one.number not in again]

    def signed(self, figure: Any) -> float:
        """Turns a figure into one that is to rise, and back."""
        return float(figure) if self.mode == "max" else -float(figure)

    def _outcome(self, trial: Any) -> Outcome:
        settings = self.space.settings(self._optuna.trial.FixedTrial(trial.params))
        figure = None if trial.value is None else self.signed(trial.value)
        ended = {"COMPLETE": WHOLE, "PRUNED": EARLY}.get(trial.state.name) or trial.user_attrs["why"]
        return Outcome(trial.number, settings, figure, ended, trial.duration.total_seconds())

    def _made_again(self) -> set[int]:
        return {trial.user_attrs["again"] for trial in self._trials() if "again" in trial.user_attrs}

    def _trials(self, *states: str) -> list[Any]:
        wanted = tuple(self._optuna.trial.TrialState[state] for state in states)
        return self._study.get_trials(deepcopy=False, states=wanted or None)


class Lagging(Exception):
    """A trial that lags behind the others need not go on."""


class Trial:
    """A trial that is being made.

    Attributes:
        number: from 0.
        settings: what to train with.
    """

    def __init__(self, study: SearchState, drawn: Any):
        self._study, self._drawn = study, drawn
        self.number: int = drawn.number
        self.settings = study.space.settings(drawn)

    def report(self, figure: float, interval: int) -> None:
        """Notes a validation metric; raises Lagging when the trial need not go on."""
        self._drawn.report(self._study.signed(figure), interval)
        if self._drawn.should_prune():
            raise Lagging

    def judge_by(self, monitor: str, mode: str) -> None:
        """Says which figure will be reported."""
        self._study.judge_by(monitor, mode)

    def end(self, figure: float | None, ended: str) -> Outcome:
        """Notes how it ended; see `Outcome`."""
        return self._study.tell(self._drawn, figure, ended)
