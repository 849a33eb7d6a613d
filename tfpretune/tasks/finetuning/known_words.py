"""Whether a vocabulary knows the texts that it is to read: said in every run, refused where nothing could be learnt."""

from collections.abc import Sequence

from tfpretune.data.text.tokenizer import Tokenizer
from tfpretune.data.text.unknown import Unknown, count_unknown
from tfpretune.errors import UsageError
from tfpretune.runtime.phases import phase

WARN_ABOVE = 0.01


@phase("looking for unknown words")
def require_known(
    tokenizer: Tokenizer | None, texts: Sequence[str], *, source: str, preset: str = "", limit: float = 1.0
) -> Unknown | None:
    """Prints how many of the tokens of texts are [UNK], warns above 1 %, and refuses above a limit.

    Args:
        tokenizer: of KerasHub; None, as of images: nothing is asked.
        texts: that a model is to learn from or to judge.
        source: where they come from, for people.
        preset: where the tokenizer comes from; empty: its vocabulary was learnt from these texts.
        limit: a larger share is refused; 1 refuses nothing.

    Raises:
        UsageError: more than the limit is unknown; names the share, some words and what to do.
    """
    if tokenizer is None:
        return None
    found = count_unknown(tokenizer, texts)
    judge(found, source=source, preset=preset, limit=limit)
    return found


def judge(found: Unknown | None, *, source: str, preset: str = "", limit: float = 1.0) -> None:
    """Does what `require_known` does, with what was counted; None is of a tokenizer that knows everything."""
    if not 0 <= limit <= 1:
        raise UsageError(f"--most-unknown must be in [0, 1], received {limit}")
    if found is None:
        return
    share = f"{found.share:.2%} of the tokens of {source} are [UNK]"
    such = f" ({', '.join(found.words)})" if found.words else ""
    todo = (
        f"the vocabulary of {preset} does not know them: start from a preset of this language and script, or pre-train one "
        "on such texts with pretrain_text"
        if preset
        else "the vocabulary has no place for their characters: give a larger --vocabulary-size"
    )
    if found.share > limit:
        raise UsageError(f"{share}{such}, more than --most-unknown {limit:g}: {todo}; --most-unknown 1 goes on")
    print(f"warning: {share}{such}: {todo}" if found.share > WARN_ABOVE else share, flush=True)
