"""Every variable that a run must not lose: listed, copied, set again with a report."""

from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from tfpretune.errors import RunError


class LoadReport(NamedTuple):
    """What a file had for a model.

    Attributes:
        loaded: names of the variables that were set.
        missing: variables of the model that the file lacks.
        mismatched: variables of another shape, with both shapes.
        unused: arrays of the file that the model has no place for.
    """

    loaded: list[str]
    missing: list[str]
    mismatched: list[str]
    unused: list[str]

    def require_all(self, where: Path) -> None:
        """Raises RunError unless every variable was loaded."""
        if self.missing or self.mismatched or self.unused or not self.loaded:
            faults = [
                f"{label}: {', '.join(names[:5])}"
                for label, names in zip(self._fields[1:], self[1:], strict=True)
                if names
            ]
            total = len(self.loaded) + len(self.missing) + len(self.mismatched)
            raise RunError(
                f"{where} does not fit the model, {len(self.loaded)} of {total} variables loaded; {'; '.join(faults)}"
            )


def run_variables(model: keras.Model) -> dict[str, keras.Variable]:
    """Returns all that a run must not lose: weights, normalisation statistics, dropout seeds, optimizer state."""
    optimizer = getattr(model, "optimizer", None)
    groups = {"model": model.variables, "optimizer": optimizer.variables if optimizer is not None else []}
    metrics = {id(variable) for metric in model.metrics for variable in metric.variables}
    return {
        f"{group}/{index:05d}/{variable.name}": variable
        for group, variables in groups.items()
        for index, variable in enumerate(v for v in variables if id(v) not in metrics)
    }


def snapshot(model: keras.Model) -> dict[str, np.ndarray]:
    """Returns copies of all `run_variables`, which later steps do not change.

    Examples:
        >>> from tfpretune.backbones import SmallCNN
        >>> from tfpretune.finetune import classifier
        >>> from tfpretune.training import snapshot
        >>> model = classifier(SmallCNN((8, 8, 1), (8,)), 2)
        >>> model.compile("sgd")
        >>> model.build_optimizer()
        >>> arrays = snapshot(model)  # for `CheckpointFolder.save`
    """
    return {name: np.array(variable.numpy(), order="C") for name, variable in run_variables(model).items()}


def restore(variables: dict[str, keras.Variable], arrays: dict[str, np.ndarray]) -> LoadReport:
    """Sets the variables that fit and says which did not."""
    report = LoadReport([], [], [], [name for name in arrays if name not in variables])
    for name, variable in variables.items():
        if name not in arrays:
            report.missing.append(name)
        elif tuple(arrays[name].shape) != tuple(variable.shape):
            report.mismatched.append(f"{name} {tuple(arrays[name].shape)} for {tuple(variable.shape)}")
        else:
            variable.assign(arrays[name])
            report.loaded.append(name)
    return report


def optimizer_step(model: keras.Model) -> int:
    """Returns how many steps the optimizer has made."""
    return int(model.optimizer.iterations.numpy())
