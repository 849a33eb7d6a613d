"""From a fine-tuned model to answers: export, check without Keras, ask. TensorFlow is imported when it is needed.

Examples:
    >>> from tfpretune.serving import predict
    >>> predict("saved_models/none", ["Not worth the price."])
    Traceback (most recent call last):
        ...
    tfpretune.errors.UsageError: ...
"""

from tfpretune.serving.asking.lines import example_inputs
from tfpretune.serving.client import Prediction, predict
from tfpretune.serving.exporting import export
from tfpretune.serving.verifying import VerifyResult, verify

__all__ = ["Prediction", "VerifyResult", "example_inputs", "export", "predict", "verify"]
