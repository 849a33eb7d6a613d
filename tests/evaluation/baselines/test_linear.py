import numpy as np
import pytest
from sklearn.datasets import load_digits

from tfpretune.evaluation.baselines.linear import pair_baseline, pixel_baseline, tfidf_baseline
from tfpretune.evaluation.metrics.classification import classification_metrics


def test_words():
    probabilities = tfidf_baseline(
        ["goal and match", "match won", "bank and market", "market fell"],
        np.array([0, 0, 1, 1]),
        ["the match", "the market"],
        num_classes=2,
        characters=False,
    )
    np.testing.assert_array_equal(probabilities.argmax(axis=1), [0, 1])
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)


def test_chinese_needs_characters():
    texts, labels = ["很好看的书", "质量很好", "太差了", "质量太差"], np.array([1, 1, 0, 0])
    probabilities = tfidf_baseline(texts, labels, ["酒店很好", "酒店太差"], num_classes=2, characters=True)
    np.testing.assert_array_equal(probabilities.argmax(axis=1), [1, 0])


def test_pairs_by_their_cosine():
    """The words themselves differ between training and test: only how alike two texts are can tell."""
    first, second = ["a cat", "a dog", "red wine", "old stone"], ["the cat", "one dog", "my house", "big sea"]
    pairs = (["cat", "dog", "cat dog"], ["cat", "red wine", "dog wine"])
    probabilities = pair_baseline((first, second), np.array([1, 1, 0, 0]), pairs, num_classes=2, characters=False)
    np.testing.assert_array_equal(probabilities[:2].argmax(axis=1), [1, 0])
    assert probabilities[0, 1] > probabilities[2, 1] > probabilities[1, 1]  # cosines 1, between, 0


def test_digits_reach_the_known_accuracy():
    digits = load_digits()
    images, labels = (digits.images / 16 * 255).astype(np.uint8), digits.target
    train, test = slice(0, 500), slice(500, None)
    probabilities = pixel_baseline(images[train], labels[train], images[test], num_classes=10)
    metrics = classification_metrics(labels[test], probabilities, [str(i) for i in range(10)])
    assert metrics["accuracy"] == pytest.approx(0.90, abs=0.02)


def test_bytes_and_floats_are_the_same_pixels():
    generator = np.random.default_rng(0)
    images, labels = generator.integers(0, 256, (12, 4, 4, 1)).astype(np.uint8), np.arange(12) % 3
    ours = pixel_baseline(images, labels, images, num_classes=3)
    np.testing.assert_allclose(pixel_baseline(images / 255, labels, images / 255, num_classes=3), ours)


def test_a_class_without_an_example_gets_nothing():
    images = np.linspace(0, 1, 4 * 9).reshape(4, 3, 3)
    probabilities = pixel_baseline(images, np.array([0, 0, 2, 2]), images, num_classes=4)
    np.testing.assert_array_equal(probabilities[:, [1, 3]], 0.0)
    np.testing.assert_array_equal(probabilities.argmax(axis=1), [0, 0, 2, 2])


@pytest.mark.parametrize("labels", [[1, 1], [0, 2], [-1, 0]])
def test_labels_are_checked(labels):
    with pytest.raises(ValueError, match="expected two or more classes in 0 to 1, received"):
        pixel_baseline(np.zeros((2, 3, 3)), np.array(labels), np.zeros((1, 3, 3)), num_classes=2)


def test_shapes_are_checked():
    with pytest.raises(ValueError, match=r"expected integers \(2,\), received int64 \(3,\)"):
        tfidf_baseline(["a", "b"], np.arange(3), ["a"], num_classes=3, characters=False)
    with pytest.raises(ValueError, match=r"expected shape \(m, 3, 3\), received \(1, 4, 4\)"):
        pixel_baseline(np.zeros((2, 3, 3)), np.array([0, 1]), np.zeros((1, 4, 4)), num_classes=2)
