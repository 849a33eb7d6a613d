"""One process for all tests: two logical CPUs, fixed seeds, warnings are errors."""

import ctypes
import gc
import os
import re
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import pytest
import tensorflow as tf
from tensorflow.python import pywrap_tfe
from tensorflow.python.eager import context
from tensorflow.python.framework.config import disable_op_determinism

# Every seed and every cleared session throws away all that TensorFlow has optimised and compiled, so that what a module
# traced once is made ready again in each test. Only random operations with a state need that, and there are none here.
_forget_kernels = pywrap_tfe.TFE_ContextClearCaches
pywrap_tfe.TFE_ContextClearCaches = lambda handle: None

_give_back = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of freed memory, which glibc else keeps

QUICK = 10  # seconds of a processor

_cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(_cpu, [tf.config.LogicalDeviceConfiguration()] * 2)


@pytest.fixture(autouse=True)
def _fresh_seed():
    keras.utils.set_random_seed(1)
    yield
    keras.utils.clear_session(free_memory=False)
    disable_op_determinism()  # `fit` switches it on for the process


@pytest.fixture(autouse=True, scope="module")
def _clean_start():
    """Takes away what the module before left: until here its last test holds what it was given.

    What stays in TensorFlow's own tables for ever is not looked through again at each collection.
    """
    if context.context()._context_handle is not None:  # a module may use no TensorFlow
        _forget_kernels(context.context()._handle)
    gc.collect()
    if _give_back is not None:
        _give_back(0)
    gc.freeze()
    yield
    gc.collect()  # what a file that was not closed warns of is said of this module


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    item.began = _processor_seconds()
    return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport(item, call):
    if call.when == "teardown":  # what fixtures of its module took is in it
        item.user_properties.append(("processor seconds", round(_processor_seconds() - item.began, 2)))


def _processor_seconds() -> float:
    """What this process and those it has waited for have taken: other work on the machine changes it little."""
    return sum(os.times()[:4])


def pytest_terminal_summary(terminalreporter):
    """Names tests that `make test` has no time for. It says so only: seconds of another machine are no reason to fail."""
    reports = [report for report in terminalreporter.getreports("") if "slow" not in report.keywords]
    taken = [(dict(report.user_properties).get("processor seconds", 0.0), report.nodeid) for report in reports]
    long = sorted((pair for pair in taken if pair[0] > QUICK), reverse=True)
    if long:
        terminalreporter.section(f"more than {QUICK} s of a processor: shorten, or put in tests/slow_tests.txt")
        for seconds, name in long:
            terminalreporter.write_line(f"{seconds:6.1f} {name}")


def slow_patterns() -> list[str]:
    lines = Path(__file__).with_name("slow_tests.txt").read_text("utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def pytest_collection_modifyitems(config, items):
    """Marks what `slow_tests.txt` lists; where all tests are collected, each of its lines must fit one."""
    patterns = [re.compile(line) for line in slow_patterns()]
    found = {pattern: [item for item in items if pattern.search(item.nodeid)] for pattern in patterns}
    for item in {item for marked in found.values() for item in marked}:
        item.add_marker(pytest.mark.slow)
    nothing = [pattern.pattern for pattern, marked in found.items() if not marked]
    if nothing and [Path(path).name for path in config.args] == config.getini("testpaths"):
        raise pytest.UsageError(f"tests/slow_tests.txt: no test fits {nothing[0]}")
