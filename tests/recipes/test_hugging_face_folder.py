"""A folder of Hugging Face's through the recipe, and what that leaves through it again."""

import importlib.util
from pathlib import Path

from tests.backbones.hugging_face.test_folder import write
from tfpretune.backbones import BertEncoder, BertEncoderTokenizer
from tfpretune.backbones.by_name import load_tokenizer
from tfpretune.training.presets import load_task

RECIPE = Path(__file__).parents[2] / "recipes" / "finetune_text.py"


def test_a_bert_is_fine_tuned_twice(tmp_path, capsys):
    write(tmp_path / "bert")
    lines = [
        f"{word} {number},{label}" for number in range(40) for word, label in (("hello", "good"), ("world", "bad"))
    ]
    (tmp_path / "texts.csv").write_text("\n".join(["text,label", *lines]), "utf-8")
    spec = importlib.util.spec_from_file_location("finetune_text", RECIPE)
    recipe = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(recipe)
    settings = {"source": f"csv:{tmp_path}/texts.csv", "fast": True, "sequence_length": 8, "window_length": 4}
    recipe.main(recipe.Config(preset=str(tmp_path / "bert"), out_dir=str(tmp_path / "one"), **settings))
    model, task = load_task(tmp_path / "one" / "preset")
    assert type(model.backbone) is BertEncoder
    assert (model.backbone.activation, task["class_names"]) == ("gelu", ["bad", "good"])
    again = str(tmp_path / "one" / "preset")
    assert type(load_tokenizer(again)) is BertEncoderTokenizer
    recipe.main(recipe.Config(preset=again, out_dir=str(tmp_path / "two"), **settings))
    assert capsys.readouterr().out.count("test accuracy") == 2
