"""Taggers, pairs, questions, several tasks: from a preset to a served model, at their smallest."""

import csv
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.faults.tiny import WORDS, make_encoder, make_tokenizer
from tests.recipes.test_recipes import run_recipe
from tfpretune.backbones import Preprocessing
from tfpretune.backbones.by_name import load_backbone, load_tokenizer
from tfpretune.errors import UsageError
from tfpretune.finetune import multi_head
from tfpretune.objectives import MaskedLM, Supervised
from tfpretune.settings.multitask import read_places
from tfpretune.settings.run import OptimizerConfig
from tfpretune.tasks.task_sources import open_tasks
from tfpretune.training.adapters import load_adapter
from tfpretune.training.presets import load_task, save_preset

TINY = {"batch_size": 8, "save_every_steps": 6, "jit": "off", "precision": "float32", "sequence_length": 16}
FAST = OptimizerConfig(learning_rate=2e-2, warmup=0.1)
random = np.random.default_rng(0)


def words(count, low=0, high=60):
    return [WORDS[number] for number in random.integers(low, high, count)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Words from 40 on are places, in BIOES; pairs are of one half of the words or of both; an answer is the one place."""
    folder = tmp_path_factory.mktemp("tasks")
    keras.utils.set_random_seed(0)
    save_preset(folder / "preset", MaskedLM(make_encoder(hidden_dim=16)), tokenizer=make_tokenizer())
    sentences = [words(random.integers(3, 8)) for _ in range(120)]
    lines = ["\n".join(f"{word} {'S-LOC' if int(word[1:]) >= 40 else 'O'}" for word in each) for each in sentences]
    (folder / "tagged.txt").write_text("\n\n".join(lines) + "\n", "utf-8")
    with (folder / "pairs.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "text_pair", "label"])
        for row in range(200):
            low = 30 * (row % 2)
            writer.writerow([" ".join(words(4, 0, 30)), " ".join(words(4, low, low + 30)), ("same", "other")[row % 2]])
    articles = []
    for number in range(120):
        place, before = f"w{random.integers(40, 60)}", " ".join(words(random.integers(1, 5), 0, 40))
        context = f"{before} {place} {' '.join(words(3, 0, 40))}"
        answers = [{"text": place, "answer_start": len(before) + 1}]
        question = {"id": str(number), "question": f"w{number % 40} w1", "answers": answers}
        articles.append({"title": str(number), "paragraphs": [{"context": context, "qas": [question]}]})
    squad = {"version": "1.1", "data": articles}
    (folder / "squad.json").write_text(json.dumps(squad), "utf-8")
    return folder


def run(name, folder, tmp_path, **own):
    """Runs a recipe and `export`; returns what was loaded, the figures, and the served signatures."""
    settings = TINY | {"preset": str(folder / "preset"), "out_dir": str(tmp_path / name), "steps": 60} | own
    result = run_recipe(name, **settings)
    metrics = json.loads((tmp_path / name / "report" / "metrics.json").read_text("utf-8"))
    saved = run_recipe("export", run_dir=str(tmp_path / name), saved_models=str(tmp_path / "saved"), fast=True)
    model, task = load_task(tmp_path / name / "preset")
    return result, metrics, model, task, tf.saved_model.load(str(saved))


def test_tagger(folder, tmp_path):
    """It learns that the words from 40 on are places, and the served model says so with their characters."""
    own = {"source": f"conll:{folder}/tagged.txt", "optimizer": FAST}
    _, metrics, model, task, served = run("finetune_tagger", folder, tmp_path, **own)
    assert isinstance(model, Supervised)
    assert metrics["f1"] > 0.8
    assert task["class_names"] == ["O", "B-LOC", "I-LOC"]
    answer = served.signatures["serving_default"](texts=tf.constant(["w45  w3"]))
    assert answer["words"].numpy().tolist() == [[b"w45", b"w3"]]
    assert [answer[name].numpy().tolist() for name in ("starts", "ends")] == [[[0, 5]], [[3, 7]]]
    given = served.signatures["words"](words=tf.constant([["w45", "w3"], ["w3", ""]]))
    assert given["tags"].numpy()[0].tolist() == answer["tags"].numpy()[0].tolist()
    assert given["tags"].numpy()[1, 1] == b""
    assert task["joiner"] == " "
    assert task["words"]["exact"] == task["words"]["alike"] == 1.0


def test_tags_that_are_none_of_entities_are_judged_by_words(folder, tmp_path, capsys):
    """Not by an F1 of entities that would be 0 at every step."""
    lines = (folder / "tagged.txt").read_text("utf-8").replace(" S-LOC", " NOUN").replace(" O", " VERB")
    (tmp_path / "words.txt").write_text(lines, "utf-8")
    own = TINY | {"preset": str(folder / "preset"), "source": f"conll:{tmp_path}/words.txt", "fast": True}
    run_recipe("finetune_tagger", out_dir=str(tmp_path / "run"), **own)
    metrics = json.loads((tmp_path / "run/report/metrics.json").read_text("utf-8"))
    assert {"word_accuracy", "f1_macro", "f1/NOUN"} <= set(metrics)
    assert "f1" not in metrics
    said = capsys.readouterr().out
    assert "the tags are none of entities" in said
    assert "test accuracy of words" in said


def test_pairs(folder, tmp_path):
    own = {"source": f"csv:{folder}/pairs.csv", "optimizer": FAST}
    _, metrics, model, task, served = run("finetune_pairs", folder, tmp_path, **own)
    assert metrics["accuracy"] > 0.8
    assert task["class_names"] == ["other", "same"]
    pair = {"texts": tf.constant(["w1 w2"]), "text_pairs": tf.constant(["w50 w51"])}
    assert served.signatures["serving_default"](**pair)["label"].numpy()[0] == b"other"


def test_questions(folder, tmp_path):
    own = {"source": f"squad:{folder}/squad.json", "optimizer": FAST, "steps": 120}
    _, metrics, *_, served = run("finetune_qa", folder, tmp_path, **own)
    assert metrics["exact_match"] > 0.5
    asked = {"questions": tf.constant(["w0 w1"]), "contexts": tf.constant(["w3 w55 w7"])}
    answer = served.signatures["serving_default"](**asked)
    assert answer["answer"].numpy()[0].decode() in ("w55", "w3", "w7", "w3 w55", "w55 w7", "w3 w55 w7")


@pytest.mark.parametrize(
    ("name", "source", "figure"),
    [("finetune_pairs", "csv:{}/pairs.csv", "accuracy"), ("finetune_qa", "squad:{}/squad.json", "exact_match")],
    ids=["pairs", "questions"],
)
def test_a_rehearsal_leaves_a_report_and_a_model(folder, tmp_path, name, source, figure):
    own = TINY | {"preset": str(folder / "preset"), "source": source.format(folder), "fast": True}
    run_recipe(name, out_dir=str(tmp_path), **own)
    assert 0 <= json.loads((tmp_path / "report" / "metrics.json").read_text("utf-8"))[figure] <= 1
    assert isinstance(load_task(tmp_path / "preset")[0], Supervised)


TONES = {"calm": range(10), "loud": range(10, 20)}
SUBJECTS = {"books": range(20, 30), "computers": range(30, 40), "hotels": range(40, 50)}


def write_reviews(path):
    """300 texts with two words of their tone and two of their subject, as csv or jsonl; every ninth lacks its tone."""
    rows = []
    for number in range(300):
        labels = {"tone": [*TONES][number % 2], "subject": [*SUBJECTS][number % 3]}
        chosen = [*random.choice(TONES[labels["tone"]], 2), *random.choice(SUBJECTS[labels["subject"]], 2)]
        rows.append({"text": " ".join(f"w{word}" for word in random.permutation(chosen)), **labels})
        rows[-1]["tone"] = "" if number % 9 == 0 else rows[-1]["tone"]
    with path.open("w", newline="") as file:
        if path.suffix == ".csv":
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
        else:
            file.writelines(json.dumps(row) + "\n" for row in rows)
    return f"{path.suffix[1:]}:{path}"


def check_report(tmp_path, model, spec, tasks):
    """The figures of the report are those of the saved model on the test split; returns its answers, and the texts."""
    metrics = json.loads((tmp_path / "multitask" / "report" / "metrics.json").read_text("utf-8"))
    sources = open_tasks(read_places(tasks, spec))
    tokenizer = load_tokenizer(str(tmp_path / "multitask" / "preset"))
    test = sources.batches("test", 8, tokenizer=tokenizer, sequence_length=16).in_order()
    answers = model.predict(test, verbose=0)
    for task in tasks:
        right = answers[task][sources.known(task, "test")].argmax(-1) == sources.examples(task, "test").labels
        np.testing.assert_allclose(metrics[f"{task}/accuracy"], right.mean(), atol=1e-6)
    return answers, test


def test_tone_and_subject_of_texts_of_ones_own(folder, tmp_path):
    """Each task is a column of the file; they are learnt, and the report says what the saved model answers."""
    spec = write_reviews(tmp_path / "reviews.csv")
    own = {"source": spec, "tasks": ("tone", "subject"), "optimizer": FAST, "window_length": 0, "steps": 50}
    own |= {"weighting": "uncertainty", "r_drop": 1.0, "save_every_steps": 25}
    _, metrics, model, task, served = run("multitask", folder, tmp_path, **own)
    assert task["class_names"] == {"tone": [*TONES], "subject": [*SUBJECTS]}
    check_report(tmp_path, model, spec, own["tasks"])
    assert min(metrics["tone/accuracy"], metrics["subject/accuracy"]) > 0.8
    texts = tf.constant(["w1 w2 w45"])
    said = {name: served.signatures[name](texts=texts)["label"].numpy()[0] for name in own["tasks"]}
    assert said == {"tone": b"calm", "subject": b"hotels"}


def test_the_adapter_of_a_layered_run_is_that_of_its_last_step(folder, tmp_path):
    """On the preset that it started from, with the biases that moved, it answers as the saved model does."""
    spec = write_reviews(tmp_path / "reviews.jsonl")
    own = {
        "preset": str(folder / "preset"),
        "source": spec,
        "tasks": ("tone", "subject"),
        "frozen": "bias",
        "window_length": 8,
    }
    own |= {
        "lora_rank": 2,
        "layered": True,
        "steps": 12,
        "save_every_steps": 12,
        "optimizer": FAST,
        "out_dir": str(tmp_path / "multitask"),
    }
    run_recipe("multitask", **TINY | own)
    model, _ = load_task(tmp_path / "multitask" / "preset")
    answers, test = check_report(tmp_path, model, spec, own["tasks"])
    again = multi_head(load_backbone(own["preset"], dtype="float32"), model.targets, preprocessing=Preprocessing(8))
    load_adapter(again, tmp_path / "multitask" / "adapter")
    for task, answer in again.predict(test, verbose=0).items():
        np.testing.assert_allclose(answer, answers[task], atol=1e-5)
    assert not (tmp_path / "multitask" / "heads" / "adapter").exists()


def test_gradients_that_share_nothing_cannot_be_compared(folder, tmp_path):
    own = {"preset": str(folder / "preset"), "source": write_reviews(tmp_path / "a.csv"), "tasks": ("tone", "subject")}
    with pytest.raises(UsageError, match=r"--weighting pcgrad and --frozen \.: .* of which nothing learns"):
        run_recipe("multitask", frozen=".", weighting="pcgrad", out_dir=str(tmp_path / "run"), **own)


def test_tasks_with_texts_of_their_own(folder, tmp_path):
    """One task tells words from w30 on from those below, the other words from w20 on, and each has a file of its own."""
    for name, border in {"half": 30, "third": 20}.items():
        texts = {number: [" ".join([f"w{number}"] * times) for times in range(1, 6)] for number in range(60)}
        lines = [f"{text},{'high' if number >= border else 'low'} {name}" for number in texts for text in texts[number]]
        (tmp_path / f"{name}.csv").write_text("\n".join(["text,label", *lines]) + "\n", "utf-8")
    tasks = tuple(f"{name}=csv:{tmp_path}/{name}.csv" for name in ("half", "third"))
    own = {"tasks": tasks, "temperature": 4.0, "window_length": 0, "optimizer": FAST, "weighting": "gradnorm"}
    _, metrics, _, task, served = run("multitask", folder, tmp_path, steps=100, **own)
    assert metrics["half/accuracy"] > 0.8
    assert metrics["third/accuracy"] > 0.8
    assert task["class_names"] == {"half": ["high half", "low half"], "third": ["high third", "low third"]}
    texts = tf.constant(["w25 w25"])
    answers = {name: served.signatures[name](texts=texts)["label"].numpy()[0].decode() for name in ("half", "third")}
    assert answers == {"half": "low half", "third": "high third"}


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ({"tasks": ("a", "b="), "temperature": 1.0}, "NAME=SOURCE"),
        ({"temperature": 0.0}, "--temperature must be above 0"),
        ({"sequence_length": 32, "window_length": 64}, "--sequence-length 32 is not a multiple of --window-length 64"),
        ({"tasks": ("label",)}, "--tasks needs two or more"),
        ({"weights": (1.0,)}, "as many as there are tasks"),
        ({"weights": (1.0, 2.0), "weighting": "gradnorm"}, "finds the weights itself"),
        ({"layered": True, "frozen": "all"}, "--layered freezes the backbone"),
        (
            {"weighting": "gradnorm", "frozen": "all"},
            "--weighting gradnorm and --frozen all: .* of which nothing learns",
        ),
        ({"weighting": "pcgrad", "frozen": "all"}, "let part of it learn, or take fixed or uncertainty"),
        ({"r_drop": 1.0, "dropout": 0.0, "backbone_dropout": 0.0}, "both passes are the same"),
    ],
)
def test_settings_of_several_tasks_that_cannot_work(own, message):
    with pytest.raises(UsageError, match=message):
        run_recipe("multitask", **own)
