"""Ids are looked at before the first step, but a source that says how large its ids are is not read for that."""

from types import SimpleNamespace

import numpy as np
import pytest

from tfpretune.data.batches.step_indexed import RecordSource, StepIndexed
from tfpretune.errors import UsageError
from tfpretune.objectives import Classification, Objective, Regression
from tfpretune.training.loop.fingerprint import check_ranges


def stand_in(**attributes):
    """What `check_ranges` looks at of an objective."""
    model = SimpleNamespace(**attributes)
    model.all_targets = lambda: Objective.all_targets(model)
    return model


MODEL = stand_in(backbone=SimpleNamespace(get_config=lambda: {"vocabulary_size": 20}))


class Ids(RecordSource):
    """Counts the rows that are read."""

    def __init__(self, ids, limit):
        self.ids, self.limit = np.array(ids, np.int32), limit
        self.dtype, self.shape = self.ids.dtype, self.ids.shape
        self.seen = 0

    def read(self, rows):
        self.seen += len(rows)
        return self.ids[rows]


@pytest.mark.parametrize(("limit", "seen"), [(19, 0), (20, 0), (21, 3), (None, 3)])
def test_a_source_is_read_only_if_its_limit_says_too_little(limit, seen):
    ids = Ids([[0, 1], [2, 3], [4, 18]], limit)
    check_ranges(MODEL, StepIndexed({"token_ids": ids}, 1))
    assert ids.seen == seen


@pytest.mark.parametrize("limit", [21, None])
def test_a_bad_id_of_a_source_is_named(limit):
    ids = Ids([[0, 1], [2, 20], [4, 18]], limit)
    with pytest.raises(UsageError, match=r"training row 1: token_ids holds 20, outside 0\.\.19, the vocabulary"):
        check_ranges(MODEL, StepIndexed({"token_ids": ids}, 1))


def test_paths_are_no_labels_to_compare():
    """Masks that stay in files; in memory a class beyond the model's is named."""
    model = stand_in(target=Classification(2, may_lack=True))
    check_ranges(model, StepIndexed({"labels": np.array(["a.png", "b.png"])}, 1))
    with pytest.raises(UsageError, match=r"training row 1: labels holds 2, outside -1\.\.1, the classes of the model"):
        check_ranges(model, StepIndexed({"labels": np.array([[[0, -1]], [[1, 2]]])}, 1))


def test_labels_of_several_tasks_and_numbers_are_looked_at():
    """A class beyond the model's, and a missing number where none is meant."""
    model = stand_in(targets={"a": Classification(2, column="a", may_lack=True), "b": Regression(column="b")})
    fine = {"a": np.array([1, -1], np.int32), "b": np.array([-1.0, 2.0], np.float32)}
    check_ranges(model, StepIndexed(fine, 1))
    with pytest.raises(UsageError, match=r"training row 1: a holds 2, outside -1\.\.1, the classes of the model"):
        check_ranges(model, StepIndexed(fine | {"a": np.array([1, 2], np.int32)}, 1))
    lacking = fine | {"b": np.array([1.0, np.nan], np.float32)}
    with pytest.raises(UsageError, match=r"training row 1: b holds nan, outside -inf\.\.inf, the numbers"):
        check_ranges(model, StepIndexed(lacking, 1))
    model.targets["b"] = Regression(column="b", may_lack=True)
    check_ranges(model, StepIndexed(lacking, 1))
