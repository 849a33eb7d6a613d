import re

import pytest

from tfpretune.errors import RunError
from tfpretune.experiments.pretrained import pretrain


def test_a_recipe_gets_its_options_and_what_fails_is_named(tmp_path, capsys):
    recipe = tmp_path / "toy.py"
    recipe.write_text(f"import pathlib, sys\npathlib.Path(r'{tmp_path}/told').write_text(' '.join(sys.argv[1:]))\n")
    out_dir = f"{tmp_path}/out"
    assert pretrain(recipe, "demo:x", out_dir=out_dir, fast=True) == f"{out_dir}/preset"
    assert (tmp_path / "told").read_text() == f"--source demo:x --out-dir {out_dir} --fast"
    assert capsys.readouterr().out == f"$ python {recipe} --source demo:x --out-dir {out_dir} --fast\n"
    recipe.write_text("raise SystemExit(1)\n")
    with pytest.raises(RunError, match=f"^{re.escape('toy failed: its message stands above')}$"):
        pretrain(recipe, "demo:x", out_dir=out_dir, fast=False)
