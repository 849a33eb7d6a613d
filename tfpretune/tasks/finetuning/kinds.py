"""How a model reads each kind of input, so that one recipe takes them all."""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

from tfpretune.backbones.by_name import load_backbone, load_tokenizer
from tfpretune.backbones.feeding import Preprocessing, read_pixels
from tfpretune.data.batches.examples import image_array, image_batches, text_batches
from tfpretune.data.batches.pairs import pair_batches
from tfpretune.data.batches.step_indexed import StepIndexed, Transform
from tfpretune.data.examples.examples import Examples
from tfpretune.tasks.finetuning.known_words import require_known

MakeBatches = Callable[..., StepIndexed]
"""`(examples, batch_size, *, seed, transform) -> StepIndexed`, as one model reads them."""


class Inputs(ABC):
    """How a model reads one kind of input.

    Attributes:
        tokenizer: of texts, else None.
    """

    tokenizer: Any

    @classmethod
    @abstractmethod
    def preprocessing_of(
        cls, preset: str, *, window_length: int = 0, image_size: tuple[int, int] = (0, 0)
    ) -> Preprocessing:
        """Returns what a model on a preset does to inputs of this kind; what is said of another kind does not count.

        Args:
            preset: a folder, or a KerasHub name.
            window_length: of texts, see `Preprocessing`.
            image_size: of images, see `Preprocessing`.
        """

    @classmethod
    @abstractmethod
    def of_preset(cls, preset: str, preprocessing: Preprocessing, *, sequence_length: int) -> Self:
        """Returns how a model on a preset reads; of texts `sequence_length` tokens."""

    @classmethod
    @abstractmethod
    def of_task(cls, preset: str, task: Mapping[str, Any], *, pairs: bool) -> Self:
        """Returns how the fine-tuned model of a preset reads, as its `task.json` says; `pairs` of texts or single ones."""

    @abstractmethod
    def batches(
        self, examples: Examples, batch_size: int, *, seed: int = 0, transform: Transform | None = None
    ) -> StepIndexed:
        """Serves examples."""

    @abstractmethod
    def shown(self, examples: Examples) -> Any:
        """Returns what a report shows of examples: pairs as two paragraphs, images as the model sees them."""

    @abstractmethod
    def require_known(self, examples: Examples, *, source: str, preset: str, limit: float = 1.0) -> None:
        """Refuses texts that the vocabulary does not know; see `tasks.finetuning.known_words.require_known`."""


@dataclasses.dataclass(frozen=True, eq=False)
class TextInputs(Inputs):
    """Texts or pairs of texts, as tokens."""

    tokenizer: Any
    sequence_length: int
    pairs: bool = False

    @classmethod
    def preprocessing_of(
        cls, preset: str, *, window_length: int = 0, image_size: tuple[int, int] = (0, 0)
    ) -> Preprocessing:
        """Reads in windows."""
        return Preprocessing(window_length)

    @classmethod
    def of_preset(cls, preset: str, preprocessing: Preprocessing, *, sequence_length: int) -> Self:
        """Reads with the preset's tokenizer."""
        return cls(load_tokenizer(preset), sequence_length)

    @classmethod
    def of_task(cls, preset: str, task: Mapping[str, Any], *, pairs: bool) -> Self:
        """Reads as many tokens as in training."""
        return cls(load_tokenizer(preset), task["sequence_length"], pairs)

    def batches(
        self, examples: Examples, batch_size: int, *, seed: int = 0, transform: Transform | None = None
    ) -> StepIndexed:
        """Serves tokens, of pairs with the segments."""
        settings = {"tokenizer": self.tokenizer, "sequence_length": self.sequence_length}
        serve = pair_batches if self.pairs else text_batches
        return serve(examples, batch_size, **settings, seed=seed, transform=transform)

    def shown(self, examples: Examples) -> Sequence[str]:
        """Returns the texts."""
        if examples.seconds is None:
            return examples.inputs
        return [f"{first}\n{second}" for first, second in zip(examples.inputs, examples.seconds, strict=True)]

    def require_known(self, examples: Examples, *, source: str, preset: str, limit: float = 1.0) -> None:
        """Looks at all texts."""
        texts = [*examples.inputs, *(examples.seconds or ())]
        require_known(self.tokenizer, texts, source=source, preset=preset, limit=limit)


@dataclasses.dataclass(frozen=True, eq=False)
class ImageInputs(Inputs):
    """Images of one shape: height, width, channels."""

    image_shape: tuple[int, int, int]
    tokenizer: None = None

    @classmethod
    def preprocessing_of(
        cls, preset: str, *, window_length: int = 0, image_size: tuple[int, int] = (0, 0)
    ) -> Preprocessing:
        """Does to pixels what the preset's converter says."""
        return Preprocessing(image_size=image_size, pixels=read_pixels(preset))

    @classmethod
    def of_preset(cls, preset: str, preprocessing: Preprocessing, *, sequence_length: int) -> Self:
        """Reads images of the shape that the preset takes."""
        return cls(preprocessing.image_shape(load_backbone(preset, random_weights=True)))

    @classmethod
    def of_task(cls, preset: str, task: Mapping[str, Any], *, pairs: bool) -> Self:
        """Reads images of the shape that they had in training."""
        return cls(tuple(task["image_shape"]))

    def batches(
        self, examples: Examples, batch_size: int, *, seed: int = 0, transform: Transform | None = None
    ) -> StepIndexed:
        """Serves pixels."""
        return image_batches(examples, batch_size, image_shape=self.image_shape, seed=seed, transform=transform)

    def shown(self, examples: Examples) -> Any:
        """Returns the pixels."""
        return image_array(examples, self.image_shape)

    def require_known(self, examples: Examples, *, source: str, preset: str, limit: float = 1.0) -> None:
        """Has nothing to refuse."""


INPUTS: Mapping[str, type[Inputs]] = {"text": TextInputs, "image": ImageInputs}
