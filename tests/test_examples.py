"""Every name of an `__all__` has an example in its docstring, and each runs; one without fails by its name."""

import doctest
import importlib
import inspect
import re
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import pytest
import tensorflow as tf

import tfpretune

PACKAGE = Path(tfpretune.__file__).parent
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
EXPORT = "serving.export"
AFTER_EXPORT = ("serving.example_inputs", "serving.predict", "serving.verify")
"""Their examples go on in the folder that the example of `export` leaves."""
OF_BEAM = ("data.find_parts_with_beam", "data.prepare_with_beam")
WITHOUT: dict[str, str] = {
    "data": "LABEL_WORDS MaskForm SourceForm TagForm claim damage_named find_parts find_parts_with_beam open_examples prepare "
    "prepare_with_beam read_manifest vocabulary_sample",
    "": "experiments tasks",
    "experiments": "COLUMNS Domains DomainsConfig METHODS MethodsConfig PRETRAINED SCRATCH LabelTrial Trials Work adapt_preset "
    "begin_trials compare compare_and_deliver compare_methods comparison_table export_and_verify "
    "from_adapted image_inputs image_trials open_domains pixel_regression pretrain run_trials text_inputs "
    "text_trials tfidf_regression",
    "search": "base_settings import_optuna open_recipe parse_pairs search write_search",
    "settings": "launch",
    "tasks": "ClassificationTask DistillationConfig ENSEMBLES EmbeddingTask IMAGE_OBJECTIVES INPUTS ImageInputs "
    "ImageObjective TextInputs "
    "ImagePretrainingConfig Ensemble Judged LABELS LabelTask FinetunedModel MultiLabelTask Parts QuestionAnsweringTask "
    "RegressionTask SOUPS SegmentationTask SeveralTasks StudentForm TASKS TEXT_OBJECTIVES TaggingTask Task TaskSources "
    "TextObjective TextPretrainingConfig apply_methods comparison examples_of export_run find_vocabulary "
    "fingerprint first_texts fit_layered fit_task judge load_finetuned load_start load_teacher load_wordpiece "
    "made_ready make_student makers milliseconds open_splits open_tasks pixel_predictor pixel_weights "
    "unigram_verdict print_counts report_pretraining report_reconstructions require_classes require_known "
    "require_known_to_both say_words sequences_in_memory sequences_on_disk set_baselines settings_of shown_inputs source_form "
    "split_parts starts_of student_form tag_form task_of taught_batches unlabelled_examples",
    "training": "ConfusionMatrixCallback DistanceFromInitialization EmbeddingsCallback FillMaskCallback "
    "ReconstructionCallback check_same_comparison describe find_learning_rate trial_fingerprint",
}
"""Names of each face that have no example yet; this may only shrink."""


def public() -> dict[str, tuple[Any, str]]:
    """`face.name` -> the face and the name, for all names of all `__all__`."""
    folders = sorted(path.parent.relative_to(PACKAGE).parts for path in PACKAGE.rglob("__init__.py"))
    faces = {parts: importlib.import_module(".".join(("tfpretune", *parts))) for parts in folders}
    return {
        ".".join((*parts, name)): (face, name) for parts, face in faces.items() for name in getattr(face, "__all__", ())
    }


PUBLIC = public()
NO_EXAMPLE = [f"{face}.{name}".lstrip(".") for face, names in WITHOUT.items() for name in names.split()]


def example_of(name: str) -> str:
    """The example of a public name: in its own docstring; of a constant, which has none, in that of its face."""
    face, attribute = PUBLIC[name]
    thing = getattr(face, attribute)
    own = inspect.ismodule(thing) or inspect.isclass(thing) or inspect.isroutine(thing)
    _, _, text = inspect.cleandoc((thing if own else face).__doc__ or "").partition("\nExamples:\n")
    return text if own or re.search(rf"^ *>>> .*\b{attribute}\b", text, re.M) else ""


def run(name: str) -> str:
    """Runs an example and returns what is wrong with it."""
    test = doctest.DocTestParser().get_doctest(example_of(name), {}, name, name, 0)
    said: list[str] = []
    doctest.DocTestRunner(optionflags=FLAGS).run(test, out=said.append)
    return "".join(said) if test.examples else f"{name} has no example: write one into its docstring, under Examples:"


def settings_of_the_process() -> tuple[Any, ...]:
    return keras.config.dtype_policy().name, keras.config.floatx(), tf.distribute.has_strategy()


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert run(EXPORT) == ""
    return folder


@pytest.mark.parametrize("name", PUBLIC)
def test_example(name, tmp_path, monkeypatch, request):
    if name in (EXPORT, *AFTER_EXPORT):
        shutil.copytree(request.getfixturevalue("exported"), tmp_path, dirs_exist_ok=True)
    if name == EXPORT:
        return  # it has just run
    if name in OF_BEAM:
        pytest.importorskip("apache_beam")
    monkeypatch.chdir(tmp_path)
    before = settings_of_the_process()
    wrong = run(name)
    assert bool(wrong) == (name in NO_EXAMPLE), wrong or f"{name} has an example now: take it off the list"
    assert settings_of_the_process() == before


def test_the_list_names_what_there_is():
    assert set(NO_EXAMPLE) <= set(PUBLIC), "take names off the list that are gone"


def test_what_would_be_found(monkeypatch):
    def good():
        """One.

        Examples:
            >>> 1 + 1
            2
        """

    def wrong():
        """One.

        Examples:
            >>> 1 + 1
            3
        """

    def missing():
        """One."""

    found = {}
    for thing in (good, wrong, missing):
        monkeypatch.setitem(PUBLIC, thing.__name__, (SimpleNamespace(thing=thing), "thing"))
        found[thing.__name__] = run(thing.__name__)
    monkeypatch.setitem(PUBLIC, "CONSTANT", (SimpleNamespace(CONSTANT=3, __doc__=good.__doc__), "CONSTANT"))
    assert found["good"] == ""
    assert "Expected:\n    3\nGot:\n    2\n" in found["wrong"]
    assert found["missing"].startswith("missing has no example")
    assert run("CONSTANT").startswith("CONSTANT has no example")
