"""The model card: what a served model is, in Markdown, for the people who get it."""

from collections.abc import Mapping
from typing import Any

from tfpretune.data.rows import MAX_PIXELS
from tfpretune.serving.loading import WARMUP

_CARD = """\
# {name}, version {version}

{what}

Classes: {classes}.

Made {created} with tfpretune{command} (TensorFlow {tensorflow}, Keras {keras}).

## Data and licence

- Trained on: {source}
- Licence of the data: {licence}

## Metrics

{metrics}

## Signatures

| signature | input | outputs |
|---|---|---|
| `serving_default` | `{input}`: strings `(batch,)`, {input_is} | `probabilities` float32 `(batch, {num_classes})`, \
`label` string `(batch,)`, `scores` float32 `(batch, {num_classes})` (logits) |
| `embed` | the same | `embedding` float32 `(batch, {dim})` |

The batch may have any size, 0 included. Done inside the model: {steps}. {settings}

## Use

Start TF Serving (its standard build holds the operations that this model needs):

```
docker run -p 8500:8500 -p 8501:8501 -e MODEL_NAME={name} \\
  -v "$PWD/saved_models/{name}:/models/{name}" tensorflow/serving
```

REST with curl:

```
{curl}
```

REST with Python, nothing to install:

```python
import base64, json, urllib.request
body = json.dumps({{"instances": [{{"{input}": {rest_value}}}]}}).encode()
url = "http://localhost:8501/v1/models/{name}:predict"
print(json.load(urllib.request.urlopen(urllib.request.Request(url, body)))["predictions"])
```

gRPC with Python (`pip install tensorflow-serving-api`):

```python
import grpc
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc
request = predict_pb2.PredictRequest()
request.model_spec.name = "{name}"
request.model_spec.signature_name = "serving_default"  # or "embed"
request.inputs["{input}"].CopyFrom(tf.make_tensor_proto([{raw_value}]))
stub = prediction_service_pb2_grpc.PredictionServiceStub(grpc.insecure_channel("localhost:8500"))
print(stub.Predict(request, 10.0).outputs["label"].string_val)
```

Without a server: `tfpretune predict` takes this folder or the URL `http://localhost:8501/v1/models/{name}`.

When TF Serving loads the model it calls each signature once, with the request in `assets.extra/{warmup}`, so that the
first caller does not wait.

## Check

`tfpretune verify` compares every byte with `manifest.json`, then calls the model in a fresh process without Keras with
the {num_checks} inputs in `assets.extra/checks.json`; its answers must equal the Keras model's to 1e-5.

## Limits

- It knows the classes above and nothing else: any input gets one of them. The probabilities are only as well calibrated
  as the metrics say.
- It saw the data above; on other data it may do worse. Measure before you rely on it.
{limits}
"""

_WORDS = {
    "text": {
        "what": "A text classifier: raw text in, one of {num_classes} classes out.",
        "input_is": "UTF-8 text",
        "rest_value": '"some text"',
        "raw_value": '"some text"',
        "curl": 'curl -d \'{{"instances": [{{"texts": "some text"}}]}}\' http://localhost:8501/v1/models/{name}:predict',
        "limits": "- Text after the first {sequence_length} tokens (with the two special ones) is not read.",
        "settings": "Rows have {sequence_length} tokens.",
    },
    "image": {
        "what": "An image classifier: the bytes of an image file in, one of {num_classes} classes out.",
        "input_is": "the bytes of a jpg, png, bmp, gif or webp file",
        "rest_value": '{"b64": base64.b64encode(open("image.png", "rb").read()).decode()}',
        "raw_value": 'open("image.png", "rb").read()',
        "curl": 'echo "{{\\"instances\\": [{{\\"image_bytes\\": {{\\"b64\\": \\"$(base64 -w0 image.png)\\"}}}}]}}" '
        "| curl -d @- http://localhost:8501/v1/models/{name}:predict",
        "limits": "- Images are stretched to {height} x {width} pixels whatever their shape.\n"
        "- Photos are put upright as the Exif block of a JPEG file says; that of PNG and WebP is not read.\n"
        "- One file that is no image, or has more than {max_pixels} pixels, fails the whole request.",
        "settings": "Images become {height} x {width} pixels of {channels} channel(s).",
    },
}


def model_card(about: Mapping[str, Any], settings: Mapping[str, Any], checks: Mapping[str, Any]) -> str:
    """Returns the card of one exported version.

    Args:
        about: the content of `metadata.json`; of `training`, the fields source, licence, metrics and command are read.
        settings: the content of `preprocessing.json`.
        checks: the content of `checks.json`.
    """
    training = about["training"]
    height, width, channels = settings.get("image_shape", (0, 0, 0))
    values = {
        "name": about["name"],
        "version": about["version"],
        "created": about["created"],
        "tensorflow": about["software"]["tensorflow"],
        "keras": about["software"]["keras"],
        "classes": ", ".join(f"`{label}`" for label in about["class_names"]),
        "num_classes": len(about["class_names"]),
        "source": training.get("source") or "not stated",
        "licence": training.get("licence") or "not stated",
        "command": f" by `{training['command']}`" if training.get("command") else "",
        "metrics": _metrics(training.get("metrics") or {}),
        "input": settings["input"],
        "steps": settings["steps"],
        "dim": len(checks["answers"]["embedding"][0]),
        "warmup": WARMUP,
        "num_checks": len(checks["inputs"]),
        "sequence_length": settings.get("sequence_length", 0),
        "height": height,
        "width": width,
        "channels": channels,
        "max_pixels": f"{MAX_PIXELS:,}",
    }
    words = dict(_WORDS[about["kind"]])
    verbatim = {key: words.pop(key) for key in ("rest_value", "raw_value")}
    return _CARD.format(**values, **verbatim, **{key: text.format(**values) for key, text in words.items()})


def _metrics(metrics: Mapping[str, Any]) -> str:
    """Returns a table of the metrics of all classes together; those of one class have a `/` in their name."""
    rows = [
        f"| {name} | {value:.4f} |" if isinstance(value, float) else f"| {name} | {value} |"
        for name, value in metrics.items()
        if "/" not in name and isinstance(value, int | float)
    ]
    if not rows:
        return "Not stated."
    if any("/" in name for name in metrics):
        rows.append("\nThose of each class are in `assets.extra/metadata.json`.")
    return "\n".join(["| metric | value |", "|---|---|", *rows])
