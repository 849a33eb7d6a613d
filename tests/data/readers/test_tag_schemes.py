"""Every scheme of entity tags becomes the same BIO, and what cannot be decided is named by line."""

import random

import pytest

from tfpretune.data.checks.examples import check
from tfpretune.data.readers.tag_form import TagForm
from tfpretune.data.readers.tag_schemes import faults, find_scheme, to_bio
from tfpretune.data.sources.tagged import open_tagged
from tfpretune.errors import RunError
from tfpretune.evaluation.metrics.entities import find_entities

ENTITIES = [("PER", 0, 2), ("LOC", 2, 3), ("LOC", 3, 6), ("ORG", 7, 8)]
BIO = "B-PER I-PER B-LOC B-LOC I-LOC I-LOC O B-ORG"
SAME = {
    "IOB1": "I-PER I-PER I-LOC B-LOC I-LOC I-LOC O I-ORG",
    "BIOES": "B-PER E-PER S-LOC B-LOC I-LOC E-LOC O S-ORG",
    "BILOU": "B-PER L-PER U-LOC B-LOC I-LOC L-LOC O U-ORG",
    "BMES": "B-PER E-PER S-LOC B-LOC M-LOC E-LOC O S-ORG",
    "IOE": "I-PER E-PER E-LOC I-LOC I-LOC E-LOC O E-ORG",
    "BIO lower": "b-PER i-PER b-LOC b-LOC i-LOC i-LOC o b-ORG",
    "BIO _": "B_PER I_PER B_LOC B_LOC I_LOC I_LOC O B_ORG",
    "BIO last": "PER-B PER-I LOC-B LOC-B LOC-I LOC-I O ORG-B",
    "BIOES last": "PER-B PER-E LOC-S LOC-B LOC-I LOC-E O ORG-S",
}


def conll(tmp_path, *sentences):
    lines = ["".join(f"w{place} {tag}\n" for place, tag in enumerate(tags.split())) for tags in sentences]
    (tmp_path / "a.conll").write_text("\n".join(lines), "utf-8")
    return f"conll:{tmp_path}/a.conll"


@pytest.mark.parametrize("name", SAME)
def test_every_scheme_is_read_as_bio(tmp_path, name):
    spec = conll(tmp_path, SAME[name], "O O")
    source = open_tagged(spec)
    assert source.tag_lists() == [BIO.split(), ["O", "O"]]
    assert source.tag_names == ("O", "B-LOC", "I-LOC", "B-ORG", "I-ORG", "B-PER", "I-PER")
    (note,) = source.notes
    assert note.startswith(f"the tags are {name.split()[0]} (such as ")
    assert "are read as BIO, which is also what the model says" in note
    result = check(spec)
    assert (result.ok, result.histogram) == (True, {"LOC": 2, "ORG": 1, "PER": 1})
    assert note in result.notes


@pytest.mark.parametrize(("tags", "kinds"), [("B I O S B E", 3), ("B M E S S", 3), ("B I O O", 1)])
def test_tags_without_types_are_of_one_type(tmp_path, tags, kinds):
    source = open_tagged(conll(tmp_path, tags), repair=True)
    assert source.tag_names == ("O", "B-ENTITY", "I-ENTITY")
    assert len(find_entities(source.tag_lists()[0])) == kinds


def test_bio_stays_as_it_is(tmp_path):
    source = open_tagged(conll(tmp_path, BIO))
    assert source.tag_lists() == [BIO.split()]
    assert source.notes == ()


def test_entities_of_random_sentences_are_the_same_in_every_scheme():
    rng = random.Random(0)
    letters = {"BIOES": "BIES", "BILOU": "BILU", "BMES": "BMES"}
    for _ in range(200):
        tags: dict[str, list[str]] = {name: [] for name in ("BIO", "IOB1", *letters)}
        entities, before = [], ""
        while len(tags["BIO"]) < 12:
            kind, size = rng.choice(["", "A", "B-C"]), rng.randint(1, 4)
            if not kind:
                for each in tags.values():
                    each.append("O")
            else:
                entities.append((kind, len(tags["BIO"]), len(tags["BIO"]) + size))
                tags["BIO"] += [f"B-{kind}", *[f"I-{kind}"] * (size - 1)]
                tags["IOB1"] += [f"{'B' if before == kind else 'I'}-{kind}", *[f"I-{kind}"] * (size - 1)]
                for name, (first, inside, last, single) in letters.items():
                    long = [first, *inside * (size - 2), last]
                    tags[name] += [f"{letter}-{kind}" for letter in (long if size > 1 else single)]
            before = kind
        for name, each in tags.items():
            scheme = find_scheme([each, tags[name]])
            if entities:
                assert find_entities(to_bio(each, scheme), strict=True) == entities
                assert faults(each, scheme) == []


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        (f"{BIO} O.", "a.conll:9: the tag 'O.' is none of BIO; correct it: expected tags such as B-LOC"),
        (f"{BIO} B_PER", "a.conll:9: the tag 'B_PER' is none of BIO"),
        (f"{BIO} 0", "a.conll:9: the tag '0' is none of BIO"),
        (f"{BIO} PER", "a.conll:9: the tag 'PER' is none of BIO"),
        (f"{BIO} I", "a.conll:9: the tag 'I' has no type"),
        (f"{BIO} B-", "a.conll:9: the tag 'B-' has no type"),
        (f"{BIO} O B-Per", "a.conll:10: the type 'Per' and the 'PER' of .*a.conll:1 look like one; write both alike"),
        ("B-A E-A O S-A E-A", "a.conll:5: the tag 'E-A' cannot follow 'S-A'"),
        ("B-A E-A O S-A O I-A E-A", "a.conll:6: the tag 'I-A' cannot follow 'O'"),
        ("B-A O S-A B-A E-A", "a.conll:1: the tag 'B-A' is not closed: 'O' behind it"),
        ("B-A I-A O B-A E-A", "a.conll:2: the tag 'I-A' is not closed"),
        ("S-A B-A E-A B-A", "a.conll:4: the tag 'B-A' is not closed: the end of the sentence"),
        ("B-A O I-A", "a.conll:3: the tag 'I-A' cannot follow 'O'"),
        ("NN None VB", "a.conll:2: the tag 'None' looks like a missing one"),
        ("NN NN", "a.conll:1: all tags are 'NN'"),
    ],
)
def test_what_cannot_be_decided_is_named_by_line(tmp_path, tags, said):
    spec = conll(tmp_path, tags)
    with pytest.raises(RunError, match=said):
        open_tagged(spec)
    assert not check(spec).ok
    if "cannot follow" in said or "not closed" in said:
        assert check(spec, tags=TagForm(repair=True)).ok


def test_tags_of_words_stay_what_they_are(tmp_path):
    """Parts of speech, also where some look like letters of a scheme."""
    for tags in ("NN VB NN-S O", "n v b m s e i o", "PER PER O LOC", "-LRB- NN . ''"):
        source = open_tagged(conll(tmp_path, tags))
        assert source.tag_lists() == [tags.split()]
        assert source.notes == ("the tags are none of entities (B-X, I-X, O): each word is judged, no entities",)


def test_allowed_tags_may_be_of_another_scheme(tmp_path):
    names = ("O", "B-A", "I-A", "E-A", "S-A", "S-B", "B-B", "I-B", "E-B")
    source = open_tagged(conll(tmp_path, "S-A O"), tag_names=names)
    assert (source.tag_lists(), source.tag_names) == ([["B-A", "O"]], ("O", "B-A", "I-A", "B-B", "I-B"))
    with pytest.raises(RunError, match="a.conll:1: the tag 'S-C' is unknown; expected one of O, B-A"):
        open_tagged(conll(tmp_path, "S-C O"), tag_names=names)
