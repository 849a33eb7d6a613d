"""The splits that a data set of TensorFlow Datasets has itself. Imports TensorFlow only for them."""

import dataclasses

from tfpretune.data.readers.source_form import SourceForm
from tfpretune.data.splits.form import SplitForm
from tfpretune.data.splits.rule import BY_CLASS, PARTS


def with_official_splits(source: str, form: SourceForm, splits: SplitForm, *, quiet: bool = False) -> SplitForm:
    """Returns where the parts of a source come from: of tfds:NAME its own validation and test splits, where it has them.

    Args:
        source: as `open_source` takes it. With a split in its name it is that split alone.
        form: how it is read; `split_column` "" wants the training split to be split anew.
        splits: what is asked for, which goes before.
        quiet: do not say which splits are taken.
    """
    scheme, _, rest = source.partition(":")
    if scheme != "tfds" or ":" in rest or not form.split_column or splits.rule < BY_CLASS:
        return splits
    from tfpretune.data.readers.tfds import held_out_splits

    found = {f"{part}_source": f"{source}:{name}" for part, name in held_out_splits(rest, form).items()}
    found = {field: name for field, name in found.items() if not getattr(splits, field)}
    if not found:
        return splits
    taken = dataclasses.replace(
        splits,
        validation_source=found.get("validation_source", splits.validation_source),
        test_source=found.get("test_source", splits.test_source),
    )
    if not quiet:
        names = ", ".join(["train", *(name.rpartition(":")[2] for name in found.values())])
        drawn = [part for part in PARTS[1:] if part not in taken.own]
        rest_of_them = f"; {drawn[0]} is drawn from train" if drawn else ""
        print(
            f"{source}: its own splits are taken: {names}{rest_of_them} (`split_column` '' splits train anew)",
            flush=True,
        )
    return taken
