"""Where the parts of a run come from: its options as a form, the rule that it was begun under, its test examples again."""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from tfpretune.data.examples.base import ExampleSet
from tfpretune.data.readers.source_form import SourceForm
from tfpretune.data.sources.examples import open_examples
from tfpretune.data.sources.labelled import as_under
from tfpretune.data.splits.form import SplitForm
from tfpretune.data.splits.rule import CONTENTS, WITH_COPIES
from tfpretune.settings.splits import OwnSplits
from tfpretune.tasks.held_out import LEARNT_FROM_ALL
from tfpretune.training.loop.checkpoints import CheckpointFolder


class SplitRun(Protocol):
    """Settings of a run that splits its source."""

    @property
    def out_dir(self) -> str:
        """The folder of the run."""

    @property
    def shared_dir(self) -> Path:
        """The folder that all workers share."""

    @property
    def validation_source(self) -> str:
        """As `OwnSplits`."""

    @property
    def test_source(self) -> str:
        """As `OwnSplits`."""

    @property
    def fractions(self) -> tuple[float, float, float]:
        """As `OwnSplits`."""


class HasTrain(Protocol):
    """The parts of a source."""

    @property
    def train(self) -> ExampleSet:
        """The training examples."""


PartsOf = TypeVar("PartsOf", bound=HasTrain)
Examples = TypeVar("Examples", bound=ExampleSet)


def split_form(run: OwnSplits | SplitRun) -> SplitForm:
    """Returns what the options of a run say of its parts.

    Examples:
        >>> from tfpretune.settings import OwnSplits
        >>> from tfpretune.tasks import split_form
        >>> split_form(OwnSplits(test_source="csv:test.csv")).own
        {'test': 'csv:test.csv'}
    """
    return SplitForm(run.validation_source, run.test_source, run.fractions)


def splits_of_run(run: SplitRun, open_parts: Callable[[SplitForm], PartsOf]) -> PartsOf:
    """Opens the parts of a run; of one that was begun under an earlier rule of splitting those of that rule.

    Args:
        run: the settings. A run whose checkpoints are of other training examples than the rule of today gives, but of those
            that the rule of before gives, goes on with these.
        open_parts: the form of the parts -> the parts.

    Examples:
        >>> from tfpretune.data import labelled_splits
        >>> from tfpretune.settings import TaskConfig
        >>> from tfpretune.tasks import splits_of_run
        >>> run = TaskConfig("demo:digits", "runs/digits", steps=5, preset="runs/pretrained/preset", fractions=(0.6, 0.2, 0.2))
        >>> parts = splits_of_run(run, lambda splits: labelled_splits(run.source, splits=splits))
        >>> round(len(parts.test) / 1797, 1)
        0.2
    """
    splits = split_form(run)
    parts, begun = open_parts(splits), _begun_with(run)
    if not begun or begun == parts.train.fingerprint()[CONTENTS]:
        return parts
    earlier = open_parts(dataclasses.replace(splits, rule=WITH_COPIES))
    if earlier.train.fingerprint()[CONTENTS] != begun:
        return parts  # `fit` says what differs
    print(f"note: {run.out_dir} was begun by an earlier version: the data are split as they were there", flush=True)
    return earlier


def test_part(source: str, task: Mapping[str, Any], open_source: Callable[[str], Examples]) -> Examples:
    """Returns the test examples of a run again: all of their own source, or the test split of its source.

    Args:
        source: the source; where it is not the run's, it is split as that was.
        task: the content of `task.json`.
        open_source: opens a source.
    """
    splits = SplitForm.from_task(task)
    if splits.test_source and source == task.get("source"):
        return open_source(splits.test_source)
    return open_source(source).split("test", splits.shares, rule=splits.rule)


def raw_examples(source: str, task: Mapping[str, Any], count: int) -> Sequence[Any]:
    """Returns a few texts, pairs of them, or images from the test split of a source; arguments as `Task.raw_inputs`."""
    rule = SplitForm.from_task(task).rule
    form = dataclasses.replace(as_under(rule, SourceForm.from_task(task)), label_column="")
    all_of_it = task.get(LEARNT_FROM_ALL) and not task.get("test_source")
    find = (lambda name, _, read: read(name)) if all_of_it else test_part
    examples = find(source, task, lambda name: open_examples(name, form)).sample(count)
    if examples.seconds is None:
        return list(examples.inputs)
    return list(zip(examples.inputs, examples.seconds, strict=True))


def _begun_with(run: SplitRun) -> str:
    """Returns the fingerprint of the training examples in the newest checkpoint of a run; "" where there is none."""
    folder = CheckpointFolder(run.shared_dir / "checkpoints")
    for step in reversed(folder.steps()):
        try:
            identity = folder.progress(step).get("identity") or {}
        except (OSError, json.JSONDecodeError):
            continue  # `fit` names a damaged one
        return str(identity.get(f"{CONTENTS} of the training examples", ""))
    return ""
