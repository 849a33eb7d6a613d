"""The last lines of a run: what they say, and that the next command can be copied."""

import dataclasses
import shlex
import sys
from pathlib import Path

import pytest

from tfpretune.settings import FinetuneConfig, RunConfig, launch
from tfpretune.settings.command_line import closing


@dataclasses.dataclass(frozen=True)
class Run(RunConfig):
    text_column: str = "text"
    labels_as_written: bool = False
    steps: int = 5


def run(source="csv:reviews.csv", out_dir="runs/reviews", **own):
    return Run(source, out_dir, **own)


@pytest.mark.parametrize(
    ("given", "then"),
    [
        (
            run("csv:my reviews.csv"),
            "run finetune_text --source 'csv:my reviews.csv' --preset runs/reviews/preset --out-dir runs/reviews-finetuned",
        ),
        (
            run("demo:bbc", "runs/pretrain_text", fast=True, seed=7),
            "run finetune_text --source demo:bbc --preset runs/pretrain_text/preset --out-dir runs/finetune_text --fast",
        ),
        (
            run(text_column="the text", labels_as_written=True),
            "run finetune_text --source csv:reviews.csv --preset runs/reviews/preset --out-dir runs/reviews-finetuned "
            "--text-column 'the text' --labels-as-written",
        ),
        (
            run("shards:runs/shards"),
            "run finetune_text --source csv:LABELLED.csv --preset runs/reviews/preset --out-dir runs/reviews-finetuned",
        ),
        (
            run("text:wiki.txt"),
            "run finetune_text --source csv:LABELLED.csv --preset runs/reviews/preset --out-dir runs/reviews-finetuned",
        ),
    ],
    ids=["quoted", "demo", "columns", "shards", "lines"],
)
def test_the_next_command_of_pretraining(given, then):
    assert shlex.join(launch.to_finetune("finetune_text", given)) == then


def test_a_folder_of_texts_has_labels(tmp_path):
    assert launch.to_finetune("finetune_text", run(f"text:{tmp_path}"))[3] == f"text:{tmp_path}"


def test_the_command_parses(tmp_path):
    """What is carried is an option of fine-tuning."""
    options = launch.to_finetune("finetune_text", run("csv:a b.csv", text_column="the text", fast=True))[2:]
    found = launch.parse(FinetuneConfig, [*options, "--steps", "3"])
    assert (found.source, found.text_column, found.fast) == ("csv:a b.csv", ("the text",), True)


def test_the_lines(capsys, monkeypatch):
    monkeypatch.setattr(closing, "_command", lambda: ["tfpretune"])
    clock = iter([100.0, 190.0])
    monkeypatch.setattr(closing.time, "monotonic", lambda: next(clock))
    closing.begin()
    launch.close("test accuracy 0.9", "a b/index.html", launch.to_export(run(out_dir="runs/it's")), verdict=["Ahead."])
    assert capsys.readouterr().out.splitlines() == [
        "verdict: Ahead.",
        "test accuracy 0.9; 1.5 minutes",
        "report: a b/index.html",
        "next: tfpretune export 'runs/it'\"'\"'s'",
    ]


def test_what_is_not_there_is_not_printed(capsys):
    launch.close("shards: a", None, [])
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_asking_an_export():
    assert launch.to_ask(Path("saved_models/news/3"), ["it's"]) == ["predict", "saved_models/news", "it's"]


def test_the_command_is_called_as_it_can_be_found_here(tmp_path, monkeypatch):
    script = tmp_path / "env/bin/tfpretune"
    script.parent.mkdir(parents=True)
    monkeypatch.setattr(sys, "executable", str(script.with_name("python")))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "")
    assert closing._command() == [str(script.with_name("python")), "-m", "tfpretune"]
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    assert closing._command() == ["env/bin/tfpretune"]
    monkeypatch.setenv("PATH", str(script.parent))
    assert closing._command() == ["tfpretune"]
