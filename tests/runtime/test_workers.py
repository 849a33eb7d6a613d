"""TF_CONFIG is read, a worker has its own folder, and a lost worker is one line."""

import dataclasses
import json
from pathlib import Path

import pytest
import tensorflow as tf

from tfpretune.errors import RunError, UsageError
from tfpretune.runtime.workers import Task, lost_worker_named, own_folder, this_task


@dataclasses.dataclass(frozen=True)
class Settings:
    out_dir: str


def set_config(monkeypatch, kind, index, **cluster):
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": cluster, "task": {"type": kind, "index": index}}))


TWO = ["127.0.0.1:1", "127.0.0.1:2"]


def test_this_task(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    assert this_task() is None
    monkeypatch.setenv("TF_CONFIG", "{}")
    assert this_task() is None
    set_config(monkeypatch, "worker", 1, worker=TWO)
    assert this_task() == Task("worker", 1, has_chief=False)


@pytest.mark.parametrize(
    ("kind", "index", "cluster", "writes"),
    [
        ("worker", 0, {"worker": TWO}, True),
        ("worker", 1, {"worker": TWO}, False),
        ("chief", 0, {"chief": TWO[:1], "worker": TWO[1:]}, True),
        ("worker", 0, {"chief": TWO[:1], "worker": TWO[1:]}, False),
    ],
)
def test_one_writes_and_the_others_have_a_folder(monkeypatch, tmp_path, kind, index, cluster, writes):
    set_config(monkeypatch, kind, index, **cluster)
    with own_folder(Settings(str(tmp_path))) as settings:
        assert settings.out_dir == str(tmp_path if writes else tmp_path / f".worker-{index}")
        (tmp_path / f".worker-{index}" / "logs").mkdir(parents=True)
    assert (tmp_path / f".worker-{index}").exists() == writes


def test_the_folder_goes_also_when_the_run_fails(monkeypatch, tmp_path):
    set_config(monkeypatch, "worker", 1, worker=TWO)

    def stopped():
        with own_folder(Settings(str(tmp_path))) as settings:
            Path(settings.out_dir, "logs").mkdir(parents=True)
            raise SystemExit(143)

    with pytest.raises(SystemExit):
        stopped()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "TF_CONFIG does not say which worker this is .*JSONDecodeError"),
        ('{"cluster": {"worker": ["a:1"]}}', "KeyError: 'task'"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}', "IndexError"),
        ('{"cluster": {"ps": ["a:1"]}, "task": {"type": "ps", "index": 0}}', "expected a task of type chief or worker"),
    ],
)
def test_a_broken_tf_config_is_named(monkeypatch, text, message):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(UsageError, match=message):
        this_task()


GONE = "Collective ops is aborted by: remote target /job:worker/replica:0/task:3 while calling RecvBuf"


def test_a_lost_worker_is_named(monkeypatch):
    set_config(monkeypatch, "worker", 1, worker=TWO)
    for error, name in (
        (tf.errors.InternalError(None, None, GONE), "worker 3"),
        (tf.errors.UnavailableError(None, None, "Connection refused"), "another worker"),
    ):
        with pytest.raises(RunError, match=f"^{name} is gone, so this worker stops"), lost_worker_named():
            raise error


def test_other_errors_pass(monkeypatch):
    set_config(monkeypatch, "worker", 1, worker=TWO)
    with pytest.raises(tf.errors.InternalError), lost_worker_named():
        raise tf.errors.InternalError(None, None, "an error of our own")
    monkeypatch.delenv("TF_CONFIG")
    with pytest.raises(tf.errors.UnavailableError), lost_worker_named():
        raise tf.errors.UnavailableError(None, None, "one process")
