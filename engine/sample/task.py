"""Drawing a folder of sample images, with the table that says what each shows."""

import csv
import io
import json
from contextlib import closing
from dataclasses import asdict, astuple, dataclass, fields
from pathlib import Path

from engine.errors import UsageError
from engine.files import printable, replace_file, write_error
from engine.images.parallel import parallel, reported, worker_count
from engine.records import Records
from engine.report import Report
from engine.sample.picture import picture_of
from engine.sample.shapes import LABELS, Shape, shape_of
from engine.settings import Settings
from engine.workspace import Workspace

IMAGE_SIZE = 128
LABELS_FILE = "labels.csv"
MARK_FILE = "sample.json"
_VERSION = 1
_QUALITY = 95


@dataclass(frozen=True)
class SampleResult:
    """The folder, how many images it holds, and their labels."""

    folder: str
    images: int
    labels: tuple[str, ...]


@dataclass(frozen=True)
class _Order:
    """What is to be drawn; the same order gives the same files."""

    count: int
    seed: int
    size: int = IMAGE_SIZE
    version: int = _VERSION

    def shape(self, index: int) -> Shape:
        return shape_of(self.seed, index, self.size)

    def path(self, index: int) -> str:
        """Return the path of image ``index``, relative to the folder."""
        label = LABELS[index % len(LABELS)]
        return f"{label}/{index // len(LABELS) + 1:05d}.jpg"


def sample(
    settings: Settings,
    workspace: Workspace,
    records: Records,
    report: Report,
    *,
    folder: str,
    count: int,
    seed: int,
) -> SampleResult:
    """Draw ``count`` labelled images into ``FOLDER/LABEL/00001.jpg``, and say in ``labels.csv`` what each shows.

    They depend on the seed and their number alone. A folder that holds them already is left as it is; what is
    missing in it, after a stop for instance, is drawn.

    Args:
        settings: how many threads draw.
        workspace: ``folder`` is relative to it; empty stands for its training images.
        records: not used.
        report: told the phase ``drawing``, in images.
        folder: where the images go: a new or empty folder, or one that this drew from the same count and seed.
        count: images in all; labels take turns.
        seed: what they are drawn from, 0 or above.

    Raises:
        UsageError: the folder holds something else.
        FextError: it cannot be written.
        Stopped: the report says stop.

    """
    if count < 1 or seed < 0:
        raise UsageError(
            f"{count} images of seed {seed} cannot be drawn.", "Give a count above 0, and a seed of 0 or above."
        )
    target = workspace.actual_path(folder) if folder else workspace.images
    order = _Order(count, seed)
    try:
        is_whole = _claim(target, order)
        missing = [index for index in range(count) if not (is_whole and (target / order.path(index)).exists())]
        if missing:
            _draw(target, order, missing, worker_count(settings.device.workers), report)
    except OSError as error:
        raise write_error(target, error) from error
    told = f"Drew {len(missing):,} images" if missing else f"All {count:,} images are there already"
    report.log(f"{told}: {printable(str(target))}")
    report.artifact("images", target)
    return SampleResult(str(target), count, LABELS[:count])


def _claim(target: Path, order: _Order) -> bool:
    """Make the folder or see that it was made for this order, and return whether all was drawn there before."""
    if target.exists() and not target.is_dir():
        raise UsageError(f"{printable(str(target))} is a file.", "Give a new or an empty folder.")
    target.mkdir(parents=True, exist_ok=True)
    mark = _read_mark(target)
    if not mark:
        if any(not entry.name.startswith(".") for entry in target.iterdir()):
            raise UsageError(f"{printable(str(target))} is not empty.", "Give a new or an empty folder.")
        return False
    is_whole = mark.pop("whole", False) is True
    if mark != asdict(order):
        raise UsageError(
            f"{printable(str(target))} holds {mark.get('count')} sample images of seed {mark.get('seed')}.",
            "Give another folder, or the same count and seed.",
        )
    return is_whole


def _draw(target: Path, order: _Order, missing: list[int], workers: int, report: Report) -> None:
    _write_mark(target, order, whole=False)
    for label in LABELS[: order.count]:
        (target / label).mkdir(exist_ok=True)

    def draw(index: int) -> None:
        picture = picture_of(order.shape(index), order.seed, index, order.size)
        picture.save(target / order.path(index), quality=_QUALITY, subsampling=0)

    with closing(reported(parallel(missing, draw, workers), report, "drawing", len(missing))) as drawn:
        for _ in drawn:
            continue
    replace_file(target / LABELS_FILE, _table(order))
    _write_mark(target, order, whole=True)


def _table(order: _Order) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(("path", *(field.name for field in fields(Shape))))
    writer.writerows((order.path(index), *astuple(order.shape(index))) for index in range(order.count))
    return text.getvalue().encode()


def _read_mark(target: Path) -> dict[str, object]:
    try:
        mark = json.loads((target / MARK_FILE).read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return mark if isinstance(mark, dict) else {}


def _write_mark(target: Path, order: _Order, *, whole: bool) -> None:
    replace_file(target / MARK_FILE, (json.dumps({**asdict(order), "whole": whole}) + "\n").encode())
