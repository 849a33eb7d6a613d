"""Finds a learning rate for a fine-tuning run: it rises step by step until the loss does, and the curve is drawn.

    python recipes/find_learning_rate.py --preset runs/pretrain_text/preset --source demo:bbc

Takes the options of finetune_text and finetune_image that say what learns, and nothing is trained for good. Its defaults are
finetune_text's, but for a head that starts at random; for finetune_image give --batch-size 32 --optimizer.weight-decay 0.05
--optimizer.multipliers, too. Images are taken without augmentation. Prints the rate as the option of the run to come. Leaves
OUT_DIR/rate_finder.png and rate_finder.json. About half a minute on 2 cores.
"""

import dataclasses

import tfpretune as tp
from tfpretune.errors import RunError
from tfpretune.settings import FinetuneConfig, OptimizerConfig, launch


@dataclasses.dataclass(frozen=True)
class Config(FinetuneConfig):
    """Settings. --optimizer.learning-rate, schedule and warm-up have no say here; the optimizer's other options have."""

    source: str = "demo:bbc"
    """Texts or images with labels, as the run to come takes them."""
    out_dir: str = "runs/find_learning_rate"
    preset: str = "runs/pretrain_text/preset"
    steps: int = 100
    """Number of learning rates."""
    batch_size: int = 16
    lowest: float = 1e-6
    """The first learning rate."""
    highest: float = 1.0
    """The last learning rate, unless the loss diverges before."""
    sequence_length: int = 512
    """Texts: tokens that are read."""
    window_length: int = 128
    """Texts: read them in windows of this length and average; 0 reads them at once."""
    image_size: tuple[int, int] = (0, 0)
    """Images: height and width for a backbone that takes images of any size; 0 0 elsewhere."""
    init_head_from_probe: bool = False
    """Start the head from a probe, as the run to come does. It was trained on the same examples, so that their loss has little
    left to fall, and the rate that is found is far too low."""
    optimizer: OptimizerConfig = OptimizerConfig(multipliers=(("logits", 3.0),))


def main(run: Config) -> "tp.training.LearningRateCurve | None":
    """Data, model, search, picture."""
    strategy = tp.training.make_strategy(run.devices.replicas)
    parts = tp.tasks.open_splits(run)
    target, kind = tp.tasks.LABELS[parts.train.label_kind].target(parts.train, run), parts.train.kind
    reads = tp.tasks.INPUTS[kind].preprocessing_of(
        run.preset, window_length=run.window_length, image_size=run.image_size
    )
    tp.training.set_random_seed(run.seed, deterministic=run.deterministic)

    with strategy.scope():
        model = tp.finetune.pooled_head(tp.tasks.load_start(run), target, preprocessing=reads, dropout=run.dropout)
    if kind == "text":
        length, tokenizer = run.sequence_length, tp.backbones.load_tokenizer(run.preset)
        tp.tasks.require_known(
            tokenizer, parts.train.inputs, source=run.source, preset=run.preset, limit=run.most_unknown
        )
        batches = tp.data.text_batches(
            parts.train, run.batch_size, tokenizer=tokenizer, sequence_length=length, seed=run.seed
        )
    else:
        shape = tuple(model.input["images"].shape[1:])
        batches = tp.data.image_batches(parts.train, run.batch_size, image_shape=shape, seed=run.seed)
    print(tp.tasks.apply_methods(model, run))
    if run.dry_run:
        tp.training.describe(model, batches, run)
        return None
    if run.init_head_from_probe and not run.from_scratch:
        tp.finetune.start_head_from_probe(model, batches.in_order())

    tp.training.compile_model(model, batches, run)
    try:
        curve = tp.training.find_learning_rate(
            model, batches, lowest=run.lowest, highest=run.highest, steps=10 if run.fast else run.steps
        )
    except RunError as error:
        if not run.init_head_from_probe or run.from_scratch:
            raise
        raise RunError(
            f"{error}; or --no-init-head-from-probe: the head was trained on these examples already"
        ) from None
    tp.training.print_curve(
        curve, tp.training.write_curve(curve, run.out_dir), examples=len(parts.train), batch_size=run.batch_size
    )
    return curve


if __name__ == "__main__":
    launch.run(Config, main, __doc__)
