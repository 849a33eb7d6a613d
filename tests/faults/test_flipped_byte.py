"""One byte changed anywhere: refused by name in 100 of 100 tries; a run goes on from the checkpoint before."""

import random

import keras
import numpy as np
import pytest

from tests.faults.tiny import make_encoder, make_tokenizer
from tests.training.loop.toys import Toy, make_batches, make_run
from tfpretune.backbones.by_name import load_backbone, load_tokenizer
from tfpretune.errors import RunError
from tfpretune.finetune import classifier
from tfpretune.runtime.files import check_manifest
from tfpretune.serving import client, export, verify
from tfpretune.training import fit
from tfpretune.training.loop.checkpoints import CheckpointFolder
from tfpretune.training.optimizers.from_settings import make_optimizer
from tfpretune.training.presets import load_task, save_preset

TRIES = 100


class Flip:
    """One byte of one file is another for the length of the block."""

    def __init__(self, folder, dice):
        files = sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_size)
        sizes = [path.stat().st_size for path in files]
        # Half of the tries by size, half by file: otherwise the small ones would hardly be hit.
        self.path = dice.choices(files, sizes)[0] if dice.random() < 0.5 else dice.choice(files)
        self.old = self.path.read_bytes()
        self.offset = dice.randrange(len(self.old))
        self.change = dice.randrange(1, 256)

    def __enter__(self):
        new = bytearray(self.old)
        new[self.offset] ^= self.change
        self.path.write_bytes(bytes(new))
        return self

    def __exit__(self, *error):
        self.path.write_bytes(self.old)


def refusals(folder, call, seed):
    """Returns for how many of `TRIES` flips `call` raises an error that names a file of the folder, and the files hit."""
    dice, refused, hit = random.Random(seed), 0, set()
    call()
    for _ in range(TRIES):
        with Flip(folder, dice) as flip:
            hit.add(flip.path.name)
            try:
                call()
            except RunError as error:
                # A changed manifest may name the file whose entry was changed.
                refused += str(folder) in str(error) and (
                    flip.path.name in str(error) or flip.path.name == "manifest.json"
                )
    return refused, hit


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    keras.utils.set_random_seed(1)
    fit(Toy(0.5), make_batches(), make_run(folder, steps=4, save_every_steps=2))
    return folder


def test_checkpoints(run_folder):
    folder = CheckpointFolder(run_folder / "checkpoints")
    model = Toy(0.5)
    run = make_run(run_folder)
    model.compile(make_optimizer(run.optimizer, 4))
    model.optimizer.build(model.trainable_variables)
    refused, hit = refusals(folder.path(4), lambda: folder.load(model, 4), 0)
    assert refused == TRIES
    assert hit == {"state.safetensors", "progress.json", "manifest.json"}


def test_every_byte_of_a_manifest_counts(run_folder):
    """White space, too: one bit of every byte, one after the other."""
    folder = run_folder / "checkpoints" / "step-00000004"
    old = (folder / "manifest.json").read_bytes()
    for offset in range(len(old)):
        for bit in (1, 5):
            new = bytearray(old)
            new[offset] ^= bit
            (folder / "manifest.json").write_bytes(bytes(new))
            with pytest.raises(RunError, match="step-00000004"):
                check_manifest(folder)
    (folder / "manifest.json").write_bytes(old)
    check_manifest(folder)


def test_a_run_falls_back_with_one_warning(tmp_path, capsys):
    run = make_run(tmp_path, steps=4, save_every_steps=2)
    whole = Toy(0.5)
    fit(whole, make_batches(), run)
    flip = Flip(tmp_path / "checkpoints" / "step-00000004", random.Random(1))
    flip.__enter__()
    capsys.readouterr()
    assert fit(Toy(0.5), make_batches(), run).steps == 4
    lines = [line for line in capsys.readouterr().out.splitlines() if "warning" in line or "resumed" in line]
    assert len(lines) == 2
    assert lines[0].startswith("warning: checkpoint skipped: ")
    assert "step-00000004" in lines[0]
    assert lines[1].startswith("resumed from step 2 of 4")
    assert CheckpointFolder(tmp_path / "checkpoints").steps() == [2, 4]


def test_presets(tmp_path):
    folder = save_preset(
        tmp_path / "preset", classifier(make_encoder(), 2), tokenizer=make_tokenizer(), task={"kind": "text"}
    )
    calls = {"backbone": load_backbone, "tokenizer": load_tokenizer, "task": load_task}
    for seed, call in enumerate(calls.values()):
        refused, hit = refusals(folder, lambda call=call: call(str(folder)), seed)
        assert refused == TRIES
        assert {"model.weights.h5", "config.json", "vocabulary.txt", "task.keras", "manifest.json"} <= hit


def test_exports(tmp_path):
    settings = {"kind": "text", "class_names": ("a", "b"), "tokenizer": make_tokenizer(), "sequence_length": 8}
    folder = export(classifier(make_encoder(), 2), tmp_path, name="model", **settings)
    before = client.predict(folder, ["w1 w2"])
    refused, hit = refusals(folder, lambda: check_manifest(folder), 0)
    assert refused == TRIES
    assert {"saved_model.pb", "labels.txt", "variables.data-00000-of-00001"} <= hit
    dice = random.Random(1)
    for _ in range(3):  # what a user calls asks the manifest first
        with Flip(folder, dice) as flip:
            for call in (lambda: verify(folder), lambda: client.predict(folder, ["w1 w2"])):
                with pytest.raises(RunError, match="model/1"):
                    call()
            del flip
    assert np.isclose(client.predict(folder, ["w1 w2"])[0].probability, before[0].probability)
