"""Predictions from a folder and from a server that speaks TF Serving's REST."""

import base64
import csv
import http.server
import json
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tfpretune.errors import RunError, UsageError
from tfpretune.serving import Prediction, predict
from tfpretune.serving.asking import models
from tfpretune.serving.asking.many import predict_many
from tfpretune.serving.asking.sources import SentForm, rows_of


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    paths = []
    for index, shape in enumerate([(8, 8, 1), (5, 9, 3), (12, 4, 4)]):
        pixels = np.full(shape, 40 * index, np.uint8)
        path = folder / f"{index}.png"
        path.write_bytes(tf.io.encode_png(pixels).numpy())
        paths.append(str(path))
    return paths


def test_texts_and_the_folder_of_all_versions(saved_models, films):
    texts = ["good film"] * 40 + ["bad"]  # more than one batch
    rows = predict(saved_models / "films", texts)
    expected = films.call("serving_default", ["good film", "bad"])
    assert len(rows) == 41
    assert rows[0].label == expected["label"][0].decode()
    assert rows[40].probability == pytest.approx(expected["probabilities"][1].max(), abs=1e-5)


def test_image_files_and_the_one_that_is_none(saved_models, pictures, tmp_path):
    rows = predict(saved_models / "spots" / "1", pictures)
    assert [row.label in ("dark", "light") for row in rows] == [True] * 3
    assert all(0.5 <= row.probability <= 1 for row in rows)
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"\x89PNG but no more")
    with pytest.raises(RunError, match=r"bad\.png: not an image"):
        predict(saved_models / "spots", [*pictures, str(bad)])
    bad.write_bytes(Path(pictures[0]).read_bytes()[:16] + b"\0\1\0\0" * 2 + bytes(9))
    with pytest.raises(RunError, match=r"bad\.png: the image has 65536 x 65536 pixels in 1 frame"):
        predict(saved_models / "spots", [*pictures, str(bad)])
    with pytest.raises(UsageError, match=r"none\.png cannot be read"):
        predict(saved_models / "spots", [str(tmp_path / "none.png")])


def test_a_damaged_export_is_not_asked(saved_models, tmp_path):
    folder = shutil.copytree(saved_models / "spots", tmp_path / "spots")
    with (folder / "1" / "variables" / "variables.data-00000-of-00001").open("ab") as file:
        file.write(b"x")
    with pytest.raises(RunError, match="variables.data-00000-of-00001 is damaged"):
        predict(folder, [])


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers as TF Serving 2.x does, with the exports of this test session."""

    def do_GET(self):  # noqa: N802
        name = self.path.split("/")[3]
        inputs = {"films": "texts", "spots": "image_bytes", "other": "x"}.get(name)
        if inputs is None:
            self.answer(404, {"error": f"Could not find any versions of model {name}"})
        else:
            signature = {"inputs": {inputs: {"dtype": "DT_STRING"}}}
            self.answer(200, {"metadata": {"signature_def": {"signature_def": {"serving_default": signature}}}})

    def do_POST(self):  # noqa: N802
        name, _, verb = self.path.split("/")[3].partition(":")
        instances = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["instances"]
        served = self.server.models[name]
        values = [instance[served.input_name] for instance in instances]
        raw = [base64.b64decode(value["b64"]) if isinstance(value, dict) else value for value in values]
        try:
            outputs = served.call("serving_default", raw)
        except tf.errors.OpError as error:
            self.answer(400, {"error": str(error)})
            return
        rows = zip(outputs["label"], outputs["probabilities"].tolist(), outputs["scores"].tolist(), strict=True)
        rows = [{"label": a.decode(), "probabilities": b, "scores": c} for a, b, c in rows]
        self.answer(200 if verb == "predict" else 400, {"predictions": rows})

    def answer(self, code, body):
        self.send_response(code)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *args):
        pass


@pytest.fixture
def server(films, spots, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        server.models = {"films": films, "spots": spots}
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/v1/models"
        server.shutdown()
        thread.join()


def test_rest_gives_what_the_model_gives(server, films, spots, pictures):
    texts = ["good film", "", "bad"] * 12  # more than one batch
    images = [Path(path).read_bytes() for path in pictures]
    for served, inputs, raw in ((films, texts, texts), (spots, pictures, images)):
        rows = predict(f"{server}/{served.folder.parent.name}", inputs)
        expected = served.call("serving_default", raw)
        assert [row.label.encode() for row in rows] == expected["label"].tolist()
        np.testing.assert_allclose([row.probability for row in rows], expected["probabilities"].max(1), atol=1e-5)
    assert isinstance(rows[0], Prediction)


def test_a_server_whose_model_takes_two_texts_and_gives_one_answer(monkeypatch):
    """TF Serving leaves out the name of an only output."""
    signature = {"inputs": {"texts": {}, "text_pairs": {}}, "outputs": {"values": {}}}
    metadata = {"metadata": {"signature_def": {"signature_def": {"serving_default": signature}}}}
    asked = []

    def request(url, body=None):
        asked.append(body)
        return {"predictions": [[1.5]] * len(body["instances"])} if body else metadata

    monkeypatch.setattr(models, "request", request)
    assert predict("http://host/v1/models/x", ["a", "b", "c", "d"]) == [{"values": [1.5]}] * 2
    assert asked[1:] == [{"instances": [{"texts": "a", "text_pairs": "b"}, {"texts": "c", "text_pairs": "d"}]}]
    with pytest.raises(UsageError, match="give 2 inputs for each answer, received 3"):
        predict("http://host/v1/models/x", ["a", "b", "c"])


def test_servers_that_cannot_answer(server):
    with pytest.raises(RunError, match="the server answered 404: .*Could not find any versions"):
        predict(f"{server}/nobody", ["x"])
    with pytest.raises(RunError, match="not exported by tfpretune"):
        predict(f"{server}/other", ["x"])
    with pytest.raises(RunError, match="the server cannot be reached"):
        predict("http://127.0.0.1:1/v1/models/films", ["x"])


def test_a_server_is_sent_words_of_one_length(monkeypatch):
    signatures = {
        "serving_default": {"inputs": {"texts": {}}},
        "words": {"inputs": {"words": {}}, "outputs": {"tags": {}}},
    }
    asked = []

    def request(url, body=None):
        asked.append(body)
        rows = [["O"] * len(instance["words"]) for instance in body["instances"]] if body else []
        return {"predictions": rows} if body else {"metadata": {"signature_def": {"signature_def": signatures}}}

    monkeypatch.setattr(models, "request", request)
    assert predict("http://host/v1/models/x", [["do", "n't"], ["a"]]) == [{"tags": ["O", "O"]}] * 2
    assert asked[1] == {"signature_name": "words", "instances": [{"words": ["do", "n't"]}, {"words": ["a", ""]}]}
    del signatures["words"]
    with pytest.raises(UsageError, match="words are asked of taggers, and this model is none"):
        predict("http://host/v1/models/x", [["a"]])


@pytest.mark.parametrize("place", ["folder", "server"])
def test_all_rows_of_a_source_as_files(saved_models, films, server, pictures, tmp_path, place):
    """Both ways write the same, save for the names of classes, which a server does not tell."""
    table = tmp_path / "a.csv"
    table.write_text("id,text\n1,good film\n2,\n3,bad\n", "utf-8")
    target = saved_models / "films" if place == "folder" else f"{server}/films"
    sent = SentForm(f"csv:{table}", keep=("id",))
    done = predict_many(target, lambda model: rows_of(sent, model), tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        first, second, third = csv.DictReader(file)
    expected = films.call("serving_default", ["good film", "bad"])
    assert (done.rows, done.errors) == (3, 1)
    assert [first["label"], third["label"]] == [label.decode() for label in expected["label"]]
    names = ("neutral", "négatif", "positive") if place == "folder" else "012"
    for row, shares in zip((first, third), expected["probabilities"], strict=True):
        np.testing.assert_allclose([float(row[f"probabilities/{name}"]) for name in names], shares, atol=1e-6)
    assert second["error"].startswith("the text is empty")
    assert [row["source/id"] for row in (first, second, third)] == ["1", "", "3"]  # a bad row has its place alone

    folder = tmp_path / "pictures"
    shutil.copytree(Path(pictures[0]).parent, folder)
    (folder / "broken.png").write_bytes(b"\x89PNG but no more")
    target = saved_models / "spots" if place == "folder" else f"{server}/spots"
    predict_many(target, lambda model: rows_of(SentForm(f"images:{folder}"), model), tmp_path / "out.jsonl")
    found = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text("utf-8").splitlines()]
    assert [Path(row["where"]).name for row in found] == ["0.png", "1.png", "2.png", "broken.png"]
    assert [bool(row["error"]) for row in found] == [False, False, False, True]
    assert ("not an image" if place == "folder" else "the server answered 400") in found[3]["error"]
