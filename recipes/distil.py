"""Distils a fine-tuned classifier of texts or images into a smaller one, with few labels and, best, many examples without.

    python recipes/distil.py --teacher-dir runs/finetune_text --backbone mini --unlabelled-source demo:bbc

For images: --teacher-dir runs/finetune_image --backbone cnn-small --source demo:mnist5k --unlabelled-source demo:mnist5k.
The student is trained twice, from the labels alone (OUT_DIR/alone) and with the teacher's answers. Leaves OUT_DIR/preset
(classifier, backbone, tokenizer), report/index.html (test set), distil.md (the table), logs (TensorBoard), checkpoints.
Then: python recipes/export.py --run-dir runs/distil
"""

import dataclasses
import functools
from pathlib import Path

from tfpretune.data.batches.examples import image_array
from tfpretune.data.batches.transforms import jitter
from tfpretune.data.sources.labelled import labelled_parts
from tfpretune.errors import UsageError
from tfpretune.evaluation.report.tables import Table
from tfpretune.finetune import balanced_class_weights
from tfpretune.finetune.methods.distillation import SoftClasses, without_teacher
from tfpretune.runtime.files import write_atomic
from tfpretune.settings import launch
from tfpretune.settings.finetune import FinetuneConfig
from tfpretune.settings.run import OptimizerConfig, require_shares
from tfpretune.tasks.classification import source_form
from tfpretune.tasks.distillation import (
    comparison,
    fingerprint,
    image_student,
    make_student,
    taught_batches,
    text_student,
    unlabelled_examples,
)
from tfpretune.tasks.finetuned_runs import load_member, require_classes
from tfpretune.tasks.fitting import fit_classifier, report_on_test
from tfpretune.tasks.known_words import require_known
from tfpretune.training import make_strategy
from tfpretune.training.loop.dry_run import describe
from tfpretune.training.loop.fingerprint import fingerprints
from tfpretune.training.presets import save_preset


@dataclasses.dataclass(frozen=True)
class Config(FinetuneConfig):
    """Settings."""

    teacher_dir: str = "runs/finetune_text"
    """Folder of the fine-tuning run whose answers are learnt."""
    source: str = "demo:bbc"
    """Texts or images with labels, of the teacher's classes."""
    unlabelled_source: str = ""
    """Examples that the teacher answers, half of every batch; labels there are not read. Empty: only the labelled ones."""
    out_dir: str = "runs/distil"
    preset: str = "runs/pretrain_text/preset"
    backbone: str = ""
    """A new student of this size in the place of --preset: of texts mini, small, … with the teacher's vocabulary, of images
    cnn-small, vit-mini, … with the teacher's image size."""
    share: float = 0.7
    """Share of the teacher's answers in the loss, in [0, 1]; the labels have the rest."""
    temperature: float = 2.0
    """Both distributions are flattened by it before they are compared; above 0."""
    steps: int = 240
    batch_size: int = 32
    save_every_steps: int = 40
    sequence_length: int = 256
    """Texts: tokens of a text that the student reads."""
    window_length: int = 128
    """Texts: it reads them in windows of this length and averages; 0 reads them at once."""
    patch_size: int = 4
    """Images: side of a patch of a new vit-…, pixels."""
    image_size: tuple[int, int] = (0, 0)
    """Images: height and width for a preset that takes images of any size; 0 0 elsewhere."""
    flip: bool = False
    """Images: augmentation, mirror left and right. Not for digits or letters. The teacher answers the images as they are."""
    shift: int = 2
    """Images: augmentation, largest move, pixels."""
    rotate_degrees: float = 15.0
    """Images: augmentation, largest angle to either side."""
    scale: float = 0.1
    """Images: augmentation, largest zoom in or out, as a share of the size."""
    optimizer: OptimizerConfig = OptimizerConfig(learning_rate=1e-3, warmup=0.1)

    def __post_init__(self) -> None:
        """Refuses values that cannot work."""
        super().__post_init__()
        require_shares(self, "scale")
        if not 0 <= self.share <= 1 or not self.temperature > 0:
            raise UsageError("--share must be in [0, 1] and --temperature above 0")
        if self.window_length and self.sequence_length % self.window_length:
            raise UsageError(
                f"--sequence-length {self.sequence_length} is no multiple of --window-length {self.window_length}"
            )
        if self.cache_features:
            raise UsageError("--cache-features does not go with a teacher: it answers examples, not features")
        if self.label_kind not in ("", "class"):
            raise UsageError(f"--label-kind {self.label_kind}: this recipe is for classes")
        if self.unlabelled_source and self.batch_size < 2:
            raise UsageError("--batch-size must be at least 2: half of every batch is unlabelled")


def main(run: Config) -> Table | None:
    """Teacher, data, the student alone and taught, report, save."""
    strategy, most = make_strategy(run.devices.replicas), 64 if run.fast else 0
    teacher = load_member(run.teacher_dir)
    kind, text = teacher.task["kind"], teacher.task["kind"] == "text"
    if teacher.reads_pairs:
        raise UsageError(f"--teacher-dir {run.teacher_dir} reads pairs of texts: this recipe is for texts and images")
    classes = dataclasses.replace(source_form(run), label_kind="class")
    parts = labelled_parts(run.source, classes, labels_per_class=run.labels_per_class, most=most, seed=run.seed)
    parts.train.require_kind(kind)
    require_classes(teacher, parts.class_names, run.source)
    unlabelled = unlabelled_examples(run.unlabelled_source, most=most) if run.unlabelled_source else None
    if text:
        lengths = {"sequence_length": run.sequence_length, "window_length": run.window_length}
        form = text_student(teacher, run, backbone=run.backbone, **lengths)
        readers = {run.teacher_dir: teacher.tokenizer} | ({} if run.backbone else {run.preset: form.tokenizer})
        for preset, tokenizer in readers.items():
            require_known(tokenizer, parts.train.inputs, source=run.source, preset=preset, limit=run.most_unknown)
    else:
        form = image_student(teacher, run, backbone=run.backbone, patch_size=run.patch_size, image_size=run.image_size)
    make_batches = form.make_batches
    moved = jitter(flip=run.flip, shift=run.shift, rotate_degrees=run.rotate_degrees, scale=run.scale)
    make_training = make_batches if text else functools.partial(make_batches, transform=moved)
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
    beside = run.shared_dir / "alone" / Path(run.out_dir).relative_to(run.shared_dir)  # each worker has its own
    fit_classifier(alone, batches, dataclasses.replace(run, out_dir=str(beside)), **settings)
    sizes = {"batch_size": run.batch_size, "seed": run.seed}
    taught, model = taught_batches(teacher, make_training, parts.train, unlabelled, **sizes), student(soft)
    other = {"teacher": fingerprint(teacher)}
    other |= {} if unlabelled is None else fingerprints({"the unlabelled examples": unlabelled})
    result = fit_classifier(model, taught, run, identity=other, **settings)

    model = without_teacher(model)
    students = {"student alone": (alone, make_batches), "student distilled": (model, make_batches)}
    table = comparison({"teacher": (teacher.model, teacher.batches), **students}, parts.test)
    inputs = None if text else image_array(parts.test, form.task["image_shape"])
    report = report_on_test(model, run, result, parts=parts, batches=test, inputs=inputs, tables=[table])
    write_atomic(f"{run.out_dir}/distil.md", table.markdown())
    task = report.task | form.task | parts.form.as_task()
    save_preset(f"{run.out_dir}/preset", model, tokenizer=form.tokenizer, task=task)
    print(f"{table.markdown()}test {report.summary}\nreport: {report.page}")
    return table


if __name__ == "__main__":
    launch.run(Config, main, __doc__)
