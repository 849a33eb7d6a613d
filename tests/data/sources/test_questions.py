"""Questions: readers, parts, windows, and from scores back to answers."""

import json

import numpy as np
import pytest
import tensorflow as tf

from tfpretune.backbones import TextEncoderTokenizer
from tfpretune.data.batches.questions import question_batches, question_inputs
from tfpretune.data.examples.questions import QuestionExamples
from tfpretune.data.readers.question_records import Answer
from tfpretune.data.sources.questions import open_questions
from tfpretune.data.text.tokens import SPECIAL_TOKENS
from tfpretune.data.text.windows import SequenceAnswers, best_answers, sequence_answers
from tfpretune.errors import RunError, UsageError

LETTERS = "abcdefghijklmnopqrstuvwxyz"
FRANCE = [{"text": "France", "answer_start": 12}]
TOKENIZER = TextEncoderTokenizer([*SPECIAL_TOKENS, *LETTERS, "##b", "##c", "中", "国", "?"], lowercase=True)


def ids(text):
    return [5 + LETTERS.index(letter) for letter in text]


def toy(contexts, answers, questions=None):
    rows = range(len(contexts))
    questions = questions or ["q"] * len(contexts)
    return QuestionExamples(questions, contexts, [tuple(each) for each in answers], [f"t:{n}" for n in rows], "toy")


def squad(tmp_path, qas, context="Paris is in France.", title="Paris"):
    path = tmp_path / "a.json"
    data = {"version": "v2.0", "data": [{"title": title, "paragraphs": [{"context": context, "qas": qas}]}]}
    path.write_text(json.dumps(data), "utf-8")
    return f"squad:{path}"


def test_squad_1_and_2(tmp_path):
    qas = [
        {
            "id": "x1",
            "question": "Where?",
            "answers": [{"text": "France", "answer_start": 12}, {"text": "in France", "answer_start": 9}],
        },
        {"id": "x2", "question": "Who?", "answers": [], "is_impossible": True},
    ]
    source = open_questions(squad(tmp_path, qas))
    assert source.questions == ["Where?", "Who?"]
    assert source.answers == [(Answer("France", 12), Answer("in France", 9)), ()]
    assert source.answers[0][0].end == 18
    assert source.answer_texts == [["France", "in France"], []]
    assert source.where[0] == f"{tmp_path}/a.json:x1"
    assert source.groups == ["Paris", "Paris"]


@pytest.mark.parametrize(
    ("qa", "message"),
    [
        (
            {"id": "x", "question": "W", "answers": [{"text": "France", "answer_start": 11}]},
            "json:x: the answer 'France' does not stand at character 11, where ' Franc' is; correct .* it stands at 12",
        ),
        ({"id": "x", "question": " ", "answers": FRANCE}, "json:x: the question is empty"),
        ({"id": "x", "answers": FRANCE}, "a.json:x: no text under 'question' .the question's keys are: id, answers"),
        (
            {"id": "x", "question": "W", "answers": [{"text": "France"}]},
            "a.json:x: 'answers' is ...text.: .France...; write a list such as",
        ),
        (
            {"id": "x", "question": "W", "answers": [{"text": "France", "answer_start": "12"}]},
            "a.json:x: 'answers' is",
        ),
        ({"id": "x", "question": "W", "answers": {"text": ["France"], "answer_start": [12]}}, "a.json:x: 'answers' is"),
        (
            {"id": "x", "question": "W", "answer": FRANCE},
            "a.json:x: there are no 'answers' .the keys are: id, question, answer.; name them 'answers'",
        ),
        ({"id": "x", "question": "W", "answers": []}, "a.json:x: there is no answer, and 'is_impossible' is not true"),
        (
            {"id": "x", "question": "W", "answers": FRANCE, "is_impossible": "false"},
            "a.json:x: 'is_impossible' is .false., which is neither true nor false",
        ),
        (
            {"id": "x", "question": "W", "answers": FRANCE, "is_impossible": True},
            "a.json:x: 'is_impossible' is true, and there is an answer, .France.",
        ),
        (
            {"id": "x", "question": "W", "is_impossible": True},
            "a.json: none of 1 questions has an answer; give questions with answers, too",
        ),
    ],
)
def test_a_bad_question_is_named(tmp_path, qa, message):
    with pytest.raises(RunError, match=message):
        open_questions(squad(tmp_path, [qa]))


def test_bad_files_and_sources_are_named(tmp_path):
    (tmp_path / "a.json").write_text("[1, 2", "utf-8")
    with pytest.raises(RunError, match="a.json: not JSON"):
        open_questions(f"squad:{tmp_path}/a.json")
    (tmp_path / "a.json").write_text("[1, 2]", "utf-8")
    with pytest.raises(RunError, match="not of SQuAD's form"):
        open_questions(f"squad:{tmp_path}/a.json")
    with pytest.raises(UsageError, match="there are no questions"):
        open_questions(squad(tmp_path, []))
    with pytest.raises(UsageError, match="is not a source of questions: expected squad:FILES"):
        open_questions("csv:a.csv")


def test_examples_with_one_context_stay_together():
    contexts = [f"context {n // 5}" for n in range(200)]
    source = toy(contexts, [()] * 200, [f"question {n}" for n in range(200)])
    parts = [set(source.split(part).contexts) for part in ("train", "validation", "test")]
    assert sum(map(len, parts)) == 40
    assert len(toy(["a", "a", "b"], [()] * 3).without_duplicates()) == 2


def test_a_row_by_hand():
    rows = question_inputs(toy(["x abc, y"], [[Answer("abc", 2)]]), tokenizer=TOKENIZER, sequence_length=11)
    q, x, a, y = (5 + LETTERS.index(letter) for letter in "qxay")
    assert rows.columns["token_ids"].tolist() == [[2, q, 3, x, a, 31, 32, 1, y, 3, 0]]  # abc is a ##b ##c
    assert rows.columns["segment_ids"].tolist() == [[0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 0]]
    assert rows.start_characters.tolist() == [[-1, -1, -1, 0, 2, 2, 2, 5, 7, -1, -1]]
    assert rows.end_characters.tolist() == [[-1, -1, -1, 1, 5, 5, 5, 6, 8, -1, -1]]
    assert (rows.columns["starts"].tolist(), rows.columns["ends"].tolist()) == ([4], [6])
    assert rows.lost == ()
    assert {column.dtype for column in rows.columns.values()} == {np.dtype("int32")}


def test_long_contexts_have_overlapping_rows():
    """Room of 4, stride 2, 7 tokens: 0-4, 2-6, 4-7. "e" is whole in the last two."""
    source = toy(["a b c d e f g", "x"], [[Answer("e", 8)], []])
    rows = question_inputs(source, tokenizer=TOKENIZER, sequence_length=8, stride=2)
    contexts = [row[3:][row[3:] > 3].tolist() for row in rows.columns["token_ids"]]
    assert contexts == [ids("abcd"), ids("cdef"), ids("efg"), ids("x")]
    assert rows.example_of.tolist() == [0, 0, 0, 1]
    assert rows.columns["starts"].tolist() == [7, 5, 3, 4]  # in the first and the last the [SEP]: no answer here
    assert rows.columns["ends"].tolist() == [7, 5, 3, 4]
    whole = question_inputs(toy(["a b c d"], [[]]), tokenizer=TOKENIZER, sequence_length=8, stride=2)
    assert len(whole.example_of) == 1


@pytest.mark.parametrize("stride", [0, 1, 100])
def test_no_token_is_lost(stride):
    rng = np.random.default_rng(stride)
    contexts = [" ".join(rng.choice(list(LETTERS), rng.integers(1, 40))) for _ in range(30)]
    questions = [" ".join("q" * int(n)) for n in rng.integers(0, 9, 30)]
    source = toy(contexts, [[]] * 30, questions)
    rows = question_inputs(source, tokenizer=TOKENIZER, sequence_length=12, stride=stride)
    for row, context in enumerate(contexts):
        seen = set(rows.start_characters[rows.example_of == row].ravel()) - {-1}
        assert seen == set(range(0, len(context), 2))


def test_answers_that_no_row_holds_are_told():
    source = toy(["a b c d e f g", "a b"], [[Answer("b c d e f g", 2)], [Answer(" b", 1)]])
    rows = question_inputs(source, tokenizer=TOKENIZER, sequence_length=8)
    assert rows.lost == (0,)
    assert rows.columns["starts"][-1] == 4  # white space at an answer's ends does not count


@pytest.mark.parametrize("length", [12, 64])
def test_right_scores_give_the_right_answers(length):
    rng = np.random.default_rng(length)
    contexts, answers = [], []
    for _ in range(40):
        words = [rng.choice(["a", "bb", "中国", "abc", "x?"]) for _ in range(rng.integers(6, 30))]
        first = int(rng.integers(0, len(words) - 2))
        text, start = " ".join(words[first : first + 2]), len(" ".join(words[:first])) + (first > 0)
        contexts.append(" ".join(words))
        answers.append([Answer(text, start)])
    source = toy(contexts, answers)
    rows = question_inputs(source, tokenizer=TOKENIZER, sequence_length=length, stride=2)
    outputs = np.zeros((*rows.start_characters.shape, 2), np.float32)
    outputs[np.arange(len(outputs)), rows.columns["starts"], 0] = 5
    outputs[np.arange(len(outputs)), rows.columns["ends"], 1] = 5
    assert rows.lost == ()
    assert rows.answers_of(outputs, contexts) == [texts[0] for texts in source.answer_texts]


def test_the_best_span_by_hand():
    """Places 3 to 6 are context, 7 its [SEP]. The best start, 6, is behind the best end, 4."""
    starts = tf.constant([[-1, -1, -1, 0, 2, 4, 6, -1]])
    outputs = np.full((1, 8, 2), -1.0, np.float32)
    outputs[0, :, 0] = [9, 9, 9, 1, 2, 0, 4, 3]
    outputs[0, :, 1] = [9, 9, 9, 0, 5, 2, 1, 2]
    mask = tf.ones((1, 8), tf.int32)
    ends = tf.where(starts >= 0, starts + 1, -1)
    found = sequence_answers(tf.constant(outputs), mask, starts, ends)
    assert [column.numpy().tolist() for column in found] == [[2], [3], [7.0], [5.0]]
    outputs[0, 4, 1] = 0
    found = sequence_answers(tf.constant(outputs), mask, starts, ends, most_tokens=2)  # 6 alone: 5; 4 to 5: 4
    assert [column.numpy().tolist() for column in found] == [[6], [7], [5.0], [5.0]]
    outputs[0, 6, 0], outputs[0, 6, 1] = 0, 3  # 4 to 6 would have 5, but is three tokens
    found = sequence_answers(tf.constant(outputs), mask, starts, ends, most_tokens=2)
    assert found.scores.numpy().tolist() == [4.0]


def test_the_best_row_of_an_example():
    rows = SequenceAnswers(*(tf.constant(each) for each in ([1, 2, 3], [4, 5, 6], [0.5, 2.0, 1.0], [3.0, 0.25, 1.5])))
    best = best_answers(rows, tf.constant([0, 0, 1]), 2)
    assert [column.numpy().tolist() for column in best] == [[2, 3], [5, 6], [2.0, 1.0], [0.25, 1.5]]


def test_no_answer_where_that_scores_higher():
    rows = question_inputs(toy(["a b", "a b"], [[], []]), tokenizer=TOKENIZER, sequence_length=8)
    outputs = np.zeros((2, 8, 2), np.float32)
    outputs[:, 4] = 1  # the answer "b": 2
    outputs[0, 5] = 2  # no answer: 4
    assert rows.answers_of(outputs, ["a b", "a b"], may_lack=True) == ["", "b"]
    assert rows.answers_of(outputs, ["a b", "a b"], may_lack=True, threshold=2.5) == ["b", "b"]
    assert rows.answers_of(outputs, ["a b", "a b"]) == ["b", "b"]


def test_batches():
    batch = next(iter(question_batches(toy(["a"], [[]]), 1, tokenizer=TOKENIZER, sequence_length=8).in_order()))
    assert sorted(batch) == ["ends", "padding_mask", "segment_ids", "starts", "token_ids"]


def test_people_daily_questions_have_one_answer_each():
    source = open_questions("demo:people-daily-qa")
    for context, answers in zip(source.contexts, source.answers, strict=True):
        (answer,) = answers
        assert context[answer.start : answer.end] == answer.text
    assert len(set(source.questions)) == 3
    assert source.in_order
    row = source.where.index("demo:people-daily-qa:2:PER")
    assert (source.contexts[row], source.answers[row][0]) == ("中共中央总书记、国家主席江泽民", Answer("江泽民", 12))
