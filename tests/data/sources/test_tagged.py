"""Tagged sentences: readers, checks, parts."""

import json

import numpy as np
import pytest

from tfpretune.data.checks.examples import check
from tfpretune.data.examples.tagged import TaggedExamples, continued, is_bio, order_tags
from tfpretune.data.sources.tagged import open_tagged
from tfpretune.errors import RunError, UsageError

CONLL = """-DOCSTART- -X- -X- O

EU NNP B-NP B-ORG
rejects VBZ B-VP O
German JJ B-NP B-MISC
call NN I-NP O
. . O O

Peter NNP B-NP B-PER
Blackburn NNP I-NP I-PER
"""


def write(tmp_path, text, name="a.conll"):
    (tmp_path / name).write_text(text, "utf-8")
    return f"{name.rsplit('.')[-1]}:{tmp_path}/{name}"


def toy(words, tags=None, names=("O", "B-X", "I-X"), **more):
    tags = None if tags is None else [np.array(each, np.int32) for each in tags]
    return TaggedExamples(
        [tuple(each) for each in words], tags, names, [f"t:{n}" for n in range(len(words))], "toy", **more
    )


def test_conll_2003(tmp_path):
    source = open_tagged(write(tmp_path, CONLL))
    assert source.words == [("EU", "rejects", "German", "call", "."), ("Peter", "Blackburn")]
    assert source.tag_names == ("O", "B-MISC", "I-MISC", "B-ORG", "I-ORG", "B-PER", "I-PER")
    assert [tags.tolist() for tags in source.tags] == [[3, 0, 1, 0, 0], [5, 6]]
    assert source.tags[0].dtype == np.int32
    assert source.tag_lists()[1] == ["B-PER", "I-PER"]
    assert source.where == [f"{tmp_path}/a.conll:3", f"{tmp_path}/a.conll:9"]
    assert source.texts()[1] == "Peter Blackburn"
    assert source.offsets(1).tolist() == [[0, 5], [6, 15]]
    parts = open_tagged(write(tmp_path, CONLL), tag_column=1)
    assert parts.tag_names == (".", "JJ", "NN", "NNP", "VBZ")
    assert parts.tag_lists()[0] == ["NNP", "VBZ", "JJ", "NN", "."]


def test_two_columns_of_characters(tmp_path):
    source = open_tagged(write(tmp_path, "\ufeff江\tB-PER\r\n泽\tI-PER\r\n\r\n\r\n好\tO\r\n"), joiner="")
    assert source.texts() == ["江泽", "好"]
    assert source.offsets(0).tolist() == [[0, 1], [1, 2]]


def test_jsonl_with_names_and_with_numbers(tmp_path):
    lines = [{"tokens": ["A", "b"], "tags": ["B-X", "O"]}, {"tokens": ["c"], "tags": ["O"]}]
    source = open_tagged(write(tmp_path, "\n".join(map(json.dumps, lines)), "a.jsonl"))
    assert [tags.tolist() for tags in source.tags] == [[1, 0], [0]]
    lines = [{"words": ["A", "b"], "ner": [2, 0]}]
    spec = write(tmp_path, "\n".join(map(json.dumps, lines)), "a.jsonl")
    source = open_tagged(spec, words_key="words", tags_key="ner", tag_names=("O", "B-X", "B-Y"))
    assert source.tag_lists() == [["B-Y", "O"]]
    assert open_tagged(spec, words_key="words", tags_key="").tags is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("c B-X\nb O\na I-X\n", "a.conll:3: the tag 'I-X' cannot follow 'O'; correct it, or let it be B-"),
        ("a B-X\nb I-Y\n", "a.conll:2: the tag 'I-Y' cannot follow 'B-X'"),
        ("a B-X\n\nb I-X\n", "a.conll:3: the tag 'I-X' cannot follow 'O'"),
        ("a O\nb\n", "a.conll:2: the line has 1 columns, expected 2"),
        ("a\nb\n", "a.conll:1: the line has 1 columns, expected 2"),
        ("a O\nb O extra\n", "a.conll:2: the line has 3 columns, expected 2"),
    ],
)
def test_a_bad_line_is_named(tmp_path, text, message):
    with pytest.raises(RunError, match=message):
        open_tagged(write(tmp_path, text))


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"tokens": ["a", "b"], "tags": ["O"]}, 'a.jsonl:1: 2 words and 1 tags: ."a", "b".; give each word one tag'),
        ({"tokens": "a b", "tags": ["O"]}, "a.jsonl:1: no list of words under 'tokens'"),
        ({"tokens": ["a"], "tags": "O"}, "a.jsonl:1: no list of tags under 'tags'"),
        ({"tokens": ["a", ""], "tags": ["O", "O"]}, "a.jsonl:1: the word is empty"),
        ({"tokens": ["a"], "tags": ["B-Z"]}, "a.jsonl:1: the tag 'B-Z' is unknown; expected one of O, B-X, I-X"),
        ({"tokens": ["a"], "tags": [3]}, "a.jsonl:1: the tag '3' is unknown"),
    ],
)
def test_a_bad_record_is_named(tmp_path, record, message):
    with pytest.raises(RunError, match=message):
        open_tagged(write(tmp_path, json.dumps(record), "a.jsonl"), tag_names=("O", "B-X", "I-X"))


def test_sentences_without_tags_among_others_are_named(tmp_path):
    lines = [{"tokens": ["a"], "tags": ["O"]}, {"tokens": ["b"]}]
    with pytest.raises(RunError, match="a.jsonl:2: the tags are missing"):
        open_tagged(write(tmp_path, "\n".join(map(json.dumps, lines)), "a.jsonl"))


def test_iob1_becomes_bio(tmp_path):
    """In IOB1 an entity starts with I-, and with B- only behind another of its type."""
    source = open_tagged(write(tmp_path, "a I-X\nb I-X\nc B-X\nd O\ne I-Y\nf I-X\n"))
    assert source.tag_lists() == [["B-X", "I-X", "B-X", "O", "B-Y", "B-X"]]
    assert [note.split(" (")[0] for note in source.notes] == ["the tags are IOB1"]


def test_repair_lets_what_cannot_follow_begin_an_entity(tmp_path):
    source = open_tagged(write(tmp_path, "a B-X\nb O\nc I-X\nd I-Y\n"), repair=True)
    assert source.tag_lists() == [["B-X", "O", "B-X", "B-Y"]]
    assert source.notes == ()


def test_unknown_sources_are_refused():
    with pytest.raises(UsageError, match="is not a tagged source: expected conll:FILES"):
        open_tagged("csv:a.csv")
    with pytest.raises(UsageError, match="demo:bbc holds examples with one label each, which open_source opens"):
        open_tagged("demo:bbc")


def test_bio_helpers():
    assert is_bio(["O", "B-X"])
    assert not is_bio(["O", "S-X", "B-X"])
    assert not is_bio(["O"])
    assert order_tags({"I-B", "O", "B-A"}) == ("O", "B-A", "I-A", "B-B", "I-B")
    assert continued(("O", "B-X", "I-X", "B-Y")).tolist() == [0, 2, 2, 3]


def test_parts_in_order_and_by_content():
    words = [[f"w{number}"] for number in range(20)]
    source = toy(words, [[0]] * 20, in_order=True)
    assert [len(source.split(part)) for part in ("train", "validation", "test")] == [16, 2, 2]
    assert source.split("test").words == [("w18",), ("w19",)]
    assert source.split("validation", (0.7, 0.1, 0.2)).words == [("w14",), ("w15",)]
    drawn = toy(words * 2, [[0]] * 40)
    parts = [set(drawn.split(part, (0.6, 0.2, 0.2)).words) for part in ("train", "validation", "test")]
    assert set.union(*parts) == {(f"w{number}",) for number in range(20)}
    assert sum(map(len, parts)) == 20
    with pytest.raises(UsageError, match="unknown split 'tset'"):
        source.split("tset")


def test_equal_sentences_are_dropped_unless_their_tags_differ():
    source = toy([["A"], ["a"], ["A"]], [[0], [0], [1]])
    assert [tags.tolist() for tags in source.without_duplicates().tags] == [[0], [1]]


def test_wrong_forms_are_refused():
    with pytest.raises(ValueError, match="t:0: tags need one value per word: 2 words, 1 tags"):
        toy([["a", "b"]], [[0]])
    with pytest.raises(ValueError, match=r"tags must be in 0..2, received 3..3"):
        toy([["a"]], [[3]])


def test_check_counts_entities_and_names_faults(tmp_path):
    result = check(write(tmp_path, CONLL))
    assert result.ok
    assert result.histogram == {"MISC": 1, "ORG": 1, "PER": 1}
    assert result.counts["examples"] == 2
    text = "a I-X\nb O\n\nc I-X\n\nd B-X\n"
    result = check(write(tmp_path, text, "b.conll"), against=write(tmp_path, "A O\nB O\n"))
    assert [str(problem).split("; ")[0] for problem in result.problems] == [
        f"{tmp_path}/b.conll:1: the tag 'I-X' cannot follow 'O'",
        f"{tmp_path}/b.conll:4: the tag 'I-X' cannot follow 'O'",
        f"{tmp_path}/b.conll:1: the same sentence is in conll:{tmp_path}/a.conll too, at {tmp_path}/a.conll:1",
    ]


def test_people_daily_has_the_entities_of_its_tags():
    source = open_tagged("demo:people-daily-ner")
    assert len(source) == 19484
    flat = np.bincount(np.concatenate(source.tags))
    # ns 27,890 and nt 3,573 times; 35,267 nr, surname and given name joined: 20,090
    assert {source.tag_names[n]: flat[n] for n in (1, 3, 5)} == {"B-LOC": 27890, "B-ORG": 3573, "B-PER": 20090}
    assert source.texts()[1] == "中共中央总书记、国家主席江泽民"
    assert source.tag_lists()[1] == ["B-ORG", *["I-ORG"] * 3, *["O"] * 8, "B-PER", "I-PER", "I-PER"]
    assert source.where[1] == "demo:people-daily-ner:2"
    assert source.in_order
    assert len(source.split("train")) == 15714  # 80 %, and later paragraphs that are copies of these
    assert source.split("test").where[-1] == "demo:people-daily-ner:19484"
