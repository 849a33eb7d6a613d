"""Prepares texts for pre-training, however many: tokens, packed into rows, in files that training reads at random.

    python recipes/prepare_text.py --source demo:bbc --out-dir runs/shards

Leaves OUT_DIR/manifest.json, vocabulary.txt and data/*.rows; go on with: recipes/pretrain_text.py --source shards:OUT_DIR
Works on all cores and in bounded memory; run it again after any interruption, it goes on where it stopped.
On a cluster: pip install "tfpretune[beam]" and --beam="--runner=…" with Beam's own flags.
"""

import dataclasses
import importlib.util
from pathlib import Path
from typing import Any

import tfpretune as tp
from tfpretune.errors import UsageError
from tfpretune.settings import TextColumns, VocabularyConfig, launch, require_fractions


@dataclasses.dataclass(frozen=True)
class Config(TextColumns, VocabularyConfig):
    """Settings."""

    source: str = "demo:bbc"
    """text:FILES (a text per line), text:FOLDER (a text a .txt file), jsonl:FILES; demo:, tfds: and csv: are read whole."""
    out_dir: str = "runs/shards"
    """Folder of the shards."""
    license: str = ""
    """Terms of use of the texts, for the manifest; empty: what the source says."""
    preset: str = ""
    """Take the tokenizer of this preset, a folder or a KerasHub name, instead of a new vocabulary."""
    vocabulary: str = ""
    """Take this WordPiece vocabulary, one token per line, instead of a new one."""
    vocabulary_megabytes: int = 64
    """Most text that a new vocabulary is trained on, the same share from the start of each chunk."""
    validation_fraction: float = 0.1
    """Fraction of the texts that is kept for validation, chosen as everywhere: by a hash of the text, near copies together."""
    test_fraction: float = 0.1
    """Fraction of the texts that is kept for tests."""
    chunk_megabytes: int = 64
    """Text that a worker takes at a time; memory and the size of the files follow from it."""
    workers: int = 0
    """Processes; 0 takes all cores. The result is the same."""
    beam: str = ""
    """Let Apache Beam do it, with these flags of its own: --beam="--runner=FlinkRunner". The result is the same."""
    fast: bool = False
    """Rehearse on the first megabyte."""

    def __post_init__(self) -> None:
        """Refuses values that cannot work."""
        require_fractions(self, "validation_fraction", "test_fraction")
        if min(self.chunk_megabytes, self.vocabulary_megabytes) < 1 or self.workers < 0:
            raise UsageError("--chunk-megabytes and --vocabulary-megabytes must be at least 1, --workers at least 0")
        if self.preset and self.vocabulary:
            raise UsageError("give --preset or --vocabulary, not both")
        if self.beam and not importlib.util.find_spec("apache_beam"):
            raise UsageError("--beam needs Apache Beam: pip install 'tfpretune[beam]', in an environment of its own")


def main(run: Config) -> Path:
    """Corpus, vocabulary, shards."""
    folder = Path(run.out_dir)
    may_differ = ("out_dir", "workers", "beam", "most_unknown")
    form = tp.tasks.source_form(run)
    settings = {
        name: value for name, value in dataclasses.asdict(run).items() if name not in (*may_differ, *vars(form))
    }
    settings |= {"text_column": form.text_column} | form.as_task()
    piece_bytes = (1 if run.fast else run.chunk_megabytes) << 20
    corpus = tp.data.cut_corpus(run.source, form, piece_bytes=piece_bytes)
    corpus = dataclasses.replace(corpus, pieces=corpus.pieces[:1]) if run.fast else corpus
    tokenizer = tp.tasks.load_wordpiece(run.preset) if run.preset else None
    shares = (1 - run.validation_fraction - run.test_fraction, run.validation_fraction, run.test_fraction)
    case = tp.tasks.settings_of(tokenizer) if tokenizer else run.case
    packing = tp.data.Packing(run.sequence_length, shares=shares, **case)
    told: dict[str, Any] = {"source": run.source, "preset": run.preset or run.vocabulary, "limit": run.most_unknown}
    with tp.data.claim(folder, corpus, settings) as unfinished:
        if unfinished:
            find_parts, prepare = tp.tasks.makers(workers=run.workers, beam=run.beam)
            find_parts(folder, corpus, packing.shares)
            if tokenizer:
                words = tokenizer.get_vocabulary()
            else:
                sample: dict[str, Any] = {"given": run.vocabulary, "sample_bytes": run.vocabulary_megabytes << 20}
                words = tp.tasks.find_vocabulary(folder, corpus, run, **sample)
            tp.data.write_vocabulary(folder, words, run.preset or run.vocabulary or "the new vocabulary")
            tp.tasks.require_known(
                tokenizer or tp.backbones.TextEncoderTokenizer(words, **run.case), tp.tasks.first_texts(corpus), **told
            )
            prepare(folder, corpus, packing, settings=settings, license=run.license)
        print(
            f"{'prepared' if unfinished else 'was prepared already'}: {folder}, rows of {run.sequence_length} tokens:"
        )
        tp.tasks.print_counts(folder, **told)
    launch.close(f"shards: {folder}", None, ["run", "pretrain_text", "--source", f"shards:{folder}"])
    return folder


if __name__ == "__main__":
    launch.run(Config, main, __doc__)
