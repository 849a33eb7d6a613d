"""What is asked of a tokenizer is what tokenizers have."""

import keras_hub
import pytest

from tfpretune.backbones import BertEncoderTokenizer, TextEncoderTokenizer
from tfpretune.data import SPECIAL_TOKENS, Tokenizer


@pytest.mark.parametrize("kind", [TextEncoderTokenizer, BertEncoderTokenizer, keras_hub.tokenizers.BertTokenizer])
def test_tokenizers_have_all_that_is_asked_of_one(kind):
    tokenizer = kind([*SPECIAL_TOKENS, "a"])
    asked = {name for name in (*vars(Tokenizer), *Tokenizer.__annotations__) if name[0] != "_"}
    assert {"vocabulary_size", "pad_token_id", "save_to_preset"} < asked
    assert [name for name in sorted(asked) if not hasattr(tokenizer, name)] == []
    assert (tokenizer.vocabulary_size(), tokenizer.token_to_id("a"), tokenizer.id_to_token(5)) == (6, 5, "a")
