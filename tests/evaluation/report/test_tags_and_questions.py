"""Sentences with tags and questions with answers: what is marked, and that foreign text stays text."""

from tests.evaluation.report.pages import ParsedPage
from tfpretune.evaluation.report.questions import Asked, asked_questions
from tfpretune.evaluation.report.report import write_report
from tfpretune.evaluation.report.tags import MOST_WORDS, tagged_sentences

WORDS = [["Ada", "Lovelace", "met", "<b>Bob</b>"], ["nobody", "came"], ["שלום", "רחל"]]
TRUTH = [["B-PER", "I-PER", "O", "B-PER"], ["O", "O"], ["O", "B-PER"]]
WHERE = ["a.conll:1", "a.conll:2", "a.conll:3"]


def sentences(predicted, words=WORDS, truth=TRUTH, **own):
    return tagged_sentences(words, truth, predicted, where=WHERE[: len(words)], **{"entities": True} | own).body


def parsed(body):
    return ParsedPage(f"<html>{body}</html>")


def test_entities_stand_in_one_piece_and_what_differs_is_framed():
    body = sentences([["B-PER", "O", "O", "B-LOC"], ["O", "O"], ["O", "B-PER"]])
    page = parsed(body)
    assert "Sentences with a wrong tag: 1 of 3. Shown: 1, those with the most first." in page.text
    frames = [attributes["class"] for attributes in page.all("span") if "tag" in attributes.get("class", "").split()]
    assert frames == ["tag off"] * 4  # the whole name and Bob, as they are and as they were found
    assert "Ada Lovelace PER met <b>Bob</b> PER" in page.text
    assert "Ada PER Lovelace met <b>Bob</b> LOC" in page.text
    assert "<b>Bob" not in body
    assert "nobody" not in body  # rightly tagged


def test_right_sentences_where_there_is_no_mistake():
    body = sentences(TRUTH)
    assert "No wrong tag in 3 sentences; these are the first." in body
    assert body.count('<dd dir="auto">') == 6  # a sentence from right to left stands so
    assert "tag off" not in body


def test_words_tags_and_no_spaces_between_words():
    words, truth = [["我", "爱", "北京"]], [["r", "v", "ns"]]
    page = parsed(sentences([["r", "n", "ns"]], words, truth, entities=False, joiner=""))
    assert "我 r 爱 v 北京 ns" in page.text
    assert "我 r 爱 n 北京 ns" in page.text


def test_long_sentences_are_cut_around_the_first_mistake():
    words = [[f"w{number}" for number in range(200)]]
    truth, found = [["O"] * 200], [["O"] * 150 + ["B-X"] + ["O"] * 49]
    page = parsed(sentences(found, words, truth))
    assert "w150 X" in page.text
    assert "w139 " not in page.text
    assert f"w{140 + MOST_WORDS - 1} " in page.text
    assert page.text.count("…") == 2  # before it, in both lines


def question(found, *, answer="Paris", context="She lives in Paris & not in <Rome>.", score=0.0):
    start = context.index(answer) if answer else 0
    return Asked("Where is <she>?", context, answer, start, found, score, "q.json:1")


def test_both_answers_are_marked_in_the_passage():
    body = asked_questions([question("in <Rome>")]).body
    assert '<mark class="true">Paris</mark> &amp; not <mark class="found">in &lt;Rome&gt;</mark>.' in body
    assert "Where is &lt;she&gt;?" in body
    page = parsed(body)
    assert (
        "Answers that are not exactly right: 1 of 1. Shown: the worst first, 1 of them, and 0 right ones." in page.text
    )


def test_an_answer_that_overlaps_and_one_that_is_right():
    body = asked_questions([question("in Paris", score=0.5)]).body
    assert '<mark class="found">in </mark><mark class="both">Paris</mark>' in body
    body = asked_questions([question("Paris", score=1.0)]).body
    assert '<mark class="both">Paris</mark> &amp;' in body
    assert "0 of 1. Shown: the worst first, 0 of them, and 1 right ones." in body


def test_no_answer_and_a_long_passage():
    page = parsed(asked_questions([question("", answer="")]).body)
    assert page.text.count("no answer") == 2
    far = "x" * 3000 + " Paris"
    body = asked_questions([question("", context=far)]).body
    assert "… <" not in body
    assert body.count("x") < 400
    assert '<mark class="true">Paris</mark>' in body


def test_the_page_holds_them(tmp_path):
    found = sentences([["B-PER", "O", "O", "B-LOC"], ["O", "O"], ["O", "B-PER"]])
    assert found
    sections = [tagged_sentences(WORDS, TRUTH, TRUTH, where=WHERE, entities=True), asked_questions([question("Rome")])]
    page = write_report(tmp_path, title="T", metrics={"f1": 0.5}, sections=sections)
    parts = ParsedPage(page.read_text("utf-8"))
    assert "Sentences" in parts.texts
    assert "Questions" in parts.texts
