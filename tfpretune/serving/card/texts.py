"""The words of the model card."""

CARD = """\
# {name}, version {version}

{banner}{what}

{classes}Made {created} with tfpretune{command} (TensorFlow {tensorflow}, Keras {keras}).

## Data and licence

- Trained on: {source}
- Licence of the data: {license}

## Metrics

{metrics}

## Signatures

| signature | input | outputs |
|---|---|---|
{signatures}

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
body = json.dumps({{"instances": [{{{rest_inputs}}}]}}).encode()
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
request.model_spec.signature_name = "serving_default"{others}
{grpc_inputs}
stub = prediction_service_pb2_grpc.PredictionServiceStub(grpc.insecure_channel("localhost:8500"))
print(tf.make_ndarray(stub.Predict(request, 10.0).outputs["{first}"]))
```

Without a server: `tfpretune predict` takes this folder or the URL `http://localhost:8501/v1/models/{name}`.{in_python}

When TF Serving loads the model it calls each signature once, with the request in `assets.extra/{warmup}`, so that the
first caller does not wait.

{words}## Check

`tfpretune verify` compares every byte with `manifest.json`, then calls the model in a fresh process without Keras with
the {num_checks} inputs in `assets.extra/checks.json`; its numbers must equal the Keras model's to 1e-5, its texts and
whole numbers exactly (save where two candidates tie).

## Limits

{head_limits}- It saw the data above; on other data it may do worse. Measure before you rely on it.
{limits}
"""

REHEARSAL = "> **A rehearsal: these figures say nothing, and the model has hardly learnt.**\n\n"

KINDS = {
    "text": {
        "curl": """curl -d '{{"instances": [{{{instance}}}]}}' {url}""",
        "input_is": "UTF-8 text",
        "rest_value": '"some text"',
        "raw_value": '"some text"',
        "limits": "- Text after the first {sequence_length} tokens (with the special ones) is not read.",
        "settings": "Rows have {sequence_length} tokens.",
        "in_python": " `tf.saved_model.load`\nneeds `import tensorflow_text` before it.",
    },
    "image": {
        "curl": 'echo "{{\\"instances\\": [{{\\"image_bytes\\": {{\\"b64\\": \\"$(base64 -w0 image.png)\\"}}}}]}}" '
        "| curl -d @- {url}",
        "input_is": "the bytes of a jpg, png, bmp, gif or webp file",
        "rest_value": '{"b64": base64.b64encode(open("image.png", "rb").read()).decode()}',
        "raw_value": 'open("image.png", "rb").read()',
        "limits": "- Images are stretched to {height} x {width} pixels whatever their shape.\n"
        "- Photos are put upright as the Exif block of a JPEG file says; that of PNG and WebP is not read.\n"
        "- One file that is not an image, or has more than {max_pixels} pixels, fails the whole request.",
        "in_python": "",
        "settings": "Images become {height} x {width} pixels of {channels} channel(s).",
    },
}
GIVEN_WORDS = {
    "curl": """curl -d '{{"instances": [{{{instance}}}]}}' {url}""",
    "input_is": 'UTF-8, each row filled up with ""',
    "rest_value": '["New", "York", "sleeps"]',
    "raw_value": '["New", "York", "sleeps"]',
    "limits": "",
    "settings": "Rows have {sequence_length} tokens.",
    "in_python": " `tf.saved_model.load`\nneeds `import tensorflow_text` before it.",
}
"""As those of `KINDS`, of a tagger that takes words alone."""
INPUTS = {"text": "raw text", "image": "the bytes of an image file"}
SAYS = {
    "class": "one of {n} classes",
    "labels": "any number of {n} labels",
    "numbers": "{numbers}",
    "vector": "a vector of length 1 that is near those of like examples",
    "tags": "every word with one of {n} tags and its place",
    "span": "the piece of the context that answers the question",
    "pixels": "one of {n} classes for each pixel",
}
LIMITS = {
    "class": "- It knows the classes above and nothing else: any input gets one of them. The probabilities are only as well\n"
    "  calibrated as the metrics say.",
    "labels": "- It knows the labels above and nothing else. The probabilities are only as well calibrated as the metrics say.",
    "numbers": "- The numbers say nothing of how sure the model is.",
    "vector": "- Vectors of two versions of this model must not be compared with each other.",
    "tags": "- It knows the tags above and nothing else. Tags are chosen word by word: an I-X may follow an O.\n"
    "- Texts longer than a row are read in several rows, none of which sees the others.",
    "span": "- It always gives a piece of the context: where `no_answer` is higher than `score`, the context holds no answer.\n"
    "- Long contexts are read in parts that overlap; no part sees the others.",
    "pixels": "- It knows the classes above and nothing else: any pixel gets one of them.",
}
LABELS = {"labels": "Labels", "tags": "Tags"}
