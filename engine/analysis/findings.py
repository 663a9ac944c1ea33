"""What is to be known of the images of a dataset, judged by what the records hold: nothing is measured again."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engine.analysis.likeness import DUPLICATE, LEAKAGE, NEAR_DUPLICATE, leakage_findings, likeness_findings
from engine.analysis.measuring import DEFECTS
from engine.measures import label
from engine.records import Condition, Finding, Records
from engine.records.images import metric_group
from engine.settings import AnalysisSettings, Settings

Values = NDArray[np.float64]

_NORMAL_SCORE = 0.6745
"""Median absolute deviation of a normal distribution in standard deviations (B. Iglewicz and D. Hoaglin, 1993)."""
_LEAST_SHARE = 0.05
_LEAST_IMAGES = 30
_GRAY_MODES = frozenset({"1", "L", "LA", "La", "I", "F", "I;16", "I;16B", "I;16L", "I;16N"})
_MODE_NAMES = {
    "1": "one bit a pixel", "P": "palette", "PA": "palette", "CMYK": "CMYK inks", "YCbCr": "YCbCr", "LAB": "CIE Lab",
    "HSV": "HSV", "F": "floats", "I": "32-bit gray",
}  # fmt: skip


@dataclass(frozen=True)
class Cut:
    """A kind of findings: images whose ``column`` lies below or above the setting ``field`` of `AnalysisSettings`."""

    kind: str
    column: str
    side: Literal["<", ">"]
    field: str
    unit: str

    def at(self, analysis: AnalysisSettings) -> float:
        """Return the cut-off."""
        return float(getattr(analysis, self.field))


CUTS = (
    Cut("dark", "mean_gray", "<", "dark_below", "mean gray level"),
    Cut("light", "mean_gray", ">", "light_above", "mean gray level"),
    Cut("low_information", "entropy_bits", "<", "information_below", "bits"),
    Cut("blurry", "spectral_highfreq_ratio", "<", "blur_below", "of the spectrum in high frequencies"),
    Cut("odd_aspect", "aspect", ">", "aspect_above", "times as long as short"),
)
"""The kinds that one cut-off of one metric decides."""

ODD_SIZE, GRAY_AS_COLOR, ALPHA, UNUSUAL_MODE, OUTLIER = "odd_size", "gray_as_color", "alpha", "unusual_mode", "outlier"

KINDS = (
    *DEFECTS, LEAKAGE, DUPLICATE, NEAR_DUPLICATE, *(cut.kind for cut in CUTS), ODD_SIZE, OUTLIER, GRAY_AS_COLOR, ALPHA,
    UNUSUAL_MODE,
)  # fmt: skip
"""All kinds of findings, the gravest first."""

_SKEWED = frozenset({"var_laplacian", "tenengrad"})
_RANGES = {
    "mean": 255, "median": 255, "std": 127.5, "pixel_range": 255, "noise_std": 127.5, "noise_ratio": 1,
    "entropy_bits": 8, "var_laplacian": 12, "tenengrad": 12, "spectral_highfreq_ratio": 1, "colorfulness": 180,
    "mean_saturation": 1, "edge_density": 1, "mean_gradient": 1000, "lbp_energy": 1, "lbp_entropy": 8,
}  # fmt: skip
"""Metrics in which an image can be an outlier, with about the range of their values (of the logarithm of `_SKEWED`).
Shares of pixels in percent are none, for they are all or nothing in many a picture; nor are extremes of levels, which
say nothing, sides of pictures, for which there are findings of their own, and what another metric says as well."""


def judge(records: Records, dataset: int, settings: Settings, held_out: int | None = None) -> dict[str, int]:
    """Put all findings of a dataset but defects into the records, and return the number of findings by kind.

    ``held_out`` is the dataset of a validation folder, in which no image of this one should be.
    """
    leaks = leakage_findings(records, dataset, held_out, settings.data.near_distance) if held_out is not None else ()
    found = {kinds: list(find(records, dataset, settings)) for kinds, find in _JUDGES.items()}
    found[LEAKAGE,] = list(leaks)
    with records.transaction():
        for kinds, findings in found.items():
            records.put_findings(dataset, kinds, findings)
    return records.count_findings(dataset)


def judge_kind(records: Records, dataset: int, settings: Settings, kind: str) -> None:
    """Put the findings of one kind anew into the records, as the settings are now.

    Raises:
        KeyError: the records alone do not decide it.

    """
    kinds, find = {name: judge for judge in _JUDGES.items() for name in judge[0]}[kind]
    records.put_findings(dataset, kinds, list(find(records, dataset, settings)))


def _beyond(cut: Cut, records: Records, dataset: int, settings: Settings) -> Iterator[Finding]:
    limit = cut.at(settings.analysis)
    side = "below" if cut.side == "<" else "above"
    group = metric_group(cut.column)
    groups = [*([group] if group else []), *(["entropy"] if cut.kind == "blurry" else [])]
    for row in records.image_metrics(dataset, groups, where=[Condition(cut.column, cut.side, limit)]):
        bits = row.get("entropy_bits")
        if cut.kind == "blurry" and bits is not None and bits < settings.analysis.information_below:
            continue  # a picture of nothing has no detail either, and is told as that
        value = row[cut.column]
        yield Finding(row["path"], cut.kind, f"{value:.4g} {cut.unit}, {side} {limit:g}", value)


def _odd_sizes(records: Records, dataset: int, settings: Settings) -> Iterator[Finding]:
    factor = settings.analysis.size_factor
    _, sizes = records.metric_values(dataset, "megapixels")
    if not len(sizes):
        return
    median = float(np.median(sizes))
    for side, limit, words in (("<", median / factor, "smaller"), (">", median * factor, "larger")):
        for row in records.image_metrics(dataset, [], where=[Condition("megapixels", side, limit)]):
            times = max(row["megapixels"] / median, median / row["megapixels"])
            size = f"{row['width']} × {row['height']} pixels"
            yield Finding(row["path"], ODD_SIZE, f"{size}, {times:.1f} times {words} than the median", times)


def _unusual_forms(records: Records, dataset: int, _: Settings) -> Iterator[Finding]:
    for path, mode, bits, alpha, gray in records.stored_forms(dataset):
        if alpha:
            yield Finding(path, ALPHA, "parts are transparent; training sees them over white")
        if gray and mode not in _GRAY_MODES and mode not in {"P", "PA"}:
            yield Finding(path, GRAY_AS_COLOR, f"gray, but stored in the channels of {mode}")
        if mode in _MODE_NAMES:
            yield Finding(path, UNUSUAL_MODE, f"stored as {_MODE_NAMES[mode]}", bits)
        elif bits != 8:
            yield Finding(path, UNUSUAL_MODE, f"{bits} bits a channel", bits)


def _outliers(records: Records, dataset: int, settings: Settings) -> Iterator[Finding]:
    limit = settings.analysis.outlier_above
    for column in _RANGES:
        numbers, values = records.metric_values(dataset, column)
        if len(numbers) < _LEAST_IMAGES:
            continue
        scores = robust_scores(column, values)
        found = np.flatnonzero(np.abs(scores) > limit)
        paths = records.paths(numbers[found].tolist())
        median = float(np.median(values))
        for place in found.tolist():
            score = float(scores[place])
            side = "above" if score > 0 else "below"
            detail = f"{label(column)} {values[place]:.4g}, {abs(score):.0f} deviations {side} the median {median:.4g}"
            yield Finding(paths[int(numbers[place])], OUTLIER, detail, score)


def robust_scores(column: str, values: Values) -> Values:
    """Return the robust z of the values (N,) of a metric: 0.6745 · (value − median) / median absolute deviation.

    Deviations are taken on the value's own side of the median, for most metrics are skewed, and are at least a
    twentieth of the metric's range; variances and energies are taken by their logarithm.

    Source: B. Iglewicz and D. Hoaglin, "How to Detect and Handle Outliers" (1993).
    """
    scaled = np.log1p(values) if column in _SKEWED else values
    away = scaled - np.median(scaled)
    least = _NORMAL_SCORE * _LEAST_SHARE * _RANGES[column]
    above, below = (max(least, float(np.median(side[side >= 0]))) for side in (away, -away))
    return _NORMAL_SCORE * away / np.where(away > 0, above, below)


def _likeness(records: Records, dataset: int, settings: Settings) -> Iterator[Finding]:
    return likeness_findings(records, dataset, settings.data.near_distance)


_JUDGES: dict[tuple[str, ...], Callable[[Records, int, Settings], Iterator[Finding]]] = {
    (DUPLICATE, NEAR_DUPLICATE): _likeness,
    **{(cut.kind,): partial(_beyond, cut) for cut in CUTS},
    (ODD_SIZE,): _odd_sizes,
    (OUTLIER,): _outliers,
    (GRAY_AS_COLOR, ALPHA, UNUSUAL_MODE): _unusual_forms,
}
"""What finds the kinds that the records alone decide; leakage needs the other dataset too."""

ADJUSTABLE = {
    **{cut.kind: f"analysis.{cut.field}" for cut in CUTS},
    ODD_SIZE: "analysis.size_factor",
    OUTLIER: "analysis.outlier_above",
    NEAR_DUPLICATE: "data.near_distance",
}
"""The setting that decides a kind, by its dotted key."""
