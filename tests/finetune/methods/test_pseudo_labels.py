import numpy as np
import pytest

from tfpretune.finetune.methods.pseudo_labels import choose_pseudo_labels

PROBABILITIES = np.array([[0.96, 0.04], [0.95, 0.05], [0.5, 0.5], [0.01, 0.99], [0.98, 0.02], [0.94, 0.06]], "float32")


def test_the_confident_are_kept_by_hand():
    found = choose_pseudo_labels(PROBABILITIES)
    assert found.rows.tolist() == [0, 1, 3, 4]  # 0.95 itself is enough, 0.94 is not
    assert found.labels.tolist() == [0, 0, 1, 0]
    np.testing.assert_allclose(found.confidences, [0.96, 0.95, 0.99, 0.98])
    assert found.right(np.array([0, 1, 0, 1, 1, 0])) == 2  # rows 0 and 3
    assert len(found) == 4


def test_a_class_keeps_its_most_confident():
    found = choose_pseudo_labels(PROBABILITIES, most_per_class=2)
    assert found.rows.tolist() == [0, 3, 4]
    assert found.labels.tolist() == [0, 1, 0]
    assert choose_pseudo_labels(PROBABILITIES, threshold=0.9, most_per_class=1).rows.tolist() == [3, 4]


def test_nothing_may_be_confident_enough():
    found = choose_pseudo_labels(PROBABILITIES, threshold=0.999)
    assert (len(found), found.labels.dtype, found.right(np.zeros(6, int))) == (0, np.int32, 0)


def test_arguments_that_cannot_work():
    for settings in ({"threshold": 0.0}, {"threshold": 1.1}, {"most_per_class": -1}):
        with pytest.raises(ValueError, match=r"a threshold in \(0, 1\]"):
            choose_pseudo_labels(PROBABILITIES, **settings)
    with pytest.raises(ValueError, match=r"expected probabilities \(examples, classes\)"):
        choose_pseudo_labels(PROBABILITIES[0])
    with pytest.raises(ValueError, match="expected 6 labels, received 5"):
        choose_pseudo_labels(PROBABILITIES).right(np.zeros(5, int))
