"""The public faces: `import tfpretune` is cheap, every promised name is there, data on texts needs no TensorFlow."""

import importlib
import subprocess
import sys

import pytest

import tfpretune

FACES = ["data", "backbones", "objectives", "finetune", "training", "evaluation", "serving"]


def test_importing_is_cheap():
    code = (
        "import sys, tfpretune\n"
        "from tfpretune.data import open_source, check, Examples\n"
        "print('tensorflow' in sys.modules, 'keras' in sys.modules, callable(tfpretune.data.open_source))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout == "False False True\n"


@pytest.mark.parametrize("name", FACES)
def test_every_name_of_a_face_is_there(name):
    face = importlib.import_module(f"tfpretune.{name}")
    assert face.__all__
    assert set(face.__all__) <= set(dir(face))
    for each in face.__all__:
        assert getattr(face, each).__doc__, each


def test_names_that_stay_put():
    promised = {
        "finetune": "classifier tagger pair_classifier regressor freeze GradualUnfreezing L2SP layerwise_rates enable_lora "
        "merge_lora",
        "training": "make_strategy make_optimizer fit",
        "data": "open_source",
        "evaluation": "write_report gain_over_scratch",
        "serving": "export verify predict",
    }
    for face, names in promised.items():
        for name in names.split():
            assert callable(getattr(getattr(tfpretune, face), name)), (face, name)


def test_a_name_that_is_not_there():
    with pytest.raises(AttributeError, match="open_sauce"):
        _ = tfpretune.data.open_sauce
