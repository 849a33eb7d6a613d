"""Files, locks, disks and workers: what the rest runs on.

Examples:
    >>> from tfpretune.runtime import write_atomic
    >>> write_atomic("runs/a/note.txt", "a reader sees all of it or nothing")
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
