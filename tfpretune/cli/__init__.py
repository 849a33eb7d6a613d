"""The command tfpretune, and how it finds recipes."""

from tfpretune.cli.arguments import main

__all__ = ["main"]
