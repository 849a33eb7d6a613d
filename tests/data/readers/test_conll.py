"""Comments, tabs and columns of CoNLL files."""

import pytest

from tfpretune.data.checks.examples import check
from tfpretune.data.readers.tag_form import TagForm
from tfpretune.data.sources.tagged import open_tagged
from tfpretune.errors import RunError


def write(tmp_path, text):
    (tmp_path / "a.conll").write_text(text, "utf-8")
    return f"conll:{tmp_path}/a.conll"


@pytest.mark.parametrize(
    ("text", "words", "comments"),
    [
        ("# id 0\tdomain=en\nAnn _ _ B-X\nsaw _ _ O\n", [("Ann", "saw")], 1),  # as many columns as a word has
        ("# sent_id = 1\n# text = a b\na\tB-X\nb\tO\n\n#newdoc\na\tO\n", [("a", "b"), ("a",)], 3),
        ("#\tO\na\tB-X\n\n#tag\tO\n#\tO\n", [("#", "a"), ("#tag", "#")], 0),
        ("# O\n#tag O\na B-X\n\n#  a comment\nx O\n# O\n", [("#", "#tag", "a"), ("x", "#")], 1),
        ("#one HT\nis V\n#two HT\n", [("#one", "is", "#two")], 0),  # no tag but its own: known from the third line
        ("-DOCSTART- -X- O\n\na N B-X\nb N O\n-DOCSTART- -X- O\nc N O\n", [("a", "b"), ("c",)], 0),
    ],
)
def test_comments_are_no_words_and_words_no_comments(tmp_path, text, words, comments):
    source = open_tagged(write(tmp_path, text))
    assert source.words == words
    assert (f"{comments} comment lines (#) are left out" in source.notes) == (comments > 0)


def test_a_comment_inside_a_sentence_is_named(tmp_path):
    with pytest.raises(RunError, match="a.conll:2: the line has 4 columns, expected 2"):
        open_tagged(write(tmp_path, "a B-X\n# not a word\nb O\n"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("New York\tB-X\nis\tO\n10\u00a0000\tO\n", [("New York", "is", "10 000")]),
        ("a \t B-X\nb\tO\t\n", [("a", "b")]),
        ("a  B-X\nb O\n10\u00a0000 O\n", [("a", "b", "10 000")]),
        ("a NN\tB-X\nb NN\tO\nc  NN O\n", [("a", "b", "c")]),
    ],
)
def test_columns_are_cut_at_tabs_or_at_blanks(tmp_path, text, words):
    source = open_tagged(write(tmp_path, text))
    assert source.words == words
    assert source.tag_lists()[0][:2] == ["B-X", "O"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "a B-X\nb\nc O\nd O\n",
            "a.conll:2: the line has 1 columns, expected 2; write a word and its tag a line, with tabs",
        ),
        ("a\nb O\nc B-X\n", "a.conll:1: the line has 1 columns, expected 2"),
        ("New York B-X\nis O\nin O\n", "a.conll:1: the line has 3 columns, expected 2"),
        ("\tO\nb\tB-X\n", "a.conll:1: the word is empty"),
        (
            "New York\tB-X\nLos Angeles\tB-X\n",
            "a.conll: the columns can be cut in two ways, at tabs alone or at blanks, too",
        ),
        ("1 a N\n2 b V\n3 c N\n", "a.conll: column 0 counts the words: .*`word_column` 1 `tag_column` 3"),
    ],
)
def test_bad_lines_are_named(tmp_path, text, said):
    spec = write(tmp_path, text)
    with pytest.raises(RunError, match=said):
        open_tagged(spec)
    assert not check(spec).ok


def test_columns_of_conll_u(tmp_path):
    rest = "_ _ 0 dep _ _"
    lines = ["1-2 don't _ _", "1 do do AUX", "2 n't not PART", "2.1 x x X", "3 go go VERB"]
    text = "# text = don't go\n" + "".join(f"{line} {rest}\n" for line in lines)
    source = open_tagged(write(tmp_path, text), word_column=1, tag_column=3)
    assert (source.words, source.tag_lists()) == ([("do", "n't", "go")], [["AUX", "PART", "VERB"]])
    assert check(write(tmp_path, text), tags=TagForm(1, 3)).histogram == {"AUX": 1, "PART": 1, "VERB": 1}
    assert not check(write(tmp_path, text)).ok


def test_check_knows_tagged_json_lines(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"tokens": ["a", "b"], "tags": ["S-X", "O"]}\n', "utf-8")
    result = check(f"jsonl:{tmp_path}/a.jsonl")
    assert (result.ok, result.histogram) == (True, {"X": 1})
