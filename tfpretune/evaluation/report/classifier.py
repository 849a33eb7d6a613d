"""A classifier and labelled examples in, its report out."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from tfpretune.data.examples.examples import Examples
from tfpretune.data.splits.rule import RULE
from tfpretune.evaluation.predict import predict_outputs
from tfpretune.evaluation.report.report import Curves, write_report
from tfpretune.evaluation.report.tables import Table


@dataclasses.dataclass(frozen=True, eq=False)
class ClassifierReport:
    """A written report.

    Attributes:
        page: the path of the page; `metrics.json` lies beside it.
        metrics: what stands there, name -> number.
        examples: what the classifier was tried on.

    Examples:
        >>> from pathlib import Path
        >>> from tfpretune.data import open_source
        >>> from tfpretune.evaluation import ClassifierReport
        >>> metrics = {"accuracy": 0.9, "f1_macro": 0.85, "examples": 20}
        >>> ClassifierReport(Path("runs/digits/report/index.html"), metrics, open_source("demo:digits")).summary
        'accuracy 0.900, macro F1 0.850 on 1797 images'
    """

    page: Path
    metrics: dict[str, float]
    examples: Examples

    @property
    def summary(self) -> str:
        """Accuracy, macro F1, and how many examples they are measured on."""
        figures = f"accuracy {self.metrics['accuracy']:.3f}, macro F1 {self.metrics['f1_macro']:.3f}"
        return f"{figures} on {len(self.examples)} {self.examples.kind}s"

    @property
    def task(self) -> dict[str, Any]:
        """What a preset's `task.json` and the model card say of any classifier; its kind of input adds shapes."""
        return {
            "kind": self.examples.kind,
            "class_names": list(self.examples.class_names),
            "source": self.examples.name,
            "licence": self.examples.licence,
            "metrics": self.metrics,
            "split_rule": RULE,
        }


def report_classifier(
    model: keras.Model,
    examples: Examples,
    *,
    batches: tf.data.Dataset,
    out_dir: str | Path,
    title: str,
    inputs: Any = None,
    curves: Curves | None = None,
    tables: Sequence[Table] = (),
    settings: Mapping[str, Any] | None = None,
) -> ClassifierReport:
    """Tries a classifier on labelled examples and writes `out_dir/report`.

    Args:
        model: a `Supervised` classifier.
        examples: with labels.
        batches: the same examples, in the same order.
        out_dir: folder of the run.
        title: heading of the page.
        inputs: what the page shows of the examples; their own inputs when None. Images: as the model sees them.
        curves: see `write_report`, as the next two.
        tables: shown in this order.
        settings: what was run; the licence of the data is added.

    Examples:
        >>> import numpy as np, tensorflow as tf
        >>> from tfpretune.backbones import SmallCNN
        >>> from tfpretune.data import image_batches, open_source
        >>> from tfpretune.evaluation import report_classifier
        >>> from tfpretune.finetune import classifier
        >>> digits = open_source("demo:digits").take(range(20))
        >>> batches = image_batches(digits, 20, image_shape=(8, 8, 1)).in_order()
        >>> model = classifier(SmallCNN((8, 8, 1), (8,)), 10)
        >>> report = report_classifier(model, digits, batches=batches, out_dir="runs/digits", title="Digits")
        >>> str(report.page), report.metrics["examples"]
        ('runs/digits/report/index.html', 20...)
    """
    page = write_report(
        out_dir,
        title=title,
        kind=examples.kind,
        labels=examples.known_labels,
        probabilities=predict_outputs(model, batches),
        class_names=examples.class_names,
        inputs=examples.inputs if inputs is None else inputs,
        where=examples.where,
        curves=curves,
        tables=tables,
        settings={**(settings or {}), "licence": examples.licence},
        data=examples.near_copies(),
    )
    return ClassifierReport(page, json.loads(page.with_name("metrics.json").read_text("utf-8")), examples)
