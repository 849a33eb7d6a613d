"""Prepares texts for pre-training, however many: tokens, packed into rows, in files that training reads at random.

    python recipes/prepare_text.py --source demo:bbc --out-dir runs/shards

Leaves OUT_DIR/manifest.json, vocabulary.txt and data/*.rows; go on with: recipes/pretrain_text.py --source shards:OUT_DIR
Works on all cores and in bounded memory; run it again after any interruption, it goes on where it stopped.
On a cluster: pip install "tfpretune[beam]" and --beam="--runner=…" with Beam's own flags.
"""

import dataclasses
import importlib.util
import shlex
from itertools import islice
from pathlib import Path
from typing import Any

import keras_hub

from tfpretune.backbones import TextEncoderTokenizer
from tfpretune.backbones.by_name import load_tokenizer
from tfpretune.data.corpus.chunks import Corpus, cut_corpus, read_texts
from tfpretune.data.corpus.packing_settings import Packing
from tfpretune.data.corpus.prepare import claim, find_parts, prepare
from tfpretune.data.corpus.shards import read_manifest
from tfpretune.data.corpus.vocabulary import VOCABULARY, read_vocabulary, vocabulary_sample, write_vocabulary
from tfpretune.data.text.tokens import train_wordpiece
from tfpretune.data.text.unknown import Unknown
from tfpretune.errors import UsageError
from tfpretune.settings import launch
from tfpretune.settings.run import require_shares
from tfpretune.tasks.known_words import judge, require_known
from tfpretune.tasks.text_rows import settings_of

MAY_DIFFER = ("out_dir", "workers", "beam", "most_unknown")


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings."""

    source: str = "demo:bbc"
    """text:FILES (a text a line), text:FOLDER (a text a .txt file), jsonl:FILES; demo:, tfds: and csv: are read whole."""
    out_dir: str = "runs/shards"
    """Folder of the shards."""
    text_column: str = "text"
    """Name of the column or key with the text."""
    licence: str = ""
    """Terms of use of the texts, for the manifest; empty: what the source says."""
    preset: str = ""
    """Take the tokenizer of this preset, a folder or a KerasHub name, instead of a new vocabulary."""
    vocabulary: str = ""
    """Take this WordPiece vocabulary, one token a line, instead of a new one."""
    vocabulary_size: int = 8000
    """Upper bound of the tokens of a new vocabulary."""
    vocabulary_megabytes: int = 64
    """Most text that a new vocabulary is learnt from, the same share from the start of each piece."""
    lowercase: bool = True
    """Capital and small letters are one; accents and other marks stay. Not used with --preset."""
    strip_accents: bool = False
    """Drop all marks, so that é is e: for European languages, since vowel signs of Hindi and Thai and voice marks of kana go,
    too; and for an uncased --vocabulary of BERT. Not used with --preset."""
    most_unknown: float = 0.2
    """Refuse texts of which a larger share of the tokens is [UNK] than this, in [0, 1]; 1 refuses nothing."""
    sequence_length: int = 128
    """Tokens in a row. Texts are joined and cut, so no row is padded."""
    validation_share: float = 0.1
    """Share of the texts that is kept for validation, chosen as everywhere: by a hash of the text, near copies together."""
    test_share: float = 0.1
    """Share of the texts that is kept for tests."""
    piece_megabytes: int = 64
    """Text that a worker takes at a time; memory and the size of the files follow from it."""
    workers: int = 0
    """Processes; 0 takes all cores. The result is the same."""
    beam: str = ""
    """Let Apache Beam do it, with these flags of its own: --beam="--runner=FlinkRunner". The result is the same."""
    fast: bool = False
    """Rehearse on the first megabyte."""

    def __post_init__(self) -> None:
        """Refuses values that cannot work."""
        require_shares(self, "validation_share", "test_share")
        if min(self.piece_megabytes, self.vocabulary_megabytes) < 1 or self.workers < 0:
            raise UsageError("--piece-megabytes and --vocabulary-megabytes must be at least 1, --workers at least 0")
        if self.preset and self.vocabulary:
            raise UsageError("give --preset or --vocabulary, not both")
        if self.beam and not importlib.util.find_spec("apache_beam"):
            raise UsageError("--beam needs Apache Beam: pip install 'tfpretune[beam]', in an environment of its own")


def main(run: Config) -> Path:
    """Corpus, vocabulary, shards."""
    folder = Path(run.out_dir)
    settings = {name: value for name, value in dataclasses.asdict(run).items() if name not in MAY_DIFFER}
    piece_bytes = (1 if run.fast else run.piece_megabytes) << 20
    corpus = cut_corpus(run.source, piece_bytes=piece_bytes, text_column=run.text_column)
    corpus = dataclasses.replace(corpus, pieces=corpus.pieces[:1]) if run.fast else corpus
    tokenizer = load_wordpiece(run.preset) if run.preset else None
    shares = (1 - run.validation_share - run.test_share, run.validation_share, run.test_share)
    case: dict[str, Any] = {"lowercase": run.lowercase, "strip_accents": run.strip_accents}
    packing = Packing(run.sequence_length, shares=shares, **(settings_of(tokenizer) if tokenizer else case))
    told: dict[str, Any] = {"source": run.source, "preset": run.preset or run.vocabulary, "limit": run.most_unknown}

    with claim(folder, corpus, settings) as unfinished:
        if unfinished:
            how: dict[str, Any] = {"workers": run.workers}
            find: Any = find_parts
            make: Any = prepare
            if run.beam:
                from tfpretune.data.corpus import beam

                how = {"flags": shlex.split(run.beam)}
                find, make = beam.find_parts_with_beam, beam.prepare_with_beam
            find(folder, corpus, packing.shares, **how)
            vocabulary = tokenizer.get_vocabulary() if tokenizer else find_vocabulary(run, corpus)
            write_vocabulary(folder, vocabulary, run.preset or run.vocabulary or "the new vocabulary")
            most = -(-2048 // len(corpus.pieces))
            first = [text for piece in corpus.pieces for text in islice(read_texts(piece), most)]
            require_known(tokenizer or TextEncoderTokenizer(vocabulary, **case), first, **told)
            make(folder, corpus, packing, settings=settings, licence=run.licence, **how)
        manifest = read_manifest(folder)
    rows, texts = manifest["rows"], manifest["texts"]
    print(f"{'prepared' if unfinished else 'was prepared already'}: {folder}, rows of {run.sequence_length} tokens:")
    print(", ".join(f"{part} {rows[part]:,} rows of {texts[part]:,} texts" for part in rows))
    judge(Unknown(**manifest.get("tokens", {"tokens": 0, "unknown": 0})), **told)
    copies = manifest["near_copies"]
    print(f"left out: {texts['dropped']:,} texts that came before")
    print(f"near copies: {copies['texts']:,} texts in {copies['groups']:,} groups, each in one part")
    print(f"next: pretrain_text --source shards:{folder}")
    return folder


def find_vocabulary(run: Config, corpus: Corpus) -> list[str]:
    """Returns the vocabulary that was given, that an interrupted run has left, or that is learnt from the corpus."""
    if run.vocabulary:
        return read_vocabulary(run.vocabulary)
    if (Path(run.out_dir) / VOCABULARY).is_file():
        return read_vocabulary(Path(run.out_dir) / VOCABULARY)
    sample = vocabulary_sample(Path(run.out_dir), corpus, run.vocabulary_megabytes << 20)
    return train_wordpiece(sample, run.vocabulary_size, lowercase=run.lowercase, strip_accents=run.strip_accents)


def load_wordpiece(preset: str) -> Any:
    """Loads the tokenizer of a preset; only WordPiece is known here."""
    tokenizer = load_tokenizer(preset)
    if not isinstance(tokenizer, keras_hub.tokenizers.BertTokenizer):
        raise UsageError(f"--preset {preset} has a {type(tokenizer).__name__}: a WordPiece tokenizer of BERT is needed")
    return tokenizer


if __name__ == "__main__":
    launch.run(Config, main, __doc__)
