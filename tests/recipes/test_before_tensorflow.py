"""Help, a typo, a wrong value, a missing source or preset: every recipe answers before TensorFlow is imported."""

import json
import subprocess
import sys
from pathlib import Path

RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("[!_]*.py"))
CODE = """
import contextlib, io, json, runpy, sys
found = []
for recipe, args in json.loads(sys.argv[1]):
    sys.argv = [recipe, *args]
    out, err, code = io.StringIO(), io.StringIO(), None
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            runpy.run_path(recipe, run_name="__main__")
        except SystemExit as stop:
            code = stop.code
    heavy = [name for name in ("tensorflow", "keras", "sklearn", "matplotlib") if name in sys.modules]
    found.append([code, out.getvalue(), err.getvalue(), heavy])
print(json.dumps(found))
"""


def answers(cases, folder):
    """Runs recipes with options in one process: [code, stdout, stderr, what is imported by then] of each."""
    command = [sys.executable, "-c", CODE, json.dumps([[str(recipe), args] for recipe, args in cases])]
    path = {"PYTHONPATH": ":".join(filter(None, sys.path))}
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=path, timeout=300, check=True)
    return json.loads(done.stdout)


def test_every_recipe(tmp_path):
    cases = [(recipe, args) for recipe in RECIPES for args in (["--help"], ["--fsat"], ["--config", "none.json"])]
    for (recipe, args), (code, out, err, heavy) in zip(cases, answers(cases, tmp_path), strict=True):
        assert (code, heavy) == (0 if args == ["--help"] else 2, []), (recipe.stem, args, err)
        if args == ["--help"]:
            assert out.index("\nEvery day\n") < out.index("\n  --out-dir " if "--out-dir" in out else "\n  --fast")
        else:
            assert err.startswith("error: ")
            assert err.count("\n") == 1
            assert "did you mean --fast?" in err or args[0] == "--config"


def test_what_is_not_there(tmp_path):
    """The defaults of a recipe name runs that this folder does not have."""
    wanted = {
        "finetune_text": (["--source", "demo:bcc"], "did you mean demo:bbc?"),
        "pretrain_text": (["--source", "csv:none.csv"], "--source csv:none.csv: no file or folder none.csv"),
        "finetune_image": ([], "--preset runs/pretrain_image/preset: no such folder"),
        "finetune_tagger": (["--steps", "many"], "--steps must be a whole number, received 'many'"),
        "evaluate": ([], "--run-dir runs/finetune_text: no such folder"),
        "export": ([], "--run-dir runs/finetune_text: no such folder"),
        "soup": ([], "--run-dirs runs/a: no such folder"),
        "label_efficiency": ([], "--preset runs/pretrain_text/preset: no such folder"),
        "tune": (["--search", "learning-rate"], "did you mean learning_rate?"),
        "quickstart": (["--seeds", "1"], "--seeds must be at least 2, received 1"),
        "adapt_domain": (["--target", "demo:digit"], "did you mean demo:digits?"),
    }
    recipes = {recipe.stem: recipe for recipe in RECIPES}
    cases = [(recipes[name], args) for name, (args, _) in wanted.items()]
    for (name, (_, message)), (code, _, err, heavy) in zip(wanted.items(), answers(cases, tmp_path), strict=True):
        assert (code, heavy, err.count("\n")) == (2, [], 1), (name, err)
        assert message in err
