"""A file-size limit in place of a full disk: what was there stays whole, one line says what is needed and what is free."""

import resource

import pytest
import safetensors.numpy

from tests.faults import state
from tests.faults.children import run
from tests.faults.tiny import make_encoder, make_tokenizer
from tests.faults.toy_runs import train
from tfpretune.finetune import classifier
from tfpretune.objectives import MaskedLM
from tfpretune.runtime.files import check_manifest
from tfpretune.training.loop.checkpoints import CheckpointFolder
from tfpretune.training.presets import save_preset

BYTES = "RLIMIT_FSIZE"
WIDTH = 4000  # its checkpoints are larger than all logs


def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_the_checkpoint_before_loads_and_the_line_names_path_needed_and_free(tmp_path):
    settings = {"steps": 4, "save_every_steps": 2}
    assert run(tmp_path / "first.log", train, tmp_path / "run", settings, 1, WIDTH)[0] == 0
    file, more = tmp_path / "run" / "checkpoints" / "step-00000004" / "state.safetensors", settings | {"steps": 8}
    size = file.stat().st_size - 1  # there is room for the arrays, not for the whole file: the writing itself fails
    code, printed = run(tmp_path / "second.log", train, tmp_path / "run", more, 1, WIDTH, {BYTES: size})
    assert code == 1
    last = printed.splitlines()[-1]
    assert last.startswith(
        f"failed: {tmp_path}/run/checkpoints/step-00000006: the file-size limit (ulimit -f) is reached"
    )
    needed = sum(array.nbytes for array in safetensors.numpy.load_file(file).values())
    assert needed < size
    assert f"needs {needed} bytes and " in last
    assert f" bytes are free in {tmp_path}/run/checkpoints" in last
    assert "Traceback" not in printed
    assert state.steps(tmp_path / "run") == [2, 4]
    assert state.leftovers(tmp_path / "run") == []
    state.check_all(tmp_path / "run")
    code, printed = run(tmp_path / "third.log", train, tmp_path / "run", more, 1, WIDTH)
    assert code == 0
    assert "resumed from step 4 of 8" in printed


def test_full_logs_cost_one_line_and_no_step(tmp_path):
    """90 steps of 6 scalars are beyond 24,000 bytes in an event file. The figures go on in the checkpoint."""
    settings = {"steps": 90, "save_every_steps": 30}
    code, printed = run(tmp_path / "log", train, tmp_path / "run", settings, 1, 1, {BYTES: 24_000})
    assert code == 0, printed
    warnings = [line for line in printed.splitlines() if "warning: the logs in" in line]
    assert len(warnings) == 1
    assert "logs/train end here: the file-size limit (ulimit -f) is reached; the run goes on" in warnings[0]
    assert not [line for line in printed.splitlines() if "Failed to flush" in line or "Traceback" in line]
    assert state.steps(tmp_path / "run")[-2:] == [60, 90]
    curve = CheckpointFolder(tmp_path / "run" / "checkpoints").progress(90)["curves"]["loss"]
    assert [step for step, _ in curve] == list(range(1, 91))


def write_preset(folder, with_task):
    model = MaskedLM(make_encoder(hidden_dim=64))
    if with_task:
        model = classifier(make_encoder(hidden_dim=64), 2)
    limit(20_000)
    save_preset(folder, model, tokenizer=make_tokenizer(), task={"kind": "text"} if with_task else None)


@pytest.mark.parametrize("with_task", [False, True])
def test_an_old_preset_stays_whole(tmp_path, with_task):
    folder = save_preset(tmp_path / "preset", MaskedLM(make_encoder()), tokenizer=make_tokenizer())
    old = (folder / "manifest.json").read_bytes()
    code, printed = run(tmp_path / "log", write_preset, folder, with_task)
    assert code == 1
    last = printed.splitlines()[-1]
    assert f"RunError: {folder}: the file-size limit (ulimit -f) is reached: needs " in last
    assert " bytes are free in " in last
    check_manifest(folder)
    assert (folder / "manifest.json").read_bytes() == old
    assert state.leftovers(tmp_path) == []


def write_export(folder):
    from tfpretune.serving import export

    model = classifier(make_encoder(hidden_dim=64), 2)
    settings = {"kind": "text", "class_names": ("a", "b"), "tokenizer": make_tokenizer(), "sequence_length": 8}
    for number in range(2):
        if number:
            limit(20_000)
        export(model, folder, name="model", **settings)


def test_an_export_that_does_not_fit_is_not_there(tmp_path):
    code, printed = run(tmp_path / "log", write_export, tmp_path / "saved")
    assert code == 1
    last = printed.splitlines()[-1]
    assert f"RunError: {tmp_path}/saved/model/2: the file-size limit (ulimit -f) is reached: needs " in last
    assert [path.name for path in (tmp_path / "saved" / "model").iterdir()] == ["1"]
    check_manifest(tmp_path / "saved" / "model" / "1")
