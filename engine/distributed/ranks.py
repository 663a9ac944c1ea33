"""The ranks of a run, and what they agree on; this much of it is known without torch."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from engine.settings import DeviceSettings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from engine.distributed.gradients import Gradients

    Numbers = NDArray[np.int64]


class Sum:
    """Sums over all ranks, which may still be on their way; those of one process are there."""

    def __init__(self, values: Sequence[float]) -> None:
        self._values = list(values)

    @property
    def is_there(self) -> bool:
        """Whether `wait` returns at once."""
        return True

    def wait(self) -> list[float]:
        """Return the sums, when every rank has told its values."""
        return self._values


class Ranks:
    """One process that works alone: the first rank, and the only one. `Group` is the same for several."""

    number = 0
    count = 1

    @property
    def is_first(self) -> bool:
        """Whether this is the rank that reports, records and saves."""
        return self.number == 0

    def own_device(self, settings: DeviceSettings) -> DeviceSettings:
        """Return the settings of the device that this rank computes on, with the threads that it may have."""
        return settings

    def share_of(self, numbers: "Numbers") -> "Numbers":
        """Return this rank's part of a batch (B,), which the ranks divide equally: every so manyth image of it."""
        return numbers

    def agree(self, values: Sequence[float]) -> list[float]:
        """Return the first rank's values, to every rank; each calls this at the same place."""
        return list(values)

    def most(self, value: float) -> float:
        """Return the greatest value of all ranks, to every rank."""
        return value

    def call(self, text: str) -> str:
        """Return the first rank's text, to every rank; the others wait for it, however long the first works alone."""
        return text

    def begin_sum(self, values: Sequence[float]) -> Sum:
        """Begin to add up values over all ranks, and go on meanwhile; each rank begins as many sums, in one order."""
        return Sum(values)

    def total(self, sums: "Tensor") -> "Tensor":
        """Return the sums of a tensor over all ranks, to every rank."""
        return sums

    def gather_views(self, vectors: "Tensor") -> "Tensor":
        """Return the vectors (2·B, D) of the whole batch in place of this rank's (2·b, D), with their gradients.

        Rows i and b + i are views of one image, and so are rows i and B + i of what is returned.
        """
        return vectors

    def spread(self, tensors: Iterable["Tensor"]) -> None:
        """Give the first rank's values to the tensors of every rank."""

    def gradients(self, parameters: Iterable["Tensor"]) -> "Gradients":
        """Return what computes the gradients of a step: their mean over all ranks."""
        from engine.distributed.gradients import Gradients

        return Gradients()

    @contextmanager
    def first_works(self) -> Iterator[bool]:
        """Give whether this rank is to do the work at hand; the others wait until it is done, however long it takes."""
        yield True

    @contextmanager
    def first_ahead(self) -> Iterator[None]:
        """Let the first rank run the body, and then the others, on other machines too, who find what it made."""
        yield

    def part(self) -> None:
        """Go on alone, as the first rank of a group that is broken off: nobody is waited for any more."""


ALONE = Ranks()
