"""Image files divided among the ranks of a job: a list that all of them read, and what each makes of its part."""

import json
import os
import shutil
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, Self, TypeVar

from engine.distributed.ranks import Ranks
from engine.errors import FextError, Stopped
from engine.files import make_folder, printable, replacing
from engine.images.scan import ImageFile, Manifest
from engine.workspace import Workspace

_LIST_FILE = "files.jsonl"

Made = TypeVar("Made")


@dataclass(frozen=True)
class Division:
    """Files of a folder, of which each rank takes every so manyth, and the place for what the ranks make of them.

    The list is a file in the workspace, one line of JSON a file: all ranks see the same, whatever becomes of the images
    meanwhile, and each keeps its own part of it in memory alone.
    """

    workspace: Workspace
    place: Path

    def divide(self, folder: Path, files: Iterable[ImageFile], ranks: int, **facts: Any) -> Self:
        """Divide files of a folder among so many ranks, who are told the facts too; return this.

        Raises:
            FextError: the list cannot be written.

        """
        make_folder(self.place)
        with replacing(self.place / _LIST_FILE) as list_file:
            list_file.write(_line({"folder": self.workspace.stored_path(folder), "ranks": ranks, **facts}))
            for file in files:
                list_file.write(_line((file.path, file.bytes, file.modified_ns)))
        return self

    @cached_property
    def facts(self) -> Mapping[str, Any]:
        """What was told of all files together."""
        with (self.place / _LIST_FILE).open("rb") as list_file:
            facts: Mapping[str, Any] = json.loads(list_file.readline())
        return facts

    @property
    def folder(self) -> Path:
        """The folder, or the list of paths, that the files are from."""
        return self.workspace.actual_path(self.facts["folder"])

    @property
    def ranks(self) -> int:
        """How many ranks there are."""
        return int(self.facts["ranks"])

    def files(self, first: int = 0, step: int = 1) -> Iterator[ImageFile]:
        """Yield every so manyth file, from the first one that is wanted on."""
        with (self.place / _LIST_FILE).open("rb") as list_file:
            for line in islice(list_file, 1 + first, None, step):
                yield ImageFile(*json.loads(line))

    def share(self, rank: int) -> Manifest:
        """Return the files that a rank takes."""
        return Manifest(self.folder, tuple(self.files(rank, self.ranks)))

    def part(self, rank: int) -> Path:
        """Return the folder for what a rank makes of its share."""
        return self.place / f"part-{rank}"

    def parts(self) -> list[Path]:
        """Return the folders of all ranks, in their order."""
        return [self.part(rank) for rank in range(self.ranks)]

    def leave(self) -> None:
        """Remove the list; what is there of parts stays."""
        (self.place / _LIST_FILE).unlink(missing_ok=True)
        self._tidy()

    def remove(self) -> None:
        """Remove all of it."""
        shutil.rmtree(self.place, ignore_errors=True)
        self._tidy()

    def _tidy(self) -> None:
        for folder in (self.place, self.place.parent):
            with suppress(OSError):  # something else is in it
                folder.rmdir()


def _line(value: object) -> bytes:
    return json.dumps(value).encode() + b"\n"


def joined(
    files: Iterable[ImageFile], parts: Sequence[Iterator[tuple[str, Made]]]
) -> Generator[tuple[ImageFile, Made | None], None, None]:
    """Yield the files with what was made of them, by the ranks in turn; None where a rank could not read one.

    Args:
        files: those that were divided, in their order.
        parts: what each rank made, as (path, what it is), in the order of its share.

    Raises:
        FextError: a part holds something else than it was made for.

    """
    heads = [next(part, None) for part in parts]
    for number, file in enumerate(files):
        rank = number % len(parts)
        head = heads[rank]
        if head is None or head[0] != file.path:
            yield file, None
            continue
        yield file, head[1]
        heads[rank] = next(parts[rank], None)
    if any(heads):
        raise incomplete()


def incomplete() -> FextError:
    """Return the error for parts that do not hold what was divided."""
    return FextError(
        "What the processes of the job made does not fit together.",
        "Start it again; if this comes again, look whether the workspace's disk is in order.",
    )


@contextmanager
def leading(ranks: Ranks) -> Iterator[None]:
    """Let the other ranks go when what the first does with their help, in the body, is done or was stopped."""
    try:
        yield
    except Stopped:
        _let_go(ranks)
        raise
    _let_go(ranks)


def _let_go(ranks: Ranks) -> None:
    if ranks.is_first:
        ranks.call("")


def call(ranks: Ranks, division: Division) -> None:
    """Let the other ranks begin with their parts."""
    ranks.call(division.workspace.stored_path(division.place))


def called(ranks: Ranks, workspace: Workspace) -> Iterator[Division]:
    """Yield what the first rank divides, until it lets this one go.

    Raises:
        FextError: this rank does not see the workspace of the first.

    """
    while stored := ranks.call(""):
        division = Division(workspace, workspace.actual_path(stored))
        if not division.place.is_dir():
            raise FextError(
                f"{printable(str(division.place))}, which the first process made, is not there.",
                "Let all machines share the folder of the workspace.",
            )
        yield division


def new_division(workspace: Workspace, parts: Path) -> Division:
    """Return a division in a place that nothing else has, in a folder of such."""
    return Division(workspace, parts / os.urandom(6).hex())
