"""Labels beside the first ones, for the same inputs. Imports no TensorFlow."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class LabelColumn:
    """Labels of their own for the same inputs.

    Args:
        labels: int32 `(n,)`, each an index into `class_names`, or -1 for an input without a label.
        class_names: as `Examples.class_names`.
    """

    labels: np.ndarray
    class_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: np.ndarray) -> "LabelColumn":
        """Returns those of some inputs."""
        return LabelColumn(self.labels[rows], self.class_names)
