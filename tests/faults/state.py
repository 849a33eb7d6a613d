"""What a run has left behind, to compare two runs bit by bit."""

import json
from pathlib import Path

import h5py
import numpy as np
import safetensors.numpy
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tfpretune.runtime.files import check_manifest
from tfpretune.training.loop.checkpoints import CheckpointFolder

CLOCKS = ("examples_per_second",)


def steps(out_dir):
    return CheckpointFolder(Path(out_dir, "checkpoints")).steps()


def check_all(out_dir):
    """Compares every byte of every checkpoint, preset and export below a folder with its manifest; returns how many."""
    manifests = [path for path in Path(out_dir).rglob("manifest.json") if ".tmp-" not in str(path)]
    for manifest in manifests:
        check_manifest(manifest.parent)
    for step in steps(out_dir):
        assert Path(out_dir, "checkpoints", f"step-{step:08d}", "manifest.json").is_file()
    return len(manifests)


def weights(file):
    """Returns name -> bytes of the arrays in an HDF5 file."""
    found = {}
    with h5py.File(file) as content:
        content.visititems(
            lambda name, item: found.update({name: item[()].tobytes()}) if hasattr(item, "dtype") else None
        )
    return found


def leftovers(out_dir):
    return [str(path) for path in Path(out_dir).rglob(".tmp-*")]


def scalars(out_dir):
    """Returns (writer, tag, step) -> the values that all event files of the run have for it."""
    found = {}
    for name in ("train", "validation"):
        for file in Path(out_dir, "logs", name).glob("events*"):
            events = EventAccumulator(str(file), size_guidance={"tensors": 0})
            events.Reload()
            for tag in events.Tags()["tensors"]:
                for event in events.Tensors(tag):
                    value = tf.make_ndarray(event.tensor_proto)
                    if value.ndim == 0 and value.dtype == np.float32 and tag not in CLOCKS:
                        found.setdefault((name, tag, event.step), set()).add(float(value))
    return found


def assert_same(whole, cut, step):
    """Weights, slots, statistics, seeds, averages, what is remembered of the best, curves, scalars: bit by bit."""
    one, two = (
        safetensors.numpy.load_file(Path(place, f"checkpoints/step-{step:08d}/state.safetensors"))
        for place in (whole, cut)
    )
    assert one.keys() == two.keys()
    for name, value in one.items():
        np.testing.assert_array_equal(two[name], value, err_msg=name)
    first, second = (
        json.loads(Path(place, f"checkpoints/step-{step:08d}/progress.json").read_text()) for place in (whole, cut)
    )
    for progress in (first, second):
        for clock in CLOCKS:
            progress["curves"].pop(clock, None)
    assert first == second
    expected, received = scalars(whole), scalars(cut)
    assert all(len(values) == 1 for values in received.values())
    assert received == expected
