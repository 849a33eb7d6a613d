"""Fine-tunes a pre-trained text backbone to find the answer to a question in a text.

    python recipes/finetune_qa.py --preset runs/people/preset --source demo:people-daily-qa

The preset is what pretrain_text leaves, with --source demo:people-daily --out-dir runs/people
Judged on the validation set by the F1 of its answers. Leaves OUT_DIR/preset (model, backbone, tokenizer), report/index.html
(exact match and F1 on the test set), logs, checkpoints. Then: python recipes/export.py --run-dir runs/finetune_qa
"""

import dataclasses
import functools

import tfpretune as tp
from tfpretune.settings import EncodedFiles, OptimizerConfig, TaskConfig, launch


@dataclasses.dataclass(frozen=True)
class Config(EncodedFiles, TaskConfig):
    """Settings."""

    source: str = "demo:people-daily-qa"
    """Questions with contexts and answers: squad:FILES (1.1 or 2.0), rows of jsonl:FILES or parquet:FILES with
    question, context and answers, demo:people-daily-qa."""
    out_dir: str = "runs/finetune_qa"
    preset: str = "runs/people/preset"
    steps: int = 600
    batch_size: int = 32
    save_every_steps: int = 100
    sequence_length: int = 128
    """Tokens of a row, question and context together; a longer context takes several."""
    stride: int = 0
    """Tokens from one row of a context to the next; 0: half of what a row holds."""
    may_lack: bool = False
    """Some questions have no answer (SQuAD 2.0): answer "" where that scores highest."""
    per_character: bool = True
    """Compare Chinese answers character by character."""
    optimizer: OptimizerConfig = OptimizerConfig(learning_rate=1e-3, warmup=0.1, multipliers=(("logits", 3.0),))


def main(run: Config) -> "tp.training.FitResult | None":
    """Data, model, fit, report, save."""
    strategy = tp.training.make_strategy(run.devices.replicas)
    opened = functools.partial(tp.data.open_questions, encoding=run.encoding)
    examples = opened(run.source)
    if (without := sum(not answers for answers in examples.answers)) and not run.may_lack:
        lacking = f"{without:,} of {len(examples):,} questions have no answer"
        print(f"{run.source}: {lacking}; --may-lack lets the model say so")
    splits, most = tp.tasks.split_form(run), 64 if run.fast else 0
    parts = tp.tasks.split_parts(examples, most=most, seed=run.seed, splits=splits, open_part=opened)
    tokenizer, reads = (
        tp.backbones.load_tokenizer(run.preset),
        {"sequence_length": run.sequence_length, "stride": run.stride},
    )
    texts = [*parts.train.questions, *parts.train.contexts]
    tp.tasks.require_known(tokenizer, texts, source=run.source, preset=run.preset, limit=run.most_unknown)
    rows = tp.tasks.Parts(*(tp.data.question_inputs(part, tokenizer=tokenizer, **reads) for part in parts))
    batches = rows.train.batches(run.batch_size, seed=run.seed)
    tp.training.set_random_seed(run.seed)

    with strategy.scope():
        model = tp.finetune.span_finder(tp.tasks.load_start(run), dropout=run.dropout)
    if not tp.tasks.made_ready(model, batches, run):
        return None

    task = tp.tasks.QuestionAnsweringTask(parts, rows, run.batch_size, run.may_lack, run.per_character, run.encoding)
    result = tp.tasks.fit_task(task, model, batches, run, tokenizer=tokenizer)
    report = task.report(model, run, result)
    tp.training.save_preset(f"{run.out_dir}/preset", model, tokenizer=tokenizer, task=report.task | reads)
    launch.close(f"test {report.summary}", report.page, launch.to_export(run), verdict=report.verdict)
    return result


if __name__ == "__main__":
    launch.run(Config, main, __doc__)
