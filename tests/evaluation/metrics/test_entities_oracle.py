"""Figures over entities beside seqeval's, on random tags: `make oracle`."""

import random

import pytest

from tfpretune.evaluation.metrics.entities import entity_metrics

pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("ignore")]


@pytest.mark.parametrize(("strict", "letters"), [(False, "BI"), (True, "BI"), (False, "BIES")])
def test_figures_equal_seqeval(strict, letters):
    pytest.importorskip("seqeval")
    from seqeval.metrics import sequence_labeling, v1
    from seqeval.scheme import IOB2

    rng = random.Random(0)
    compared = 0
    for _ in range(300):
        kinds = ["PER", "LOC", "ORG"][: rng.randint(1, 3)]
        names = ["O", *(prefix + kind for kind in kinds for prefix in [f"{letter}-" for letter in letters])]
        truth = [[rng.choice(names) for _ in range(rng.randint(1, 9))] for _ in range(rng.randint(1, 6))]
        said = [[tag if rng.random() < 0.6 else rng.choice(names) for tag in tags] for tags in truth]
        figures = entity_metrics(truth, said, strict=strict)
        if not figures["support"]:
            continue
        for average, ending in (("micro", ""), ("macro", "_macro")):
            if strict:
                found = v1.precision_recall_fscore_support(truth, said, average=average, zero_division=0, scheme=IOB2)
            else:
                found = sequence_labeling.precision_recall_fscore_support(truth, said, average=average, zero_division=0)
            names = [f"{name}{ending}" for name in ("precision", "recall", "f1")]
            assert [figures[name] for name in names] == pytest.approx(list(found[:3]))
            compared += 1
    assert compared > 500
