"""The two errors: their kinds, and that a usage error of a traced function stays one."""

import pytest
import tensorflow as tf

from tfpretune.errors import RunError, UsageError


def test_usage_errors_are_value_errors_and_failed_runs_are_not():
    assert issubclass(UsageError, ValueError)
    assert issubclass(RunError, RuntimeError)
    assert not issubclass(RunError, ValueError)


def test_a_usage_error_of_a_traced_function_stays_one():
    @tf.function
    def traced(x):
        if tf.reduce_sum(x) > 0:  # so that AutoGraph rewrites the function
            raise UsageError("bad rate")
        return x

    with pytest.raises(UsageError, match="bad rate"):
        traced(tf.ones(2))
