"""At most so many lines of a kind. Imports no TensorFlow."""

import collections
import re
from collections.abc import Sequence


def at_most(most: int, lines: Sequence[tuple[str, str]]) -> list[str]:
    """Leaves out lines that say the same of yet another place, and says how many.

    Args:
        most: lines of a kind that are kept.
        lines: what each says and the line itself; those of a kind say the same but for quotations, numbers and paths.

    Returns:
        The lines in their order; behind the last of a kind "… and 928 more of this kind".
    """
    kinds = [kind_of(what) for what, _ in lines]
    sizes, seen = collections.Counter(kinds), collections.Counter[str]()
    kept = []
    for kind, (_, line) in zip(kinds, lines, strict=True):
        seen[kind] += 1
        if seen[kind] <= most:
            kept.append(line)
        if seen[kind] == most and sizes[kind] > most:
            kept.append(f"  … and {sizes[kind] - most:,} more of this kind")
    return kept


def kind_of(what: str) -> str:
    """Returns what a message says without the names, numbers and places in it: its first words."""
    words = re.sub(r"""'[^']*'|"[^"]*"|\S*[/\d]\S*""", " ", what).split()
    return " ".join(words[:5])
