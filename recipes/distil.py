"""Distils a fine-tuned classifier of texts or images into a smaller one, with few labels and, best, many examples without.

    python recipes/distil.py --teacher-dir runs/finetune_text --backbone mini --unlabelled-source demo:bbc

For images: --teacher-dir runs/finetune_image --backbone cnn-small --source demo:mnist5k --unlabelled-source demo:mnist5k.
The student is trained twice, from the labels alone (OUT_DIR/alone) and with the teacher's answers. Leaves OUT_DIR/preset
(classifier, backbone, tokenizer), report/index.html (test set), distil.md (the table), logs (TensorBoard), checkpoints.
Then: python recipes/export.py --run-dir runs/distil
"""

import dataclasses
import functools

from tfpretune.data.batches.examples import image_array
from tfpretune.evaluation.report.tables import Table
from tfpretune.finetune import balanced_class_weights
from tfpretune.finetune.methods.distillation import SoftClasses, without_teacher
from tfpretune.runtime.files import write_atomic
from tfpretune.settings import launch
from tfpretune.settings.run import OptimizerConfig
from tfpretune.tasks.classification import open_parts
from tfpretune.tasks.distillation.comparison import comparison
from tfpretune.tasks.distillation.settings import DistillationConfig
from tfpretune.tasks.distillation.students import make_student, require_known_to_both, student_form
from tfpretune.tasks.distillation.teachers import fingerprint, load_teacher, taught_batches, unlabelled_examples
from tfpretune.tasks.finetuned_runs import require_classes
from tfpretune.tasks.fitting import fit_classifier, report_on_test
from tfpretune.training import make_strategy
from tfpretune.training.loop.dry_run import describe
from tfpretune.training.loop.fingerprint import fingerprints
from tfpretune.training.presets import save_preset


@dataclasses.dataclass(frozen=True)
class Config(DistillationConfig):
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


def main(run: Config) -> Table | None:
    """Teacher, data, the student alone and taught, report, save."""
    strategy, teacher = make_strategy(run.devices.replicas), load_teacher(run.teacher_dir)
    parts = open_parts(dataclasses.replace(run, label_kind="class"))
    parts.train.require_kind(teacher.task["kind"])
    require_classes(teacher, parts.class_names, run.source)
    most = 64 if run.fast else 0
    unlabelled = unlabelled_examples(run.unlabelled_source, most=most) if run.unlabelled_source else None
    form = student_form(teacher, run)
    require_known_to_both(teacher, form, parts.train, run)
    make_batches = form.make_batches
    make_training = functools.partial(make_batches, transform=form.transform)
    batches = make_training(parts.train, run.batch_size, seed=run.seed)

    labelled = make_batches(parts.train, run.batch_size)
    student = functools.partial(make_student, run, form=form, labelled=labelled, strategy=strategy)
    labels, count = parts.train.known_labels, len(parts.class_names)
    weights = balanced_class_weights(labels, count) if run.balance_classes else None
    soft = SoftClasses(count, run.share, run.temperature, run.label_smoothing, weights)
    if run.dry_run:
        describe(student(soft), batches, run)
        return None
    validation, test = (make_batches(part, run.batch_size).in_order() for part in (parts.validation, parts.test))
    settings = {
        "validation": validation,
        "examples": parts.validation,
        "train": parts.train,
        "tokenizer": form.tokenizer,
    }
    alone = student(soft.classes)
    fit_classifier(alone, batches, run.alone, **settings)
    sizes = {"batch_size": run.batch_size, "seed": run.seed}
    taught, model = taught_batches(teacher, make_training, parts.train, unlabelled, **sizes), student(soft)
    other = {"teacher": fingerprint(teacher)}
    other |= {} if unlabelled is None else fingerprints({"the unlabelled examples": unlabelled})
    result = fit_classifier(model, taught, run, identity=other, **settings)

    model = without_teacher(model)
    students = {"student alone": (alone, make_batches), "student distilled": (model, make_batches)}
    table = comparison({"teacher": (teacher.model, teacher.batches), **students}, parts.test)
    inputs = image_array(parts.test, form.task["image_shape"]) if form.tokenizer is None else None
    report = report_on_test(model, run, result, parts=parts, batches=test, inputs=inputs, tables=[table])
    write_atomic(f"{run.out_dir}/distil.md", table.markdown())
    task = report.task | form.task | parts.form.as_task()
    save_preset(f"{run.out_dir}/preset", model, tokenizer=form.tokenizer, task=task)
    print(f"{table.markdown()}test {report.summary}\nreport: {report.page}")
    return table


if __name__ == "__main__":
    launch.run(Config, main, __doc__)
