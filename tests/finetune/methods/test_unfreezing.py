"""What learns when, by hand; whole runs are in tests/training/loop/test_unfreezing.py."""

import pytest

from tfpretune.backbones import SmallCNN, TextEncoder
from tfpretune.errors import UsageError
from tfpretune.finetune import GradualUnfreezing, classifier, format_stages, freeze
from tfpretune.finetune.methods.unfreezing import Stage


def make_model():
    return classifier(SmallCNN((8, 8, 1), (8, 8)), 3)


def learning(model):
    return {variable.path.split("/")[0] for variable in model.trainable_variables}


LOW = {"stage_0_conv_0", "stage_0_norm_0", "stage_0_conv_1", "stage_0_norm_1"}
HIGH = {"stage_1_conv_0", "stage_1_norm_0", "stage_1_conv_1", "stage_1_norm_1"}


def test_stages_by_hand():
    """Head 8 x 3 + 3 = 27; top stage 2 (3 x 3 x 8 x 8 + 8 + 16) = 1,200; bottom stage 3 x 3 x 8 + 8 + 16 + 600 = 696."""
    model = make_model()
    stages = GradualUnfreezing(model, every_steps=1000).stages
    assert stages == [
        Stage(0, "head", 27),
        Stage(1000, "stage_1_conv_0 … stage_1_norm_1", 1200),
        Stage(2000, "stage_0_conv_0 … stage_0_norm_1", 696),
    ]
    lines = [line.split() for line in format_stages(stages).splitlines()]
    assert lines[0] == ["from", "step", "layer", "parameters"]
    assert (lines[1], lines[2][-1]) == (["0", "head", "27"], "1,200")


def test_what_learns_is_a_function_of_the_step():
    """Forward, back and beyond the last boundary."""
    model = make_model()
    unfreezing = GradualUnfreezing(model, every_steps=10)
    assert learning(model) == {"logits"}
    for step, layers in [(10, HIGH), (9, set()), (20, HIGH | LOW), (19, HIGH), (500, HIGH | LOW), (0, set())]:
        unfreezing.go_to(step)
        assert learning(model) == layers | {"logits"}
    with unfreezing.all_learn():
        assert learning(model) == HIGH | LOW | {"logits"}
    assert learning(model) == {"logits"}


@pytest.mark.parametrize(
    ("frozen", "stages"),
    [
        ("4", [Stage(0, "head", 27), Stage(5, "stage_1_conv_0 … stage_1_norm_1", 1200)]),
        ("last:1", [Stage(0, "head", 27), Stage(5, "stage_1_conv_0 … stage_1_norm_1", 1200)]),
        (
            "bias",
            [
                Stage(0, "head", 27),
                Stage(5, "stage_1_conv_0 … stage_1_norm_1", 48),
                Stage(10, "stage_0_conv_0 … stage_0_norm_1", 48),
            ],
        ),
    ],
)
def test_what_is_frozen_has_no_stage(frozen, stages):
    model = make_model()
    freeze(model, frozen)
    end = [variable.path for variable in model.trainable_variables]
    unfreezing = GradualUnfreezing(model, every_steps=5)
    assert unfreezing.stages == stages
    unfreezing.go_to(99)
    assert [variable.path for variable in model.trainable_variables] == end


def test_text_unfreezes_block_by_block_and_the_embedding_last():
    model = classifier(TextEncoder(11, 2, num_heads=1, hidden_dim=4, intermediate_dim=4), 2)
    stages = GradualUnfreezing(model, every_steps=1).stages
    assert [stage.layer for stage in stages] == ["head", "block_1 … final_norm", "block_0", "token_embedding"]
    assert sum(stage.parameters for stage in stages) == model.count_params()


def test_what_cannot_be_is_refused():
    frozen = make_model()
    freeze(frozen, "all")
    with pytest.raises(
        UsageError,
        match=r"`GradualUnfreezing\(every_steps\)`: no layer of the backbone may train; give another `frozen`",
    ):
        GradualUnfreezing(frozen, every_steps=1)
    model = make_model()
    with pytest.raises(UsageError, match=r"`GradualUnfreezing\(every_steps\)` must be at least 1, received 0"):
        GradualUnfreezing(model, every_steps=0)
    GradualUnfreezing(model, every_steps=1)
    with pytest.raises(ValueError, match="has no other GradualUnfreezing"):
        GradualUnfreezing(model, every_steps=1)
    compiled = make_model()
    compiled.compile("sgd")
    with pytest.raises(ValueError, match="not compiled"):
        GradualUnfreezing(compiled, every_steps=1)
