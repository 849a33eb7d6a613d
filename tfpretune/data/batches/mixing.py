"""Several sources in one stream of batches, each with its share: domains, tasks, labelled beside unlabelled rows."""

import functools
import math
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from tfpretune.data.batches.step_indexed import Batch, RecordSource, StepIndexed, Transform


def batch_fractions(sizes: Sequence[int], batch_size: int, *, temperature: float = 1.0) -> tuple[int, ...]:
    """Divides the rows of a batch among sources, in proportion to size ** (1 / temperature); every source gets one at least.

    Args:
        sizes: rows of each source.
        batch_size: rows of a batch, at least as many as there are sources.
        temperature: 1 for shares like the sizes, above 1 for more of the small sources (Arivazhagan et al. 2019,
            arXiv:1907.05019, section 3.2), `math.inf` for equal shares.

    Returns:
        Rows of each source in every batch; together `batch_size`.
    """
    if not sizes or min(sizes) < 1 or batch_size < len(sizes) or not temperature > 0:
        raise ValueError(
            "expected sizes of at least 1, a batch_size of at least one row a source and a temperature above 0, "
            f"received {list(sizes)}, {batch_size} and {temperature}"
        )
    logs = np.log(np.asarray(sizes, np.float64)) / temperature
    weights = np.exp(logs - logs.max())
    quotas = batch_size * weights / weights.sum()
    shares = np.maximum(np.floor(quotas + 1e-9), 1).astype(int)
    while shares.sum() < batch_size:  # the largest remainder first, and of equal ones the first source
        shares[np.argmax(np.round(quotas - shares, 9))] += 1
    while shares.sum() > batch_size:
        shares[np.argmax(np.where(shares > 1, shares - quotas, -math.inf))] -= 1
    return tuple(shares.tolist())


def progress(total_steps: int) -> Transform:
    """Adds float32 `progress` `(batch,)`: the fraction of the run's steps that are over, in [0, 1], from the step alone."""
    if total_steps < 1:
        raise ValueError(f"total_steps must be at least 1, received {total_steps}")

    def transform(batch: Batch, seed: tf.Tensor) -> Batch:
        share = tf.minimum(tf.cast(seed[1], tf.float32) / float(total_steps), 1.0)
        return batch | {"progress": tf.fill((_rows(batch),), share)}

    return transform


class Mixed(StepIndexed):
    """Batches from several sources: `source.batch_size` rows of each, in one batch.

    The batch of a step is made of each source's batch of that step, so it is a pure function of the seeds and the step, too,
    and each source keeps its own passes, order and transform. The sources' rows alternate, so that every replica and every
    part of a batch gets its share of each.

    Args:
        sources: each with its own `batch_size` (see `batch_fractions`) and, best, with a seed of its own.
        column: int32 column `(batch,)` that is added: the number of the source that a row is from.
        fill: what rows have in a column that only other sources have, such as `{"labels": -1}`; NaN where labels are numbers.
        seed: for `transform`.
        transform: applied to the mixed batch, as in `StepIndexed`.
    """

    def __init__(
        self,
        sources: Sequence[StepIndexed],
        *,
        column: str = "domains",
        fill: Mapping[str, float] | None = None,
        seed: int = 0,
        transform: Transform | None = None,
    ):
        if not sources:
            raise ValueError("expected at least one source, received none")
        specs = [source.from_step(0, 1).element_spec for source in sources]
        self.specs = {name: spec for each in specs for name, spec in each.items()}
        self.fill = dict(fill or {})
        _check_columns(specs, self.specs, self.fill, column)
        super().__init__(
            _joined_columns(sources, self.fill),
            sum(source.batch_size for source in sources),
            seed=seed,
            transform=transform,
        )
        self.sources = tuple(sources)
        self.column = column

    def from_step(self, start_step: int = 0, steps: int | None = None) -> tf.data.Dataset:
        """Returns the mixed batches of steps `start_step`, `start_step + 1`, …, as `StepIndexed.from_step` does."""
        order = tf.constant(_alternating([source.batch_size for source in self.sources]))
        parts = tuple(source.from_step(start_step, steps) for source in self.sources)
        end = start_step + steps if steps is not None else 2**48

        def mix(step: tf.Tensor, batches: tuple[Batch, ...]) -> Batch:
            whole = [self._whole(batch, number) for number, batch in enumerate(batches)]
            mixed = {name: tf.gather(tf.concat([each[name] for each in whole], axis=0), order) for name in whole[0]}
            return self._transformed(mixed, step)

        data = tf.data.Dataset.zip(tf.data.Dataset.range(start_step, end), parts)
        data = data.map(mix, num_parallel_calls=2, deterministic=True)
        return data.apply(tf.data.experimental.assert_cardinality(end - start_step)).prefetch(4)

    def in_order(self, batch_size: int | None = None) -> tf.data.Dataset:
        """Returns every row of every source once, one source after the other; the last batch of each may be smaller."""
        parts, first = [], 0
        for number, source in enumerate(self.sources):
            batches = source.in_order(batch_size or self.batch_size)
            steps = tf.data.Dataset.range(first, first := first + int(batches.cardinality()))
            complete = functools.partial(self._complete, number)
            parts.append(tf.data.Dataset.zip(steps, batches).map(complete, num_parallel_calls=2, deterministic=True))
        return functools.reduce(tf.data.Dataset.concatenate, parts).prefetch(4)

    def rows(self, step: int) -> np.ndarray:
        """Returns the row numbers of the batch of a step, counted over all sources one after the other, int64."""
        sizes = [source.num_rows for source in self.sources]
        starts = np.cumsum([0, *sizes[:-1]])
        rows = [source.rows(step) + start for source, start in zip(self.sources, starts, strict=True)]
        return np.concatenate(rows)[_alternating([source.batch_size for source in self.sources])]

    def _complete(self, number: int, step: tf.Tensor, batch: Batch) -> Batch:
        return self._transformed(self._whole(batch, number), step)

    def _whole(self, batch: Batch, number: int) -> Batch:
        """Adds the column with the source's number, and the columns that this source lacks."""
        rows = _rows(batch)
        lacking = {
            name: tf.fill((rows, *spec.shape[1:]), tf.constant(self.fill[name], spec.dtype))
            for name, spec in self.specs.items()
            if name not in batch
        }
        return {name: (batch | lacking)[name] for name in self.specs} | {self.column: tf.fill((rows,), number)}

    def _transformed(self, batch: Batch, step: tf.Tensor) -> Batch:
        seed = tf.stack([tf.constant(self.seed % 2**31, tf.int32), tf.cast(step % 2**31, tf.int32)])
        return self.transform(batch, seed) if self.transform else batch


class _Joined(RecordSource):
    """One column of several sources, one after the other; where a source lacks it, `fill`."""

    def __init__(self, parts: Sequence[np.ndarray | RecordSource | None], sizes: Sequence[int], fill: float):
        known = next(part for part in parts if part is not None)
        self.parts, self.fill = parts, fill
        self.starts = np.cumsum([0, *sizes])
        self.dtype = known.dtype
        self.shape = (int(self.starts[-1]), *known.shape[1:])
        limits = [part.limit if isinstance(part, RecordSource) else None for part in parts]
        self.limit = None if None in limits else max(limit for limit in limits if limit is not None)

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Returns the rows with these numbers."""
        values = np.full((len(rows), *self.shape[1:]), self.fill, self.dtype)
        numbers = np.searchsorted(self.starts, rows, side="right") - 1
        for number, part in enumerate(self.parts):
            mine = numbers == number
            if part is not None and mine.any():
                local = rows[mine] - self.starts[number]
                values[mine] = part[local] if isinstance(part, np.ndarray) else part.read(local)
        return values


def _joined_columns(sources: Sequence[StepIndexed], fill: Mapping[str, float]) -> dict[str, np.ndarray | RecordSource]:
    sizes = [source.num_rows for source in sources]
    names = {name: None for source in sources for name in source.columns}
    joined: dict[str, np.ndarray | RecordSource] = {}
    for name in names:
        parts = [source.columns.get(name) for source in sources]
        shapes = {part.shape[1:] for part in parts if part is not None}
        if len(shapes) == 1 and (name in fill or all(part is not None for part in parts)):
            joined[name] = _Joined(parts, sizes, fill.get(name, 0))
    return joined


def _check_columns(
    specs: Sequence[Mapping[str, tf.TensorSpec]],
    every: Mapping[str, tf.TensorSpec],
    fill: Mapping[str, float],
    column: str,
) -> None:
    if column in every:
        raise ValueError(f"the sources have a column {column!r} already: give column= another name")
    for number, mine in enumerate(specs):
        for name, spec in every.items():
            if name not in mine and name not in fill:
                raise ValueError(f"source {number} lacks the column {name!r}, which others have: give fill[{name!r}]")
            if name in mine and (mine[name].dtype != spec.dtype or mine[name].shape[1:] != spec.shape[1:]):
                raise ValueError(
                    f"column {name!r} must have the same type and shape in every source, source {number} has "
                    f"{mine[name].dtype.name} {mine[name].shape[1:]}, the last {spec.dtype.name} {spec.shape[1:]}"
                )


def _rows(batch: Batch) -> tf.Tensor:
    return tf.shape(next(iter(batch.values())))[0]


def _alternating(sizes: Sequence[int]) -> np.ndarray:
    """Returns the order in which rows that stand source by source are dealt out evenly."""
    places = np.concatenate([(np.arange(size) + 0.5) / size for size in sizes])
    return np.argsort(places, kind="stable")
