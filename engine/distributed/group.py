"""Several ranks, connected by torch.distributed."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor

from engine.distributed.gradients import Gradients, SharedGradients
from engine.distributed.ranks import Ranks, Sum
from engine.settings import DeviceSettings

_TIMEOUT = timedelta(minutes=10)
"""How long a rank waits for the others' next step; compiling one takes a minute or two."""
_PATIENCE = timedelta(days=7)
"""How long it waits for work that the first rank does alone. Where that one dies, the wait ends at once."""

_SIGNS = ("gloo/transport", "Gloo", "NCCL")


class _GroupSum(Sum):
    """Sums that are on their way over gloo."""

    def __init__(self, values: Sequence[float], group: dist.ProcessGroup) -> None:
        self._told = torch.tensor(values, dtype=torch.float64)
        self._work = dist.all_reduce(self._told, group=group, async_op=True)

    @property
    def is_there(self) -> bool:
        """Whether they have arrived, or never will, which `wait` tells."""
        return bool(self._work.is_completed())

    def wait(self) -> list[float]:
        """Return the sums."""
        self._work.wait()
        return list(self._told.tolist())


class Group(Ranks):
    """One of several ranks.

    Gradients go over NCCL between GPUs, over gloo else; what is agreed on, over gloo.
    """

    def __init__(self, number: int, count: int, local: int, here: int) -> None:
        self.number = number
        self.count = count
        self._local, self._here = local, here
        self._all_threads = torch.get_num_threads()
        self._threads = max(1, self._all_threads // here)
        self._parted = False
        self._prompt = _gloo(_TIMEOUT)
        self._patient = _gloo(_PATIENCE)
        torch.set_num_threads(self._threads)

    def own_device(self, settings: DeviceSettings) -> DeviceSettings:
        """Return the settings of a device of its own: from the one that is set on, one GPU a rank of this machine.

        The threads that work on images are divided among these ranks.
        """
        workers = settings.workers or len(os.sched_getaffinity(0))
        own = {"id": settings.id + self._local, "workers": max(1, workers // self._here)}
        return settings.model_copy(update=own)

    def share_of(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return this rank's part of a batch (B,): what stands first in it stands first in the parts."""
        return numbers[self.number :: self.count]

    def agree(self, values: Sequence[float]) -> list[float]:
        """Return the first rank's values."""
        if self._parted:
            return list(values)
        told = torch.tensor(values, dtype=torch.float64)
        dist.broadcast(told, 0, group=self._prompt)
        return list(told.tolist())

    def most(self, value: float) -> float:
        """Return the greatest value of all ranks."""
        if self._parted:
            return value
        told = torch.tensor(value, dtype=torch.float64)
        dist.all_reduce(told, dist.ReduceOp.MAX, group=self._prompt)
        return float(told)

    def call(self, text: str) -> str:
        """Return the first rank's text."""
        told = os.fsencode(text)
        length = torch.tensor(len(told))
        dist.broadcast(length, 0, group=self._patient)
        letters = torch.zeros(int(length), dtype=torch.uint8)
        if self.is_first and told:
            letters = torch.frombuffer(bytearray(told), dtype=torch.uint8)
        dist.broadcast(letters, 0, group=self._patient)
        return os.fsdecode(bytes(letters.tolist()))

    def begin_sum(self, values: Sequence[float]) -> Sum:
        """Begin to add up values over all ranks."""
        return _GroupSum(values, self._prompt)

    def total(self, sums: Tensor) -> Tensor:
        """Return the sums of a tensor over all ranks."""
        if not self._parted:
            dist.all_reduce(sums)
        return sums

    def gather_views(self, vectors: Tensor) -> Tensor:
        """Return the vectors of the whole batch, in the order that one process has them in."""
        gathered: Tensor = _Gather.apply(vectors, self.number, self.count)
        views = gathered.view(self.count, 2, -1, vectors.shape[1])
        return views.permute(1, 2, 0, 3).reshape(-1, vectors.shape[1])

    def spread(self, tensors: Iterable[Tensor]) -> None:
        """Give the first rank's values to the tensors of every rank."""
        for tensor in tensors:
            sent = tensor.detach().contiguous()
            dist.broadcast(sent, 0)
            with torch.no_grad():
                tensor.copy_(sent)

    def gradients(self, parameters: Iterable[Tensor]) -> Gradients:
        """Return what computes the mean gradients of all ranks."""
        return SharedGradients(parameters)

    @contextmanager
    def first_works(self) -> Iterator[bool]:
        """Give whether this rank is the first, which has all threads of the machine meanwhile."""
        if self.is_first:
            torch.set_num_threads(self._all_threads)
            yield True
            torch.set_num_threads(self._threads)
        if not self._parted:
            dist.barrier(group=self._patient)
        if not self.is_first:
            yield False

    @contextmanager
    def first_ahead(self) -> Iterator[None]:
        """Let the first rank run the body, and then the others; all go on together."""
        if self.is_first:
            yield
        dist.barrier(group=self._patient)
        if not self.is_first:
            yield
        dist.barrier(group=self._patient)

    def part(self) -> None:
        """Go on alone."""
        assert self.is_first
        self._parted = True

    def leave(self) -> None:
        """Leave the ranks, at the end of what was done together."""
        if not self._parted:
            dist.destroy_process_group()


class _Gather(torch.autograd.Function):
    """Tensors (b, …) of all ranks as one, (ranks, b, …); a gradient is the sum of what each rank has to say."""

    @staticmethod
    def forward(context: Any, own: Tensor, number: int, count: int) -> Tensor:
        """Gather."""
        context.number = number
        parts = [torch.empty_like(own) for _ in range(count)]
        dist.all_gather(parts, own.contiguous())
        return torch.stack(parts)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        """Sum up, and keep what is of this rank's own."""
        summed = gradients[0].contiguous()
        dist.all_reduce(summed)
        return summed[context.number], None, None


def _gloo(timeout: timedelta) -> dist.ProcessGroup:
    group = dist.new_group(timeout=timeout, backend="gloo")
    assert isinstance(group, dist.ProcessGroup), "every rank is in it"
    return group


def join(settings: DeviceSettings) -> Group:
    """Join the ranks that were started with this one, as the environment from torch.distributed.run has it."""
    names = "RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"
    number, count, local, here = (int(os.environ[name]) for name in names)
    if here == count:  # one machine: what is told stays in it, whatever its name resolves to
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    if settings.kind != "cpu" and torch.cuda.is_available():
        device = torch.device("cuda", settings.id + local)
        torch.cuda.set_device(device)
        dist.init_process_group("nccl", timeout=_TIMEOUT, device_id=device)
    else:
        dist.init_process_group("gloo", timeout=_TIMEOUT)
    return Group(number, count, local, here)


def lost_because(error: BaseException, number: int) -> str:
    """Return what an error of this rank means where it is only of the connection to the others; else nothing."""
    text = str(error)
    if not isinstance(error, dist.DistError) and not any(sign in text for sign in _SIGNS):
        return ""
    if "imed out" in text or "imeout" in text:
        return f"Rank {number} waited {_TIMEOUT.total_seconds() / 60:.0f} minutes for the others in vain."
    return f"Rank {number} lost the connection to the others."
