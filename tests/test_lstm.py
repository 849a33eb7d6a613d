"""The LSTM of the benchmark learns, and counts what it says it counts."""

import numpy as np
import pytest
from lstm import lstm_accuracies

from tests.faults.tiny import make_tokenizer
from tfpretune.data.examples.examples import Examples
from tfpretune.data.sources.labelled import LabelledSplits


def examples(texts, labels):
    return Examples(
        "text", texts, np.array(labels, np.int32), ("no", "yes"), [str(n) for n in range(len(texts))], "toy"
    )


@pytest.mark.slow
def test_training_and_test_accuracy():
    """w1 says yes and w2 no; in the test set one of four labels is wrong, so 0.75 there is right."""
    train = examples([f"w{1 + number % 2} w{3 + number % 20}" for number in range(160)], [1, 0] * 80)
    test = examples(["w1 w30", "w2 w30", "w1 w31", "w2 w31"], [1, 0, 1, 1])
    parts = LabelledSplits(train, train, test)
    assert lstm_accuracies(parts, make_tokenizer(), sequence_length=6, epochs=12, seed=0) == (1.0, 0.75)
