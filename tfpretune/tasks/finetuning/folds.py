"""Fine-tuning in folds, where there are few labels: what models say of examples that they were not trained on."""

import contextlib
import dataclasses
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tfpretune.data.batches.step_indexed import StepIndexed
from tfpretune.data.examples.examples import Examples
from tfpretune.data.sources.labelled import LabelledSplits
from tfpretune.data.splits.folds import Folds
from tfpretune.errors import RunError, UsageError
from tfpretune.evaluation.predict import predictor
from tfpretune.finetune import start_head_from_probe
from tfpretune.objectives import Supervised
from tfpretune.runtime.files import write_atomic
from tfpretune.runtime.lock import alone_in
from tfpretune.settings.finetune import FinetuneConfig, TaskConfig
from tfpretune.tasks.by_target import LABELS
from tfpretune.tasks.finetuning.methods import apply_methods
from tfpretune.tasks.held_out import HeldOut
from tfpretune.training.devices.strategies import num_workers, separate_dropout, synchronize_normalization
from tfpretune.training.loop.checkpoints import CheckpointFolder
from tfpretune.training.loop.fingerprint import fingerprints
from tfpretune.training.loop.preparation import MAY_DIFFER, check_settings
from tfpretune.training.loop.signals import Stop, Stopped
from tfpretune.training.loop.trial_folder import check_same_comparison, trial_fingerprint
from tfpretune.training.loop.trials import start_like, train_briefly

Build = Callable[[Examples, int], Supervised]
"""(training examples, seed) -> a new model for them, without methods."""
Learn = Callable[[Examples, int], StepIndexed]
"""(training examples, seed) -> the batches it is trained on."""
Read = Callable[[Examples], tf.data.Dataset]
"""Examples -> their batches in order, without augmentation."""

FOLDER = "folds"
_MAY_DIFFER = tuple(name for name in MAY_DIFFER if name not in ("epochs", "steps"))  # all folds make the same steps


def plan(folds: Folds, run: TaskConfig, examples: int) -> str:
    """Returns in words what training in folds costs."""
    steps = run.total_steps(-(-examples // run.batch_size))
    return (
        f"{examples:,} labelled examples are judged in folds: {folds.count} folds x {folds.repeats} "
        f"repeat{'s' * (folds.repeats > 1)} + the final model on all of them = {folds.fits + 1} trainings of {steps:,} steps, "
        "with no validation split to choose by (--folds none: a part is set aside instead)"
    )


def cross_validate(
    run: FinetuneConfig, parts: LabelledSplits, *, build: Build, learn: Learn, read: Read
) -> HeldOut | None:
    """Trains a model for each fold, as the final one will be trained, and asks it about the examples that it has not seen.

    Each model makes the steps of the run and is asked with its last weights; no label of an example reaches the model that is
    asked about it. A simple model is fitted on the same folds. Finished folds lie in OUT_DIR/folds: the same command goes on
    with the next.

    Args:
        run: the settings; methods, steps and update rule are those of the run. Features are not cached.
        parts: the data; where it has no folds, nothing is done.
        build: makes a model.
        learn: makes its training batches.
        read: makes what it is asked.

    Returns:
        What the models said; None without folds.

    Raises:
        UsageError: OUT_DIR belongs to another run; several workers.
        RunError: a model says not-a-number.
        Stopped: a signal came or the minutes are over; the folds until then are kept.

    Examples:
        >>> from tfpretune.data import labelled_splits
        >>> from tfpretune.settings import FinetuneConfig
        >>> from tfpretune.tasks import cross_validate
        >>> run, parts = FinetuneConfig("demo:digits", "runs/a", steps=5, preset="runs/p"), labelled_splits("demo:digits")
        note: demo:digits: 4 examples stand in another part than their contents alone would put them in, ...
        >>> parts.folds is None  # 1,797 examples are enough for a validation split; the recipes say what the rest is
        True
        >>> cross_validate(run, parts, build=None, learn=None, read=None) is None
        True
    """
    if parts.folds is None:
        return None
    trials = _Trials(run, parts.train, parts.folds, build, learn, read)
    folder = Path(run.out_dir, FOLDER)
    if run.deterministic:
        tf.config.experimental.enable_op_determinism()
    with alone_in(Path(run.out_dir)), _quiet(), Stop(run.max_minutes) as stop:
        if not run.fast:
            check_settings(run, CheckpointFolder(run.shared_dir / "checkpoints", keep=run.keep_checkpoints))
            same = trial_fingerprint(run.preset) | fingerprints({"the training examples": parts.train})
            same |= {"folds": parts.folds.numbers.tolist()}
            check_same_comparison(folder, run, may_differ=_MAY_DIFFER, identity=same)
        for repeat in range(parts.folds.repeats):
            for fold in range(parts.folds.count):
                trials.make(repeat, fold, None if run.fast else folder / f"{repeat}-{fold}.json")
                if stop.code:
                    print(
                        f"stopped after fold {fold} of repeat {repeat} ({stop.reason}); the same command goes on",
                        flush=True,
                    )
                    raise Stopped(stop.code)
    return HeldOut(parts.train, parts.folds, np.stack(trials.outputs), np.stack(trials.simple), trials.simple_name)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """That many small models are traced is no news."""
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel("ERROR")
    try:
        yield
    finally:
        logger.setLevel(level)


@dataclasses.dataclass(eq=False)
class _Trials:
    """The folds, and the last network: to trace a new one takes longer than many of its steps."""

    run: FinetuneConfig
    train: Examples
    folds: Folds
    build: Build
    learn: Learn
    read: Read
    outputs: list[Any] = dataclasses.field(default_factory=list)
    simple: list[Any] = dataclasses.field(default_factory=list)
    simple_name: str = ""
    last: Supervised | None = None

    def make(self, repeat: int, fold: int, file: Path | None) -> None:
        """Trains the model of a fold, unless its answers lie in the file, and notes what it says."""
        numbers = self.folds.numbers[repeat]
        held = numbers == fold
        if file is not None and file.is_file():
            found = _read(file)
        else:
            found = self._train(self.train.take(~held), self.train.take(held), self.run.seed + repeat)
            if file is not None:
                write_atomic(file, json.dumps(found) + "\n")
            labels, examples = LABELS[self.train.label_kind], self.train.take(held)
            score = labels.score(np.asarray(found["outputs"]), examples)
            where = f"repeat {repeat + 1} of {self.folds.repeats}, fold {fold + 1} of {self.folds.count}"
            print(
                f"{where}: {labels.score_name} {score:.3f} on {len(examples)} held-out {self.train.kind}s", flush=True
            )
        if fold == 0:
            for kept in (self.outputs, self.simple):
                kept.append(np.zeros((len(held), len(found["outputs"][0])), np.float32))
        self.outputs[repeat][held], self.simple[repeat][held] = found["outputs"], found["simple"]
        self.simple_name = found["simple model"]

    def _train(self, few: Examples, held: Examples, seed: int) -> dict[str, Any]:
        run = self.run
        model = self._begin(few, seed)
        batches = self.learn(few, seed)
        steps = run.total_steps(-(-len(self.train) // batches.batch_size))
        train_briefly(model, batches, run.optimizer, steps=steps)
        outputs = self.predict(self.read(held))
        if not np.isfinite(outputs).all():
            raise RunError("a fold: the model says not-a-number; lower `optimizer.learning_rate`")
        name, simple = LABELS[few.label_kind].simple(few)
        return {"outputs": outputs.tolist(), "simple": simple(held).tolist(), "simple model": name}

    def _begin(self, few: Examples, seed: int) -> Supervised:
        """Returns a model at its start: the last one, where what it is trained towards is the same."""
        model, last = self.build(few, seed), self.last
        if num_workers(model.distribute_strategy) > 1:
            raise UsageError("`folds`: they are made on one machine; give `folds` none, or leave the other workers out")
        apply_methods(model, self.run)
        if last is not None and _same_target(last, model):
            start_like(last, model)
            model = last
        else:
            synchronize_normalization(model)
            self.predict = predictor(model)
        if self.run.init_head_from_probe and not self.run.from_scratch:
            with contextlib.redirect_stdout(io.StringIO()):  # what it says is of no interest ten times
                start_head_from_probe(model, self.read(few))
        separate_dropout(model)
        self.last = model
        return model


def _same_target(one: Supervised, other: Supervised) -> bool:
    """Whether two models are trained towards the same: of numbers it holds their spread, of classes perhaps weights."""
    return bool(one.target.get_config() == other.target.get_config())


def _read(file: Path) -> dict[str, Any]:
    try:
        return json.loads(file.read_text("utf-8"))
    except ValueError:
        raise RunError(f"{file} is damaged: delete it, and the same command makes it anew") from None
