"""kill -9 at a named point of a write: before or after its first sync, its second rename, in the middle of its arrays."""

import os
import pathlib
import signal
import threading
import warnings

import safetensors.numpy

CALLS = ("mkdir", "posix_fallocate", "fsync", "replace", "rename", "unlink", "rmdir")
CONTENTS = {  # what writes a whole file at once -> the place of the path among its arguments
    (pathlib.Path, "write_bytes"): 0,
    (pathlib.Path, "write_text"): 0,
    (safetensors.numpy, "save_file"): 1,
}


def watch(begin, number, arrive):
    """Calls `arrive("before fsync 1")`, `arrive("after fsync 1")`, … in this process, for one write.

    Args:
        begin: the write begins when a folder has been made whose name starts so ("after mkdir 0"); "": at once.
        number: which of the writes that begin so. Those that follow count on.
        arrive: is given each point, in the write's own thread.
    """
    begun, writers, counts = 0, [] if begin else [threading.get_ident()], {}

    def wrap(owner, name, path=None):
        call = getattr(owner, name)

        def at_points(*args, **more):
            nonlocal begun
            if threading.get_ident() not in writers:
                found = call(*args, **more)
                if name == "mkdir" and begin and pathlib.Path(args[0]).name.startswith(begin):
                    begun += 1
                    if begun == number:
                        writers.append(threading.get_ident())
                        arrive("after mkdir 0")
                return found
            counts[name] = counts.get(name, 0) + 1
            arrive(f"before {name} {counts[name]}")
            found = call(*args, **more)
            if path is not None:
                os.truncate(args[path], os.path.getsize(args[path]) // 2)
                arrive(f"inside {name} {counts[name]}")
                call(*args, **more)
            arrive(f"after {name} {counts[name]}")
            return found

        setattr(owner, name, at_points)

    for name in CALLS:
        wrap(os, name)
    for (owner, name), path in CONTENTS.items():
        wrap(owner, name, path)


def die():
    """What `kill -9` does: no handler, no `finally`."""
    os.kill(os.getpid(), signal.SIGKILL)


def killed_at(point, begin, number, work, *args):
    """Runs `work(*args)`, which dies when its write comes to the point: see `watch`."""
    watch(begin, number, lambda reached: die() if reached == point else None)
    work(*args)


def fork():
    """A copy of this process for one write of files; Python 3.12 and later warn of the threads that it does not have."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def points_of(write):
    """Returns the points of `write()`, in order. Makes it in a process of its own."""
    reading, writing = os.pipe()
    process = fork()
    if not process:
        points = []
        watch("", 0, points.append)
        write()
        os.write(writing, ",".join(points).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as file:
        points = file.read().split(",")
    os.waitpid(process, 0)
    return points


def kill_at(point, write):
    """Begins `write()` in a process that dies at the point."""
    process = fork()
    if not process:
        try:
            killed_at(point, "", 0, write)
        finally:
            os._exit(0)
    if os.waitpid(process, 0)[1] != signal.SIGKILL:
        raise AssertionError(f"{point} never came")
