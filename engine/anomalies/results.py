"""What a search for anomalies found, and the tables and figures of it."""

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.anomalies.ranking import COMBINED, Judged, MostUnusual
from engine.anomalies.reference import Judge, Reference
from engine.files import make_folder, replace_file
from engine.plots import reconstruction_figure
from engine.plots.anomalies import ScorePanel, scores_figure
from engine.rankings import REPORT_FILE, SCORES

FIGURE_FILES = ("anomalies.png", "anomalies-worst.png")

JUDGES: dict[Judge, str] = {
    "validation": "held-out images",
    "training": "training images",
    "folder": "images of the reference folder",
}
_TITLES = {
    "error": ("Error of all pixels", "mean absolute error"),
    "local_error": ("Error of the worst 5 % of pixels", "mean absolute error"),
    "distance": ("Distance to known images", "cosine distance"),
}


@dataclass(frozen=True)
class AnomalyResult:
    """How many of the images are unusual, by which measure, and where the tables and figures lie.

    Attributes:
        images: how many were scored.
        skipped: how many could not be read.
        anomalies: how many have a score above its threshold.
        reference: whose scores say what is usual: ``validation``, ``training`` or ``folder``.
        reference_images: how many those are.
        reference_beyond: the share of them, in percent, that have a score above its threshold.
        percentile: which percentile of their scores the thresholds are.
        thresholds: by the name of the score.
        auroc: by the name of the score, and for ``combined``, the order of the table; empty without labels of both.
        average_precision: the same.
        labeled: how many images have a label.
        unrated: why there are labels and no AUROC.
        table: the path of ``anomalies.csv``.
        figures: the paths of the figures.

    """

    images: int
    skipped: int
    anomalies: int
    reference: Judge
    reference_images: int
    reference_beyond: float
    percentile: float
    thresholds: Mapping[str, float]
    auroc: Mapping[str, float]
    average_precision: Mapping[str, float]
    labeled: int
    unrated: str
    table: str
    figures: tuple[str, ...]


@dataclass(frozen=True)
class Scored:
    """What was found of n images in the order of their paths, pictures of some, and those skipped, with reasons."""

    paths: list[str]
    judged: Judged
    unusual: MostUnusual
    skipped: list[tuple[str, str]]


def write_tables(result: AnomalyResult, scored: Scored, labels: Mapping[str, int], facts: Mapping[str, Any]) -> None:
    """Write ``anomalies.csv``, an image a line, the most unusual first, and ``anomalies.json``.

    Raises:
        FextError: they cannot be written.

    """
    table = Path(result.table)
    skipped = [{"path": path, "reason": reason} for path, reason in scored.skipped]
    content = json.dumps({**facts, **asdict(result), "unreadable": skipped}, indent=2)
    make_folder(table.parent)
    replace_file(table, _table(scored, labels))
    replace_file(table.with_name(REPORT_FILE), f"{content}\n".encode())


def _table(scored: Scored, labels: Mapping[str, int]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    percentiles = (f"{name}_percentile" for name in SCORES)
    writer.writerow(("rank", "path", *SCORES, *percentiles, "percentile", "is_anomaly", "label"))
    judged = scored.judged
    for rank, row in enumerate(judged.order(), 1):
        path = scored.paths[row]
        values = (*judged.scores[row], *judged.percentiles[row], judged.combined[row])
        told = (f"{value:.6g}" for value in values)
        writer.writerow((rank, path, *told, int(judged.is_anomaly[row]), labels.get(path, "")))
    return text.getvalue().encode(errors="surrogateescape")


def draw(result: AnomalyResult, scored: Scored, labels: Mapping[str, int], usual: Reference, title: str) -> None:
    """Draw the histograms of the scores, and the most unusual images with reconstructions and error maps.

    Raises:
        FextError: a figure cannot be written.

    """
    sets = _sets(scored, labels)
    panels = {
        _TITLES[name][0]: ScorePanel(
            {JUDGES[usual.judge]: usual.scores[:, place]}
            | {name: scored.judged.scores[rows, place] for name, rows in sets.items()},
            result.thresholds[name],
            _TITLES[name][1],
        )
        for place, name in enumerate(SCORES)
    }
    histograms, worst = map(Path, result.figures)
    scores_figure(panels, histograms, title, f"{told(result)} {rating(result)}".strip())
    pictures = [(one.image, one.restored, f"{one.path}\n{_caption(one.scores)}") for one in scored.unusual.pictures]
    what = f"the {len(pictures)} most unusual of {result.images:,}, with error · worst 5 % · distance"
    reconstruction_figure(pictures, worst, f"{title} · {what}")


def _sets(scored: Scored, labels: Mapping[str, int]) -> dict[str, NDArray[np.intp]]:
    """Return the rows of the images by what they are known to be."""
    found = {"these images": [row for row, path in enumerate(scored.paths) if path not in labels]}
    for name, value in (("labeled normal", 0), ("labeled anomalous", 1)):
        found[name] = [row for row, path in enumerate(scored.paths) if labels.get(path) == value]
    return {name: np.array(rows, np.intp) for name, rows in found.items() if rows}


def _caption(scores: NDArray[np.float64]) -> str:
    error, local_error, distance = scores
    return f"{error:.3f} · {local_error:.3f} · {distance:.3f}"


def told(result: AnomalyResult) -> str:
    """Return what was found as a sentence."""
    return (
        f"{result.anomalies:,} of {result.images:,} images have a score beyond percentile {result.percentile:g} of the "
        f"{result.reference_images:,} {JUDGES[result.reference]}, as have {result.reference_beyond:.1f} % of those."
    )


def rating(result: AnomalyResult) -> str:
    """Return how well the ranking agrees with labels, as a sentence; empty without any."""
    if result.auroc:
        return f"AUROC {result.auroc[COMBINED]:.3f}, average precision {result.average_precision[COMBINED]:.3f}."
    return f"No AUROC: {result.unrated}" if result.unrated else ""
