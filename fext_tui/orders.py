"""Which pictures are shown, and in which order: by what was measured on them, or how well they were reconstructed."""

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from engine.images.scan import root_of
from engine.measures import label
from engine.records import Condition, Records
from engine.records.images import OWN_COLUMNS
from engine.records.schema import METRIC_TABLES, columns_of
from fext_tui.sources import Source, read_figure
from fext_tui.wanted import EVERYTHING, Wanted

Measured = tuple[int, Path]
"""The number of a dataset, and its folder."""

_ERRORS = {"psnr": "PSNR", "ssim": "SSIM", "mae": "MAE"}
_NAMED = frozenset({"path", "format", "mode", "subset"})
_WORST_IS_LOW = frozenset({"psnr", "ssim"})
_PORTION = 20_000
"""So many pairs are sorted at once: while one thread sorts, no other gets its turn."""


@dataclass(frozen=True)
class Order:
    """An order by one number of each picture.

    Attributes:
        title: what the number is called.
        column: a metric of the images of datasets, or an error of those of an evaluation.
        datasets: on which it was measured.
        evaluation: the number of the evaluation; 0: none.
        folder: that of the evaluation; without it and without datasets, the column is a figure of the source itself.
        descending: largest first.

    """

    title: str
    column: str
    datasets: tuple[Measured, ...] = ()
    evaluation: int = 0
    folder: Path = Path()
    descending: bool = False

    def reversed(self) -> "Order":
        """Return the other way round."""
        return replace(self, descending=not self.descending)

    @property
    def end(self) -> str:
        """Which end comes first."""
        return f"{'largest' if self.descending else 'smallest'} first"


class Datasets:
    """Finds the datasets that pictures belong to; ``known`` are those of folders that were looked for before."""

    def __init__(self, records: Records, known: dict[Path, int | None] | None = None) -> None:
        self._records = records
        self._known = known if known is not None else {}

    def of_folder(self, folder: Path) -> Measured | None:
        """Return the dataset of a folder, or of the nearest one above it that was analyzed."""
        for one in (folder, *folder.parents):
            if one not in self._known:
                self._known[one] = self._records.find_dataset(one)
            if (dataset := self._known[one]) is not None:
                return dataset, one
        return None

    def of_source(self, source: Source) -> tuple[Measured, ...]:
        """Return the dataset of a source's folder, or of one above it; without any, those of the folders below."""
        found = self.of_folder(source.folder)
        if found is not None:
            return (found,)
        actual = self._records.workspace.actual_path
        every = ((row["id"], actual(row["folder"])) for row in self._records.datasets())
        return tuple(one for one in every if root_of(one[1]).is_relative_to(source.root))

    def of_picture(self, source: Source, path: Path) -> tuple[int, str] | None:
        """Return the dataset of a picture, that of the source where it can be, and the picture's name there."""
        for found in (self.of_folder(source.folder), self.of_folder(path.parent)):
            if found is not None and path.is_relative_to(root := root_of(found[1])):
                return found[0], path.relative_to(root).as_posix()
        return None


def offered_orders(records: Records, source: Source) -> list[Order]:
    """Return the orders that the pictures of a source can be shown in."""
    orders = [Order(known, known, descending=known.lower() not in _WORST_IS_LOW) for known in source.known]
    orders += _by_evaluations(records, source)
    if datasets := Datasets(records).of_source(source):
        measured = dict.fromkeys([*OWN_COLUMNS, *(column for group in METRIC_TABLES for column in columns_of(group))])
        orders += [
            Order(label(column), column, datasets, descending=True) for column in measured if column not in _NAMED
        ]
    return orders


def _by_evaluations(records: Records, source: Source) -> Iterator[Order]:
    """Yield the orders by the newest evaluation of each checkpoint on the folder of a source."""
    seen: set[str] = set()
    for row in records.evaluations():
        folder = records.workspace.actual_path(row["folder"])
        if root_of(folder) != source.root or row["checkpoint"] in seen:
            continue
        seen.add(row["checkpoint"])
        for column, title in _ERRORS.items():
            worst_first = column not in _WORST_IS_LOW
            yield Order(f"{title} by {row['checkpoint']}", column, (), row["id"], folder, descending=worst_first)


class Arrangement(NamedTuple):
    """Which pictures of a source are shown, and in which order; None: in that of the source."""

    wanted: Wanted = EVERYTHING
    order: Order | None = None


class Arranged(NamedTuple):
    """Names as they were to be arranged, the numbers that gave their order, and whether any could be asked for."""

    names: list[str]
    values: Mapping[str, float]
    is_measured: bool = True


def arrange(
    records: Records, source: Source, names: list[str], wished: Arrangement, values: Mapping[str, float]
) -> Arranged:
    """Return the names of a source as they are to be arranged; for a thread, whose records are its own.

    Args:
        records: what was measured.
        source: whose names they are.
        names: in the source's own order.
        wished: which of them, and in which order.
        values: the numbers of that order, where they were read before.

    Raises:
        FextError: the records, or a ranking, cannot be read.

    """
    wanted, order = wished
    is_measured = True
    names = holding(names, wanted.text) if wanted.text else list(names)
    if wanted.conditions:
        datasets = Datasets(records).of_source(source)
        is_measured = bool(datasets)
        matching = _matching(records, datasets, wanted.conditions, source)
        names = [name for name in names if name in matching]
    if order is not None:
        values = values or _values(records, order, source)
        names = ordered(names, values)
    return Arranged(names, values, is_measured)


def holding(names: Iterable[str], text: str) -> list[str]:
    """Return the names that hold ``text``, whatever the case."""
    wanted = text.casefold()
    return [name for name in names if wanted in name.casefold()]


def ordered(names: Iterable[str], values: Mapping[str, float]) -> list[str]:
    """Return names in the order of those that have a value, and behind them the others."""
    there = {name: None for name in names}  # noqa: C420 - a loop of Python's lets other threads have their turn
    return [name for name in values if name in there] + [name for name in there if name not in values]


def _values(records: Records, order: Order, source: Source) -> dict[str, float]:
    """Return the numbers by the names of a source's pictures, in their order."""
    if order.evaluation:
        errors = records.ordered_errors(order.evaluation, order.column, descending=order.descending)
        return dict(_named(errors, order.folder, source))
    if not order.datasets:
        return dict(_sorted(read_figure(source, order.column).items(), descending=order.descending))
    sorted_each = (
        _named(records.ordered_paths(dataset, order.column, descending=order.descending), folder, source)
        for dataset, folder in order.datasets
    )
    return dict(heapq.merge(*sorted_each, key=itemgetter(1), reverse=order.descending))


def _named(pairs: Iterable[tuple[str, float]], folder: Path, source: Source) -> Iterator[tuple[str, float]]:
    """Yield pairs with the names that a source has for paths of a folder, as far as they lie in both."""
    name_of = _naming(root_of(folder), source.root)
    return ((name, value) for path, value in pairs if (name := name_of(path)) is not None)


def _sorted(pairs: Iterable[tuple[str, float]], *, descending: bool) -> Iterator[tuple[str, float]]:
    every = list(pairs)
    portions = (every[start : start + _PORTION] for start in range(0, len(every), _PORTION))
    value = itemgetter(1)
    each = [sorted(portion, key=value, reverse=descending) for portion in portions]
    return heapq.merge(*each, key=value, reverse=descending)


def _matching(
    records: Records, datasets: Iterable[Measured], conditions: Sequence[Condition], source: Source
) -> frozenset[str]:
    """Return the names of a source's pictures that meet conditions."""
    found: set[str] = set()
    for dataset, folder in datasets:
        name_of = _naming(root_of(folder), source.root)
        found |= {name for path in records.paths_where(dataset, conditions) if (name := name_of(path)) is not None}
    return frozenset(found)


def _naming(measured: Path, shown: Path) -> Callable[[str], str | None]:
    """Return what gives the name below ``shown`` of a path below ``measured``; None where it lies elsewhere."""
    if measured == shown:
        return lambda path: path
    if shown.is_relative_to(measured):
        prefix = f"{shown.relative_to(measured).as_posix()}/"
        return lambda path: path.removeprefix(prefix) if path.startswith(prefix) else None
    if measured.is_relative_to(shown):
        prefix = f"{measured.relative_to(shown).as_posix()}/"
        return lambda path: prefix + path
    return lambda _: None
