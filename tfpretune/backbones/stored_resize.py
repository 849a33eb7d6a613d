"""How the images of a preset were brought to its size, in a file beside the backbone."""

import json
from pathlib import Path
from typing import Any

from tfpretune.data.image.fitting import RESIZES, Resize
from tfpretune.errors import UsageError

_FILE = "images.json"


def save_resize(folder: Path | str, resize: Any) -> None:
    """Writes into the folder of a preset how its images were resized; nothing for "squeeze", which is what is not said."""
    if resize not in (None, "", "squeeze"):
        Path(folder, _FILE).write_text(json.dumps({"resize": resize}) + "\n", "utf-8")


def read_resize(preset: str, asked: Resize | str = "") -> Resize:
    """Returns how images are brought to the size of a preset: as is asked, else as those were that it was trained on.

    Args:
        preset: a folder, a KerasHub name, or "" for none.
        asked: what the user says; "" for nothing.

    Returns:
        "squeeze" where nothing is said.

    Raises:
        UsageError: the preset says what is not known here.

    Examples:
        >>> from tfpretune.backbones import read_resize
        >>> read_resize(""), read_resize("", "crop")
        ('squeeze', 'crop')
    """
    file = Path(preset, _FILE)
    found = asked or (json.loads(file.read_text("utf-8")).get("resize") if preset and file.is_file() else "squeeze")
    for known in RESIZES:
        if found == known:
            return known
    raise UsageError(f"`resize` must be one of {', '.join(RESIZES)}, {preset or 'a run'} says {found!r}")
