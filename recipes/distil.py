"""Distils a fine-tuned classifier of texts or images into a smaller one, with few labels and, best, many examples without.

    python recipes/distil.py --teacher-dir runs/finetune_text --backbone mini --unlabelled-source demo:bbc

For images: --teacher-dir runs/finetune_image --backbone cnn-small --source demo:mnist5k --unlabelled-source demo:mnist5k.
The student is trained twice, from the labels alone (OUT_DIR/alone) and with the teacher's answers. Leaves OUT_DIR/preset
(classifier, backbone, tokenizer), report/index.html (test set), distil.md (the table), logs (TensorBoard), checkpoints.
Then: python recipes/export.py --run-dir runs/distil
"""

import dataclasses
import functools
from typing import Any

import tfpretune as tp
from tfpretune.runtime import write_atomic
from tfpretune.settings import OptimizerConfig, launch


@dataclasses.dataclass(frozen=True)
class Config(tp.tasks.DistillationConfig):
    """Settings."""

    teacher_dir: str = "runs/finetune_text"
    source: str = "demo:bbc"
    """Texts or images with labels, of the teacher's classes."""
    out_dir: str = "runs/distil"
    preset: str = "runs/pretrain_text/preset"
    steps: int = 240
    batch_size: int = 32
    save_every_steps: int = 40
    optimizer: OptimizerConfig = OptimizerConfig(learning_rate=1e-3, warmup=0.1)


def main(run: Config) -> "tp.evaluation.Table | None":
    """Teacher, data, the student alone and taught, report, save."""
    strategy, teacher = tp.training.make_strategy(run.devices.replicas), tp.tasks.load_teacher(run.teacher_dir)
    parts = tp.tasks.open_splits(dataclasses.replace(run, label_kind="single", folds="none"))
    parts.train.require_kind(teacher.task["kind"])
    tp.tasks.require_classes(teacher, parts.class_names, run.source)
    beside: dict[str, Any] = {"most": 64 if run.fast else 0, "splits": parts.splits}
    source, reads = run.unlabelled_source, tp.tasks.source_form(run)
    unlabelled = tp.tasks.unlabelled_examples(source, reads, **beside) if source else None
    form = tp.tasks.student_form(teacher, run)
    tp.tasks.require_known_to_both(teacher, form, parts.train, run)
    make_batches = form.make_batches
    make_training = functools.partial(make_batches, transform=form.transform)
    batches = make_training(parts.train, run.batch_size, seed=run.seed)

    labelled = make_batches(parts.train, run.batch_size)
    student = functools.partial(tp.tasks.make_student, run, form=form, labelled=labelled, strategy=strategy)
    labels, count = parts.train.known_labels, len(parts.class_names)
    weights = tp.finetune.balanced_class_weights(labels, count) if run.balance_classes else None
    soft = tp.finetune.SoftClassification(count, run.teacher_weight, run.temperature, run.label_smoothing, weights)
    if run.dry_run:
        tp.training.describe(student(soft), batches, run)
        return None
    validation = make_batches(parts.validation, run.batch_size).in_order() if len(parts.validation) else None
    task = tp.tasks.ClassificationTask(parts, validation, make_batches(parts.test, run.batch_size).in_order())
    alone = student(soft.classes)
    tp.tasks.fit_task(task, alone, batches, run.alone, tokenizer=form.tokenizer)
    sizes = {"batch_size": run.batch_size, "seed": run.seed}
    taught, model = tp.tasks.taught_batches(teacher, make_training, parts.train, unlabelled, **sizes), student(soft)
    other = {"teacher": tp.tasks.fingerprint(teacher)}
    other |= {} if unlabelled is None else tp.training.fingerprints({"the unlabelled examples": unlabelled})
    task = dataclasses.replace(task, more=other)
    result = tp.tasks.fit_task(task, model, taught, run, tokenizer=form.tokenizer)

    model = tp.finetune.without_teacher(model)
    students = {"student alone": (alone, make_batches), "student distilled": (model, make_batches)}
    table = tp.tasks.comparison({"teacher": (teacher.model, teacher.batches), **students}, parts.test)
    report = dataclasses.replace(task, tables=[table]).report(model, run, result)
    write_atomic(f"{run.out_dir}/distil.md", table.markdown())
    tp.training.save_preset(f"{run.out_dir}/preset", model, tokenizer=form.tokenizer, task=report.task | form.task)
    print(table.markdown())
    launch.close(f"test {report.summary}", report.page, launch.to_export(run), verdict=report.verdict)
    return table


if __name__ == "__main__":
    launch.run(Config, main, __doc__)
