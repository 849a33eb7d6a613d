"""The cost model of several workers, by hand."""

import allreduce
import pytest


def test_ring():
    """Four workers, 8 MB at 1 MB/s: 6 turns of 2 MB and of 0.5 s latency."""
    assert allreduce.ring_seconds(4, 8e6, 1e6, 0.5) == pytest.approx(6 * (0.5 + 2.0))


def test_latency_and_bandwidth_of_two_workers():
    """2 turns of 1 ms when there is little to send; 9.9 MB more take 99 ms more: 100 MB/s. The formula gives them back."""
    latency, bandwidth = allreduce.fit_line({100_000: 0.002, 10_000_000: 0.101})
    assert (latency, bandwidth) == (pytest.approx(0.001), pytest.approx(1e8))
    assert allreduce.ring_seconds(2, 9.9e6, bandwidth, latency) == pytest.approx(0.101)


def test_the_first_call_does_not_count():
    calls = []
    assert allreduce.median_seconds(lambda: calls.append(1), 3) < 0.1
    assert len(calls) == 4
