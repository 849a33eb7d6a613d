"""The vocabulary of a folder of shards: its file, and the texts to learn it from."""

from collections.abc import Sequence
from pathlib import Path

from tfpretune.data.corpus.choosing import read_parts
from tfpretune.data.corpus.chunks import Corpus, read_texts
from tfpretune.data.text.tokens import SPECIAL_TOKENS
from tfpretune.errors import RunError, UsageError
from tfpretune.runtime.files import write_atomic

VOCABULARY = "vocabulary.txt"


def read_vocabulary(path: Path | str) -> list[str]:
    """Reads a vocabulary, one token per line, as BERT's `vocab.txt`.

    Raises:
        UsageError: the file cannot be read, or is not UTF-8.

    Examples:
        >>> from pathlib import Path
        >>> from tfpretune.data import read_vocabulary
        >>> _ = Path("vocab.txt").write_text('''[PAD]
        ... [UNK]
        ... good''')
        >>> read_vocabulary("vocab.txt")
        ['[PAD]', '[UNK]', 'good']
    """
    try:
        return [token.rstrip() for token in Path(path).read_bytes().decode("utf-8").removesuffix("\n").split("\n")]
    except OSError as error:
        raise UsageError(f"`vocabulary` {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"`vocabulary` {path} is not UTF-8") from None


def write_vocabulary(folder: Path, vocabulary: Sequence[str], where: str) -> None:
    """Puts the vocabulary into a folder of shards.

    Args:
        folder: the folder.
        vocabulary: the tokens, by id.
        where: where it comes from, for messages.

    Raises:
        UsageError: it lacks a special token, has a token twice, or differs from the one that is there.

    Examples:
        >>> from pathlib import Path
        >>> from tfpretune.data import read_vocabulary, write_vocabulary
        >>> Path("shards").mkdir()
        >>> write_vocabulary(Path("shards"), ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good"], "mine")
        >>> read_vocabulary("shards/vocabulary.txt")[-1]
        'good'
    """
    missing = [token for token in SPECIAL_TOKENS if token not in vocabulary]
    if missing:
        raise UsageError(
            f"{where} lacks {', '.join(missing)}: give a WordPiece vocabulary as of BERT, one token per line"
        )
    if len(set(vocabulary)) != len(vocabulary):
        twice = next(token for number, token in enumerate(vocabulary) if token in vocabulary[:number])
        raise UsageError(f"{where} holds {twice!r} twice: give each token one line")
    data = "".join(f"{token}\n" for token in vocabulary).encode()
    path = folder / VOCABULARY
    if path.is_file() and path.read_bytes() != data:
        raise UsageError(f"{path} differs from {where}: choose another `out_dir`")
    write_atomic(path, data)


def vocabulary_sample(folder: Path, corpus: Corpus, most_bytes: int) -> list[str]:
    """Draws training texts to learn a vocabulary from: of the same number of bytes from the start of every piece.

    Args:
        folder: the folder of shards, where `tfpretune.data.corpus.choosing.choose` has split the corpus.
        corpus: the pieces.
        most_bytes: of all texts that are read for it, as UTF-8.

    Returns:
        The texts in the order of the corpus, without duplicates.

    Raises:
        RunError: there are none.
    """
    sample: list[str] = []
    for piece in corpus.pieces:
        left = most_bytes // len(corpus.pieces)
        for text, part in zip(read_texts(piece), read_parts(folder, piece.number).tolist(), strict=False):
            left -= len(text.encode())
            if left < 0:
                break
            if part == 1:
                sample.append(text)
    if not sample:
        raise RunError("there are no texts to learn a vocabulary from: give more data, or `vocabulary` FILE")
    return sample
