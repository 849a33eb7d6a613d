"""Fine-tunes a pre-trained text backbone into a tagger: names of persons, places, organisations, or any tags of words.

    python recipes/finetune_tagger.py --preset runs/people/preset --source demo:people-daily-ner

The preset is what pretrain_text leaves, with --source demo:people-daily --out-dir runs/people
Judged on the validation set by the F1 of whole entities; of tags that are none of entities by the fraction of right words.
Leaves OUT_DIR/preset (tagger, backbone, tokenizer), report/index.html (the test set, beside a dictionary of the training
set's), logs, checkpoints. Entities may be tagged in BIO, IOB1, BIOES, BILOU or BMES; the model says BIO.
Then: python recipes/export.py --run-dir runs/finetune_tagger
"""

import dataclasses

import tfpretune as tp
from tfpretune.settings import EncodedFiles, OptimizerConfig, TaskConfig, launch


@dataclasses.dataclass(frozen=True)
class Config(EncodedFiles, TaskConfig):
    """Settings."""

    source: str = "demo:people-daily-ner"
    """Words with tags: conll:FILES, jsonl:FILES or parquet:FILES (keys tokens and tags), demo:people-daily-ner."""
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
    words_key: str = "tokens"
    """jsonl, parquet: key of the words."""
    tags_key: str = "tags"
    """jsonl, parquet: key of the tags; ner_tags is taken where tags is not there, and said."""
    tag_names: tuple[str, ...] = ()
    """Names of tags that are numbers, in their order: O B-PER I-PER; or the only tags that are allowed."""
    optimizer: OptimizerConfig = OptimizerConfig(learning_rate=1e-3, warmup=0.1, multipliers=(("logits", 3.0),))


def main(run: Config) -> "tp.training.FitResult | None":
    """Data, model, fit, report, save."""
    strategy = tp.training.make_strategy(run.devices.replicas)
    form = tp.tasks.tag_form(run)
    examples = tp.data.open_tagged(run.source, **dataclasses.asdict(form))
    known = dataclasses.replace(form, tag_names=tuple(examples.tag_names))
    most, splits = 64 if run.fast else 0, tp.tasks.split_form(run)
    parts = tp.tasks.split_parts(
        examples,
        most=most,
        seed=run.seed,
        splits=splits,
        open_part=lambda source: tp.data.open_tagged(source, **dataclasses.asdict(known)),
    )
    tokenizer, length = tp.backbones.load_tokenizer(run.preset), run.sequence_length
    tp.tasks.require_known(tokenizer, parts.train.texts(), source=run.source, preset=run.preset, limit=run.most_unknown)
    words = tp.tasks.say_words(parts.train, tokenizer)
    rows = tp.tasks.Parts(*(tp.data.tag_inputs(part, tokenizer=tokenizer, sequence_length=length) for part in parts))
    batches = rows.train.batches(run.batch_size, seed=run.seed)
    tp.training.set_random_seed(run.seed)

    with strategy.scope():
        model = tp.finetune.tagger(tp.tasks.load_start(run), len(examples.tag_names), dropout=run.dropout)
    if not tp.tasks.made_ready(model, batches, run):
        return None

    task = tp.tasks.TaggingTask(parts, rows, run.batch_size)
    result = tp.tasks.fit_task(task, model, batches, run, tokenizer=tokenizer)
    report = task.report(model, run, result)
    facts = report.task | {"sequence_length": length} | form.as_task() | words
    tp.training.save_preset(f"{run.out_dir}/preset", model, tokenizer=tokenizer, task=facts)
    launch.close(f"test {report.summary}", report.page, launch.to_export(run), verdict=report.verdict)
    return result


if __name__ == "__main__":
    launch.run(Config, main, __doc__)
