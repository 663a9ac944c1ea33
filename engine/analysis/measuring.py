"""Measuring the images of one folder: decoded once, their rows streamed to the records."""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from engine.analysis.reading import Plan, Reading, read_image
from engine.files import printable
from engine.images.decode import UnreadableImage
from engine.images.parallel import parallel, reported
from engine.images.scan import ImageFile, Manifest
from engine.records import Finding, MeasuredImage, Records
from engine.report import Report, go_on

DEFECTS = ("unreadable", "truncated", "wrong_extension")
"""The kinds of findings that measuring makes."""

_BATCH = 128
_WARNED = 5
_TOLD_EVERY_SECONDS = 5.0
_KEPT_BYTES = 31 * 2**20


@dataclass
class Measured:
    """The images of a folder that could be read: their numbers in the records.

    Attributes:
        dataset: number of the dataset in the records.
        manifest: the files that were to be measured.
        numbers: numbers of those that could be read.
        unchanged: how many of them had been measured before.
        skipped: the others as (relative path, reason).

    """

    dataset: int
    manifest: Manifest
    numbers: list[int] = field(default_factory=list)
    unchanged: int = 0
    skipped: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Measurer:
    """Measures folders by one plan; files that did not change since only where ``again`` is set."""

    plan: Plan
    records: Records
    report: Report
    again: bool = False

    def measure(self, manifest: Manifest, *, whole: bool) -> Measured:
        """Measure the images of a manifest, and put images, metrics, fingerprints and defects into the records.

        Defects of other files stay there, unless it is the ``whole`` folder.

        Raises:
            FextError: the records or a file cannot be written.
            Stopped: the report says stop; what was measured until then stays in the records.

        """
        measured = Measured(self.records.dataset(manifest.folder), manifest)
        defects = self._fill(measured)
        self.records.put_findings(measured.dataset, DEFECTS, defects + ([] if whole else self._other_defects(measured)))
        return measured

    def _fill(self, measured: Measured) -> list[Finding]:
        """Measure what changed, and return the defects that were found."""
        _keep_freed_memory()
        manifest = measured.manifest
        pace = _Pace(self.report, len(manifest.files))
        defects: list[Finding] = []
        batch: list[MeasuredImage] = []

        def read(file: ImageFile) -> Reading:
            return read_image(manifest.root / file.path, self.plan)

        work = parallel(self._changed(measured), read, self.plan.workers)
        readings = reported(work, self.report, "measuring", len(manifest.files), done_before=lambda: measured.unchanged)
        with closing(readings):
            for file, reading in readings:
                if isinstance(reading, UnreadableImage):
                    defects.append(Finding(file.path, reading.defect, reading.cause))
                    self._skip(measured, defects[-1])
                else:
                    batch.append(reading.of(file))
                if len(batch) == _BATCH:
                    measured.numbers.extend(self._store(measured.dataset, batch))
                    batch.clear()
                pace.tell(len(measured.numbers) + len(batch), measured)
        measured.numbers.extend(self._store(measured.dataset, batch))
        return defects

    def _other_defects(self, measured: Measured) -> list[Finding]:
        """Return what the records know of files that are not in the manifest."""
        now = {file.path for file in measured.manifest.files}
        rows = [row for kind in DEFECTS for row in self.records.findings(measured.dataset, kind)]
        return [Finding(row["path"], row["kind"], row["detail"]) for row in rows if row["path"] not in now]

    def _changed(self, measured: Measured) -> Iterator[ImageFile]:
        """Yield the files that are to be measured; take the others over as they are."""
        files = iter(measured.manifest.files)
        while batch := list(islice(files, _BATCH)):
            go_on(self.report)
            known: dict[str, int] = {}
            if not self.again:
                facts = [(file.path, file.bytes, file.modified_ns) for file in batch]
                known = self.records.known_images(measured.dataset, facts, self.plan.groups, self.plan.layout.name)
            measured.numbers.extend(known.values())
            measured.unchanged += len(known)
            yield from (file for file in batch if file.path not in known)

    def _skip(self, measured: Measured, defect: Finding) -> None:
        measured.skipped.append((defect.path, defect.detail))
        if len(measured.skipped) <= _WARNED:
            self.report.log(f"Skipped {printable(defect.path)}: {defect.detail}.", "warning")

    def store(self, dataset: int, images: Iterable[MeasuredImage]) -> list[int]:
        """Put images into the records, a batch at a time, and return their numbers."""
        images = iter(images)
        numbers: list[int] = []
        while batch := list(islice(images, _BATCH)):
            numbers += self._store(dataset, batch)
        return numbers

    def _store(self, dataset: int, batch: Sequence[MeasuredImage]) -> list[int]:
        """Put a batch into the records at once, and return the numbers of its images."""
        if not batch:
            return []
        with self.records.transaction():
            by_path = self.records.put_images(dataset, [image.columns for image in batch])
            numbered = [(by_path[image.columns["path"]], image) for image in batch]
            for group in self.plan.groups:
                rows = [{"image": number, **one.groups[group]} for number, one in numbered]
                self.records.put_image_metrics(group, rows)
            self.records.put_fingerprints([{"image": number, **one.fingerprint} for number, one in numbered])
        return [number for number, _ in numbered]


def _keep_freed_memory() -> None:
    """Let the C library keep the memory that a picture's arrays free for those of the next.

    That of GNU keeps as much as twice the largest block freed so far, of 32 MiB or less. Without this, the kernel
    maps and clears the same pages for every picture: 3.7 ms in place of 1.9 ms for 384 × 288 pixels.
    """
    np.empty(_KEPT_BYTES, np.uint8)


class _Pace:
    """Tells now and then how the work goes."""

    def __init__(self, report: Report, total: int) -> None:
        self._report = report
        self._total = total
        self._began = self._told = time.monotonic()

    def tell(self, images: int, measured: Measured) -> None:
        """Log the figures of the moment, every five seconds."""
        now = time.monotonic()
        if now - self._told < _TOLD_EVERY_SECONDS:
            return
        self._told = now
        done = images + len(measured.skipped)
        rate = (done - measured.unchanged) / (now - self._began)
        left = (self._total - done) / rate
        self._report.log(
            f"{done:,} of {self._total:,} images, {len(measured.skipped):,} of them unreadable; "
            f"{rate:,.0f} images a second, {left:,.0f} s left."
        )
