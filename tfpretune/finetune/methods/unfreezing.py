"""Gradual unfreezing: the head learns alone, then one block of the backbone more after every N steps."""

import contextlib
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import keras

from tfpretune.errors import UsageError
from tfpretune.finetune.methods.freezing import Block, blocks
from tfpretune.runtime.keras_internals import all_layers, averages_of, set_averages


class Stage(NamedTuple):
    """What begins to learn at a step.

    Attributes:
        step: the first step in which it learns, counted from 0.
        layer: the block's name, or "head".
        parameters: how many begin to learn.
    """

    step: int
    layer: str
    parameters: int


class GradualUnfreezing(keras.callbacks.Callback):
    """Unfreezes a backbone from the head down (ULMFiT, Howard and Ruder 2018, arXiv:1801.06146, section 3.3).

    In the first `every_steps` steps the head learns alone, then the last of the backbone's `blocks` as well, and so on. What
    learns is a function of the step alone, so that a run goes on where it was cut. The optimizer is the same all the time,
    built for all that will ever learn: the schedule goes on and moments are kept. What waits takes no part at all: no gradient
    in the norm, no decay, no moments, no average, and its `BatchNormalization` keeps its statistics.

    `tfpretune.training.loop.fit` finds it at `model.unfreezing`; Keras' own `fit` takes it among its callbacks. Each unfreezing
    traces the step again.

    Args:
        model: an `Objective` with a `backbone`, not compiled. What `freeze` has frozen stays frozen for ever; blocks of which
            nothing may learn are passed over.
        every_steps: steps between two unfreezings, a multiple of `steps_per_execution`.

    Raises:
        UsageError: nothing of the backbone may learn, or `every_steps` is below 1.

    Examples:
        >>> from tfpretune.backbones import TextEncoder
        >>> from tfpretune.finetune import GradualUnfreezing, classifier
        >>> model = classifier(TextEncoder(100, 1, num_heads=2, hidden_dim=8, intermediate_dim=16), 2)
        >>> unfreezing = GradualUnfreezing(model, every_steps=50)  # for fit(callbacks=[unfreezing])
        >>> [(stage.step, stage.layer) for stage in unfreezing.stages]
        [(0, 'head'), (50, 'block_0 … final_norm'), (100, 'token_embedding')]
        >>> [variable.path.split("/")[-2] for variable in model.trainable_variables]  # before the first step
        ['logits', 'logits']
    """

    def __init__(self, model: keras.Model, *, every_steps: int):
        super().__init__()
        if every_steps < 1:
            raise UsageError(f"`GradualUnfreezing(every_steps)` must be at least 1, received {every_steps}")
        if model.compiled or model.unfreezing is not None:
            raise ValueError("GradualUnfreezing wants a model that is not compiled and has no other GradualUnfreezing")
        self.set_model(model)
        self.every_steps = every_steps
        self.step = 0
        self.variables = model.trainable_variables
        found = blocks(model.backbone)
        inside = {id(weight) for block in found for layer in block.layers for weight in layer.weights}
        strays = [
            weight for weight in model.backbone.weights if id(weight) not in inside
        ]  # they learn with the lowest block
        parts = [_Part(block, [] if number else strays) for number, block in enumerate(found)]
        self._parts = [part for part in reversed(parts) if part.learning]
        if not self._parts:
            raise UsageError(
                "`GradualUnfreezing(every_steps)`: no layer of the backbone may train; give another `frozen`"
            )
        self._averages: list[keras.Variable | None] = []
        self._starts: list[keras.Variable] = []
        self._optimizer: keras.optimizers.Optimizer | None = None
        self._open = len(self._parts)
        model.unfreezing = self
        self._open_first(0)

    @property
    def stages(self) -> list[Stage]:
        """What begins to learn when, the head first."""
        sizes = [sum(math.prod(v.shape) for v in part.learning) for part in self._parts]
        head = sum(math.prod(v.shape) for v in self.variables) - sum(sizes)
        steps = range(self.every_steps, self.every_steps * (len(sizes) + 1), self.every_steps)
        below = [Stage(step, part.name, size) for step, part, size in zip(steps, self._parts, sizes, strict=True)]
        return [Stage(0, "head", head), *below]

    def check(self, *, steps_per_execution: int, total_steps: int | None = None) -> None:
        """Refuses boundaries inside a call of the training function, and warns of those behind the end of the run.

        Raises:
            UsageError: `steps_per_execution` does not divide `every_steps`.
        """
        if self.every_steps % steps_per_execution:
            raise UsageError(
                f"`steps_per_execution` {steps_per_execution} does not divide `GradualUnfreezing(every_steps)` "
                f"{self.every_steps}"
            )
        late = [stage.layer for stage in self.stages if total_steps is not None and stage.step >= total_steps]
        if late:
            print(
                f"warning: the run is over after {total_steps} steps, before {', '.join(late)} would learn", flush=True
            )

    def build(self, optimizer: keras.optimizers.Optimizer) -> None:
        """Creates the optimizer's slots for all that will ever learn. `Objective.build_optimizer` calls it."""
        optimizer.build(self.variables)
        self._optimizer = inner = getattr(optimizer, "inner_optimizer", optimizer)
        self._averages = averages_of(inner) if inner.use_ema else []
        self._starts = inner.start_later([p.learning for p in self._parts]) if hasattr(inner, "start_later") else []
        self._open_first(self._open)

    def stand_after(self, steps: int) -> None:
        """Puts itself where N steps have been made: what learnt in the last of them may learn; the next may change it."""
        self.step = steps
        self._open_first(min(max(0, steps - 1) // self.every_steps, len(self._parts)))

    def go_to(self, step: int) -> None:
        """Lets learn what learns in step `step`, the next one. Call it when the variables are those of this step."""
        self.step = step
        self._open_first(min(step // self.every_steps, len(self._parts)))
        if self._starts and self._open and step == self._open * self.every_steps:
            self._starts[self._open - 1].assign(self._optimizer.iterations.numpy())  # type: ignore[union-attr]

    @contextlib.contextmanager
    def all_learn(self) -> Iterator[None]:
        """Lets all learn, to try how much time and memory the largest step takes."""
        before = self._open
        self._open_first(len(self._parts))
        try:
            yield
        finally:
            self._open_first(before)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Refuses a boundary inside a call, and begins, or goes on."""
        if self._optimizer is not getattr(self.model.optimizer, "inner_optimizer", self.model.optimizer):
            raise ValueError("the optimizer was built for other variables: leave it to Objective.build_optimizer")
        self.check(steps_per_execution=self.model.steps_per_execution)
        self.go_to(self.step)

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Unfreezes where it is time."""
        if self.step % self.every_steps == 0 and self.step <= self._last_step:
            self.go_to(self.step)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Counts the steps (the optimizer's own number stands still where float16 skips one)."""
        self.step += self.model.steps_per_execution

    @property
    def _last_step(self) -> int:
        return self.every_steps * len(self._parts)

    def _open_first(self, number: int) -> None:
        if number != self._open:
            for index, part in enumerate(self._parts):
                part.let_learn(index < number)
            self._open = number
            if self.model.train_function is not None:
                self.model.make_train_function(force=True)  # `fit` looks it up in each step
        self._average_only_what_learns()

    def _average_only_what_learns(self) -> None:
        """Starts the averages of what waits at its weights, and takes them out of Keras' list: rounding would move them."""
        if self._averages:
            pairs = zip(self.variables, self._averages, strict=True)
            set_averages(self._optimizer, [a if v.trainable else None for v, a in pairs])
            for variable, average in zip(self.variables, self._averages, strict=True):
                if not variable.trainable and average is not None:
                    average.assign(variable.numpy())


def format_stages(stages: list[Stage]) -> str:
    """Returns what begins to learn when as lines of text.

    Examples:
        >>> from tfpretune.backbones import TextEncoder
        >>> from tfpretune.finetune import GradualUnfreezing, classifier, format_stages
        >>> model = classifier(TextEncoder(100, 1, num_heads=2, hidden_dim=8, intermediate_dim=16), 2)
        >>> print(format_stages(GradualUnfreezing(model, every_steps=50).stages))
        from step  layer                  parameters
                0  head                           18
               50  block_0 … final_norm          616
              100  token_embedding               800
    """
    width = max(len(stage.layer) for stage in stages)
    lines = [f"{'from step':>9}  {'layer':<{width}} {'parameters':>12}"]
    return "\n".join(lines + [f"{s.step:>9,}  {s.layer:<{width}} {s.parameters:>12,}" for s in stages])


class _Part:
    """A block, and which of its layers and variables learn when it does."""

    def __init__(self, block: Block, strays: list[keras.Variable]):
        layers = [inner for layer in block.layers for inner in all_layers(layer)]
        self.name = block.name
        self._layers = [(layer, layer.trainable) for layer in layers]
        weights = [weight for layer in block.layers for weight in layer.weights] + strays
        self._variables = [(weight, weight.trainable) for weight in weights]
        self.learning = [variable for variable, learns in self._variables if learns]

    def let_learn(self, learns: bool) -> None:
        """Sets the flags; a layer's own reaches all inside it, so the inner ones come after the outer ones."""
        for layer, may in self._layers:
            layer.trainable = learns and may
        for variable, may in self._variables:
            variable.trainable = learns and may
