"""The domains of an adaptation, opened as the settings say."""

import dataclasses

from tfpretune.data.batches.transforms import augmented
from tfpretune.data.sources.labelled import labelled_splits
from tfpretune.errors import UsageError
from tfpretune.experiments.adaptation.inputs import image_inputs, text_inputs
from tfpretune.experiments.adaptation.methods import Domains, Strengths
from tfpretune.settings.comparison import ComparisonConfig
from tfpretune.settings.run import OptimizerConfig, require_fractions
from tfpretune.tasks.finetuning.known_words import require_known
from tfpretune.tasks.labels import source_form


@dataclasses.dataclass(frozen=True)
class DomainsConfig(ComparisonConfig):
    """What all methods share: data, network, augmentation, budget."""

    source: tuple[str, ...] = ()
    """Labelled domains; several get equal shares of every batch."""
    target: str = ""
    """Another domain with the same classes. Its labels are read by target-only and for the score."""
    batch_size: int = 64
    """Labelled examples per step; dann, coral and pseudo-labels see as many of the target's beside them."""
    preset: str = ""
    """Pre-trained backbone to start from, for texts with its tokenizer; empty for images: a new --backbone."""
    backbone: str = "cnn-small"
    """Images without a preset: cnn-small, cnn-medium, vit-mini, vit-tiny or vit-small."""
    image_shape: tuple[int, int, int] = (16, 16, 1)
    """Height, width and channels that all images are brought to."""
    sequence_length: int = 128
    """Tokens of a text that are read."""
    shift: int = 1
    """Augmentation, the same for all methods and domains: largest shift, pixels."""
    rotate_degrees: float = 10.0
    """Augmentation: largest angle to either side."""
    scale: float = 0.2
    """Augmentation: largest zoom in or out, as a fraction of the size."""
    strengths: Strengths = dataclasses.field(default_factory=Strengths)
    optimizer: OptimizerConfig = OptimizerConfig(learning_rate=3e-3, warmup=0.1, weight_decay=0.05)

    def __post_init__(self) -> None:
        """Refuses values that cannot work."""
        super().__post_init__()
        require_fractions(self, "scale")


def open_domains(run: DomainsConfig) -> Domains:
    """Opens the domains and says how their examples become batches and classifiers.

    Raises:
        UsageError: the domains do not go together or with the preset.
    """
    form, most = source_form(run, label_kind="single"), 64 if run.fast else 0
    *sources, target = [labelled_splits(name, form, most=most) for name in (*run.source, run.target)]
    num_classes, kind = len(target.class_names), target.train.kind
    for part in sources:
        part.train.require_kind(kind)
    if kind == "text" and not run.preset:
        raise UsageError(f"--target {run.target} holds texts: give --preset, which has a tokenizer")
    if kind == "text":
        inputs = text_inputs(num_classes, preset=run.preset, sequence_length=run.sequence_length)
        for name, part in zip((*run.source, run.target), (*sources, target), strict=True):
            require_known(inputs.tokenizer, part.train.inputs, source=name, preset=run.preset)
    else:
        moved = augmented(shift=run.shift, rotate_degrees=run.rotate_degrees, scale=run.scale)
        inputs = image_inputs(
            num_classes, image_shape=run.image_shape, backbone=run.backbone, preset=run.preset, transform=moved
        )
        said = {} if form.resize == "squeeze" else {"resize": form.resize}
        inputs = dataclasses.replace(inputs, reads={**inputs.reads, **said})
    steps = max(3, run.strengths.rounds + 1) if run.fast else run.steps
    return Domains(tuple(sources), target, inputs, run.optimizer, steps, run.batch_size, run.strengths)
