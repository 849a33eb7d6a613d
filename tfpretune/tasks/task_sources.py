"""Texts for several tasks: further labels of the same texts, or texts of their own for each task."""

import collections
import dataclasses
from collections.abc import Mapping
from typing import Any, Literal, get_args

import numpy as np

from tfpretune.data.batches.examples import text_batches
from tfpretune.data.batches.mixing import Mixed, batch_fractions
from tfpretune.data.batches.step_indexed import StepIndexed
from tfpretune.data.examples.examples import Examples
from tfpretune.data.readers.source_form import LABEL_WORDS, USUAL_FORM, SourceForm
from tfpretune.data.sources.labelled import LabelledSplits, labelled_splits
from tfpretune.data.sources.naming import full_name
from tfpretune.data.splits.form import USUAL_SPLITS, SplitForm
from tfpretune.data.splits.rule import Part
from tfpretune.data.text.tokenizer import Tokenizer
from tfpretune.errors import UsageError

TABLES = ("csv:", "jsonl:", "json:", "parquet:", "tfds:")
"""Sources whose label columns are asked for by name."""


@dataclasses.dataclass(frozen=True, eq=False)
class TaskSources:
    """What several tasks learn from.

    Attributes:
        parts: source -> its three parts; each source is opened once.
        places: task -> its source and the label column there; "label" is the source's own, others are columns of its files.
    """

    parts: Mapping[str, LabelledSplits]
    places: Mapping[str, tuple[str, str]]

    def examples(self, task: str, part: Literal["train", "validation", "test"]) -> Examples:
        """Returns the texts of a task's part that have a label for it, with that task's labels."""
        source, column = self.places[task]
        examples: Examples = getattr(self.parts[source], part)
        return examples.with_labels(column) if column in examples.more else examples

    def known(self, task: str, part: Literal["train", "validation", "test"]) -> np.ndarray:
        """Returns which texts of its source's part have a label for a task: bool `(texts,)`."""
        source, column = self.places[task]
        examples: Examples = getattr(self.parts[source], part)
        return examples.more[column].labels >= 0 if column in examples.more else np.ones(len(examples), bool)

    def class_names(self, task: str) -> tuple[str, ...]:
        """The classes of a task, in the order of their indices."""
        return self.examples(task, "test").class_names

    @property
    def license(self) -> str:
        """The licences of all sources."""
        return "; ".join(dict.fromkeys(parts.test.license for parts in self.parts.values() if parts.test.license))

    def near_copies(self) -> dict[str, int]:
        """Counts the near copies in all sources; see `ExampleSet.near_copies`."""
        found: collections.Counter[str] = collections.Counter()
        for parts in self.parts.values():
            found.update(parts.train.near_copies())
        return dict(found)

    def batches(
        self,
        part: Literal["train", "validation", "test"],
        batch_size: int,
        *,
        tokenizer: Tokenizer,
        sequence_length: int,
        temperature: float = 1.0,
        seed: int = 0,
    ) -> StepIndexed:
        """Serves int32 `token_ids` and `padding_mask` `(batch, sequence_length)` and for each task a column of its name.

        Args:
            part: which part of the sources.
            batch_size: texts per step, at least as many as there are sources.
            tokenizer: a KerasHub BERT-like tokenizer.
            sequence_length: length of the rows.
            temperature: how a batch is shared among several sources; see `batch_fractions`.
            seed: decides the order.

        Returns:
            Batches in which a text has -1 for the tasks that it has no label for.
        """
        settings = {"tokenizer": tokenizer, "sequence_length": sequence_length}
        columns = [self._columns(source, getattr(parts, part), settings) for source, parts in self.parts.items()]
        if len(columns) == 1:
            return StepIndexed(columns[0], batch_size, seed=seed)
        if batch_size < len(columns):
            raise UsageError(
                f"--batch-size {batch_size} has no text for each of {len(columns)} sources: make it larger"
            )
        shares = batch_fractions([len(each["token_ids"]) for each in columns], batch_size, temperature=temperature)
        served = [
            StepIndexed(each, share, seed=seed + number)
            for number, (each, share) in enumerate(zip(columns, shares, strict=True))
        ]
        return Mixed(served, column="sources", fill=dict.fromkeys(self.places, -1), seed=seed)

    def _columns(self, source: str, examples: Examples, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the rows of one source, with the labels under the names of their tasks."""
        tasks = {task: column for task, (where, column) in self.places.items() if where == source}
        more = [column for column in tasks.values() if column in examples.more]
        rows = text_batches(examples, 1, **settings, more_labels=more).columns
        inputs = {name: rows[name] for name in ("token_ids", "padding_mask")}
        return inputs | {task: rows[column if column in more else "labels"] for task, column in tasks.items()}


def open_tasks(
    places: Mapping[str, tuple[str, str]],
    form: SourceForm = USUAL_FORM,
    *,
    most: int = 0,
    seed: int = 0,
    splits: SplitForm = USUAL_SPLITS,
) -> TaskSources:
    """Opens the sources of tasks. Where a source has several, a text may lack labels of some.

    Args:
        places: from `read_places`.
        form: how all sources are read; its label column is that of tasks with texts of their own.
        most: keep at most so many examples of each part of each source, for rehearsals; 0 keeps all.
        seed: decides which.
        splits: where validation and test examples come from; sources of their own are for one source of tasks.

    Raises:
        UsageError: a source lacks a column, the labels of one are not classes, or a part has none for a task.
    """
    parts = {}
    if splits.own and len({source for source, _ in places.values()}) > 1:
        part = next(iter(splits.own))
        raise UsageError(
            f"`{part}_source` and several sources of tasks: each needs its own; say it there, with a column split or folders "
            f"train and {part}"
        )
    for source in dict.fromkeys(source for source, _ in places.values()):
        columns = list(dict.fromkeys(column for where, column in places.values() if where == source))
        in_a_file = len(columns) > 1 and full_name(source).startswith(TABLES)
        own = next((name for name in ("label", form.label_column) if name in columns and not in_a_file), "")
        read = dataclasses.replace(
            form,
            label_column=own,
            may_lack=len(columns) > 1,
            more_labels=tuple(column for column in columns if column != own),
        )
        parts[source] = labelled_splits(source, read, splits=splits, most=most, seed=seed)
        if own and parts[source].train.label_kind != "single":
            word = LABEL_WORDS[parts[source].train.label_kind]
            raise UsageError(f"--source {source}: each label is a {word}, and tasks need a class for each text")
    sources = TaskSources(parts, places)
    for task, (source, _) in places.items():
        for part in get_args(Part):
            if not sources.known(task, part).any():
                raise UsageError(f"--source {source}: no text of the {part} part has a label for the task {task}")
    return sources
