"""Fine-tunes a pre-trained text backbone into a tagger: names of persons, places, organisations, or any tags of words.

    python recipes/finetune_tagger.py --preset runs/people/preset --source demo:people-daily-ner

The preset is what pretrain_text leaves, with --source demo:people-daily --out-dir runs/people
Judged on the validation set by the F1 of whole entities; of tags that are none of entities by the share of right words.
Leaves OUT_DIR/preset (tagger, backbone, tokenizer), report/index.html (the test set, beside a dictionary of the training
set's), logs, checkpoints. Entities may be tagged in BIO, IOB1, BIOES, BILOU or BMES; the model says BIO.
Then: python recipes/export.py --run-dir runs/finetune_tagger
"""

import dataclasses
from typing import Any

import keras
import tensorflow as tf

from tfpretune.backbones.by_name import load_backbone, load_tokenizer
from tfpretune.data.batches.tagged import TagRows, tag_rows
from tfpretune.data.examples.tagged import TaggedExamples, is_bio
from tfpretune.data.sources.tagged import open_tagged
from tfpretune.evaluation.metrics.entities import dictionary_tags, entity_metrics
from tfpretune.evaluation.metrics.word_tags import frequent_tags, word_metrics
from tfpretune.evaluation.predict import predictor
from tfpretune.evaluation.report.report import write_report
from tfpretune.evaluation.report.tables import Cell, Table
from tfpretune.finetune import tagger
from tfpretune.settings import launch
from tfpretune.settings.finetune import TaskConfig
from tfpretune.settings.run import OptimizerConfig
from tfpretune.tasks.fitting import fit_head
from tfpretune.tasks.known_words import require_known
from tfpretune.tasks.methods import apply_methods
from tfpretune.training import FitResult, make_strategy, resolve_precision
from tfpretune.training.loop.dry_run import describe
from tfpretune.training.loop.fingerprint import identity_of
from tfpretune.training.presets import save_preset

FIGURES = {  # of tags of entities, and of others
    True: ("precision", "recall", "f1", "word_accuracy"),
    False: ("word_accuracy", "f1_macro"),
}


@dataclasses.dataclass(frozen=True)
class Config(TaskConfig):
    """Settings."""

    source: str = "demo:people-daily-ner"
    """Words with tags: conll:FILES, jsonl:FILES (keys tokens and tags), demo:people-daily-ner."""
    out_dir: str = "runs/finetune_tagger"
    preset: str = "runs/people/preset"
    steps: int = 3000
    batch_size: int = 32
    save_every_steps: int = 500
    sequence_length: int = 128
    """Tokens of a row; longer sentences take several."""
    repair: bool = False
    """Read an I- tag that nothing begins as B-, and the like, instead of refusing it."""
    word_column: int = 0
    """conll: number of the column with the word, from 0; from the end where negative."""
    tag_column: int = -1
    """conll: the same for the tag."""
    optimizer: OptimizerConfig = OptimizerConfig(learning_rate=1e-3, warmup=0.1, multipliers=(("logits", 3.0),))


def main(run: Config) -> FitResult | None:
    """Data, model, fit, report, save."""
    strategy = make_strategy(run.devices.replicas)
    word_column, tag_column = run.word_column, run.tag_column
    examples = open_tagged(run.source, repair=run.repair, word_column=word_column, tag_column=tag_column)
    for note in examples.notes:
        print(f"{run.source}: {note}")
    entities = is_bio(examples.tag_names)
    train, validation, test = (
        part.sample(64, seed=run.seed) if run.fast else part
        for part in (examples.split("train"), examples.split("validation"), examples.split("test"))
    )
    tokenizer = load_tokenizer(run.preset)
    require_known(tokenizer, train.texts(), source=run.source, preset=run.preset, limit=run.most_unknown)
    rows = [
        tag_rows(part, tokenizer=tokenizer, sequence_length=run.sequence_length) for part in (train, validation, test)
    ]
    batches = rows[0].batches(run.batch_size, seed=run.seed)
    keras.utils.set_random_seed(run.seed)

    with strategy.scope():
        dtype, dropout = resolve_precision(run.precision), run.backbone_dropout
        backbone = load_backbone(run.preset, dtype=dtype, random_weights=run.from_scratch, dropout=dropout)
        model = tagger(backbone, len(train.tag_names), dropout=run.dropout)
    table = apply_methods(model, run)
    if run.dry_run:
        describe(model, batches, run)
        return None
    print(table)

    predict = predictor(model)
    watched, tested = (each.batches(run.batch_size).in_order() for each in rows[1:])

    def judged(part: TaggedExamples, tokens: TagRows, batches: tf.data.Dataset) -> dict[str, float]:
        tags = tokens.words_of(predict(batches).argmax(axis=-1))
        return (entity_metrics if entities else word_metrics)(part.tag_lists(), part.names_of(tags))

    figure, best = ("f1", "entity_f1") if entities else ("word_accuracy", "word_accuracy")
    result = fit_head(
        model,
        batches,
        run,
        validation=watched,
        identity=identity_of(backbone, batches, tokenizer=tokenizer, class_names=train.tag_names, data=train),
        measure=lambda: {best: judged(validation, rows[1], watched)[figure]},
        monitor=(best, "max"),
    )
    metrics = judged(test, rows[2], tested)
    simple = entity_metrics(test.tag_lists(), dictionary_tags(train, test)) if entities else {}
    simple = simple or word_metrics(test.tag_lists(), frequent_tags(train, test))
    table_rows: list[list[Cell]] = [
        [name, *(found[each] for each in FIGURES[entities])]
        for name, found in (("dictionary", simple), ("tagger", metrics))
    ]
    report = write_report(
        run.out_dir,
        title=f"{run.source}: {'entities' if entities else 'words'} of the test set",
        metrics=metrics,
        curves={"loss": {"training": result.curves["loss"], "validation": result.curves["val_loss"]}},
        tables=[Table("Whole entities" if entities else "Words", ("", *FIGURES[entities]), table_rows)],
        settings=dataclasses.asdict(run) | {"licence": train.licence},
        data=train.near_copies(),
    )
    task: dict[str, Any] = {
        "kind": "text",
        "class_names": list(train.tag_names),
        "source": run.source,
        "licence": train.licence,
    }
    task |= {"metrics": metrics, "sequence_length": run.sequence_length}
    task |= {"word_column": word_column, "tag_column": tag_column}
    save_preset(f"{run.out_dir}/preset", model, tokenizer=tokenizer, task=task)
    what = "F1 of entities" if entities else "accuracy of words"
    print(f"test {what} {metrics[figure]:.3f} (dictionary {simple[figure]:.3f})\nreport: {report}")
    return result


if __name__ == "__main__":
    launch.run(Config, main, __doc__)
