"""The files of docs/scaling do what they say, and the page names options that exist."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from tfpretune.settings import launch
from tfpretune.settings.run import RunConfig

DOCS = Path(__file__).parents[2] / "docs"
SCONTROL = """#!/bin/bash
if [ "$1" = show ]; then printf '%s\\n' node-1 node-2 node-7; else echo "scontrol $*"; fi
"""
SRUN = """#!/bin/bash
shift
for SLURM_PROCID in 0 1 2; do export SLURM_PROCID; "$@" || code=$?; done
exit ${code:-0}
"""
TFPRETUNE = """#!/bin/bash
echo "$TF_CONFIG|$*"
exit $CODE
"""


def run_slurm(folder, code):
    for name, text in (("scontrol", SCONTROL), ("srun", SRUN), ("tfpretune", TFPRETUNE)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    variables = {"SLURM_JOB_ID": "50123", "SLURM_JOB_NODELIST": "node-[1-2,7]", "CODE": str(code)}
    return subprocess.run(
        ["bash", str(DOCS / "scaling" / "slurm.sh"), "pretrain_text", "--source", "text:a b/*.txt"],
        env=variables | {"PATH": f"{folder}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_slurm_gives_each_worker_its_tf_config(tmp_path):
    """Job 50123 takes port 20000 + 50123 % 20000 = 30123 on its three nodes."""
    done = run_slurm(tmp_path, 0)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert len(lines) == 3
    for index, line in enumerate(lines):
        text, _, args = line.partition("|")
        assert json.loads(text) == {
            "cluster": {"worker": ["node-1:30123", "node-2:30123", "node-7:30123"]},
            "task": {"type": "worker", "index": index},
        }
        assert args == "run pretrain_text --source text:a b/*.txt"


@pytest.mark.parametrize(("code", "requeued"), [(143, True), (1, False), (2, False)])
def test_slurm_puts_a_stopped_run_into_the_queue_again(tmp_path, code, requeued):
    done = run_slurm(tmp_path, code)
    assert done.returncode == code
    assert ("scontrol requeue 50123" in done.stdout) == requeued


def test_tfjob_is_a_job_of_workers():
    yaml = pytest.importorskip("yaml")
    (job,) = yaml.safe_load_all((DOCS / "scaling" / "tfjob.yaml").read_text())
    assert (job["apiVersion"], job["kind"], list(job["spec"]["tfReplicaSpecs"])) == (
        "kubeflow.org/v1",
        "TFJob",
        ["Worker"],
    )
    worker = job["spec"]["tfReplicaSpecs"]["Worker"]
    (container,) = worker["template"]["spec"]["containers"]
    assert container["name"] == "tensorflow"  # the operator sets TF_CONFIG in the container of this name
    mounts = {mount["name"] for mount in container["volumeMounts"]}
    assert mounts == {volume["name"] for volume in worker["template"]["spec"]["volumes"]}
    program, run, recipe, *options = container["command"]
    assert (program, run, recipe) == ("tfpretune", "run", "pretrain_text")
    settings = launch.parse(RunConfig, [*options, "--steps", "1"])
    assert settings.batch_size % worker["replicas"] == 0


def test_the_page_names_what_exists():
    page = (DOCS / "scaling.md").read_text("utf-8")
    options = set(launch.option_names(RunConfig))
    assert {word for word in re.findall(r"`(--[a-z.-]+)", page)} <= options
    for path in re.findall(r"\]\(([^)#]+)\)", page):
        assert (DOCS / path).exists(), path
