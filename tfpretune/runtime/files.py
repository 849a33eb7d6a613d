"""Files and folders that are whole or not there: temporary name, fsync, rename; a folder's manifest is its seal."""

import contextlib
import errno
import glob
import hashlib
import json
import os
import platform
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from tfpretune.errors import RunError
from tfpretune.runtime.disk_space import full_disk_named, require_room

MANIFEST = "manifest.json"
_TOKEN = secrets.token_hex(
    4
)  # tells this process from an older one with its number, as in a container that was restarted


def write_atomic(path: Path | str, data: bytes | str) -> None:
    """Writes one file; a reader sees the old content or the new, never a part, also after a power cut.

    Args:
        path: the file; its folder is created when missing.
        data: the whole content; text is written as UTF-8 without changing line ends.

    Raises:
        RunError: the disk is full; the old file is unharmed.

    Examples:
        >>> from pathlib import Path
        >>> from tfpretune.runtime import write_atomic
        >>> write_atomic("runs/a/note.txt", "the folder is made where it is missing")
        >>> [path.name for path in Path("runs/a").iterdir()]  # no half-written file beside it
        ['note.txt']
    """
    content = data.encode("utf-8") if isinstance(data, str) else data
    with atomic_file(path, needed=len(content)) as file:
        file.write(content)


@contextlib.contextmanager
def atomic_file(path: Path | str, *, needed: int | None = None) -> Iterator[BinaryIO]:
    """Gives a new file to write into, which takes the place of `path` when the block ends well.

    Args:
        path: the file; its folder is created when missing.
        needed: about so many bytes will be written, for the message on a full disk.

    Raises:
        RunError: the disk is full; the old file is unharmed.
    """
    path = Path(path)
    temporary = _temporary(path)
    with full_disk_named(path, needed=needed):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _sync(path.parent)


@contextlib.contextmanager
def atomic_folder(final: Path | str, *, replace: bool = False, needed: int | None = None) -> Iterator[Path]:
    """Gives an empty folder `.tmp-NAME-…` beside `final`; when the block ends well it becomes `final`, with a manifest.

    An error inside the block removes the temporary folder and leaves `final` as it was. What a killed process of this
    machine left behind under the same name is removed too.

    Args:
        final: the folder to create; its parent is created when missing.
        replace: put the new folder in the place of an old one. Between the two renames there is a moment with neither; a
            process that is killed there leaves both whole, and `remove_leftovers` puts one in its place.
        needed: about so many bytes will be written. Where there is no room for them, nothing is begun: HDF5, which writes
            Keras' weights, hides a full disk until the process ends, and then breaks down.

    Yields:
        The temporary folder.

    Raises:
        RunError: `final` exists and `replace` is False, or the disk is full.
    """
    final = Path(final)
    if final.exists() and not replace:
        raise RunError(f"{final} exists already: give another name or remove it first")
    temporary = _temporary(final)
    remove_leftovers(final.parent, final.name, keep_whole=replace)
    with full_disk_named(final, needed):
        temporary.mkdir(parents=True)
        try:
            require_room(temporary, needed or 0)
            yield temporary
            _write_manifest(temporary)
            _move(temporary, final, replace)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise


def check_manifest(folder: Path | str) -> None:
    """Compares a folder with its manifest, every byte of every file.

    Raises:
        RunError: names the first file that is missing, changed, extra or unlisted, or the manifest that cannot be read.
    """
    folder = Path(folder)
    listed = _read_manifest(folder)
    found = set(_names(folder))
    for name in sorted(listed.keys() | found):
        if name not in listed:
            raise RunError(f"{folder / name} is not in the manifest: the folder was changed after it was written")
        if name not in found:
            raise RunError(f"{folder / name} is missing: the manifest lists it")
        if _entry(folder / name) != listed[name]:
            raise RunError(f"{folder / name} is damaged: its sha256 or size is not the one in the manifest")


def _read_manifest(folder: Path) -> dict[str, dict[str, object]]:
    path = folder / MANIFEST
    if not path.is_file():
        raise RunError(f"{path} is missing: {folder} was not written to the end, or not by tfpretune")
    content = path.read_bytes()
    try:
        files = json.loads(content)["files"]
    except (ValueError, KeyError, TypeError):
        files = None
    if not isinstance(files, dict):
        raise RunError(f'{path} is damaged: expected {{"files": {{name: {{"sha256", "bytes"}}}}}}')
    if content != _manifest(files):  # white space counts, too: one byte that is not as it was written is damage
        raise RunError(f"{path} is damaged: it is not as it was written")
    return files


def _manifest(entries: dict[str, dict[str, object]]) -> bytes:
    return (json.dumps({"files": entries}, indent=1, ensure_ascii=False) + "\n").encode("utf-8")


def _write_manifest(folder: Path) -> None:
    """Writes the sums, then forces every file and folder to the disk, so that the rename can be the commit."""
    names = _names(folder)
    entries = {name: _entry(folder / name) for name in names}
    (folder / MANIFEST).write_bytes(_manifest(entries))
    for name in [*names, MANIFEST]:
        _sync(folder / name)
    for parent, _, _ in os.walk(folder, topdown=False):
        _sync(Path(parent))


def _move(temporary: Path, final: Path, replace: bool) -> None:
    old = _temporary(final) if replace and final.exists() else None
    if old:
        final.rename(old)
    try:
        temporary.rename(final)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            raise
        raise RunError(f"{final} was written by another process in the meantime: try again") from error
    _sync(final.parent)
    if old:
        shutil.rmtree(old, ignore_errors=True)


def _names(folder: Path) -> list[str]:
    """Returns all files below `folder` but the manifest, as sorted relative paths with `/`; a link counts as a file."""
    names = []
    for parent, folders, files in os.walk(folder):
        links = [name for name in folders if os.path.islink(os.path.join(parent, name))]
        names += [Path(parent, name).relative_to(folder).as_posix() for name in files + links]
    return sorted(name for name in names if name != MANIFEST)


def _entry(path: Path) -> dict[str, object]:
    if not path.is_file():
        return {}
    with path.open("rb") as file:
        return {"sha256": hashlib.file_digest(file, "sha256").hexdigest(), "bytes": path.stat().st_size}


def remove_folder(folder: Path) -> None:
    """Removes a folder; whoever looks sees it whole or not at all, also when the process is killed meanwhile."""
    aside = _temporary(folder)
    folder.rename(aside)
    shutil.rmtree(aside, ignore_errors=True)


def remove_leftovers(
    folder: Path | str, name: str | None = None, *, keep_whole: bool = True, locked: bool = False
) -> None:
    """Removes what killed processes of this machine left unfinished in a folder.

    Args:
        folder: where to look, not below it.
        name: only what was to become this file or folder; None: anything.
        keep_whole: what had been finished but for its name, and has nothing in its place, gets its name instead.
        locked: the caller holds the folder's lock, so nobody writes there: what any machine's processes left goes, nothing is
            kept.
    """
    folder = Path(folder)
    start = ".tmp-*-" if name is None else f".tmp-{glob.escape(name)}-"
    machine = "" if locked else f"{glob.escape(platform.node())}-"
    for path in folder.glob(f"{start}{machine}*"):
        if not locked and _writer_is_alive(path):
            continue
        final = folder / _final_name(path)
        if keep_whole and not locked and not final.exists() and _is_whole(path):
            path.rename(final)
        elif path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _temporary(path: Path) -> Path:
    return path.parent / f".tmp-{path.name}-{platform.node()}-{os.getpid()}-{_TOKEN}-{secrets.token_hex(4)}"


def _final_name(path: Path) -> str:
    return path.name.removeprefix(".tmp-").rpartition(f"-{platform.node()}-")[0]


def _writer_is_alive(path: Path) -> bool:
    process, _, rest = path.name.rpartition(f"-{platform.node()}-")[2].partition("-")
    if process == str(os.getpid()):
        return rest.startswith(_TOKEN)
    return not process.isdecimal() or _is_alive(int(process))


def _is_whole(folder: Path) -> bool:
    try:
        check_manifest(folder)
    except RunError:
        return False
    return True


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it lives and belongs to somebody else
        return True
    return True


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
