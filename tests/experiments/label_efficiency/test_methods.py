"""The methods of label efficiency as settings of fine-tuning runs."""

import dataclasses

from tests.recipes.test_recipes import load
from tfpretune.data.sources.examples import open_source

CONFIG = load("label_efficiency").Config


def test_each_method_differs_from_full_in_its_own_settings():
    run = CONFIG(preset="p", source="s", steps=9, batch_size=4, l2_sp=0.5, lora_rank=2, lora_multiplier=2.0)
    work = run.work(open_source("demo:digits"))
    full = work.methods["full"]
    assert (full.preset, full.source, full.steps, full.batch_size, full.optimizer) == ("p", "s", 9, 4, run.optimizer)
    changed = {
        name: {
            key: value for key, value in dataclasses.asdict(method).items() if value != dataclasses.asdict(full)[key]
        }
        for name, method in work.methods.items()
        if method is not None
    }
    faster = dataclasses.asdict(dataclasses.replace(run.optimizer, learning_rate=6e-4))
    assert changed == {
        "from scratch": {
            "from_scratch": True,
            "dropout": 0.3,
            "optimizer": dataclasses.asdict(run.scratch_optimizer),
        },
        "head only": {"frozen": "all"},
        "full": {},
        "l2-sp": {"l2_sp": 0.5, "l2_sp_head": 0.5},
        "gradual": {},
        "lora": {"lora_rank": 2, "optimizer": faster},
    }
    assert work.methods["baseline"] is None
    assert work.unfreeze_fractions == {"gradual": 0.15}


def test_images_are_moved_and_texts_are_not():
    run = CONFIG()
    assert run.work(open_source("demo:digits")).augmentation == (2, 15.0, 0.1)
    texts = open_source("demo:bbc")
    assert run.work(texts).augmentation is None
    assert run.for_examples(texts) is run
