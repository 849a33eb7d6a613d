"""`recipes/adapt_domain.py` in small: images, and texts with a preset that goes on learning."""

import json

import numpy as np
import pytest

from tests.recipes.test_recipes import load
from tfpretune.backbones import TextEncoder, TextEncoderTokenizer
from tfpretune.backbones.by_name import load_backbone, load_tokenizer
from tfpretune.errors import UsageError
from tfpretune.experiments.adaptation.domains import open_domains
from tfpretune.experiments.adaptation.methods import Strengths
from tfpretune.objectives import MaskedLM
from tfpretune.settings import launch
from tfpretune.training.presets import load_task, save_preset

FAST = {"fast": True, "seeds": 2, "batch_size": 8}


def adapt(**settings):
    module = load("adapt_domain")
    return module.main(module.Config(**FAST | settings))


@pytest.mark.parametrize("methods", [("source-only",), ("source-only", "dann")], ids=["one", "two"])
def test_images_leave_what_the_docstring_promises(tmp_path, capsys, methods):
    settings = {"methods": methods, "out_dir": str(tmp_path), "image_shape": (8, 8, 1)}
    table, last = adapt(**settings), methods[-1]
    assert [row[0] for row in table.rows] == [*methods]
    assert table.markdown() == (tmp_path / "results.md").read_text("utf-8")
    assert table.markdown() in capsys.readouterr().out
    assert (tmp_path / "report" / "index.html").is_file()
    model, task = load_task(tmp_path / last / "preset")
    assert task["image_shape"] == [8, 8, 1]
    assert not [weight.path for weight in model.weights if "domain" in weight.path]
    files = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "trials").iterdir()}
    assert sorted(files) == sorted(f"{method}-{seed}.json" for method in methods for seed in (0, 1))
    (tmp_path / "trials" / f"{last}-1.json").unlink()  # as if the run had been stopped
    assert [row[:6] for row in adapt(**settings).rows] == [row[:6] for row in table.rows]
    again = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "trials").iterdir()}
    assert [name for name in sorted(files) if again[name] != files[name]] == [f"{last}-1.json"]
    with pytest.raises(UsageError, match=r"other settings \(batch_size: 8 -> 4\)"):
        adapt(**settings | {"batch_size": 4})


def make_texts(folder):
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", "book", "room", *"0123456789"]
    tokenizer = TextEncoderTokenizer(words, lowercase=True)
    encoder = TextEncoder(len(words), 1, num_heads=2, hidden_dim=4, intermediate_dim=8)
    save_preset(folder / "preset", MaskedLM(encoder), tokenizer=tokenizer)
    for thing in ("book", "room"):
        rows = [f"{judgement} {thing} {i},{judgement}" for i in range(60) for judgement in ("good", "bad")]
        (folder / f"{thing}.csv").write_text("text,label\n" + "\n".join(rows) + "\n", "utf-8")
    sources = (f"csv:{folder}/book.csv", f"csv:{folder}/book.csv")
    return {"source": sources, "target": f"csv:{folder}/room.csv", "preset": str(folder / "preset")}


def test_texts_with_a_preset_that_goes_on_learning(tmp_path):
    settings = make_texts(tmp_path) | {"sequence_length": 8, "out_dir": str(tmp_path / "run")}
    table = adapt(methods=("coral", "dapt"), **settings)
    assert [row[0] for row in table.rows] == ["coral", "dapt"]
    old, new = settings["preset"], str(tmp_path / "run" / "adapted_preset")
    assert load_tokenizer(new).get_vocabulary() == load_tokenizer(old).get_vocabulary()
    before, after = (load_backbone(place).get_weights() for place in (old, new))
    assert not np.array_equal(before[0], after[0])
    trial = json.loads((tmp_path / "run" / "trials" / "dapt-1.json").read_text("utf-8"))
    assert 0 <= trial["target"] <= 1
    assert load_task(tmp_path / "run" / "dapt" / "preset")[1]["sequence_length"] == 8
    make_texts(tmp_path)  # a preset with other random weights in the old one's place
    with pytest.raises(UsageError, match=r"other settings \(files of the preset: '\w+' -> '\w+'\)"):
        adapt(methods=("coral", "dapt"), **settings)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--strengths.rounds", "-1"], "error: --strengths.rounds must be at least 1, received -1"),
        (["--strengths.threshold", "1.5"], "error: --strengths.threshold must be in (0, 1], received 1.5"),
        (["--strengths.coral-weight", "0"], "error: --strengths.coral-weight must be a number above 0, received 0.0"),
        (
            ["--strengths.rounds", "7", "--steps", "7"],
            "error: --strengths.rounds 7 leaves no step for the start: give fewer than --steps 7",
        ),
    ],
)
def test_strengths_are_refused_in_one_line(options, message, capsys):
    with pytest.raises(SystemExit) as stopped:
        launch.parse(load("adapt_domain").Config, options)
    assert stopped.value.code == 2
    assert capsys.readouterr().err == f"{message}\n"


def test_rounds_matter_where_there_are_some():
    """One step is enough for the source alone; a rehearsal has a step for every round."""
    module = load("adapt_domain")
    module.Config(steps=1, methods=("source-only",))
    run = module.Config(**FAST | {"strengths": Strengths(rounds=4)})
    assert open_domains(run).steps == 5


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"methods": ("dapt",)}, "--methods dapt goes on with .* give --preset"),
        ({"seeds": 1}, "--seeds must be at least 2"),
        ({"source": ("demo:bbc",)}, "demo:bbc holds text examples, expected image"),
        ({"source": ("demo:bbc",), "target": "demo:bbc"}, "--target demo:bbc holds texts: give --preset"),
    ],
)
def test_mistakes_are_usage_errors(settings, message, tmp_path):
    with pytest.raises(UsageError, match=message):
        adapt(out_dir=str(tmp_path), **settings)
