"""Prints the test files that import what has changed since a commit: `python -m tests.changed [COMMIT]`, without it HEAD.

A changed test is printed itself; for a module the tests that import it and those of the same place and name; for a recipe or
a benchmark those that name it. `make test` runs all.
"""

import subprocess
import sys
from pathlib import Path

import grimp

ROOT = Path(__file__).parents[1]


def changed_files(commit: str) -> list[Path]:
    """Tracked files that differ from the commit, and new ones."""
    calls = (["diff", "--name-only", commit], ["ls-files", "--others", "--exclude-standard"])
    found = [subprocess.run(["git", *call], cwd=ROOT, capture_output=True, text=True, check=True) for call in calls]
    return [Path(line) for answer in found for line in answer.stdout.splitlines()]


def reached_by(paths: list[Path]) -> set[Path]:
    """Returns the test files of changed files, relative to the project's root."""
    graph = grimp.build_graph("tfpretune", "tests")
    every = [path.relative_to(ROOT) for path in (ROOT / "tests").rglob("test_*.py")]
    found = {path for path in paths if path in every}
    for path in paths:
        if path.parts[0] in ("tfpretune", "tests") and path.suffix == ".py":
            name = ".".join(path.with_suffix("").parts).removesuffix(".__init__")
            if name in graph.modules:
                importers = graph.find_modules_that_directly_import(name)
                found |= {file for file in every if ".".join(file.with_suffix("").parts) in importers}
        if path.parts[0] == "tfpretune":
            twin = Path("tests", *path.parts[1:-1], f"test_{path.stem}.py")
            found |= {twin} & set(every)
        if path.parts[0] in ("recipes", "benchmarks"):
            found |= {file for file in every if path.stem in (ROOT / file).read_text("utf-8")}
    return found


if __name__ == "__main__":
    print("\n".join(sorted(map(str, reached_by(changed_files(sys.argv[1] if sys.argv[1:] else "HEAD"))))))
