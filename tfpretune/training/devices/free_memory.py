"""How much memory this process may still take, and how much a call takes at its height. Linux; elsewhere nothing is known."""

import contextlib
import ctypes
import resource
import sys
from collections.abc import Callable
from pathlib import Path

UNKNOWN = sys.maxsize


def free_memory() -> int:
    """Returns the bytes that this process may still take: of the machine, of its control group, of its own limits."""
    status, machine = _table("/proc/self/status"), _table("/proc/meminfo")
    limits = {"VmSize": resource.RLIMIT_AS, "VmData": resource.RLIMIT_DATA}
    found = [
        resource.getrlimit(limit)[0] - status.get(name, 0)
        for name, limit in limits.items()
        if resource.getrlimit(limit)[0] != resource.RLIM_INFINITY
    ]
    group = Path("/sys/fs/cgroup")
    for most, now in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        allowed, used = _number(group / most), _number(group / now)
        if allowed is not None and used is not None:
            found.append(allowed - used)
    return max(0, min([*found, machine.get("MemAvailable", UNKNOWN)]))


def peak_memory(call: Callable[[], None]) -> int:
    """Returns the bytes that a call takes beyond what the process holds before it; 0 where the system does not say."""
    with contextlib.suppress(
        OSError, AttributeError
    ):  # glibc: what was freed and is kept for reuse would hide the need
        ctypes.CDLL(None).malloc_trim(0)
    before = _table("/proc/self/status").get("VmRSS", 0)
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from here
    call()
    return max(0, _table("/proc/self/status").get("VmHWM", 0) - before)


def _table(path: str) -> dict[str, int]:
    """Returns name -> bytes of the lines `name: 123 kB`."""
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return {}
    words = [line.split() for line in lines]
    return {word[0].rstrip(":"): int(word[1]) << 10 for word in words if word[2:] == ["kB"]}


def _number(path: Path) -> int | None:
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdecimal() else None
