"""The model card: what a served model is, in Markdown, for the people who get it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tfpretune.data.image.limits import MAX_PIXELS
from tfpretune.serving.card.texts import CARD, GIVEN_WORDS, INPUTS, KINDS, LABELS, LIMITS, REHEARSAL, SAYS
from tfpretune.serving.card.words import words_row, words_section
from tfpretune.serving.loading import DEFAULT, EMBED, WARMUP, WORDS


def model_card(about: Mapping[str, Any], settings: Mapping[str, Any], checks: Mapping[str, Any]) -> str:
    """Returns the card of one exported version.

    Args:
        about: the content of `metadata.json`; of `training`, source, license, metrics, baselines, verdict, rehearsal and
            command are read.
        settings: the content of `preprocessing.json`.
        checks: the content of `checks.json`.
    """
    training, heads = about["training"], about["heads"]
    kind = WORDS if settings["inputs"] == [WORDS] else about["kind"]
    height, width, channels = settings.get("image_shape", (0, 0, 0))
    values = {
        "name": about["name"],
        "version": about["version"],
        "what": _what(kind, settings["inputs"], heads),
        "classes": "".join(_names(task, head) for task, head in heads.items()),
        "created": about["created"],
        "tensorflow": about["software"]["tensorflow"],
        "keras": about["software"]["keras"],
        "source": training.get("source") or "not stated",
        "license": training.get("license") or "not stated",
        "command": f" by `{training['command']}`" if training.get("command") else "",
        "banner": REHEARSAL if training.get("rehearsal") else "",
        "metrics": _judged(training) + _metrics(training.get("metrics") or {}) + _beside(training),
        "steps": settings["steps"],
        "warmup": WARMUP,
        "num_checks": len(checks["inputs"]),
        "sequence_length": settings.get("sequence_length", 0),
        "height": height,
        "width": width,
        "channels": channels,
        "max_pixels": f"{MAX_PIXELS:,}",
        "head_limits": "".join(f"{text}\n" for text in dict.fromkeys(LIMITS[head["says"]] for head in heads.values())),
    }
    words = dict(GIVEN_WORDS if kind == WORDS else KINDS[kind])
    words |= {key: words[key].format(**values) for key in ("limits", "settings")}
    if any(head["says"] in ("tags", "span") for head in heads.values()):
        words["limits"] = ""
    given = words_section(about, settings, _url(about))
    return CARD.format(**values, **(words | _calls(about, settings, words, checks)), words=given).rstrip() + "\n"


def _what(kind: str, inputs: Sequence[str], heads: Mapping[str, Any]) -> str:
    given = INPUTS.get(kind, kind) if len(inputs) == 1 else f"two raw texts ({inputs[0]}, {inputs[1]})"
    said = [f"{task}: {_said(head)}" if task else _said(head) for task, head in heads.items()]
    return f"{given[0].upper()}{given[1:]} in, {'; '.join(said)} out."


def _said(head: Mapping[str, Any]) -> str:
    numbers = head["outputs"].get("values", "")
    return SAYS[head["says"]].format(n=len(head.get("class_names", ())), numbers=f"numbers ({numbers})")


def _names(task: str, head: Mapping[str, Any]) -> str:
    if not head.get("class_names"):
        return ""
    title = LABELS.get(head["says"], "Classes") + (f" of {task}" if task else "")
    return f"{title}: {', '.join(f'`{label}`' for label in head['class_names'])}.\n\n"


def _calls(
    about: Mapping[str, Any], settings: Mapping[str, Any], words: Mapping[str, str], checks: Mapping[str, Any]
) -> dict[str, str]:
    """Returns the table of signatures and how each input is written in the examples."""
    heads, inputs = about["heads"], settings["inputs"]
    value = words["rest_value"] if inputs == [WORDS] else '"some text"'
    curl = words["curl"].format(instance=", ".join(f'"{one}": {value}' for one in inputs), url=_url(about))
    rows = _signature_rows(heads, checks)
    shape = "(batch, n)" if inputs == [WORDS] else "(batch,)"
    given = "; ".join(f"`{one}`: strings `{shape}`, {words['input_is']}" for one in inputs)
    first, *others = [f"| `{signature}` | {{}} | {outputs} |" for signature, outputs in rows.items()]
    more = words_row(settings)
    lines = [first.format(given), *(line.format("the same") for line in others)]
    lines += [f"| `{signature}` | {sent} | {outputs} |" for signature, sent, outputs in more]
    names = [signature for signature in (*rows, *(row[0] for row in more)) if signature != DEFAULT]
    return {
        "curl": curl,
        "signatures": "\n".join(lines),
        "rest_inputs": ", ".join(f'"{one}": {words["rest_value"]}' for one in inputs),
        "grpc_inputs": "\n".join(
            f'request.inputs["{one}"].CopyFrom(tf.make_tensor_proto([{words["raw_value"]}]))' for one in inputs
        ),
        "others": f"  # or {', '.join(map(json.dumps, names))}" if names else "",
        "first": _first(heads),
    }


def _url(about: Mapping[str, Any]) -> str:
    return f"http://localhost:8501/v1/models/{about['name']}:predict"


def _signature_rows(heads: Mapping[str, Any], checks: Mapping[str, Any]) -> dict[str, str]:
    """Signature -> its outputs; a task's signature has its own, `serving_default` all of them."""
    rows = {DEFAULT: ", ".join(_outputs(head, task) for task, head in heads.items())}
    rows |= {task: _outputs(head, "") for task, head in heads.items() if task}
    if "embedding" in checks["answers"]:
        rows[EMBED] = f"`embedding` float32 `(batch, {len(checks['answers']['embedding'][0])})`"
    return rows


def _outputs(head: Mapping[str, Any], task: str) -> str:
    return ", ".join(f"`{task + '_' if task else ''}{name}` {text}" for name, text in head["outputs"].items())


def _first(heads: Mapping[str, Any]) -> str:
    """Returns the answer that the examples print."""
    task, head = next(iter(heads.items()))
    names = list(head["outputs"])
    chosen = next((name for name in ("label", "tags") if name in names), names[0])
    return f"{task}_{chosen}" if task else chosen


def _judged(training: Mapping[str, Any]) -> str:
    """Returns how a model was judged that learnt from all labelled examples."""
    said = training.get("judged")
    after = "each answer by a model that had not seen the example. The model here learnt from all of them."
    return f"{said[0].upper()}{said[1:]}: {after}\n\n" if said else ""


def _metrics(metrics: Mapping[str, Any]) -> str:
    """Returns a table of the metrics of all classes together; those of one class have a `/` in their name."""
    rows = [
        f"| {name} | {value:.4f} |" if isinstance(value, float) else f"| {name} | {value} |"
        for name, value in metrics.items()
        if "/" not in name and not name.startswith("baseline_") and isinstance(value, int | float)
    ]
    if not rows:
        return "Not stated."
    if any("/" in name for name in metrics):
        rows.append("\nThose of each class are in `assets.extra/metadata.json`.")
    return "\n".join(["| metric | value |", "|---|---|", *rows])


def _beside(training: Mapping[str, Any]) -> str:
    """Returns the figures of simple models on the same test set, in a table, and what is said of the run."""
    baselines, lines = training.get("baselines") or {}, []
    if baselines:
        names = list(dict.fromkeys(name for own in baselines.values() for name in own if "/" not in name))
        lines += ["\n\nSimple models on the same test examples:\n"]
        lines += [f"| model | {' | '.join(names)} |", f"|---|{'---|' * len(names)}"]
        for model, own in baselines.items():
            cells = [f"{own[name]:.4f}" if name in own else "" for name in names]
            lines.append(f"| {model} | {' | '.join(cells)} |")
    verdict = training.get("verdict") or ()
    return "\n".join(lines) + ("\n\n" + "\n".join(f"- {line}" for line in verdict) if verdict else "")
