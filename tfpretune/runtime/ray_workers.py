"""A recipe on several workers of a Ray cluster. Imports no TensorFlow, and Ray only when it is asked for."""

import importlib.util
import logging
import os
import re
import runpy
import shutil
import sys
from pathlib import Path
from typing import Any

from tfpretune.errors import RunError, UsageError

INSTALL = "pip install 'tfpretune[ray]'"
_EXIT = "the recipe ended with exit code"


def run_on_ray(workers: int, out_dir: str, *, gpus_each: int = 1) -> None:
    """Runs this process's own command line on the workers of a Ray cluster, by Ray Train's TensorflowTrainer.

    The cluster is that of RAY_ADDRESS, or one that runs on this machine, else a new one on this machine. Ray sets TF_CONFIG on
    every worker, so that the recipe trains there as it does under Kubeflow or Slurm. Recipe, sources and `out_dir` have to lie
    at the same paths on all machines.

    Args:
        workers: number of processes.
        out_dir: the run's folder; Ray keeps its notes in `.ray` there while the run lasts.
        gpus_each: GPUs a worker gets, where the cluster has as many.

    Raises:
        UsageError: Ray is not installed.
        RunError: Ray could not run the workers.
        SystemExit: the recipe ended on a worker with this code; what it said has been shown.
    """
    if importlib.util.find_spec("ray") is None:
        raise UsageError(f"--devices.ray-workers needs Ray, which is not installed: {INSTALL}")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray
    from ray.train import RunConfig, ScalingConfig
    from ray.train.tensorflow import TensorflowTrainer

    ray.init(include_dashboard=False, log_to_driver=True, logging_level="warning")
    have = ray.cluster_resources()
    kind = "GPU" if have.get("GPU", 0) >= workers * gpus_each else "CPU"
    if kind == "CPU" and have.get("CPU", 0) < workers:
        print(f"waiting for Ray: {workers} workers want a CPU each, there are {have.get('CPU', 0):g}", flush=True)
    folder = Path(out_dir).absolute()
    trainer = TensorflowTrainer(
        _work,
        train_loop_config={"argv": [os.path.abspath(sys.argv[0]), *sys.argv[1:]], **_place()},
        scaling_config=ScalingConfig(
            num_workers=workers,
            use_gpu=kind == "GPU",
            resources_per_worker={"CPU": 1, "GPU": gpus_each} if kind == "GPU" else {"CPU": 1},
        ),
        run_config=RunConfig(name=".ray", storage_path=str(folder)),
    )
    try:
        trainer.fit()
    except Exception as error:
        codes = [int(code) for code in re.findall(rf"{_EXIT} (\d+)", _whole_text(error))]
        if codes:
            raise SystemExit(2 if 2 in codes else max(codes)) from None
        raise RunError(f"Ray stopped: {str(error).strip().splitlines()[0]}; its lines above say why") from error
    finally:
        ray.shutdown()
        shutil.rmtree(folder / ".ray", ignore_errors=True)


def _place() -> dict[str, str]:
    return {"folder": os.getcwd(), "search": os.path.abspath(sys.path[0] or os.getcwd())}


def _work(job: dict[str, Any]) -> None:
    """What every worker does: the recipe, with the driver's options, folder and search path. It finds TF_CONFIG set."""
    os.environ.pop("TF_USE_LEGACY_KERAS", None)  # Ray sets it for its users of Keras 2
    logging.getLogger("tensorflow").setLevel(
        logging.WARNING
    )  # Ray shows all that is said; TensorFlow is quiet elsewhere
    os.chdir(job["folder"])
    sys.path.insert(0, job["search"])
    sys.argv = list(job["argv"])
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as end:
        if end.code:
            raise RuntimeError(f"{_EXIT} {end.code}") from None


def _whole_text(error: BaseException) -> str:
    """Returns what an error of Ray and those inside it say."""
    inner = getattr(error, "worker_failures", {})
    parts = [str(error), *(str(each) for each in inner.values())]
    if error.__cause__ is not None:
        parts.append(_whole_text(error.__cause__))
    return "\n".join(parts)
