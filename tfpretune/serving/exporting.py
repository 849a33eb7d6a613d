"""Writes a fine-tuned model as TF Serving wants it: NAME/VERSION/. Imports TensorFlow only when called."""

import datetime
import importlib.metadata
import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tfpretune.errors import UsageError
from tfpretune.runtime.files import atomic_folder
from tfpretune.runtime.phases import phase
from tfpretune.serving.card.card import model_card
from tfpretune.serving.loading import ASSETS, DEFAULT, EMBED, WORDS, versions_in

if TYPE_CHECKING:
    from tfpretune.data.text.tokenizer import Tokenizer
    from tfpretune.serving.heads.base import Head
    from tfpretune.serving.heads.tags import Served
    from tfpretune.serving.raw import RawPreprocessing


@phase("exporting the model")
def export(
    model: Any,
    directory: Path | str,
    *,
    name: str,
    kind: Literal["text", "image"] | None = None,
    class_names: Sequence[str] | Mapping[str, Sequence[str]] = (),
    tokenizer: "Tokenizer | None" = None,
    sequence_length: int | None = None,
    image_shape: tuple[int, int, int] | None = None,
    resize: Literal["squeeze", "crop", "pad"] = "squeeze",
    threshold: float = 0.5,
    longest_answer: int = 30,
    stride: int = 0,
    joiner: str = " ",
    words_only: bool = False,
    metadata: Mapping[str, Any] | None = None,
    examples: Sequence[Any] | None = None,
    version: int | None = None,
) -> Path:
    """Exports a model that takes raw text or encoded images, and checks its answers before it gets its name.

    What it is asked and what it answers follow from the model: its inputs, and its `target` or `targets`.

    Args:
        model: from the backbone's named inputs to float32 outputs, with a layer "features"; float32.
        directory: folder of all served models, such as `saved_models`.
        name: the model's name there and in URLs.
        kind: "text" (needs `tokenizer` and `sequence_length`) or "image"; without it, found from the model.
        class_names: name of each output, in order; of a model with several tasks by task. None for numbers, vectors, answers.
        tokenizer: the KerasHub tokenizer of the training.
        sequence_length: tokens per row, as in training.
        image_shape: height, width, channels (1 or 3); without it, the model's.
        resize: how images of other aspect ratios were resized in training.
        threshold: a label fits from this probability on (models with several labels per example).
        longest_answer: most tokens of an answer (models that find answers in contexts).
        stride: the same models: see `data.text.windows`; as in training.
        joiner: what stood between the words of a tagger's training sentences. A tagger has a signature `words` beside
            `serving_default`: it takes words as they were split for the training, and gives one tag for each.
        words_only: `serving_default` takes such words, too, and nothing takes raw text: for a tagger whose words the splitting
            of raw text does not find.
        metadata: what `task.json` says of the training (source, licence, metrics, command), for the model card.
        examples: a few raw inputs to store with the model's answers: texts, or tuples of them where the model takes several;
            image files, bytes or uint8 arrays; for a tagger of words alone lists of them, or texts with blanks between.
        version: a whole number above 0; without it, one more than the highest there is.

    Returns:
        The folder `directory/name/version`.

    Raises:
        UsageError: settings that do not fit each other or the model.
        RunError: the version exists, an operation is not allowed, or the answers differ from the model's.

    Examples:
        >>> from tfpretune.backbones import SmallCNN
        >>> from tfpretune.finetune import classifier
        >>> from tfpretune.serving import export
        >>> model = classifier(SmallCNN((8, 8, 1), (8,)), 2)
        >>> folder = export(model, "saved_models", name="digits", class_names=("zero", "one"))
        >>> str(folder), (folder / "assets.extra" / "labels.txt").read_text().split()
        ('saved_models/digits/1', ['zero', 'one'])
    """
    from tfpretune.serving import inputs
    from tfpretune.serving.heads.by_target import heads_of
    from tfpretune.serving.heads.tags import given_words_of

    settings = inputs.preprocessing(
        model, kind, tokenizer=tokenizer, sequence_length=sequence_length, image_shape=image_shape
    )
    settings |= {"resize": resize} if settings["kind"] == "image" and resize != "squeeze" else {}
    served = heads_of(model, class_names, threshold=threshold, longest_answer=longest_answer)
    _check_names(name, served, version)
    inputs.check_weights(model)
    reading = inputs.raw_preprocessing_of(model, served, settings, tokenizer=tokenizer, stride=stride)
    words = given_words_of(served, settings, tokenizer=tokenizer, joiner=joiner)
    if words_only:
        if words is None:
            raise UsageError(f"words_only is for taggers, and {model.name} is none")
        reading, served = words.reading, dict(words.heads)
    settings |= {"inputs": list(reading.names), "steps": reading.steps} | reading.sizes
    if words is not None:
        settings |= {"words": {"steps": words.reading.steps, "outputs": words.heads[""].described()}}
    parent = Path(directory) / name
    number = version or max(versions_in(parent), default=0) + 1
    about = _about(name, number, kind=settings["kind"], heads=served, metadata=metadata)
    needed = 4 * sum(math.prod(weight.shape) for weight in model.weights)
    with atomic_folder(parent / str(number), needed=needed) as folder:
        _write(
            folder,
            model,
            reading=reading,
            heads=served,
            settings=settings,
            about=about,
            tokenizer=tokenizer,
            words=words,
            examples=() if examples is None else examples,
        )
    return parent / str(number)


def _write(
    folder: Path,
    model: Any,
    *,
    reading: "RawPreprocessing",
    heads: "Mapping[str, Head]",
    settings: dict[str, Any],
    about: dict[str, Any],
    tokenizer: "Tokenizer | None",
    words: "Served | None",
    examples: Sequence[Any],
) -> None:
    from tfpretune.serving import clean_process, inputs, signatures
    from tfpretune.serving.warmup_requests import write_warmup

    checks = inputs.answers_of(model, reading, settings, heads, examples)
    if words is not None and words.reading is not reading:
        checks[WORDS] = inputs.answers_of(model, words.reading, settings, words.heads, examples)
    signatures.write_saved_model(model, folder, reading=reading, heads=heads, tokenizer=tokenizer, words=words)
    assets = folder / ASSETS
    assets.mkdir()
    if tokenizer is not None:
        tokenizer.save_assets(str(assets))
    for task, head in heads.items():
        if head.class_names:
            file = f"labels_{task}.txt" if task else "labels.txt"
            (assets / file).write_text("\n".join(head.class_names) + "\n", "utf-8")
    for file, content in (("preprocessing.json", settings), ("metadata.json", about)):
        (assets / file).write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")
    (assets / "checks.json").write_text(json.dumps(checks, ensure_ascii=False) + "\n", "utf-8")
    (assets / "model_card.md").write_text(model_card(about, settings, checks), "utf-8")
    asked = {signature: (reading.names, checks["inputs"][0]) for signature in _signatures(heads, checks)}
    if words is not None:
        asked[WORDS] = (words.reading.names, checks.get(WORDS, checks)["inputs"][0])
    write_warmup(assets, asked, name=about["name"])
    clean_process.compare(folder)


def _signatures(heads: "Mapping[str, Head]", checks: Mapping[str, Any]) -> list[str]:
    return [DEFAULT, *filter(None, heads), *([EMBED] if "embedding" in checks["answers"] else [])]


def _check_names(name: str, heads: "Mapping[str, Head]", version: int | None) -> None:
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name):
        raise UsageError(f"a model's name is part of URLs: expected letters, digits, _ . and -, received {name!r}")
    if version is not None and version < 1:
        raise UsageError(f"version must be a whole number above 0, received {version}")
    for task in filter(None, heads):
        if task in (DEFAULT, EMBED, WORDS) or not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", task):
            raise UsageError(
                f"a task's name is the name of a signature: expected letters, digits, _ . and -, and none of {DEFAULT}, "
                f"{EMBED} and {WORDS}; received {task!r}"
            )


def _about(
    name: str, version: int, *, kind: str, heads: "Mapping[str, Head]", metadata: Mapping[str, Any] | None
) -> dict[str, Any]:
    about = {
        "name": name,
        "version": version,
        "kind": kind,
        "heads": {task: head.about() for task, head in heads.items()},
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "software": {package: importlib.metadata.version(package) for package in ("tensorflow", "keras", "keras-hub")},
        "training": dict(metadata or {}),
    }
    try:
        json.dumps(about)
    except (TypeError, ValueError) as error:
        raise UsageError(f"metadata must be plain JSON values: {error}") from None
    return about
