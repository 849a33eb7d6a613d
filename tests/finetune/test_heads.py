"""Heads on backbones that they cannot read."""

import pytest

from tfpretune.backbones import SmallCNN, VisionTransformer
from tfpretune.errors import UsageError
from tfpretune.finetune import pair_classifier, span_finder, tagger


@pytest.mark.parametrize(
    "head",
    [lambda backbone: tagger(backbone, 3), span_finder, lambda backbone: pair_classifier(backbone, 2)],
    ids=["tagger", "span_finder", "pair_classifier"],
)
@pytest.mark.parametrize("name", ["SmallCNN", "VisionTransformer"])
def test_what_speaks_of_tokens_takes_no_images(head, name):
    backbone = (
        SmallCNN((8, 8, 1), (8,))
        if name == "SmallCNN"
        else VisionTransformer((8, 8, 1), 4, num_layers=1, num_heads=1, hidden_dim=4, intermediate_dim=4)
    )
    with pytest.raises(
        UsageError, match=f"the model speaks of tokens, and {name} takes images: give a backbone of texts"
    ):
        head(backbone)
