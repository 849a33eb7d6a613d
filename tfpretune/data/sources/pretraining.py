"""Examples to pre-train on: labels are not read, and nothing is trained on that a run on the labels would hold out."""

import dataclasses
from typing import NamedTuple

from tfpretune.data.examples.examples import Examples
from tfpretune.data.readers.source_form import USUAL_FORM, SourceForm
from tfpretune.data.sources.examples import open_examples
from tfpretune.data.sources.labelled import as_under
from tfpretune.data.sources.own_parts import with_own_parts
from tfpretune.data.splits.form import USUAL_SPLITS, SplitForm
from tfpretune.data.splits.rule import WITH_COPIES


class PretrainingParts(NamedTuple):
    """Examples to pre-train on.

    Attributes:
        train: to learn from.
        validation: to judge by.

    Examples:
        >>> from tfpretune.data import PretrainingParts, open_source
        >>> digits = open_source("demo:digits")
        >>> len(PretrainingParts(digits.split("train"), digits.split("validation"))[0]) > 1400
        note: demo:digits: 4 examples stand in another part than their contents alone would put them in, ...
        True
    """

    train: Examples
    validation: Examples

    @property
    def whole(self) -> Examples:
        """All of the source."""
        origin = self.train.origin
        return self.train if origin is None else origin.whole  # type: ignore[return-value]  # it is of the same form


def pretraining_parts(
    source: str,
    form: SourceForm = USUAL_FORM,
    *,
    kind: str,
    splits: SplitForm = USUAL_SPLITS,
    most: int = 0,
    seed: int = 0,
) -> PretrainingParts:
    """Opens a source to pre-train on. It is split by its contents alone, as texts without labels are.

    What is in another part where labels are read, so that every class is in every part, is not trained on either, and nothing
    that stands in validation and test sources.

    Args:
        source: as `open_source` takes it.
        form: how it is read; labels are not.
        kind: what it must hold; of texts copies are dropped.
        splits: where a run on the labels takes its validation and test examples from.
        most: keep at most so many in all, for rehearsals; 0 keeps all.
        seed: draws these.

    Examples:
        >>> from tfpretune.data import pretraining_parts
        >>> train, validation = pretraining_parts("demo:digits", kind="image")
        >>> len(train), len(validation)
        (1417, 179)
    """
    form = dataclasses.replace(as_under(splits.rule, form), label_column="", class_names=(), more_labels=())
    examples = open_examples(source, form).require_kind(kind)
    examples = examples.without_duplicates() if kind == "text" else examples
    examples = without_held_out(examples, splits, form)
    examples = examples.sample(most, seed=seed) if most else examples
    by_content = min(splits.rule, WITH_COPIES)
    train = examples.split("train", splits.fractions, rule=by_content)
    held_out = train.sides(splits.fractions, rule=splits.rule) != 1
    if held_out.any():
        count = int(held_out.sum())
        print(
            f"{source}: {count:,} examples are not pre-trained on, since a run on their labels holds them out",
            flush=True,
        )
        train = train.take(~held_out)
    return PretrainingParts(train, examples.split("validation", splits.fractions, rule=by_content))


def without_held_out(examples: Examples, splits: SplitForm, form: SourceForm = USUAL_FORM) -> Examples:
    r"""Leaves out of examples without labels what stands in the validation and test sources of a run, and says how many.

    Args:
        examples: to pre-train on, say.
        splits: where validation and test examples come from.
        form: how these are read; labels are not.

    Examples:
        >>> from pathlib import Path
        >>> from tfpretune.data import SplitForm, open_source, without_held_out
        >>> for name, texts in (("all", ("good", "bad", "fine")), ("test", ("Bad",))):
        ...     _ = Path(f"{name}.csv").write_text("text\n" + "\n".join(texts))
        >>> without_held_out(open_source("csv:all.csv"), SplitForm(test_source="csv:test.csv")).inputs
        csv:all.csv: 1 examples are left out because of csv:test.csv: 1 are there, too
        ['good', 'fine']
    """
    form = dataclasses.replace(form, label_column="", class_names=(), more_labels=())
    return with_own_parts(examples, splits, lambda argument, source: open_examples(source, form))[0]
