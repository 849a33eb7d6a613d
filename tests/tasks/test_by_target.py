"""The table of tasks: what each model is for; and a task that it lacks, made of what CONTRIBUTING.md lists."""

import dataclasses
import json
import types

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfpretune.backbones import SmallCNN
from tfpretune.data.batches.examples import image_batches
from tfpretune.data.examples.examples import Examples
from tfpretune.data.sources.examples import open_source
from tfpretune.errors import UsageError
from tfpretune.evaluation.predict import predictor
from tfpretune.evaluation.report.report import write_report
from tfpretune.evaluation.report.written import Report
from tfpretune.finetune import pooled_head
from tfpretune.objectives import Classification, ExtractiveQA, MultiLabel, Regression, Target
from tfpretune.objectives.targets.contrastive import SupervisedContrastive
from tfpretune.objectives.terms import Term
from tfpretune.serving.heads import by_target as served
from tfpretune.serving.heads.pooled import NumbersHead
from tfpretune.serving.loading import load
from tfpretune.settings.finetune import TaskConfig
from tfpretune.tasks.base import Parts, Task, loss_curves, split_parts
from tfpretune.tasks.by_target import LABELS, TASKS, task_of
from tfpretune.tasks.classification import ClassificationTask
from tfpretune.tasks.embedding import EmbeddingTask
from tfpretune.tasks.finetuning.exporting import export_run
from tfpretune.tasks.finetuning.fitting import fit_task, made_ready
from tfpretune.tasks.multi_label import MultiLabelTask
from tfpretune.tasks.multitask import SeveralTasks
from tfpretune.tasks.questions import QuestionAnsweringTask
from tfpretune.tasks.regression import RegressionTask
from tfpretune.tasks.segmentation import SegmentationTask
from tfpretune.tasks.tagging import TaggingTask
from tfpretune.training.presets import save_preset


def model_of(target, rank):
    return types.SimpleNamespace(target=target, output=types.SimpleNamespace(shape=(None,) * rank))


def test_each_model_has_its_task():
    targets = {
        (Classification(2), 2): ClassificationTask,
        (Classification(2), 3): TaggingTask,
        (Classification(2), 4): SegmentationTask,
        (MultiLabel(3), 2): MultiLabelTask,
        (Regression(), 2): RegressionTask,
        (SupervisedContrastive(8), 2): EmbeddingTask,
        (ExtractiveQA(), 3): QuestionAnsweringTask,
    }
    assert {kind: task_of(model_of(*kind)) for kind in targets} == targets
    assert task_of(types.SimpleNamespace(targets={"a": Classification(2)})) is SeveralTasks
    assert task_of(model_of(None, 2)) is None
    assert task_of(model_of(Regression(), 3)) is None


def test_the_tables_of_tasks_and_of_served_heads_have_the_same_rows():
    assert set(TASKS) == set(served.HEADS)
    assert {task.kind: task for task in LABELS.values()} == LABELS


@keras.saving.register_keras_serializable("tests")
@dataclasses.dataclass(frozen=True)
class Sides(Target):
    """One number, whose sign says whether the label is above 4: the hinge loss."""

    term_names = ("hinge", "hits")
    monitor = ("hits", "max")

    @property
    def num_outputs(self):
        return 1

    def terms(self, outputs, batch, training):
        side = tf.where(batch["labels"] > 4, 1.0, -1.0)
        margins = side * outputs[:, 0]
        count = tf.cast(tf.size(side), tf.float32)
        return {
            "hinge": Term(tf.reduce_sum(tf.nn.relu(1.0 - margins)), count),
            "hits": Term(tf.reduce_sum(tf.cast(margins > 0.0, tf.float32)), count, weight=0.0),
        }

    def activate(self, outputs):
        return tf.sign(outputs)


@dataclasses.dataclass(frozen=True, eq=False)
class TellingSides(Task):
    """The toy task: on which side of 4 a digit is."""

    parts: Parts[Examples]

    @property
    def data(self):
        return self.parts.train

    @property
    def watched(self):
        return batches_of(self.parts.validation).in_order()

    @property
    def monitor(self):
        return "misses", "min"

    def measure(self, model):
        predict = predictor(model)
        return lambda: {"misses": self.misses(predict, self.parts.validation)}

    def misses(self, predict, examples):
        said = predict(batches_of(examples).in_order())[:, 0] > 0
        return float((said != (examples.labels > 4)).mean())

    def report(self, model, run, result):
        metrics = {"misses": self.misses(predictor(model), self.parts.test)}
        curves = loss_curves(result) | {"misses": {"validation": result.curves["val_misses"]}}
        page = write_report(run.out_dir, title="sides", metrics=metrics, curves=curves)
        return Report(page, metrics, f"misses {metrics['misses']:.3f}", {"kind": "image", "source": run.source})

    @staticmethod
    def raw_inputs(source, task, count):
        return list(open_source(source).split("test").sample(count).inputs)


def batches_of(examples):
    return image_batches(examples, 16, image_shape=(8, 8, 1))


def test_a_toy_task_from_data_to_a_served_model(monkeypatch, tmp_path):
    """Target, head, task, and a row in each of the two tables: fitted, judged by its own figure, reported, exported."""
    shared = {"preset": "p", "batch_size": 16, "save_every_steps": 4, "jit": "off", "precision": "float32"}
    run = TaskConfig(source="demo:digits", out_dir=str(tmp_path / "run"), steps=12, **shared)
    task = TellingSides(split_parts(open_source(run.source), most=96))
    batches = batches_of(task.parts.train)
    keras.utils.set_random_seed(0)
    model = pooled_head(SmallCNN((8, 8, 1), (4,), groups=2), Sides())
    assert made_ready(model, batches, run)

    result = fit_task(task, model, batches, run)
    figures = [value for _, value in result.curves["val_misses"]]
    assert len(figures) == 3
    report = task.report(model, run, result)
    assert json.loads(report.page.with_name("metrics.json").read_text("utf-8")) == report.metrics
    best = task.measure(model)()["misses"]
    assert best == pytest.approx(min(figures))  # the weights of the best interval are back
    save_preset(tmp_path / "run/preset", model, task=report.task)

    assert task_of(model) is None
    with pytest.raises(UsageError, match="a model towards Sides with outputs .* has no served form"):
        export_run(tmp_path / "run", tmp_path / "saved")
    monkeypatch.setitem(TASKS, (Sides, 2), TellingSides)
    monkeypatch.setitem(served.HEADS, (Sides, 2), lambda target, facts: NumbersHead(target))
    assert task_of(model) is TellingSides
    folder = export_run(tmp_path / "run", tmp_path / "saved", with_examples=True)
    shown = task.parts.test.inputs[:1]
    expected = model.target.activate(model({"images": shown / np.float32(255)}))
    image = tf.io.encode_png(shown[0]).numpy()
    np.testing.assert_array_equal(load(folder).call("serving_default", [image])["values"], expected)


def test_a_dry_run_describes_and_does_not_fit(capsys, tmp_path):
    run = TaskConfig(source="demo:digits", out_dir=str(tmp_path), preset="p", steps=2, dry_run=True)
    model = pooled_head(SmallCNN((8, 8, 1), (4,), groups=2), Sides())
    assert not made_ready(model, batches_of(open_source(run.source).split("train")), run)
    assert "labels: int32 (16,)" in capsys.readouterr().out
