"""What the recipes for other tasks than classification reach on packaged data, each beside training from scratch.

    python benchmarks/tasks.py

Runs the recipes, several seeds each; prints the tables and writes OUT_DIR/tasks.md. Runs that are finished in OUT_DIR are not
done again.
"""

import dataclasses
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
from quality_rows import Figures, mean_and_sd, pretrain_reviews, pretrained, seeds

from tfpretune.data.batches.masks import mask_batches
from tfpretune.data.readers.source_form import SourceForm
from tfpretune.data.sources.labelled import labelled_splits
from tfpretune.data.sources.masks import open_masks
from tfpretune.data.sources.tagged import open_tagged
from tfpretune.evaluation.baselines.linear import pair_baseline
from tfpretune.evaluation.baselines.pixels import simple_predictors
from tfpretune.evaluation.baselines.search import search_metrics, simple_space
from tfpretune.evaluation.metrics.classification import classification_metrics
from tfpretune.evaluation.metrics.entities import dictionary_tags, entity_metrics
from tfpretune.evaluation.metrics.gain import gain_over_scratch, paired_difference
from tfpretune.evaluation.metrics.segmentation import count_pixels, segmentation_metrics
from tfpretune.evaluation.report.tables import Cell, Table
from tfpretune.settings import launch
from tfpretune.settings.comparison import SeedsConfig
from tfpretune.settings.run import OptimizerConfig
from tfpretune.tasks.multi_label import set_baselines

TableName = Literal["multitask", "tagger", "questions", "pairs", "sets", "embeddings", "segments"]
WEIGHTINGS = ("fixed", "uncertainty", "gradnorm", "pcgrad")


@dataclasses.dataclass(frozen=True)
class Config(SeedsConfig):
    """Settings."""

    out_dir: str = "runs/quality"
    """Folder of the runs."""
    tables: tuple[TableName, ...] = typing.get_args(TableName)
    """Only these: two tasks at once, names in texts, questions, pairs of texts, sets of labels, embeddings, masks."""


def main(run: Config) -> list[Table]:
    """The tables, one after the other."""
    made: dict[str, Callable[[Config], Table]] = {
        "multitask": multitask,
        "tagger": tagger,
        "questions": questions,
        "pairs": pairs,
        "sets": sets,
        "embeddings": embeddings,
        "segments": segments,
    }
    tables = [made[name](run) for name in run.tables]
    text = "\n".join(table.markdown() for table in tables)
    Path(run.out_dir, "tasks.md").write_text(text, "utf-8")
    print(text)
    return tables


def multitask(run: Config) -> Table:
    """Sentiment and topic of the same review, with the losses weighed in every way."""
    preset = pretrain_reviews(run.out_dir, fast=run.fast)
    found = {
        weighting: seeds(
            run.out_dir,
            run.seeds,
            "multitask",
            f"tasks-{weighting}",
            {"preset": preset, "weighting": weighting, "fast": run.fast},
        )
        for weighting in WEIGHTINGS
    }
    tasks = ("label/accuracy", "topic/accuracy")
    both = {
        name: [float(np.mean([each[task] for task in tasks])) for each in figures] for name, figures in found.items()
    }
    rows: list[list[Cell]] = []
    for name, figures in found.items():
        gap = "–" if name == "fixed" else paired_difference(both[name], both["fixed"])
        rows.append([name, *(cell for task in tasks for cell in mean_and_sd(figures, task)), gap])
    columns = ("weights", "sentiment accuracy", "sd", "topic accuracy", "sd", "mean of both against fixed 1:1")
    note = "fixed is 1:1. The last column pairs runs of the same seed."
    return Table("demo:reviews-zh, sentiment and topic on one backbone", columns, rows, note=note)


def tagger(run: Config) -> Table:
    """Names of persons, places and organisations."""
    source = "demo:people-daily-ner"
    examples = open_tagged(source)
    test = examples.split("test")
    known = [entity_metrics(test.tag_lists(), dictionary_tags(examples.split("train"), test))]
    return beside_scratch(
        run, "finetune_tagger", source, pretrain_people(run), ("f1", "precision", "recall"), {"dictionary": known}
    )


def questions(run: Config) -> Table:
    """The one person, place or organisation of a paragraph."""
    return beside_scratch(run, "finetune_qa", "demo:people-daily-qa", pretrain_people(run), ("f1", "exact_match"), {})


def pairs(run: Config) -> Table:
    """Whether two paragraphs are of the same article."""
    source = "demo:bbc-pairs"
    parts = labelled_splits(source, SourceForm(pair_column="text_pair"))
    train, test = ((list(part.inputs), list(part.seconds or [])) for part in (parts.train, parts.test))
    labels, count = parts.train.known_labels, len(parts.class_names)
    found = pair_baseline(train, labels, test, num_classes=count, characters=False)
    known = [classification_metrics(parts.test.labels, found, parts.class_names)]
    preset = pretrained("pretrain_text", source="demo:bbc", out_dir=f"{run.out_dir}/topics", fast=run.fast)
    figures = ("accuracy", "f1_macro")
    return beside_scratch(run, "finetune_pairs", source, preset, figures, {"cosine of TF-IDF": known})


def sets(run: Config) -> Table:
    """Which kinds of names a sentence holds."""
    source = "demo:people-daily-kinds"
    known = {each.name: [dict(each.figures)] for each in set_baselines(labelled_splits(source))}
    own: dict[str, Any] = {"sequence_length": 128, "window_length": 0, "batch_size": 32}
    own |= {"steps": 600, "save_every_steps": 100, "optimizer": OptimizerConfig(learning_rate=1e-3, warmup=0.1)}
    figures = ("f1_micro", "f1_macro", "average_precision_macro")
    return beside_scratch(run, "finetune_text", source, pretrain_people(run), figures, known, own)


def embeddings(run: Config) -> Table:
    """Whether the nearest of 10 known texts a topic is of the same one."""
    source, few = "demo:bbc", 10
    known: dict[str, Figures] = {}
    for seed in range(run.seeds):
        parts = labelled_splits(source, labels_per_class=few, seed=seed)
        name, space = simple_space(parts, shape=None)
        known.setdefault(name, []).append(search_metrics(space, parts))
    preset = pretrained("pretrain_text", source=source, out_dir=f"{run.out_dir}/topics", fast=run.fast)
    return beside_scratch(
        run, "finetune_embedder", source, preset, ("recall@1", "recall@10", "map"), known, {"labels_per_class": few}
    )


def segments(run: Config) -> Table:
    """The digit that each pixel belongs to."""
    source = "demo:mnist5k-masks"
    preset = pretrained("pretrain_image", out_dir=f"{run.out_dir}/images", fast=run.fast)
    examples = open_masks(source)
    train, test, names = examples.split("train"), examples.split("test"), examples.class_names
    rows, tested = (mask_batches(part, 64, image_shape=(28, 28, 1)).in_order() for part in (train, test))
    known = {
        name: [segmentation_metrics(count_pixels(predict, tested, len(names)), names)]
        for name, predict in simple_predictors(rows, train.pixels()).items()
    }
    figures = ("mean_iou", "mean_dice", "pixel_accuracy")
    return beside_scratch(run, "finetune_segmenter", source, preset, figures, known, {"train_images": 200})


def beside_scratch(
    run: Config,
    name: str,
    source: str,
    preset: str,
    figures: tuple[str, ...],
    known: dict[str, Figures],
    own: dict[str, Any] | None = None,
) -> Table:
    """A recipe from a preset and from random weights, same steps and rate, beside what needs no training.

    Args:
        run: the settings.
        name: of the recipe.
        source: its data.
        preset: the pre-trained backbone.
        figures: of its metrics.json; the first decides whether pre-training paid.
        known: name -> metrics of a baseline.
        own: further settings of the recipe.
    """
    found = dict(known)
    for side, from_scratch in (("from scratch", True), ("pre-trained", False)):
        settings = {"source": source, "preset": preset, "from_scratch": from_scratch, "fast": run.fast} | (own or {})
        found[side] = seeds(run.out_dir, run.seeds, name, f"{name}-{side}", settings)
    rows: list[list[Cell]] = [
        [
            side,
            *mean_and_sd(each, figures[0]),
            *(float(np.mean([one[figure] for one in each])) for figure in figures[1:]),
        ]
        for side, each in found.items()
    ]
    first = {side: [one[figures[0]] for one in each] for side, each in found.items()}
    gain = gain_over_scratch(first["pre-trained"], first["from scratch"])
    return Table(f"{source}: {name}", ("", figures[0], "sd", *figures[1:]), rows, note=gain.sentence)


def pretrain_people(run: Config) -> str:
    """Pre-trains on the newspaper and returns the preset's folder."""
    return pretrained("pretrain_text", source="demo:people-daily", out_dir=f"{run.out_dir}/people", fast=run.fast)


if __name__ == "__main__":
    launch.run(Config, main, __doc__)
