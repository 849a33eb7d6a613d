"""The command `tfpretune`: each command, its exit codes, and what it says about mistakes."""

import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tfpretune.cli import arguments as cli
from tfpretune.cli import recipes as recipe_files
from tfpretune.cli.arguments import main
from tfpretune.errors import RunError

GREET = '''"""Greets the world.

    python recipes/greet.py --name you \\
        --loud

Takes a second.
"""
import sys

import module_that_does_not_exist_unless_run  # noqa
'''

ECHO = '''"""Prints its arguments."""
import json, sys
from tfpretune.errors import RunError, UsageError

if __name__ == "__main__":
    print(json.dumps(sys.argv[1:]))
    ends = {"usage": UsageError("bad setting"), "run": RunError("disk full")}
    ends |= {"ctrl-c": KeyboardInterrupt(), "five": SystemExit(5)}
    if sys.argv[-1] in ends:
        raise ends[sys.argv[-1]]
'''


@pytest.fixture
def recipes(tmp_path):
    folder = tmp_path / "recipes"
    folder.mkdir()
    (folder / "greet.py").write_text(GREET, "utf-8")
    (folder / "echo.py").write_text(ECHO, "utf-8")
    (folder / "broken.py").write_text("def :\n", "utf-8")
    (folder / "_hidden.py").write_text("", "utf-8")
    return folder


def call(*args, recipes=None):
    """Returns the exit code, whether it is returned or raised."""
    try:
        return main(list(args), recipes=recipes)
    except SystemExit as stop:
        return stop.code


QUIET = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}


def run_python(code):
    """Runs code in a fresh process."""
    options = {"capture_output": True, "text": True, "timeout": 200, "check": False, "env": QUIET}
    return subprocess.run([sys.executable, "-c", code], **options)


def run_cli(*args, stdout=subprocess.PIPE):
    """Runs the command in a fresh process."""
    code = "import sys; from tfpretune.cli.arguments import main; sys.exit(main())"
    options = {"stdout": stdout, "stderr": subprocess.PIPE, "text": True, "timeout": 200, "check": False, "env": QUIET}
    return subprocess.run([sys.executable, "-c", code, *args], **options)


def test_help_imports_nothing_heavy():
    code = (
        "import sys\n"
        "from tfpretune.cli.arguments import main\n"
        "try: main(['--help'])\n"
        "except SystemExit as stop: print('exit', stop.code)\n"
        "print('heavy', [name for name in ('tensorflow', 'keras', 'numpy', 'matplotlib') if name in sys.modules])"
    )
    answer = run_python(code)
    assert answer.stderr == ""
    *text, code, heavy = answer.stdout.splitlines()
    assert heavy == "heavy []"
    assert code == "exit 0"
    for command in ("ls", "cp", "run", "check", "predict", "export", "verify", "board"):
        assert any(line.split()[:1] == [command] for line in text), command


def test_no_arguments_print_help_and_exit_2(capsys):
    assert call() == 2
    assert "commands:" in capsys.readouterr().out


def test_ls_reads_docstrings_without_importing(recipes, capsys):
    assert call("ls", recipes=recipes) == 0
    assert capsys.readouterr().out.splitlines() == [
        "broken  (cannot be read: invalid syntax (<unknown>, line 1))",
        "        $ tfpretune run broken",
        "echo    Prints its arguments.",
        "        $ tfpretune run echo",
        "greet   Greets the world.",
        "        $ tfpretune run greet --name you --loud",
    ]


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("Command: `make demo` does all.", "make demo"),
        ("    .venv/bin/python recipes/x.py --a 1", "tfpretune run x --a 1"),
        ("    tfpretune run x --a 1", "tfpretune run x --a 1"),
        ("Make something in python or make it quick.", "tfpretune run x"),
    ],
)
def test_ls_finds_the_command(tmp_path, line, command):
    (tmp_path / "x.py").write_text(f'"""Does x.\n\n{line}\n"""\n', "utf-8")
    assert recipe_files.find_recipes(tmp_path)["x"].command == command


def test_cp_copies_and_refuses_to_overwrite(recipes, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert call("cp", "echo", recipes=recipes) == 0
    assert Path("echo.py").read_text("utf-8") == ECHO
    assert "tfpretune run ./echo.py" in capsys.readouterr().out
    Path("echo.py").write_text("mine", "utf-8")
    assert call("cp", "echo", recipes=recipes) == 2
    assert capsys.readouterr().err == "error: echo.py exists: give another DEST, or --force to overwrite it\n"
    assert Path("echo.py").read_text("utf-8") == "mine"
    assert call("cp", "echo", "--force", recipes=recipes) == 0
    assert Path("echo.py").read_text("utf-8") == ECHO
    assert call("cp", "echo", "new/mine.py", recipes=recipes) == 0
    assert Path("new/mine.py").read_text("utf-8") == ECHO
    assert call("cp", "echo", "mine", recipes=recipes) == 2
    assert "neither a .py file nor a folder" in capsys.readouterr().err


def test_run_passes_all_options_on_untouched(recipes, capsys):
    before = sys.argv
    options = ["--help", "--a=1", "--", "-x", "two words", ""]
    assert call("run", "echo", *options, recipes=recipes) == 0
    assert json.loads(capsys.readouterr().out) == options
    assert call("run", str(recipes / "echo.py"), "b") == 0
    assert json.loads(capsys.readouterr().out) == ["b"]
    assert sys.argv is before


@pytest.mark.parametrize(
    ("ending", "code", "message"),
    [
        ("usage", 2, "error: bad setting\n"),
        ("run", 1, "failed: disk full\n"),
        ("ctrl-c", 130, "stopped\n"),
        ("five", 5, ""),
    ],
)
def test_run_passes_the_exit_code_through(recipes, capsys, ending, code, message):
    assert call("run", "echo", ending, recipes=recipes) == code
    assert capsys.readouterr().err == message


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["bord", "x"], "no command 'bord', did you mean board?; see tfpretune --help"),
        (["board", "x", "--prt", "1"], "tfpretune board: no option --prt, did you mean --port?"),
        (
            ["board", "x", "--port", "a"],
            "tfpretune board: argument --port: invalid int value: 'a'; see tfpretune board --help",
        ),
        (["board"], "tfpretune board: the following arguments are required: RUNS; see tfpretune board --help"),
        (
            ["predict", "dir"],
            "predict takes inputs or --source, and none is given",
        ),
        (["board", "no/such/folder"], "no folder no/such/folder"),
        (["run", "ecco"], "no recipe 'ecco', did you mean echo?; see tfpretune ls"),
        (["cp", "ecco"], "no recipe 'ecco', did you mean echo?; see tfpretune ls"),
        (["run", "zzz"], "no recipe 'zzz', there are: broken, echo, greet; see tfpretune ls"),
        (["run", "no/such.py"], "no file no/such.py"),
        (["--versoin"], "tfpretune: the following arguments are required: COMMAND; see tfpretune --help"),
    ],
)
def test_mistakes_cost_one_line_and_exit_2(recipes, capsys, args, message):
    assert call(*args, recipes=recipes) == 2
    captured = capsys.readouterr()
    assert captured.err == f"error: {message}\n"
    assert captured.out == ""


def test_recipes_lie_beside_the_package_or_in_share(tmp_path, monkeypatch):
    assert recipe_files.recipes_folder() == Path(recipe_files.__file__).parents[2] / "recipes"
    module = tmp_path / "site" / "tfpretune" / "cli" / "recipes.py"
    monkeypatch.setattr(recipe_files, "__file__", str(module))
    monkeypatch.setattr(recipe_files.sysconfig, "get_path", lambda *_: str(tmp_path / "prefix"))
    (tmp_path / "site" / "recipes").mkdir(parents=True)  # another package's folder, no pyproject.toml beside it
    with pytest.raises(RunError, match="no recipes found, looked in"):
        recipe_files.recipes_folder()
    installed = tmp_path / "prefix" / "share" / "tfpretune" / "recipes"
    installed.mkdir(parents=True)
    assert recipe_files.recipes_folder() == installed


def test_check_of_sets_numbers_and_pairs(tmp_path, capsys):
    (tmp_path / "a.csv").write_text("text,other,label\nred,blue,a|b\nbig,small,b\nold,new,\n", "utf-8")
    pairs = ("--pair-column", "other", "--label-kind", "multi-label", "--label-separator", "|")
    assert call("check", f"csv:{tmp_path}/a.csv", *pairs) == 0
    found = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in found[1:3]] == [["a", "1"], ["b", "2"]]
    (tmp_path / "n.csv").write_text("text,label\nred,1.5\nblue,-2\nold,many\n", "utf-8")
    assert call("check", f"csv:{tmp_path}/n.csv", "--label-kind", "regression") == 1
    found = capsys.readouterr().out
    assert "labels are -2 to 1.5, -0.25 in the mean" in found
    assert "no labels" not in found
    assert "n.csv:4: the label 'many' is not a finite number" in found
    assert call("check", f"csv:{tmp_path}/n.csv", "--label-kind", "numbers") == 2
    assert call("check", "--help") == 0
    text = capsys.readouterr().out
    for form in ("demo:", "tfds:", "csv:", "jsonl:", "text:", "images:", "conll:", "squad:", "masks"):
        assert form in text


def test_check_prints_the_result_and_exits_1_on_problems(tmp_path, capsys):
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    rows = "".join(f"text number {n},{'ab'[n % 2]}\n" for n in range(6))
    good.write_text("body,class\n" + rows, "utf-8")
    bad.write_text("body,class\ntext number 1,a\n,b\n", "utf-8")
    columns = ["--text-column", "body", "--label-column", "class"]
    assert call("check", f"csv:{good}", *columns) == 0
    assert "6 usable examples" in capsys.readouterr().out
    assert call("check", f"csv:{bad}", *columns) == 1
    assert f"{bad}:3" in capsys.readouterr().out
    assert call("check", f"csv:{good}", "--against", f"csv:{bad}", *columns) == 1
    assert "problem" in capsys.readouterr().out
    assert call("check", f"csv:{tmp_path}/none.csv") == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_predict_prints_lines_or_json(monkeypatch, capsys):
    from tfpretune.cli import predicting
    from tfpretune.serving import client, loading

    monkeypatch.setattr(loading, "version_folder", lambda folder: None)
    monkeypatch.setattr(predicting, "_warn", lambda settings: None)
    answers = [client.Prediction("sport", 0.75), client.Prediction("news", 0.5)]
    asked = []
    monkeypatch.setattr(client, "predict", lambda target, inputs: asked.append((target, inputs)) or answers)
    assert call("predict", "saved_models/x", "a goal", "war\nnews") == 0
    assert asked == [("saved_models/x", ["a goal", "war\nnews"])]
    assert capsys.readouterr().out == "sport   75.0%  a goal\nnews    50.0%  war news\n"
    assert call("predict", "saved_models/x", "a goal", "足球", "--json") == 0
    assert json.loads(capsys.readouterr().out)[1] == {"input": "足球", "label": "news", "probability": 0.5}


def test_predict_of_a_model_that_is_no_classifier(monkeypatch, capsys):
    from tfpretune.cli import predicting
    from tfpretune.serving import client, loading

    monkeypatch.setattr(loading, "version_folder", lambda folder: None)
    monkeypatch.setattr(predicting, "_warn", lambda settings: None)
    answer = {"answer": "noon", "start": 3, "end": 7, "score": 0.75, "no_answer": 0.125}
    monkeypatch.setattr(client, "predict", lambda target, inputs: [answer])
    assert call("predict", "saved_models/x", "When?", "At noon.") == 0
    assert capsys.readouterr().out == "When? | At noon.\n  'noon' (characters 3 to 7, 75.0%)\n"
    assert call("predict", "saved_models/x", "When?", "At noon.", "--json") == 0
    assert json.loads(capsys.readouterr().out) == [{"inputs": ["When?", "At noon."]} | answer]


def test_verify_exits_1_on_a_difference(tmp_path, monkeypatch, capsys):
    from tfpretune import serving

    monkeypatch.setattr(serving, "verify", lambda folder: f"{folder}: the same")
    assert call("verify", "saved_models/x/1") == 0
    assert capsys.readouterr().out == "saved_models/x/1: the same\n"

    def differ(folder):
        raise RunError("answers differ")

    monkeypatch.setattr(serving, "verify", differ)
    assert call("verify", "saved_models/x/1") == 1
    assert capsys.readouterr().err == "failed: answers differ\n"


@pytest.mark.parametrize("command", [["verify"], ["predict", "a text"]])
def test_a_folder_without_export_is_a_usage_error(tmp_path, capsys, command):
    assert call(command[0], str(tmp_path), *command[1:]) == 2
    assert capsys.readouterr().err.startswith(f"error: {tmp_path} holds no export")


def test_export_of_no_run_is_a_usage_error(tmp_path, capsys):
    assert call("export", str(tmp_path)) == 2
    assert capsys.readouterr().err.startswith(f"error: {tmp_path}/preset is not a folder")
    (tmp_path / "preset").mkdir()
    assert call("export", str(tmp_path)) == 2
    assert "holds no fine-tuned model" in capsys.readouterr().err


def test_export_hands_the_finished_run_to_export(tmp_path, monkeypatch, capsys):
    from tfpretune import serving
    from tfpretune.backbones import TextEncoder, TextEncoderTokenizer
    from tfpretune.data.text.tokens import SPECIAL_TOKENS
    from tfpretune.finetune import classifier
    from tfpretune.training.presets import save_preset

    sizes = {"num_heads": 1, "hidden_dim": 4, "intermediate_dim": 4}
    model = classifier(TextEncoder(7, 1, **sizes), 2)
    tokenizer = TextEncoderTokenizer([*SPECIAL_TOKENS, "good", "bad"], lowercase=True)
    task = {"kind": "text", "class_names": ["no", "yes"], "sequence_length": 8, "source": "demo:bbc", "license": "free"}
    save_preset(tmp_path / "myrun" / "preset", model, tokenizer=tokenizer, task=task)
    given = {}

    def export(model, directory, **settings):
        given.update(settings, directory=directory, outputs=model.output.shape[-1])
        return Path(directory) / settings["name"] / "3"

    monkeypatch.setattr(serving, "export", export)
    monkeypatch.setattr(serving, "example_inputs", lambda folder: ["some text"])
    assert call("export", str(tmp_path / "myrun"), "--saved-models", "models", "--version", "3") == 0
    assert "tfpretune verify models/myrun/3" in capsys.readouterr().out
    assert given.pop("tokenizer").get_vocabulary()[-2:] == ["good", "bad"]
    assert given == {
        "directory": "models",
        "name": "myrun",
        "kind": "text",
        "class_names": ["no", "yes"],
        "sequence_length": 8,
        "image_shape": None,
        "resize": "squeeze",
        "threshold": 0.5,
        "longest_answer": 30,
        "stride": 0,
        "joiner": "",
        "words_only": False,
        "metadata": task,
        "examples": None,
        "version": 3,
        "outputs": 2,
    }


def test_board_answers_on_localhost_only_until_ctrl_c(tmp_path):
    code = f"import sys; from tfpretune.cli.arguments import main; sys.exit(main(['board', {str(tmp_path)!r}, '--port', '0']))"
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code], text=True, env=QUIET, **pipes) as process:
        try:
            line = process.stdout.readline()
            address = line.split(" at ")[1].split()[0]
            assert address.startswith("http://127.0.0.1:")
            with urllib.request.urlopen(address, timeout=200) as page:
                assert page.status == 200
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=200) == 130
        finally:
            process.kill()


def test_board_says_when_the_port_is_taken(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        answer = run_cli("board", str(tmp_path), "--port", port)
    assert answer.returncode == 1
    assert answer.stderr == f"failed: TensorBoard could not bind to port {port}, it was already in use\n"


def test_a_closed_pipe_is_no_error():
    reader, writer = os.pipe()
    os.close(reader)
    try:
        answer = run_cli("ls", stdout=writer)
    finally:
        os.close(writer)
    assert answer.stderr == ""


def test_system_errors_are_one_line(tmp_path, recipes, capsys):
    (tmp_path / "file").write_text("", "utf-8")
    assert call("cp", "echo", str(tmp_path / "file" / "x.py"), recipes=recipes) == 1
    assert capsys.readouterr().err.startswith("failed: ")


@pytest.mark.parametrize("file", ["__main__.py", "cli/arguments.py"])
def test_as_a_module(file, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["tfpretune", "check", "nonsense:x"])
    with pytest.raises(SystemExit) as left:
        runpy.run_path(str(Path(cli.__file__).parents[1] / file), run_name="__main__")
    assert left.value.code == 2
    assert "unknown source 'nonsense:x'" in capsys.readouterr().err
