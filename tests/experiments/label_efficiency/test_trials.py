"""What one trial over numbers of labels is made of: its steps, and when gradual unfreezing lets what learn."""

import numpy as np
import pytest

from tfpretune.backbones import SmallCNN
from tfpretune.backbones.by_name import load_backbone
from tfpretune.experiments.label_efficiency.trials import LabelTrial, Work, _Laboratory
from tfpretune.objectives import Autoencoder
from tfpretune.settings.finetune import FinetuneConfig
from tfpretune.training.presets import save_preset


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    return str(save_preset(tmp_path_factory.mktemp("run") / "preset", Autoencoder(SmallCNN((8, 8, 1), (8, 8)))))


def make_work(preset="p", *, share=0.15, epochs=3.0, fast=False, **own):
    fields = {"source": "demo:digits", "out_dir": "x", "preset": preset, "steps": 120, "batch_size": 16}
    methods = {"gradual": FinetuneConfig(**fields | own), "full": FinetuneConfig(**fields | own)}
    return Work("demo:digits", methods, 512, 0, None, epochs, fast, unfreeze_fractions={"gradual": share})


@pytest.mark.parametrize(
    ("examples", "fast", "steps", "every"),
    [
        (50, False, 120, 18),  # 3 * 50 / 16 = 9.4 steps are fewer than the 120 at least; 0.15 * 120
        (1696, False, 318, 48),  # 3 * 1696 / 16; 0.15 * 318 = 47.7
        (1696, True, 2, 1),  # 0.3, and at least 1
    ],
)
def test_unfreezing_counts_the_steps_that_are_made(examples, fast, steps, every):
    work = make_work(fast=fast)
    assert work.steps(work.methods["gradual"], examples) == steps
    assert work.with_unfreezing("gradual", work.methods["gradual"], steps).unfreeze_every == every
    assert work.with_unfreezing("full", work.methods["full"], steps) is work.methods["full"]


def test_a_trial_unfreezes_at_its_own_share(preset):
    """20 examples twice in eights are 5 steps, not 3: 0.4 of them are 2. 40 examples: 10 steps, 4."""
    laboratory = _Laboratory(make_work(preset, share=0.4, epochs=2.0, steps=3, batch_size=8))
    for labels, steps, every in ((2, 5, 2), (4, 10, 4)):
        laboratory.score(LabelTrial("gradual", labels, 0))
        model = laboratory.last[1]
        assert (model.unfreezing.step, model.unfreezing.every_steps) == (steps, every)


def test_a_rehearsal_unfreezes_too(preset):
    """Of 2 steps the second is learnt by the last block of the backbone, too, and not yet by the first."""
    laboratory = _Laboratory(make_work(preset, fast=True))
    laboratory.score(LabelTrial("gradual", 2, 0))
    before, after = load_backbone(preset), laboratory.last[1].backbone
    moved = [bool((a.numpy() != b.numpy()).any()) for a, b in zip(before.weights, after.weights, strict=True)]
    names = [weight.path for weight in before.weights]
    assert any(moved), names
    assert not moved[0], names
    assert not np.isnan(after.weights[0].numpy()).any()
