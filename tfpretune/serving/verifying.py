"""Does an export answer as the Keras model did? Asked in a fresh process that has no Keras."""

import dataclasses
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import tfpretune
from tfpretune.errors import RunError
from tfpretune.runtime.files import check_manifest
from tfpretune.runtime.phases import phase
from tfpretune.serving.loading import version_folder


@dataclasses.dataclass(frozen=True)
class VerifyResult:
    """What `verify` found; as a string, one line.

    Attributes:
        folder: the version's.
        examples: how many stored raw inputs were answered.
        difference: the largest one; absolute up to values of 1, relative above.
        seconds: of it all, the start of the process included.

    Examples:
        >>> from pathlib import Path
        >>> from tfpretune.serving import VerifyResult
        >>> print(VerifyResult(Path("saved_models/digits/1"), examples=4, difference=1.8e-7, seconds=6.25))
        saved_models/digits/1: 4 examples answered without Keras as with it, largest difference 1.8e-07, 6.2 s
    """

    folder: Path
    examples: int
    difference: float
    seconds: float

    def __str__(self) -> str:
        """One line for people."""
        return (
            f"{self.folder}: {self.examples} examples answered without Keras as with it, "
            f"largest difference {self.difference:.1e}, {self.seconds:.1f} s"
        )


@phase("asking the export in a fresh process")
def verify(directory: Path | str) -> VerifyResult:
    """Checks every byte of an export, then its answers in a fresh process, on the CPU.

    The process imports TensorFlow and tensorflow-text's operations and nothing of Keras, and calls both signatures with
    the raw inputs that `export` stored beside the Keras model's answers.

    Args:
        directory: NAME/VERSION, or NAME for its highest version.

    Returns:
        The version's folder, the number of examples, the largest difference and the seconds of it all.

    Raises:
        UsageError: there is no export.
        RunError: names the file that is damaged, or the answer that differs most (by more than 1e-5).

    Examples:
        >>> from tfpretune.serving import verify
        >>> result = verify("saved_models/digits")  # written by `export`
        >>> result.folder.name, result.examples, result.difference < 1e-5
        ('1', 4, True)
    """
    start = time.perf_counter()
    folder = version_folder(directory).absolute()
    check_manifest(folder)
    # -P: the current folder stays off the path, so that nothing in it stands in for a package.
    command = [sys.executable, "-P", "-m", "tfpretune.serving.clean_process", str(folder)]
    run = subprocess.run(command, env=_environment(), capture_output=True, text=True, check=False)
    try:
        answer = json.loads(run.stdout.splitlines()[-1])
        error = answer.get("error")
    except (IndexError, ValueError):
        error = f"{folder}: the process without Keras failed ({run.returncode}): {_last_line(run.stderr)}"
    if error:
        raise RunError(error)
    return VerifyResult(folder, answer["examples"], answer["difference"], time.perf_counter() - start)


def _environment() -> dict[str, str]:
    root = str(Path(tfpretune.__file__).parents[1])
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    own = {"PYTHONPATH": os.pathsep.join(paths), "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "2"}
    return os.environ | own


def _last_line(text: str) -> str:
    return ([line for line in text.splitlines() if line.strip()] or ["no message"])[-1]
