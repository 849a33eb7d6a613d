"""What is asked of a tokenizer. Imports no TensorFlow."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import tensorflow as tf


class Tokenizer(Protocol):
    """Texts to token ids, as KerasHub's BERT-like tokenizers do it, with ours among them.

    What splits texts into words, names its unknown token or knows added tokens has more attributes; who needs one looks for it.

    Examples:
        >>> from tfpretune.backbones import TextEncoderTokenizer
        >>> from tfpretune.data import Tokenizer
        >>> tokenizer: Tokenizer = TextEncoderTokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good"])
        >>> tokenizer.start_token_id, tokenizer.end_token_id, tokenizer.pad_token_id, tokenizer.mask_token_id
        (2, 3, 0, 4)
    """

    start_token_id: int
    end_token_id: int
    pad_token_id: int
    mask_token_id: int
    special_token_ids: Sequence[int]

    def __call__(self, inputs: "tf.Tensor") -> "tf.RaggedTensor":
        """Returns the ids of strings `(batch,)` in a graph: ragged `(batch, None)`, without special tokens."""
        ...

    def detokenize(self, inputs: Any) -> Any:
        """Returns the texts of token ids."""
        ...

    def vocabulary_size(self) -> int:
        """Returns the number of token ids."""
        ...

    def get_vocabulary(self) -> list[str]:
        """Returns the tokens by id."""
        ...

    def id_to_token(self, id: int) -> str:
        """Returns the token of an id."""
        ...

    def token_to_id(self, token: str) -> int:
        """Returns the id of a token."""
        ...

    def __hash__(self) -> int:
        """Says which one it is: graphs are kept by tokenizer."""
        ...

    def save_assets(self, dir_path: str) -> None:
        """Writes its vocabulary into a folder."""
        ...

    def save_to_preset(self, preset_dir: str) -> None:
        """Writes the tokenizer into a preset's folder."""
        ...
