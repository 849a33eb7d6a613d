"""Tiny presets, texts and the options of tiny runs."""

import pytest

from tests.faults.tiny import write_presets


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """A folder with `texts.csv`, `images/`, `patches/` and `text/` (presets of one thin layer)."""
    folder = tmp_path_factory.mktemp("tiny")
    write_presets(folder)
    return folder
