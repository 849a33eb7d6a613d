"""Searches for the settings of a fine-tuning recipe with Optuna, and prints the command line of the best.

    python recipes/tune.py --recipe finetune_text --trials 20 --minutes 30 --set batch-size=16

Needs pip install 'tfpretune[tune]'. Each trial trains as the recipe does and is judged on its validation set; the test set is
for the winner's command. Leaves OUT_DIR/best.txt (that command), report/index.html, logs (TensorBoard's HParams page) and
study.db: the same command goes on where it was stopped, and with more --trials goes further.
"""

import dataclasses
from pathlib import Path

import tfpretune as tp
from tfpretune.cli import recipe_path
from tfpretune.errors import UsageError
from tfpretune.runtime import alone_in
from tfpretune.settings import ColumnsOfRun, launch

OWN = ("preset", "source", "validation_source", "test_source")  # options of the recipe that the search has, too


@dataclasses.dataclass(frozen=True)
class Config(ColumnsOfRun):
    """Settings."""

    recipe: str = "finetune_text"
    """Which fine-tuning recipe: a name from tfpretune ls, or the path of a .py file."""
    preset: str = ""
    """The recipe's --preset; empty: its own default."""
    source: str = ""
    """The recipe's --source; empty: its own default."""
    validation_source: str = ""
    """The recipe's --validation-source: what trials are judged on."""
    test_source: str = ""
    """The recipe's --test-source, for the winner's command."""
    set: tuple[str, ...] = ()
    """Any other options of the recipe, as NAME=VALUE: --set steps=60 balance-classes=true. labels-per-class=10 needs
    choose-on-validation=true, too: a search is judged on the validation set."""
    out_dir: str = "runs/tune"
    """Folder of the search."""
    search: tuple[tp.search.Searched, ...] = ("learning_rate", "frozen", "lora_rank", "l2_sp")
    """What is varied. Settings that do not go together are not tried; the first trial has the recipe's own."""
    learning_rates: tuple[float, float] = (1e-5, 1e-2)
    """Lowest and highest learning rate. SGD takes higher ones than AdamW."""
    trials: int = 20
    """End after N trials in all."""
    minutes: float = 0.0
    """Begin no trial after N minutes; the same command goes on. 0: no end."""
    prune: bool = True
    """End a trial early when its validation metric lags behind the median of the others."""
    seed: int = 0
    """Decides what is tried. The seed of the trainings is --set seed=N."""
    fast: bool = False
    """Rehearse with 2 trials of a few batches."""

    def __post_init__(self) -> None:
        """Refuses what is no search."""
        if self.trials < 1 or self.minutes < 0:
            raise UsageError("--trials must be at least 1, and --minutes not negative")
        if not self.search or len({*self.search}) < len(self.search):
            raise UsageError(f"--search needs at least one name, and each once, received {' '.join(self.search)!r}")
        if not 0 < self.learning_rates[0] < self.learning_rates[1]:
            given = " ".join(map(str, self.learning_rates))
            raise UsageError(f"--learning-rates must be two rising numbers above 0, received {given}")


def main(run: Config) -> "tp.evaluation.Table":
    """Space, trials, report."""
    tp.search.import_optuna()
    recipe, out_dir = tp.search.open_recipe(recipe_path(run.recipe, None)), Path(run.out_dir)
    own = {name: value for name in OWN if (value := getattr(run, name))} | run.given
    base = tp.search.base_settings(recipe.Config, own, run.set, fast=run.fast)
    with tp.training.make_strategy(base.devices.replicas).scope():
        space = tp.search.make_space(
            base, run.search, rates=run.learning_rates, backbone=tp.backbones.load_backbone(base.preset)
        )
    if space.left_out:
        print(f"left out: {', '.join(space.left_out)}: not with this backbone or beside the other settings")
    with alone_in(out_dir):
        if not (out_dir / tp.search.FILE).is_file():
            for name in ("config.json", "identity.json", tp.search.DATA_FILE):
                (out_dir / name).unlink(missing_ok=True)
        may_differ = ("trials", "minutes", "out_dir")
        tp.training.check_same_comparison(
            out_dir, run, may_differ=may_differ, identity=tp.training.trial_fingerprint(base.preset)
        )
        budget = tp.search.Budget(min(2, run.trials) if run.fast else run.trials, run.minutes)
        found = tp.search.search(recipe.main, space, out_dir, budget=budget, seed=run.seed, prune=run.prune)
        table = tp.search.write_search(
            found, space, recipe=run.recipe, out_dir=out_dir, settings=dataclasses.asdict(run)
        )
    if found.stopped:
        raise tp.training.Stopped(tp.search.STOPPED)
    return table


if __name__ == "__main__":
    launch.run(Config, main, __doc__)
