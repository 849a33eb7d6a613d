import json
import re

import numpy as np
import pytest

from tests.evaluation.report.pages import ParsedPage
from tfpretune.errors import RunError
from tfpretune.evaluation.report import report as report_module
from tfpretune.evaluation.report import sections
from tfpretune.evaluation.report.pictures import Pictures
from tfpretune.evaluation.report.report import write_report
from tfpretune.evaluation.report.tables import Table

BAD = "</title><script>alert('1')</script> \"&\x01"


def arguments(**changes):
    """Four Chinese texts, two of them taken for the other class."""
    given = {
        "title": "评论",
        "kind": "text",
        "labels": np.array([0, 1, 0, 1]),
        "probabilities": np.array([[0.9, 0.1], [0.2, 0.8], [0.05, 0.95], [0.7, 0.3]]),
        "class_names": ("负面", "正面"),
        "inputs": ["太差了", "很好", "书" * 400, "还可以"],
        "where": ["a.csv:2", "a.csv:3", "a.csv:4", "a.csv:5"],
    }
    return given | changes


def read(path):
    return ParsedPage(path.read_text("utf-8"))


def test_a_chinese_report(tmp_path):
    curves = {"Loss": {"training": [(0, 2.0), (10, 1.0), (20, 0.5)], "验证": [(20, 0.7)]}}
    path = write_report(
        tmp_path,
        **arguments(),
        curves=curves,
        hlines={"Loss": {"unigram": 1.5}},
        tables=[Table("Runs", ("start", "accuracy"), [("scratch", 0.5)])],
        settings={"seed": 0, "optimizer": {"name": "adamw", "betas": (0.9, 0.98)}, "license": "MIT"},
        notes=["Stayed on the plateau."],
    )
    assert path == tmp_path / "report" / "index.html"
    page = read(path)
    expected = ["评论", "Accuracy 0.500 95 %: 0.000 to 1.000", "unigram 1.5", "验证 last 0.7", "Stayed on the plateau."]
    for text in [*expected, "optimizer.betas 0.9, 0.98", "scratch 0.500", "version of numpy"]:
        assert text in page.text
    svgs = [a for a in page.all("svg") if a.get("role") == "img"]
    assert [a["aria-label"].split(":")[0] for a in svgs] == [
        "ROC curves of 2 classes", "Precision and recall curves of 2 classes", "Reliability diagram", "Loss"
    ]  # fmt: skip
    assert all(a["scope"] in ("col", "row", "colgroup") for a in page.all("th"))
    metrics = json.loads((tmp_path / "report" / "metrics.json").read_text("utf-8"))
    assert metrics["recall/负面"] == 0.5
    assert all(isinstance(value, float) for value in metrics.values())


def test_mistakes_come_with_the_most_confident_first_and_are_cut(tmp_path):
    text = read(write_report(tmp_path, **arguments())).text
    start = text.index("2 of 4 answers are wrong")
    assert re.search(r"正面 with 0.950, true: 负面 with 0.050 书{300} … a.csv:4 负面 with 0.700", text[start:])
    assert "太差了" not in text


def test_nothing_comes_from_outside(tmp_path):
    path = write_report(tmp_path, **arguments(), curves={"Loss": {"a": [(0, 1.0), (1, 0.5)]}})
    page = read(path)
    assert all(address.startswith(("#", "data:image/png;base64,")) for address in page.addresses)
    assert not re.search(r"https?:|@import|url\((?!#)", path.read_text("utf-8"))
    assert not {"script", "link", "iframe", "object", "embed", "base"} & {tag for tag, _ in page.tags}
    assert [a["content"] for a in page.all("meta") if "http-equiv" in a][0].startswith("default-src 'none'")


def test_every_foreign_text_is_escaped(tmp_path):
    path = write_report(
        tmp_path,
        title=BAD,
        kind="text",
        labels=np.array([0, 1, 2, 0]),
        probabilities=np.array([[0.1, 0.8, 0.1], [0.9, 0.05, 0.05], [0.3, 0.4, 0.3], [0.3, 0.3, 0.4]]),
        class_names=(BAD, BAD + "1", BAD + "2"),
        inputs=[BAD] * 4,
        where=[BAD] * 4,
        curves={BAD: {BAD: [(0, 1.0)]}},
        hlines={BAD: {BAD: 1.0}},
        tables=[Table(BAD, (BAD,), [(BAD,)], BAD)],
        settings={BAD: BAD, "list": [BAD]},
        notes=[BAD],
    )
    pretraining = write_report(
        tmp_path / "second",
        title=BAD,
        metrics={BAD: 1.0},
        curves={BAD: {BAD: [(0, 1.0)]}},
        pictures=[Pictures(BAD, {BAD: np.zeros((2, 4, 4, 1))}, BAD)],
    )
    for page in (read(path), read(pretraining)):
        assert not page.all("script")
        assert "<script>alert('1')</script> \"&\ufffd" in page.text


@pytest.mark.parametrize("count", [5, 12, 30])
def test_many_classes(tmp_path, count):
    generator = np.random.default_rng(0)
    probabilities = generator.dirichlet(np.ones(count), 200)
    names = [f"a class with a long name, {i}" for i in range(count)]
    labels = generator.integers(0, count, 200)
    page = read(
        write_report(tmp_path, title="t", kind="text", labels=labels, probabilities=probabilities, class_names=names,
                     inputs=["x"] * 200, where=["y"] * 200)
    )  # fmt: skip
    assert "Most often confused" in page.text
    assert (f"the 8 lowest of {count} classes" in page.text) == (count > 8)
    assert ("confusion" in [a.get("class") for a in page.all("table")]) == (count <= 25)


def test_confusion_counts_stand_in_the_table(tmp_path):
    probabilities = np.eye(2)[[0, 0, 0, 1]]
    page = read(write_report(tmp_path, **arguments(probabilities=probabilities)))  # labels 0 1 0 1
    assert "true 负面 正面 负面 2 0 正面 1 1" in page.text


def test_no_mistake_and_a_class_without_examples(tmp_path):
    probabilities = np.array([[0.9, 0.1, 0.0], [0.1, 0.9, 0.0]])
    changes = {"labels": np.array([0, 1]), "inputs": ["a", "b"], "where": ["1", "2"], "class_names": ("a", "b", "c")}
    page = read(write_report(tmp_path, **arguments(probabilities=probabilities, **changes)))
    assert "No mistake among these examples." in page.text
    assert "c 0 0.000 0.000 0.000 – –" in page.text


def test_images_from_arrays_and_files(tmp_path):
    from PIL import Image

    Image.new("CMYK", (600, 300), (0, 255, 255, 0)).save(tmp_path / "red.jpg")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    paths = [str(tmp_path / name) for name in ("red.jpg", "red.jpg", "red.jpg", "broken.png")]
    page = read(write_report(tmp_path / "files", **arguments(kind="image", inputs=paths)))
    assert [a["alt"] for a in page.all("img")] == ["a.csv:4"]
    assert "This picture cannot be shown" in page.text
    arrays = np.zeros((4, 8, 8, 1), np.uint8)
    page = read(write_report(tmp_path / "arrays", **arguments(kind="image", inputs=arrays)))
    assert [a["class"] for a in page.all("img")] == ["pixels", "pixels"]


def test_a_failure_leaves_the_old_report(tmp_path, monkeypatch):
    path = write_report(tmp_path, **arguments(title="old"))
    before = {file.name: file.read_bytes() for file in path.parent.iterdir()}

    def fail(*_, **__):
        raise OSError("no space left")

    for module, name in ((sections, "mistakes_section"), (report_module.json, "dumps")):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, fail)
            with pytest.raises(OSError, match="no space left"):
                write_report(tmp_path, **arguments(title="new"))
    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises((OSError, RunError)):
        write_report(tmp_path, **arguments(title="new"))
    assert {file.name: file.read_bytes() for file in path.parent.iterdir()} == before


def test_a_second_report_replaces_the_first(tmp_path):
    write_report(tmp_path, **arguments(title="old"))
    path = write_report(tmp_path, **arguments(title="new"))
    assert read(path).text.count("new") >= 1
    assert sorted(file.name for file in path.parent.iterdir()) == ["index.html", "metrics.json"]


def test_pretraining_report(tmp_path):
    images = np.linspace(0, 1, 3 * 8 * 8).reshape(3, 8, 8, 1)
    path = write_report(
        tmp_path,
        title="Autoencoder",
        metrics={"psnr": 21.32, "steps": 4000},
        pictures=[Pictures("Validation", {"input": images, "output": images + 1})],
    )
    page = read(path)
    assert "psnr 21.32 steps 4,000" in page.text
    assert [a["alt"] for a in page.all("img")] == ["3 pictures: input", "3 pictures: output"]
    assert json.loads((path.parent / "metrics.json").read_text("utf-8")) == {"psnr": 21.32, "steps": 4000.0}


def test_wrong_arguments_are_named(tmp_path):
    with pytest.raises(ValueError, match="expected 'text' or 'image', received 'audio'"):
        write_report(tmp_path, **arguments(kind="audio"))
    with pytest.raises(ValueError, match="expected 4 inputs and where, received 3 and 4"):
        write_report(tmp_path, **arguments(inputs=["a", "b", "c"]))
    with pytest.raises(ValueError, match=r"expected titles of curves, \['Loss'\], received \['loss'\]"):
        write_report(tmp_path, **arguments(), curves={"Loss": {"a": [(0, 1.0)]}}, hlines={"loss": {"u": 1.0}})
    for given in ({"title": "t"}, arguments(metrics={"accuracy": 1.0})):
        with pytest.raises(ValueError, match="either metrics, or labels and probabilities of a classifier"):
            write_report(tmp_path, **given)
    with pytest.raises(RunError, match="expected finite numbers, received {'psnr': nan}"):
        write_report(tmp_path, title="t", metrics={"psnr": float("nan")})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("count", "shown"), [(8, 8), (9, 0)])
def test_many_metrics_are_not_all_shown_in_large_print(tmp_path, count, shown):
    """A table has them; `headline` names those that are shown all the same."""
    metrics = {f"full/{number}": 0.5 for number in range(count)}
    page = write_report(tmp_path, title="Labels", metrics=metrics).read_text("utf-8")
    assert page.count("<dt>") == shown
    assert len(json.loads((tmp_path / "report/metrics.json").read_text("utf-8"))) == count
    page = write_report(tmp_path, title="Labels", metrics=metrics, headline=("full/3",)).read_text("utf-8")
    assert page.count("<dt>") == 1


def test_charts_stand_in_their_grid(tmp_path):
    page = write_report(tmp_path, title="Search", metrics={"best": 1.0}, figures="<figure>CHART</figure>").read_text(
        "utf-8"
    )
    assert '<div class="charts"><figure>CHART</figure></div>' in page


def test_colours_are_named_below_the_pictures(tmp_path):
    pictures = Pictures("Test", {"truth": np.zeros((1, 2, 2, 3))}, colours={"a&b": (0, 10, 255)})
    page = write_report(tmp_path, title="Masks", metrics={"iou": 1.0}, pictures=[pictures]).read_text("utf-8")
    assert '<li><span class="colour" style="background: #000aff"></span>a&amp;b</li>' in page
