"""Machines that meet for one job: the store that the first of them holds, and what they say in it.

The first opens a `Meeting`, with an invitation that says what the job is. The others come as its `Guest`, and each of
both sides shows once a second that it is there. When all have come, they begin; each guest tells how its ranks
ended, and hears how the job did. The launcher and the ranks use the same store, under keys of their own.
"""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, Self

from torch.distributed import PrefixStore, Store, TCPStore  # type: ignore[attr-defined]

from engine.distributed.endpoint import Endpoint
from engine.errors import FextError, Stopped, UsageError

SILENT_SECONDS = 60.0
"""How long a machine may give no sign until it counts as gone."""

_BEAT_SECONDS = 1.0
_GONE_SECONDS = 5.0
_ANSWER_SECONDS = 20.0
_LOOK_SECONDS = 0.1
_LEAVE_SECONDS = 5.0

_OVER, _STOP, _BEGIN, _END, _INVITATION, _NUMBERS = "over", "stop", "begin", "end", "invitation", "numbers"


@dataclass(frozen=True)
class Machine:
    """A machine of a job, and how many ranks it has."""

    host: str
    processes: int


@dataclass(frozen=True)
class Place:
    """The machines of a job in the order of their ranks, where they meet, and which of them this is.

    Attributes:
        number: of this machine, 0 for the first.
        machines: all of them.
        endpoint: where they meet.
        key: what tells this job from others that met there.

    """

    number: int
    machines: Sequence[Machine]
    endpoint: Endpoint
    key: str

    def ranks_of(self, number: int) -> range:
        """Return the ranks of a machine."""
        before = sum(machine.processes for machine in self.machines[:number])
        return range(before, before + self.machines[number].processes)

    def machine_of(self, rank: int) -> int:
        """Return the number of the machine that has a rank."""
        return next(number for number in range(len(self.machines)) if rank in self.ranks_of(number))


class _Watch(threading.Thread):
    """Shows that a machine is there, sees which of the others are, and hears what is called out."""

    def __init__(self, store: Store, number: int) -> None:
        super().__init__(name="meeting", daemon=True)
        self._store = store
        self._number = number
        self._closing = threading.Event()
        self._seen: dict[int, tuple[int, float]] = {}
        self.heard = time.monotonic()
        self.is_broken = False
        self.called: frozenset[str] = frozenset()

    def run(self) -> None:
        """Look once a second, until it is closed or the store is gone."""
        try:
            while not self._closing.wait(_BEAT_SECONDS):
                self._store.add(f"beat/{self._number}", 1)
                self.called = frozenset(word for word in (_OVER, _STOP) if self._store.check([word]))
                for number, (before, _) in list(self._seen.items()):
                    beats = self._store.add(f"beat/{number}", 0)
                    if beats != before:
                        self._seen[number] = beats, time.monotonic()
                self.heard = time.monotonic()
        except RuntimeError:
            self.is_broken = True

    def is_there(self, number: int, seconds: float) -> bool:
        """Return whether a machine has given a sign in so many seconds; it is watched from now on."""
        _, seen = self._seen.setdefault(number, (0, time.monotonic()))
        return time.monotonic() - seen < seconds

    def close(self) -> None:
        """Look no more."""
        self._closing.set()
        self.join(_ANSWER_SECONDS)


class Meeting:
    """The first machine's side.

    Raises:
        UsageError: the endpoint is not at this machine, or its port is taken.

    """

    def __init__(self, endpoint: Endpoint, invitation: Mapping[str, Any]) -> None:
        self.endpoint = endpoint
        self._key = str(invitation["key"])
        self._guests: Sequence[int] = ()
        self._store = _said_in(_hold(endpoint))
        self._store.set(_INVITATION, json.dumps(invitation))
        self._watch = _Watch(self._store, 0)

    def __enter__(self) -> Self:
        self._watch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._watch.close()

    def guests(self) -> dict[int, Machine]:
        """Return the machines that have come and are still there, by number."""
        come = range(1, self._store.add(_NUMBERS, 0) + 1)
        there = [number for number in come if self._store.check([f"machine/{number}"]) and self._is_there(number)]
        return {number: Machine(**json.loads(self._store.get(f"machine/{number}"))) for number in there}

    def _is_there(self, number: int) -> bool:
        return not self._store.check([f"left/{number}"]) and self._watch.is_there(number, _GONE_SECONDS)

    def begin(self, own: Machine, guests: Mapping[int, Machine]) -> Place:
        """Let the ranks of these machines start, and return where this one stands: first."""
        self._guests = list(guests)
        place = Place(0, [own, *guests.values()], self.endpoint, self._key)
        told = {"numbers": self._guests, "machines": [asdict(machine) for machine in place.machines]}
        self._store.set(_BEGIN, json.dumps(told))
        return place

    @property
    def is_asked_to_stop(self) -> bool:
        """Whether another machine asks for a stop."""
        return _STOP in self._watch.called

    @property
    def is_over(self) -> bool:
        """Whether ranks of another machine have ended."""
        return _OVER in self._watch.called

    def call_over(self) -> None:
        """Let the others hear that ranks have ended."""
        self._store.set(_OVER, "yes")

    def missing(self) -> list[int]:
        """Return the places of machines that give no sign any more."""
        there = (self._watch.is_there(number, SILENT_SECONDS) for number in self._guests)
        return [place for place, is_there in enumerate(there, 1) if not is_there]

    def endings(self, seconds: float) -> dict[int, Mapping[str, Any]]:
        """Return what the others told of the ends of their ranks, by place; those that are there have this time."""
        told: dict[int, Mapping[str, Any]] = {}
        deadline = time.monotonic() + seconds
        while True:
            late = time.monotonic() > deadline
            for place, number in enumerate(self._guests, 1):
                if place not in told and self._store.check([f"ending/{number}"]):
                    told[place] = json.loads(self._store.get(f"ending/{number}"))
            awaited = (number for place, number in enumerate(self._guests, 1) if place not in told)
            if late or not any(self._is_there(number) for number in awaited):
                return told
            time.sleep(_LOOK_SECONDS)

    def end(self, outcome: Mapping[str, Any]) -> None:
        """Tell all who came how the job ended, and give them a moment to hear it."""
        self._store.set(_END, json.dumps(outcome))
        deadline = time.monotonic() + _LEAVE_SECONDS
        while self.guests() and time.monotonic() < deadline:
            time.sleep(_LOOK_SECONDS)


class Guest:
    """Another machine's side.

    Raises:
        UsageError: there is no machine of that name.
        FextError: nothing answers there for so long, or no job that waits for machines.
        Stopped: it was asked to stop meanwhile.

    """

    def __init__(self, endpoint: Endpoint, seconds: float, stopping: Callable[[], bool]) -> None:
        self.endpoint = endpoint
        _reach(endpoint, seconds, stopping)
        self._store, told = _greet(endpoint, min(_ANSWER_SECONDS, max(1.0, seconds)))
        self.invitation: Mapping[str, Any] = told
        self._number = -1
        self._watch = _Watch(self._store, self._number)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._number > 0:
            self._watch.close()
            with suppress(FextError), self._heard():
                self._store.set(f"left/{self._number}", "yes")

    def arrive(self, machine: Machine) -> None:
        """Tell that this machine is there."""
        with self._heard():
            self._number = self._store.add(_NUMBERS, 1)
            self._watch = _Watch(self._store, self._number)
            self._watch.start()
            self._store.set(f"machine/{self._number}", json.dumps(asdict(machine)))

    def place(self) -> Place | None:
        """Return where this machine stands, once all begin.

        Raises:
            UsageError: enough others came before it.

        """
        with self._heard():
            if not self._store.check([_BEGIN]):
                return None
            told = json.loads(self._store.get(_BEGIN))
        if self._number not in told["numbers"]:
            raise UsageError("The job has all of its machines already.", "Give it more: `--nodes N` on the first one.")
        machines = [Machine(**machine) for machine in told["machines"]]
        return Place(told["numbers"].index(self._number) + 1, machines, self.endpoint, self.invitation["key"])

    @property
    def is_lost(self) -> bool:
        """Whether the first machine does not answer any more."""
        return self._watch.is_broken or time.monotonic() - self._watch.heard > SILENT_SECONDS

    @property
    def is_over(self) -> bool:
        """Whether ranks of another machine have ended."""
        return _OVER in self._watch.called

    def call_over(self) -> None:
        """Let the others hear that ranks have ended."""
        with self._heard():
            self._store.set(_OVER, "yes")

    def ask_to_stop(self) -> None:
        """Ask the first machine to stop the job."""
        with self._heard():
            self._store.set(_STOP, "yes")

    def tell_ending(self, told: Mapping[str, Any]) -> None:
        """Tell how the ranks of this machine ended."""
        with self._heard():
            self._store.set(f"ending/{self._number}", json.dumps(told))

    def end(self) -> Mapping[str, Any] | None:
        """Return how the job ended; None where it has not."""
        with self._heard():
            return json.loads(self._store.get(_END)) if self._store.check([_END]) else None

    @contextmanager
    def _heard(self) -> Iterator[None]:
        """Turn a connection that breaks into what a person can mend."""
        try:
            if self.is_lost:
                raise RuntimeError("no answer")
            yield
        except RuntimeError as error:
            raise lost_connection(self.endpoint) from error


def lost_connection(endpoint: Endpoint) -> FextError:
    """Return the error of a machine that the first one does not answer any more."""
    return FextError(
        f"The connection to {endpoint} is lost: the job has ended there, or the machine cannot be reached.",
        "Look at it there (`fext jobs`); `fext resume NAME` goes on from the last checkpoint.",
    )


def _said_in(store: Store) -> Store:
    return PrefixStore("fext", store)


def _hold(endpoint: Endpoint) -> Store:
    try:
        return _tcp_store(endpoint, is_master=True)
    except RuntimeError as error:
        if "EADDRINUSE" in str(error):
            raise UsageError(
                f"Port {endpoint.port} of this machine is taken.",
                "Choose another with --rdzv-endpoint HOST:PORT (device.rendezvous), or wait for the job that has it.",
            ) from error
        raise UsageError(
            f"{endpoint} does not lead to this machine, which the others are to reach there.",
            "Give its own name or address with --rdzv-endpoint HOST:PORT (device.rendezvous).",
        ) from error


def _greet(endpoint: Endpoint, seconds: float) -> tuple[Store, Mapping[str, Any]]:
    """Return what is said at an endpoint, and the invitation.

    Raises:
        FextError: something else answers there, or nothing is said.

    """
    answers: list[tuple[Store, Mapping[str, Any]]] = []

    def ask() -> None:
        with suppress(RuntimeError, ValueError):
            store = _said_in(_tcp_store(endpoint, is_master=False, seconds=seconds))
            answers.append((store, json.loads(store.get(_INVITATION))))

    asking = threading.Thread(target=ask, daemon=True)  # PyTorch waits for ever for one that is silent
    asking.start()
    asking.join(2 * seconds)
    if not answers:
        raise FextError(
            f"What listens at {endpoint} is no job of FeXT that waits for machines.",
            "Look at the first machine (`fext jobs`): the job tells what to run on the others.",
        )
    store, invitation = answers[0]
    store.set_timeout(timedelta(seconds=_ANSWER_SECONDS))
    return store, invitation


def _tcp_store(endpoint: Endpoint, *, is_master: bool, seconds: float = _ANSWER_SECONDS) -> TCPStore:
    return TCPStore(
        endpoint.host,
        endpoint.port,
        is_master=is_master,
        timeout=timedelta(seconds=seconds),
        wait_for_workers=False,
        multi_tenant=is_master,  # so that the launcher of this process finds it
    )


def _reach(endpoint: Endpoint, seconds: float, stopping: Callable[[], bool]) -> None:
    """Return when something listens at the endpoint."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection((endpoint.host, endpoint.port), timeout=2).close()
        except socket.gaierror as error:
            raise UsageError(
                f"There is no machine named {endpoint.host!r}: {error.strerror}.",
                "Check the name, or give its address.",
            ) from error
        except OSError as error:
            if time.monotonic() > deadline:
                raise FextError(
                    f"Nothing answers at {endpoint}: {error.strerror or error}. It was tried for {seconds:g} s.",
                    "Start the job on the first machine, with --nodes and this --rdzv-endpoint, or open its firewall.",
                ) from error
        else:
            return
        if stopping():
            raise Stopped
        time.sleep(_LOOK_SECONDS)
