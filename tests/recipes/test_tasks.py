"""Taggers, pairs, questions, several tasks: from a preset to a served model, at their smallest."""

import csv
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.faults.tiny import WORDS, make_encoder, make_tokenizer
from tests.recipes.test_recipes import run_recipe
from tfpretune.config import OptimizerConfig, UsageError
from tfpretune.objectives import MaskedLM, MultiTask, Supervised
from tfpretune.training.presets import load_task, save_preset

TINY = {"batch_size": 8, "save_every_steps": 6, "jit": "off", "precision": "float32", "sequence_length": 16}
FAST = OptimizerConfig(learning_rate=2e-2, warmup=0.1)
random = np.random.default_rng(0)


def words(count, low=0, high=60):
    return [WORDS[number] for number in random.integers(low, high, count)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Words from 40 on are names of places; pairs are of one half of the words or of both; an answer is the one place."""
    folder = tmp_path_factory.mktemp("tasks")
    keras.utils.set_random_seed(0)
    save_preset(folder / "preset", MaskedLM(make_encoder(hidden_dim=16)), tokenizer=make_tokenizer())
    sentences = [words(random.integers(3, 8)) for _ in range(120)]
    lines = ["\n".join(f"{word} {'B-LOC' if int(word[1:]) >= 40 else 'O'}" for word in each) for each in sentences]
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


@pytest.mark.parametrize("own", [{"weighting": "uncertainty"}, {"layered": True}], ids=["uncertainty", "layered"])
def test_sentiment_and_topic(folder, tmp_path, own):
    """Real reviews, whose characters the tiny vocabulary does not know: that it runs, and what is served."""
    _, metrics, model, task, served = run("multitask", folder, tmp_path, window_length=8, fast=True, **own)
    assert isinstance(model, MultiTask)
    assert task["class_names"] == {"label": ["neg", "pos"], "topic": ["books", "hotels", "computers"]}
    assert {"label/accuracy", "topic/accuracy"} <= set(metrics)
    answer = served.signatures["topic"](texts=tf.constant(["w1"]))
    assert answer["label"].numpy()[0].decode() in task["class_names"]["topic"]
    assert (tmp_path / "multitask" / "heads").is_dir() == ("layered" in own)


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
        ({"tasks": ("label",)}, "--tasks needs two or more"),
        ({"weights": (1.0,)}, "as many as there are tasks"),
        ({"weights": (1.0, 2.0), "weighting": "gradnorm"}, "finds the weights itself"),
        ({"layered": True, "frozen": "all"}, "--layered freezes the backbone"),
    ],
)
def test_settings_of_several_tasks_that_cannot_work(own, message):
    with pytest.raises(UsageError, match=message):
        run_recipe("multitask", **own)
