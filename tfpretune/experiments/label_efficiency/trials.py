"""Trials of fine-tuning methods over numbers of labels and seeds: each made once, in one process or in several."""

import concurrent.futures
import functools
import json
import multiprocessing
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from tfpretune.data.batches.step_indexed import Transform
from tfpretune.data.batches.transforms import augmented
from tfpretune.data.sources.labelled import LabelledSplits, labelled_splits
from tfpretune.errors import RunError
from tfpretune.evaluation.baselines.kinds import LINEAR
from tfpretune.evaluation.metrics.classification import accuracy
from tfpretune.experiments.comparison import Side, Trials
from tfpretune.experiments.label_efficiency.work import LabelTrial, Work
from tfpretune.experiments.trials import begin_trials
from tfpretune.finetune import pooled_head
from tfpretune.objectives import Classification, Supervised
from tfpretune.runtime.files import write_atomic
from tfpretune.settings.finetune import FinetuneConfig
from tfpretune.tasks.finetuning.kinds import INPUTS
from tfpretune.tasks.finetuning.methods import apply_methods


def run_trials(work: Work, trials: Sequence[LabelTrial], *, out_dir: Path, processes: int) -> dict[LabelTrial, float]:
    """Makes the trials that are not made yet.

    Args:
        work: what they share.
        trials: in this order; those of one method in turn share a traced network.
        out_dir: each result becomes `trials/….json` there.
        processes: how many work side by side; 1: this process alone.

    Returns:
        The accuracy on the test set of each.
    """
    files = {trial: out_dir / "trials" / trial.file for trial in trials}
    open_ = [trial for trial in trials if not files[trial].is_file()]
    with _workers(work, min(processes, len(open_))) as pool:
        running = {pool.submit(_score, trial): trial for trial in open_}
        try:
            for future in concurrent.futures.as_completed(running):
                trial = running[future]
                write_atomic(files[trial], json.dumps({"accuracy": future.result()}) + "\n")
                print(
                    f"{trial.method}, {trial.labels or 'all'} labels, seed {trial.seed}: {future.result():.3f}",
                    flush=True,
                )
        except concurrent.futures.BrokenExecutor as error:
            raise RunError(
                "a process of --processes was killed, perhaps for want of memory: give fewer; the same command goes on"
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)
    return {trial: json.loads(file.read_text("utf-8"))["accuracy"] for trial, file in files.items()}


class _Here(concurrent.futures.Executor):
    """Runs what is submitted at once, in this process."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> concurrent.futures.Future:
        """Returns a future that is done."""
        future: concurrent.futures.Future = concurrent.futures.Future()
        future.set_result(fn(*args, **kwargs))
        return future


def _workers(work: Work, processes: int) -> concurrent.futures.Executor:
    if processes <= 1:
        _begin(work, 0)
        return _Here()
    context = multiprocessing.get_context("spawn")
    threads = max(1, (os.cpu_count() or 1) // processes)
    return concurrent.futures.ProcessPoolExecutor(processes, context, _begin, (work, threads))


_laboratory: "_Laboratory"


def _begin(work: Work, threads: int) -> None:
    """Opens the data in a process."""
    global _laboratory
    if threads:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    begin_trials()
    _laboratory = _Laboratory(work)


def _score(trial: LabelTrial) -> float:
    return _laboratory.score(trial)


class _Laboratory:
    """The data, and the last network of the last method: to trace a new one takes longer than many of its steps."""

    def __init__(self, work: Work):
        self.work = work
        self.parts: LabelledSplits = labelled_splits(
            work.source, work.form, splits=work.splits, most=256 if work.fast else 0
        )
        self.last: tuple[tuple[str, int], Supervised] | None = None

    def score(self, trial: LabelTrial) -> float:
        """Returns the accuracy of one trial on the test set."""
        train, test = self.parts.train, self.parts.test
        few = train.few_labels(trial.labels, trial.seed) if trial.labels else train
        run = self.work.methods[trial.method]
        if run is None:
            return accuracy(LINEAR[few.kind].classes(few, test, len(self.parts.class_names)), test)
        trials, steps = self._trials(run), self.work.steps(run, len(few))
        key = (trial.method, steps)  # with another number of steps the schedule is another one
        before = self.last[1] if self.last is not None and self.last[0] == key else None
        side = Side(
            trial.method,
            not run.from_scratch,
            steps,
            run.optimizer,
            init_head_from_probe=run.init_head_from_probe and not run.from_scratch,
            head_dropout=run.dropout,
            backbone_dropout=run.backbone_dropout,
            prepare=functools.partial(apply_methods, run=self.work.with_unfreezing(trial.method, run, steps)),
        )
        self.last = (key, trials.fine_tune(side, few, trial.seed, before))
        return trials.score(self.last[1])

    def _trials(self, run: FinetuneConfig) -> Trials:
        work = self.work
        reads = INPUTS[self.parts.train.kind]
        preprocessing = reads.preprocessing_of(run.preset, window_length=work.window_length)
        inputs = reads.of_preset(run.preset, preprocessing, sequence_length=work.sequence_length)
        return Trials(
            run.preset,
            self.parts.train,
            self.parts.test,
            make_batches=inputs.batches,
            make_model=functools.partial(
                pooled_head,
                target=Classification(len(self.parts.class_names), label_smoothing=run.label_smoothing),
                preprocessing=preprocessing,
                name="classifier",
            ),
            batch_size=run.batch_size,
            seeds=0,
            transform=None if work.augmentation is None else _augmented(*work.augmentation),
        )


def _augmented(shift: int, degrees: float, scale: float) -> Transform:
    return augmented(shift=shift, rotate_degrees=degrees, scale=scale)
