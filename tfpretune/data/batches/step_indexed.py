"""Batches by number: the batch of step s is a pure function of (seed, s), so a run can start again at any step."""

import abc
import functools
from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from tfpretune.errors import RunError, note_error

Batch = dict[str, tf.Tensor]
Transform = Callable[[Batch, tf.Tensor], Batch]
Load = Callable[[Batch], Batch]


class RecordSource(abc.ABC):
    """A column that stays on disk: its rows are looked up by number when their step comes.

    Attributes:
        dtype: of the rows.
        shape: `(rows, …)`, as an array has it.
        limit: all values lie in 0..limit - 1, which `read` looks after; None: nothing is known of them.
    """

    dtype: np.dtype
    shape: tuple[int, ...]
    limit: int | None = None

    def __len__(self) -> int:
        return self.shape[0]

    @abc.abstractmethod
    def read(self, rows: np.ndarray) -> np.ndarray:
        """Returns the rows with these numbers, `(len(rows), …)`. It is called from several threads at once."""


class StepIndexed:
    """Rows of equal length columns, served as batches that depend on nothing but the seed and the step.

    Each pass over the rows is a new permutation of them. A batch may span the end of one pass and the start of the next.

    Args:
        columns: name -> array or `RecordSource`, all with the same first dimension (rows).
        batch_size: rows per batch, over all replicas.
        seed: any int; decides the order and the seeds that `transform` gets.
        transform: `(batch, seed) -> batch`, applied to whole batches; `seed` is int32 `(2,)`, another one for every step.
        load: `row -> row`, applied to single rows in parallel before batching, for what cannot be held in memory (files). Where
            it fails, the columns of strings of that row are named: its files.

    Examples:
        >>> import numpy as np
        >>> from tfpretune.data import StepIndexed
        >>> batches = StepIndexed({"x": np.arange(6) * 10}, 3, seed=1)
        >>> sorted([*batches.rows(0), *batches.rows(1)]) == list(range(6))  # two steps are one pass
        True
        >>> bool(next(iter(batches.from_step(1, 1)))["x"][0] == 10 * batches.rows(1)[0])  # step 1 alone is the same
        True
        >>> next(iter(batches.in_order(4)))["x"].numpy().tolist()
        [0, 10, 20, 30]
    """

    def __init__(
        self,
        columns: Mapping[str, np.ndarray | RecordSource],
        batch_size: int,
        *,
        seed: int = 0,
        transform: Transform | None = None,
        load: Load | None = None,
    ):
        if not columns:
            raise ValueError("expected at least one column, received none")
        sizes = {name: len(column) for name, column in columns.items()}
        if len(set(sizes.values())) != 1:
            raise ValueError(f"columns must have the same number of rows, received {sizes}")
        self.num_rows = next(iter(sizes.values()))
        if self.num_rows == 0:
            raise ValueError("columns have no rows: nothing to train on")
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, received {batch_size}")
        self.columns = dict(columns)
        self.batch_size = batch_size
        self.seed = seed
        self.transform = transform
        self.load = load

    def __repr__(self) -> str:
        columns = ", ".join(f"{name} {np.dtype(c.dtype).name} {c.shape[1:]}" for name, c in self.columns.items())
        return f"<StepIndexed: {self.num_rows:,} rows in batches of {self.batch_size}: {columns}>"

    @property
    def steps_per_epoch(self) -> int:
        """Steps that see as many rows as there are, rounded up."""
        return -(-self.num_rows // self.batch_size)

    def from_step(self, start_step: int = 0, steps: int | None = None) -> tf.data.Dataset:
        """Returns the batches of steps `start_step`, `start_step + 1`, … (`steps` of them; without it, practically no end)."""
        end = start_step + steps if steps is not None else 2**48
        return self._dataset(start_step, end, self._shuffled_rows, self.batch_size)

    def in_order(self, batch_size: int | None = None) -> tf.data.Dataset:
        """Returns every row once, in order; the last batch may be smaller. The seeds of `transform` are the same each time."""
        size = batch_size or self.batch_size
        return self._dataset(0, -(-self.num_rows // size), self._ordered_rows(size), size)

    def rows(self, step: int) -> np.ndarray:
        """Returns the row numbers of the batch of a step, int64 `(batch_size,)`."""
        return self._shuffled_rows(tf.constant(step, tf.int64)).numpy()

    def _shuffled_rows(self, step: tf.Tensor) -> tf.Tensor:
        start = step * self.batch_size
        positions = start + tf.range(self.batch_size, dtype=tf.int64)
        first = start // self.num_rows
        # RandomIndexShuffle reads the low 8 bits of each key of a small range and mixes little in its usual 4 rounds: with
        # the epoch as the key, 300 rows kept their places. Random keys and 8 rounds cannot be told from NumPy's permutations.
        passes = (self.batch_size - 1) // self.num_rows + 2  # that one batch can touch
        keys = tf.stack([self._key(first + number) for number in range(passes)])
        return tf.raw_ops.RandomIndexShuffle(
            index=positions % self.num_rows,
            seed=tf.gather(keys, positions // self.num_rows - first),
            max_index=tf.constant(self.num_rows - 1, tf.int64),
            rounds=8,
        )

    def _key(self, epoch: tf.Tensor) -> tf.Tensor:
        """Draws the three int32 numbers that decide the order of one pass; no step's transform gets this seed."""
        seed = tf.stack([tf.constant(self.seed % 2**31, tf.int32), -1 - tf.cast(epoch % 2**31, tf.int32)])
        return tf.random.stateless_uniform((3,), seed, None, None, tf.int32)

    def _ordered_rows(self, size: int) -> Callable[[tf.Tensor], tf.Tensor]:
        return lambda step: tf.range(step * size, tf.minimum((step + 1) * size, self.num_rows))

    @functools.cached_property
    def _look_ups(self) -> dict[str, Callable[[tf.Tensor], tf.Tensor]]:
        """Made once, since all arrays are copied; outside of any graph, and not into the memory of a GPU."""
        with tf.init_scope(), tf.device("CPU:0"):
            return {name: _look_up(column) for name, column in self.columns.items()}

    @functools.cached_property
    def _traced_transform(self) -> Callable[[tf.Tensor, Batch], Batch] | None:
        """Kept, since tracing it takes longer than many a short run: every pass would begin with it."""
        transform = self.transform
        if transform is None:
            return None

        def transformed(step: tf.Tensor, batch: Batch) -> Batch:
            seed = tf.stack([tf.constant(self.seed % 2**31, tf.int32), tf.cast(step % 2**31, tf.int32)])
            return transform(batch, seed)

        return tf.function(transformed)

    def _dataset(self, start: int, end: int, rows_of: Callable[[tf.Tensor], tf.Tensor], size: int) -> tf.data.Dataset:
        look_ups = self._look_ups

        def gather(step: tf.Tensor) -> Batch:
            rows = rows_of(step)
            return {name: look_up(rows) for name, look_up in look_ups.items()}

        steps = tf.data.Dataset.range(start, end)
        if self.load is None:
            batches = steps.map(gather, num_parallel_calls=2, deterministic=True)
        else:
            rows = steps.map(gather).unbatch()
            batches = _loaded(rows, self.load).batch(size)
        if (transformed := self._traced_transform) is not None:
            batches = tf.data.Dataset.zip(steps, batches)
            batches = batches.map(transformed, num_parallel_calls=2, deterministic=True)
        return batches.apply(tf.data.experimental.assert_cardinality(end - start)).prefetch(4)


def _loaded(rows: tf.data.Dataset, load: Load) -> tf.data.Dataset:
    """Applies `load`; a row for which it fails becomes an error that names its files, which TensorFlow's decoders do not.

    Failed rows are left out and missed: what is loaded is compared with what was to be loaded, row by row.
    """
    names = [name for name, spec in rows.element_spec.items() if spec.dtype == tf.string]

    def named(row: Batch) -> tuple[tf.Tensor, Batch]:
        return files_of(row), load(row)

    def files_of(row: Batch) -> tf.Tensor:
        return tf.stack([row[name] for name in names])

    def compare(wanted: tf.Tensor, found: tuple[tf.Tensor, Batch]) -> Batch:
        files, row = found
        same = tf.reduce_all(wanted == files)
        number = tf.cond(
            same, lambda: tf.constant(-1, tf.int64), lambda: tf.numpy_function(_note_files, [wanted], tf.int64)
        )
        with tf.control_dependencies([tf.debugging.Assert(same, ["RunError", number, wanted])]):
            return {name: tf.identity(column) for name, column in row.items()}

    if not names:
        return rows.map(load, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    loaded = rows.map(named, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True).ignore_errors()
    end = tf.nest.map_structure(
        lambda spec: tf.zeros(spec.shape, spec.dtype), loaded.element_spec
    )  # to miss the last row
    loaded = loaded.concatenate(tf.data.Dataset.from_tensors(end))
    wanted = rows.map(files_of).concatenate(tf.data.Dataset.from_tensors(end[0]))
    pairs = tf.data.Dataset.zip(wanted, loaded).take_while(lambda files, found: files[0] != b"")
    return pairs.map(compare)


def _note_files(files: np.ndarray) -> np.int64:
    names = ", ".join(file.decode("utf-8", "backslashreplace") for file in files.tolist())
    what = f"{names}: gone, broken or of a kind that is not read (tfpretune check on the source says more)"
    return np.int64(note_error(RunError(what)))


def _look_up(column: np.ndarray | RecordSource) -> Callable[[tf.Tensor], tf.Tensor]:
    if not isinstance(column, RecordSource):
        values = tf.constant(column)
        return lambda rows: tf.gather(values, rows)

    def read(rows: tf.Tensor) -> tf.Tensor:
        values = tf.numpy_function(column.read, [rows], column.dtype, stateful=False)
        return tf.ensure_shape(values, (*rows.shape, *column.shape[1:]))

    return read
