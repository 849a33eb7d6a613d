"""The tests of a change: those that import it, its own, those that name a recipe."""

from pathlib import Path

from tests.changed import reached_by


def names(*paths):
    return {str(path) for path in reached_by([Path(path) for path in paths])}


def test_a_module_has_the_tests_that_import_it_and_its_own():
    found = names("tfpretune/data/splits/sketches.py")
    assert "tests/test_near_copies_benchmark.py" in found
    assert "tests/objectives/test_base.py" not in found
    assert "tests/data/corpus/test_packing.py" in names("tfpretune/data/corpus/packing.py")


def test_what_tests_share_has_those_that_import_it():
    found = names("tests/training/loop/toys.py")
    assert {"tests/training/loop/test_fit.py", "tests/training/loop/test_by_hand.py"} <= found


def test_recipes_tests_and_the_rest():
    assert "tests/recipes/test_soup.py" in names("recipes/soup.py")
    assert names("tests/test_sizes.py", "README.md") == {"tests/test_sizes.py"}
