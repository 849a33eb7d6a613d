"""The command tfpretune, and how it finds recipes."""

from tfpretune.cli.arguments import main
from tfpretune.cli.recipes import recipe_path

__all__ = ["main", "recipe_path"]
