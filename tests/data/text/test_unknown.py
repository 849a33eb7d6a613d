"""How much of a text a vocabulary does not know."""

from types import SimpleNamespace

import keras_hub
import numpy as np
import pytest

from tfpretune.backbones import TextEncoderTokenizer
from tfpretune.data.text import unknown
from tfpretune.data.text.tokens import SPECIAL_TOKENS
from tfpretune.data.text.unknown import Unknown, count_in_rows, count_unknown, never_masked, unknown_id
from tfpretune.errors import UsageError
from tfpretune.tasks.finetuning.known_words import judge, require_known

TOKENIZER = TextEncoderTokenizer([*SPECIAL_TOKENS, "a", "##b", "c", "."], lowercase=True)


@pytest.mark.parametrize("kind", [TextEncoderTokenizer, keras_hub.tokenizers.BertTokenizer])
def test_counted_by_hand(kind):
    """a, x, a ##b and a full stop, x, y: 7 tokens, of which x, x and y are unknown."""
    tokenizer = kind([*SPECIAL_TOKENS, "a", "##b", "c", "."], lowercase=True)
    found = count_unknown(tokenizer, ["a x ab.", "x", "y"])
    assert found == Unknown(7, 3, ("x", "y"))
    assert found.share == 3 / 7
    assert count_unknown(tokenizer, [""]) == Unknown(0, 0)
    assert Unknown(0, 0).share == 0.0


def test_long_lists_and_texts_are_sampled(monkeypatch):
    monkeypatch.setattr(unknown, "MOST_TEXTS", 4)
    monkeypatch.setattr(unknown, "MOST_CHARACTERS", 3)
    found = count_unknown(TOKENIZER, ["a a x"] * 6 + ["x"] * 6)
    assert found == Unknown(6, 2, ("x",))  # two of each, the long ones without their x


def test_rows_by_hand():
    rows = np.array([[2, 5, 1, 3], [2, 7, 3, 0]])
    assert count_in_rows(TOKENIZER, rows) == Unknown(3, 1)


def test_tokenizers_without_an_unknown_token():
    def token_to_id(token):
        raise ValueError(token)

    of_bytes = SimpleNamespace(token_to_id=token_to_id, special_token_ids=[3, 0])
    assert unknown_id(of_bytes) is None
    assert count_unknown(of_bytes, ["a"]) is None
    assert count_in_rows(of_bytes, np.zeros((1, 2))) is None
    assert never_masked(of_bytes) == (0, 3)
    assert never_masked(TOKENIZER) == (0, 1, 2, 3, 4)
    judge(None, source="a.txt")


def test_said_warned_refused(capsys):
    where = {"source": "text:a.txt", "preset": "runs/p"}
    judge(Unknown(1000, 10), **where, limit=0.2)
    assert capsys.readouterr().out == "1.00% of the tokens of text:a.txt are [UNK]\n"
    judge(Unknown(1000, 200, ("책을", "친구")), **where, limit=0.2)
    warned = capsys.readouterr().out
    assert warned.startswith(
        "warning: 20.00% of the tokens of text:a.txt are [UNK] (책을, 친구): the vocabulary of runs/p"
    )
    with pytest.raises(
        UsageError, match="20.10% of the tokens .*more than --most-unknown 0.2: .*start from a preset of"
    ):
        judge(Unknown(1000, 201), **where, limit=0.2)
    judge(Unknown(1000, 1000), **where)
    with pytest.raises(UsageError, match="give a larger --vocabulary-size; --most-unknown 1 goes on"):
        require_known(TOKENIZER, ["x y"], source="a", limit=0.5)
    with pytest.raises(UsageError, match=r"--most-unknown must be in \[0, 1\], received 20"):
        judge(Unknown(1, 0), **where, limit=20)
