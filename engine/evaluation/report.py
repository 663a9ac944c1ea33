"""The files of a report: a page for a reader, a document for a program, and a table with a row an image."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from engine.errors import FextError
from engine.evaluation.measuring import Measured
from engine.evaluation.page import page
from engine.evaluation.sections import Section
from engine.evaluation.summary import METRICS
from engine.files import replace_file

IMAGES_TABLE = "images.csv"
DOCUMENT = "evaluation.json"
PAGE = "report.html"


def write_report(folder: Path, title: str, subtitle: str, sections: Sequence[Section]) -> None:
    """Write ``report.html`` and then ``evaluation.json``, with the facts of all sections, into a folder.

    Raises:
        FextError: a figure cannot be read, or a file cannot be written.

    """
    try:
        text = page(title, subtitle, sections)
    except OSError as error:
        raise FextError(f"{error.filename} cannot be read: {error.strerror}.", "Evaluate again.") from error
    replace_file(folder / PAGE, text.encode())
    document: dict[str, Any] = {}
    for section in sections:
        assert not document.keys() & section.facts.keys()
        document |= section.facts
    replace_file(folder / DOCUMENT, (json.dumps(document, indent=2, allow_nan=False) + "\n").encode())


def write_images(path: Path, measured: Measured) -> None:
    """Write a row an image: its path, its figures, its PSNR by each baseline, and ``measured`` or why it was skipped.

    Raises:
        FextError: it cannot be written.

    """
    text = io.StringIO()
    writer = csv.writer(text)
    metrics = [metric.key for metric in METRICS if metric.key in measured.errors]
    writer.writerow(("path", *metrics, *(f"{name}_psnr" for name in measured.baselines), "status"))
    columns = [measured.errors[metric] for metric in metrics]
    columns += [errors["psnr"] for errors in measured.baselines.values()]
    figures: Iterator[tuple[float, ...]] = zip(*(column.tolist() for column in columns), strict=True)
    for image, values in zip(measured.paths, figures, strict=True):
        writer.writerow((image, *(f"{value:.7g}" for value in values), "measured"))
    writer.writerows((image, *("" for _ in columns), reason) for image, reason in measured.skipped)
    replace_file(path, text.getvalue().encode(errors="surrogateescape"))
