"""Fine-tunes a pre-trained text backbone to find the answer to a question in a text.

    python recipes/finetune_qa.py --preset runs/people/preset --source demo:people-daily-qa

The preset is what pretrain_text leaves, with --source demo:people-daily --out-dir runs/people
Judged on the validation set by the F1 of its answers. Leaves OUT_DIR/preset (model, backbone, tokenizer), report/index.html
(exact match and F1 on the test set), logs, checkpoints. Then: python recipes/export.py --run-dir runs/finetune_qa
"""

import dataclasses
from typing import Any

import keras
import tensorflow as tf

from tfpretune.backbones.by_name import load_backbone, load_tokenizer
from tfpretune.data.batches.questions import AnswerRows, answer_rows
from tfpretune.data.examples.questions import QuestionExamples
from tfpretune.data.sources.questions import open_questions
from tfpretune.evaluation.metrics.spans import span_metrics
from tfpretune.evaluation.predict import predictor
from tfpretune.evaluation.report.report import write_report
from tfpretune.finetune import span_finder
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


@dataclasses.dataclass(frozen=True)
class Config(TaskConfig):
    """Settings."""

    source: str = "demo:people-daily-qa"
    """Questions with contexts and answers: squad:FILES (1.1 or 2.0), demo:people-daily-qa."""
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


def main(run: Config) -> FitResult | None:
    """Data, model, fit, report, save."""
    strategy = make_strategy(run.devices.replicas)
    examples = open_questions(run.source)
    without = sum(not answers for answers in examples.answers)
    if without and not run.may_lack:
        print(
            f"{run.source}: {without:,} of {len(examples):,} questions have no answer; --may-lack lets the model say so"
        )
    parts = [
        part.sample(64, seed=run.seed) if run.fast else part
        for part in (examples.split("train"), examples.split("validation"), examples.split("test"))
    ]
    tokenizer, length = load_tokenizer(run.preset), run.sequence_length
    require_known(
        tokenizer,
        [*parts[0].questions, *parts[0].contexts],
        source=run.source,
        preset=run.preset,
        limit=run.most_unknown,
    )
    rows = [answer_rows(part, tokenizer=tokenizer, sequence_length=length, stride=run.stride) for part in parts]
    batches = rows[0].batches(run.batch_size, seed=run.seed)
    keras.utils.set_random_seed(run.seed)

    with strategy.scope():
        dtype, dropout = resolve_precision(run.precision), run.backbone_dropout
        backbone = load_backbone(run.preset, dtype=dtype, random_weights=run.from_scratch, dropout=dropout)
        model = span_finder(backbone, dropout=run.dropout)
    table = apply_methods(model, run)
    if run.dry_run:
        describe(model, batches, run)
        return None
    print(table)

    predict = predictor(model)
    watched, tested = (each.batches(run.batch_size).in_order() for each in rows[1:])

    def judged(part: QuestionExamples, tokens: AnswerRows, batches: tf.data.Dataset) -> dict[str, float]:
        answers = tokens.answers_of(predict(batches), part.contexts, may_lack=run.may_lack)
        return span_metrics(part.answer_texts, answers, per_character=run.per_character)

    result = fit_head(
        model,
        batches,
        run,
        validation=watched,
        identity=identity_of(backbone, batches, tokenizer=tokenizer, data=parts[0]),
        measure=lambda: {"answer_f1": judged(parts[1], rows[1], watched)["f1"]},
        monitor=("answer_f1", "max"),
    )
    metrics = judged(parts[2], rows[2], tested)
    report = write_report(
        run.out_dir,
        title=f"{run.source}: answers of the test set",
        metrics=metrics,
        curves={"loss": {"training": result.curves["loss"], "validation": result.curves["val_loss"]}},
        settings=dataclasses.asdict(run) | {"licence": examples.licence},
        data=examples.near_copies(),
        notes=[f"{len(rows[0].lost)} training questions have answers that fit in no row"] if rows[0].lost else [],
    )
    task: dict[str, Any] = {"kind": "text", "source": run.source, "licence": examples.licence, "metrics": metrics}
    task |= {"sequence_length": length, "stride": run.stride}
    save_preset(f"{run.out_dir}/preset", model, tokenizer=tokenizer, task=task)
    print(f"test exact match {metrics['exact_match']:.3f}, F1 {metrics['f1']:.3f}\nreport: {report}")
    return result


if __name__ == "__main__":
    launch.run(Config, main, __doc__)
