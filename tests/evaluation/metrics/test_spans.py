"""Exact match and F1 by hand, after the rules of SQuAD's script."""

import pytest

from tfpretune.evaluation.metrics.spans import answer_f1, exact_match, normalized, span_metrics


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The  Eiffel Tower!", ["eiffel", "tower"]),
        ("a-b an apple", ["ab", "apple"]),
        ("theatre", ["theatre"]),
        ("U.S.", ["us"]),
        ("the", []),
    ],
)
def test_what_is_compared(text, words):
    assert normalized(text) == words


def test_exact_match_and_f1_of_one_answer():
    assert exact_match("the Eiffel tower.", "Eiffel Tower") == 1
    assert exact_match("tower", "Eiffel Tower") == 0
    # 1 shared word of 2 said and of 3 expected: precision 1/2, recall 1/3
    assert answer_f1("big tower", "great tower, Paris") == pytest.approx(0.4)
    assert answer_f1("b b c", "b c c") == pytest.approx(2 / 3)  # one b and one c are shared
    assert answer_f1("", "the") == 1
    assert answer_f1("", "x") == 0


def test_chinese_is_compared_by_character():
    assert normalized("江泽民（主席）", per_character=True) == ["江", "泽", "民", "主", "席"]
    assert answer_f1("江泽民", "泽民同志") == 0  # one word each
    assert answer_f1("江泽民", "泽民同志", per_character=True) == pytest.approx(4 / 7)
    assert exact_match("北京。", "北京", per_character=True) == 1
    assert answer_f1("1998年", "1998年1月", per_character=True) == pytest.approx(2 * 2 / 6)  # 1998 年 | 1998 年 1 月


def test_the_best_right_answer_counts():
    figures = span_metrics([["x y", "y"], ["z"]], ["y", "a"])
    assert figures == {"exact_match": 0.5, "f1": 0.5, "questions": 2}


def test_questions_without_an_answer():
    figures = span_metrics([["x y"], [], []], ["y", "", "y"])
    assert figures == pytest.approx(
        {
            "exact_match": 1 / 3,
            "f1": (2 / 3 + 1) / 3,
            "questions": 3,
            "exact_match/answerable": 0,
            "f1/answerable": 2 / 3,
            "questions/answerable": 1,
            "exact_match/unanswerable": 0.5,
            "f1/unanswerable": 0.5,
            "questions/unanswerable": 2,
        }
    )


def test_lengths_must_match():
    with pytest.raises(ValueError, match="expected one answer for each of 2 questions"):
        span_metrics([["x"], ["y"]], ["x"])
