"""What the model card and `predict` say of a tagger's words."""

from collections.abc import Mapping, Sequence
from typing import Any

from tfpretune.serving.loading import WORDS

WORDS_BELOW = 0.5
"""A tagger takes words alone where raw text is split into what training reads in a smaller share of the sentences than this:
then most answers would rest on words that the model has never seen."""
WARN_BELOW = 0.99

SECTION = """\
## Words

{measured} Words as they were split for the training are sent to `words`; each gets one tag, in its place, white space
and marks too:

```
curl -d '{{"signature_name": "words", "instances": [{{"words": ["New", "York", "sleeps"]}}]}}' {url}
```

Sentences of one request are filled up with "" to the length of the longest, since REST takes lists of one length only; the
tags there are "", too. Done inside the model: {steps}.

"""


def words_section(about: Mapping[str, Any], settings: Mapping[str, Any], url: str) -> str:
    """Returns the card's section about words; "" of other models."""
    if "words" not in settings:
        return ""
    measured = measured_line(about["training"]) or "How raw text is split beside the training's words was not measured."
    return SECTION.format(measured=measured, url=url, steps=settings["words"]["steps"])


def measured_line(training: Mapping[str, Any]) -> str:
    """Says how raw text is split beside the words of the training; "" where it was not measured."""
    found = training.get("words")
    if not isinstance(found, Mapping):
        return ""
    line = (
        f"Raw text is split into the words of the training file in {found['exact']:.1%} of its sentences, and into what "
        f"training has read in {found['alike']:.1%}."
    )
    if found["alike"] < WORDS_BELOW:
        return f"{line} So this model takes words alone."
    return f"{line} In the others the answers to raw text are less sure." if found["alike"] < WARN_BELOW else line


def raw_text_warning(training: Mapping[str, Any]) -> str:
    """Returns a line for who sends raw text to a tagger where it may be split otherwise than the training; "" else."""
    found = training.get("words")
    if not isinstance(found, Mapping) or not WORDS_BELOW <= found["alike"] < WARN_BELOW:
        return ""  # below, raw text is refused
    return (
        f"raw text is split into what this tagger has learnt in {found['alike']:.1%} of its training sentences: give it words "
        "where you have them"
    )


def words_row(settings: Mapping[str, Any]) -> Sequence[tuple[str, str, str]]:
    """Returns signature, input and outputs for the card's table; nothing of other models."""
    if "words" not in settings:
        return ()
    outputs = ", ".join(f"`{name}` {text}" for name, text in settings["words"]["outputs"].items())
    return ((WORDS, '`words`: strings `(batch, n)`, UTF-8, each row filled up with ""', outputs),)
