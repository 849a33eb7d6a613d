"""Linear models that a pre-trained network has to beat. They are fitted on the labelled examples only."""

import re
from collections.abc import Sequence

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression


def tfidf_baseline(
    train_texts: Sequence[str],
    train_labels: np.ndarray,
    test_texts: Sequence[str],
    *,
    num_classes: int,
    characters: bool,
) -> np.ndarray:
    """TF-IDF (logarithmic counts) and logistic regression (C = 10), fitted on the labelled texts.

    Args:
        train_texts: n labelled texts.
        train_labels: int `(n,)`, each in [0, num_classes).
        test_texts: m texts.
        num_classes: number of classes C.
        characters: True for runs of 1 to 3 characters (Chinese), False for runs of 1 to 2 words.

    Returns:
        Probabilities, float64 `(m, C)`: 0 for a class without a labelled text.

    Raises:
        ValueError: labels that do not fit, or fewer than two classes among them.

    Examples:
        >>> import numpy as np
        >>> from tfpretune.evaluation import tfidf_baseline
        >>> texts, labels = ["it works well", "it broke at once"], np.array([1, 0])
        >>> found = tfidf_baseline(texts, labels, ["it broke", "works"], num_classes=3, characters=False)
        >>> found.argmax(axis=1).tolist(), found[:, 2].tolist()  # class 2 has no text
        ([0, 1], [0.0, 0.0])
    """
    labels = _check_labels(train_labels, len(train_texts), num_classes)
    vectorizer = make_vectorizer(characters)
    features = vectorizer.fit_transform(train_texts)
    model = LogisticRegression(C=10.0, max_iter=5000).fit(features, labels)
    return _all_classes(model, vectorizer.transform(test_texts), num_classes)


def pair_baseline(
    train_pairs: tuple[Sequence[str], Sequence[str]],
    train_labels: np.ndarray,
    test_pairs: tuple[Sequence[str], Sequence[str]],
    *,
    num_classes: int,
    characters: bool,
) -> np.ndarray:
    """Logistic regression on one number a pair: the cosine of both texts' TF-IDF.

    Args:
        train_pairs: n first texts, n second texts.
        train_labels: int `(n,)`, each in [0, num_classes).
        test_pairs: m first texts, m second texts.
        num_classes: number of classes C.
        characters: as in `tfidf_baseline`.

    Returns:
        Probabilities, float64 `(m, C)`: 0 for a class without a labelled pair.

    Raises:
        ValueError: labels that do not fit, or fewer than two classes among them.

    Examples:
        >>> import numpy as np
        >>> from tfpretune.evaluation import pair_baseline
        >>> firsts, seconds = ["red wine", "red wine", "old car", "old car"], ["red wine", "old car", "old car", "red wine"]
        >>> labels = np.array([1, 0, 1, 0])  # 1: alike
        >>> pairs, tried = (firsts, seconds), (["old wine"], ["old wine"])
        >>> pair_baseline(pairs, labels, tried, num_classes=2, characters=False).argmax(axis=1).tolist()
        [1]
    """
    labels = _check_labels(train_labels, len(train_pairs[0]), num_classes)
    vectorizer = make_vectorizer(characters).fit([*train_pairs[0], *train_pairs[1]])

    def cosines(pairs: tuple[Sequence[str], Sequence[str]]) -> np.ndarray:
        first, second = (vectorizer.transform(texts) for texts in pairs)  # rows have length 1
        return np.asarray(first.multiply(second).sum(axis=1)).reshape(-1, 1)

    model = LogisticRegression(C=10.0).fit(cosines(train_pairs), labels)
    return _all_classes(model, cosines(test_pairs), num_classes)


def pixel_baseline(
    train_images: np.ndarray, train_labels: np.ndarray, test_images: np.ndarray, *, num_classes: int
) -> np.ndarray:
    """Logistic regression (C = 1) on the pixels, scaled to [0, 1].

    Args:
        train_images: `(n, height, width, channels)` or `(n, height, width)`; uint8 in [0, 255] or float in [0, 1].
        train_labels: int `(n,)`, each in [0, num_classes).
        test_images: `(m, …)`, shaped as `train_images`.
        num_classes: number of classes C.

    Returns:
        Probabilities, float64 `(m, C)`: 0 for a class without a labelled image.

    Raises:
        ValueError: labels or shapes that do not fit, or fewer than two classes among the labels.

    Examples:
        >>> import numpy as np
        >>> from tfpretune.evaluation import pixel_baseline
        >>> images = np.zeros((4, 8, 8, 1), "uint8")
        >>> images[2:] = 255
        >>> probabilities = pixel_baseline(images, np.array([0, 0, 1, 1]), images[[0, 3]], num_classes=2)
        >>> probabilities.shape, probabilities.argmax(axis=1).tolist()
        ((2, 2), [0, 1])
    """
    labels = _check_labels(train_labels, len(train_images), num_classes)
    if train_images.shape[1:] != test_images.shape[1:]:
        expected = ("m", *train_images.shape[1:])
        raise ValueError(f"test_images: expected shape ({', '.join(map(str, expected))}), received {test_images.shape}")
    model = LogisticRegression(C=1.0, max_iter=5000).fit(pixel_rows(train_images), labels)
    return _all_classes(model, pixel_rows(test_images), num_classes)


def reads_by_characters(texts: Sequence[str]) -> bool:
    """Says whether TF-IDF is to read characters: most texts are Chinese, or none has a word of two letters."""
    few = texts[:200]
    chinese = sum(any("\u4e00" <= letter <= "\u9fff" for letter in text) for text in few)
    return 2 * chinese > len(few) or not any(re.search(r"\w\w", text) for text in texts)


def make_vectorizer(characters: bool, *, most: int | None = None) -> TfidfVectorizer:
    """Returns TF-IDF of runs of 1 to 3 characters, or of runs of 1 to 2 words; logarithmic counts; of the `most` frequent."""
    analyzer, longest = ("char", 3) if characters else ("word", 2)
    # log(1 + count): with few labels of long texts plain counts are clearly worse.
    return TfidfVectorizer(analyzer=analyzer, ngram_range=(1, longest), sublinear_tf=True, max_features=most)


def pixel_rows(images: np.ndarray) -> np.ndarray:
    """Rows of numbers in [0, 1], `(n, height * width * channels)`."""
    scale = 255.0 if images.dtype == np.uint8 else 1.0
    return images.reshape(len(images), -1).astype(np.float64) / scale


def _check_labels(labels: np.ndarray, num_examples: int, num_classes: int) -> np.ndarray:
    labels = np.asarray(labels)
    if labels.shape != (num_examples,) or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"train_labels: expected integers {(num_examples,)}, received {labels.dtype} {labels.shape}")
    present = np.unique(labels)
    if len(present) < 2 or present[0] < 0 or present[-1] >= num_classes:
        raise ValueError(
            f"train_labels: expected two or more classes in 0 to {num_classes - 1}, received {present.tolist()}"
        )
    return labels


def _all_classes(model: LogisticRegression, features: np.ndarray, num_classes: int) -> np.ndarray:
    """Puts the model's columns, one for each class it saw, at their places among all classes."""
    probabilities = np.zeros((features.shape[0], num_classes))
    probabilities[:, model.classes_] = model.predict_proba(features)
    return probabilities
