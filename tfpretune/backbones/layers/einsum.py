"""The letters of an einsum equation with a kernel, as `keras.layers.EinsumDense` has it."""

import string
from typing import NamedTuple


class Letters(NamedTuple):
    """The axes of an einsum equation `inputs,kernel->output`.

    Attributes:
        inputs: of the input.
        kernel: of the kernel.
        output: of the output.
        read: the kernel's axes that the sum runs over.
        written: the kernel's axes that the output has.
        rank: a letter that is free.
    """

    inputs: str
    kernel: str
    output: str
    read: str
    written: str
    rank: str

    @classmethod
    def of(cls, equation: str) -> "Letters":
        """Takes an equation apart."""
        left, output = equation.replace(" ", "").split("->")
        inputs, kernel = left.split(",")
        read = "".join(c for c in kernel if c in inputs and c not in output)
        written = "".join(c for c in kernel if c in output and c not in inputs)
        rank = next(c for c in string.ascii_letters if c not in equation)
        return cls(inputs, kernel, output, read, written, rank)

    @property
    def are_a_product(self) -> bool:
        """Whether the kernel is one matrix, from the axes that are read to those that are written."""
        return bool(self.read and self.written) and len(self.read + self.written) == len(self.kernel)
