"""In which order pictures can be shown: by what was measured on them, or by how well they were reconstructed."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from engine.images.scan import root_of
from engine.measures import label
from engine.records import Condition, Records
from engine.records.images import OWN_COLUMNS
from engine.records.schema import METRIC_TABLES, columns_of
from fext_tui.sources import Source

_ERRORS = {"psnr": "PSNR", "ssim": "SSIM", "mae": "MAE"}
_NAMED = frozenset({"path", "format", "mode", "subset"})
_WORST_IS_LOW = frozenset({"psnr", "ssim"})


@dataclass(frozen=True)
class Order:
    """An order by one number of each picture.

    Attributes:
        title: what the number is called.
        column: a metric of the images of a dataset, or an error of those of an evaluation.
        dataset: the number of the dataset; 0: none.
        evaluation: the number of the evaluation; 0: none.
        folder: that of the dataset, or of the evaluation; without either, the column is a figure of the source itself.
        descending: largest first.

    """

    title: str
    column: str
    dataset: int = 0
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
    """Finds the dataset that a picture belongs to: that of the nearest folder above it which was analyzed."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._known: dict[Path, int | None] = {}

    def of_folder(self, folder: Path) -> tuple[int, Path] | None:
        """Return the dataset of a folder, or of one above it, and where that lies."""
        for one in (folder, *folder.parents):
            if one not in self._known:
                self._known[one] = self._records.find_dataset(one)
            if (dataset := self._known[one]) is not None:
                return dataset, one
        return None

    def of_picture(self, source: Source, path: Path) -> tuple[int, str] | None:
        """Return the dataset of a picture, and its name there."""
        found = self.of_folder(source.folder) or self.of_folder(path.parent)
        if found is None or not path.is_relative_to(root_of(found[1])):
            return None
        return found[0], path.relative_to(root_of(found[1])).as_posix()


def offered_orders(records: Records, source: Source, names: Sequence[str], figures: Iterable[str]) -> list[Order]:
    """Return the orders that the pictures of a source can be shown in."""
    orders = [Order(figure, figure, descending=figure.lower() not in _WORST_IS_LOW) for figure in figures]
    datasets = Datasets(records)
    found = datasets.of_folder(source.folder)
    if found is None and names:
        found = datasets.of_folder((source.root / names[0]).parent)
    orders += _by_evaluations(records, source)
    if found is not None:
        measured = dict.fromkeys([*OWN_COLUMNS, *(column for group in METRIC_TABLES for column in columns_of(group))])
        orders += [
            Order(label(column), column, dataset=found[0], folder=found[1], descending=True)
            for column in measured
            if column not in _NAMED
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
            yield Order(f"{title} by {row['checkpoint']}", column, 0, row["id"], folder, descending=worst_first)


def read_order(records: Records, order: Order, source: Source) -> dict[str, float]:
    """Return the numbers by the names of a source's pictures, in order; for a thread, whose records are its own."""
    name_of = _naming(root_of(order.folder), source.root)
    pairs: Iterable[tuple[str, float]]
    if order.evaluation:
        rows = records.image_errors(order.evaluation, order_by=order.column, descending=order.descending)
        pairs = ((row["path"], row[order.column]) for row in rows if row[order.column] is not None)
    elif order.dataset:
        pairs = records.ordered_paths(order.dataset, order.column, descending=order.descending)
    else:
        raise ValueError(order)
    return {name: value for path, value in pairs if (name := name_of(path)) is not None}


def read_matching(
    records: Records, dataset: int, folder: Path, conditions: Sequence[Condition], source: Source
) -> frozenset[str]:
    """Return the names of a source's pictures that meet conditions; for a thread, whose records are its own."""
    name_of = _naming(root_of(folder), source.root)
    return frozenset(name for path in records.paths_where(dataset, conditions) if (name := name_of(path)) is not None)


def arranged(names: Iterable[str], values: dict[str, float]) -> list[str]:
    """Return names in the order of those that have a value, and behind them the others."""
    there = dict.fromkeys(names)
    known = [name for name in values if name in there]
    seen = frozenset(known)
    return known + [name for name in there if name not in seen]


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
