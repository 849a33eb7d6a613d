"""Checkpoints: every variable of a run in one file, written atomically, checked by sha256, loaded with a report."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np
import safetensors.numpy

from tfpretune.errors import RunError
from tfpretune.runtime.files import atomic_folder, check_manifest, remove_folder
from tfpretune.training.run_variables import restore, run_variables

_NAME = re.compile(r"step-(\d{8})")


class CheckpointFolder:
    """The checkpoints of one run: `step-00000500/{state.safetensors, progress.json, manifest.json}`.

    Args:
        folder: where they lie.
        keep: how many of the newest stay, so that there is another one when a disk has damaged the last; the best one
            stays, too.

    Examples:
        >>> from pathlib import Path
        >>> from tfpretune.backbones import SmallCNN
        >>> from tfpretune.finetune import classifier
        >>> from tfpretune.training import CheckpointFolder, snapshot
        >>> model = classifier(SmallCNN((8, 8, 1), (8,)), 2)
        >>> model.compile("sgd")
        >>> model.build_optimizer()
        >>> checkpoints = CheckpointFolder(Path("runs/a/checkpoints"), keep=2)
        >>> for step in (10, 20, 30):
        ...     _ = checkpoints.save(snapshot(model), step, {"loss": 0.5})
        >>> checkpoints.steps(), checkpoints.newest(), checkpoints.load(model, 30)
        ([20, 30], 30, {'loss': 0.5, 'step': 30})
    """

    def __init__(self, folder: Path, *, keep: int = 2):
        self.folder = Path(folder)
        self.keep = keep

    def steps(self) -> list[int]:
        """Returns the steps that have a finished checkpoint, rising."""
        if not self.folder.is_dir():
            return []
        found = (_NAME.fullmatch(path.name) for path in self.folder.iterdir())
        return sorted(int(match[1]) for match in found if match)

    def path(self, step: int) -> Path:
        """Returns the folder of one checkpoint."""
        return self.folder / f"step-{step:08d}"

    def save(
        self, arrays: dict[str, np.ndarray], step: int, progress: dict[str, Any], *, best_step: int | None = None
    ) -> Path:
        """Writes a checkpoint of what `snapshot` gave, then removes the ones that are neither new nor the best.

        Raises:
            RunError: an array is not finite (nothing is written), or the disk is full.
        """
        bad = [name for name, array in arrays.items() if not np.isfinite(array.astype(np.float32, copy=False)).all()]
        if bad:
            raise RunError(
                f"step {step}: {len(bad)} of {len(arrays)} variables hold values that are not numbers, the first is {bad[0]}: "
                "not saved; lower `optimizer.learning_rate`; the last checkpoint is unharmed"
            )
        needed = sum(array.nbytes for array in arrays.values())
        with atomic_folder(self.path(step), replace=True, needed=needed) as temporary:
            safetensors.numpy.save_file(arrays, temporary / "state.safetensors")
            (temporary / "progress.json").write_text(json.dumps(progress | {"step": step}), "utf-8")
        for old in self.steps()[: -self.keep]:
            if old != best_step:
                remove_folder(self.path(old))
        return self.path(step)

    def load(self, model: keras.Model, step: int) -> dict[str, Any]:
        """Restores a checkpoint into a compiled model and returns its progress.

        Raises:
            RunError: a file is missing or changed, or the variables do not fit.
        """
        path = self.path(step)
        check_manifest(path)
        file = path / "state.safetensors"
        try:
            arrays = safetensors.numpy.load_file(file)
        except safetensors.SafetensorError as error:
            raise RunError(f"{file} cannot be read: {error}") from error
        restore(run_variables(model), arrays).require_all(path)
        return self.progress(step)

    def progress(self, step: int) -> dict[str, Any]:
        """Returns what `save` was given beside the model."""
        return json.loads((self.path(step) / "progress.json").read_text("utf-8"))

    def newest(self) -> int | None:
        """Returns the step of the newest checkpoint that is whole, None where there is none at all.

        Damaged ones that are newer are renamed to `damaged-step-…`, so that the run can write their steps again.

        Raises:
            RunError: there are checkpoints, and all are damaged.
        """
        damaged: list[int] = []
        for step in reversed(self.steps()):
            try:
                check_manifest(self.path(step))
            except RunError as error:
                print(f"warning: checkpoint skipped: {error}", flush=True)
                damaged.append(step)
                continue
            for bad in damaged:
                aside = self.folder / f"damaged-{self.path(bad).name}"
                shutil.rmtree(aside, ignore_errors=True)
                self.path(bad).rename(aside)
            return step
        if damaged:
            raise RunError(f"every checkpoint in {self.folder} is damaged: remove the folder to begin again")
        return None
