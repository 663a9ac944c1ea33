"""The figures of an analysis."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from engine.analysis.colors import CHANNELS
from engine.analysis.comparison import Comparison, Subset, values_of
from engine.analysis.findings import CUTS
from engine.analysis.measuring import Measured
from engine.files import printable
from engine.measures import title as titled
from engine.plots import Panel, comparison_figure, distribution_figure, overview_figure
from engine.records import Records
from engine.records.schema import columns_of
from engine.settings import METRIC_GROUPS, AnalysisSettings

FIGURES = ("pixel_distribution.png", "metrics.png", "train_validation.png", "metrics_train_validation.png")
"""The names of the figures; the last two are there where training and validation images can be compared."""


def draw(
    folder: Path,
    records: Records,
    measured: Measured,
    whole: Subset,
    comparison: Comparison | None,
    *,
    settings: AnalysisSettings,
) -> list[Path]:
    """Draw the figures of an analysis into ``folder``, over older ones, and return their paths.

    Raises:
        FextError: a file cannot be written.

    """
    source = printable(measured.manifest.folder.name)
    paths = [folder / name for name in FIGURES]
    pixels = int(whole.counts[0].sum()) / 1e6
    channels = dict(zip(CHANNELS, whole.counts, strict=True))
    if np.array_equal(whole.counts[1], whole.counts[2]) and np.array_equal(whole.counts[1], whole.counts[3]):
        channels = {"gray": whole.counts[0]}
    facts = f"{whole.images:,} images, {pixels:,.1f} million pixels"
    distribution_figure(channels, paths[0], f"Pixel distribution · {source}", facts)
    columns = [column for group in METRIC_GROUPS if group in settings.metrics for column in columns_of(group)]
    cuts = {cut.column: [limit.at(settings) for limit in CUTS if limit.column == cut.column] for cut in CUTS}
    panels = {
        titled(column): Panel(values_of(records, column, (measured.dataset, whole)), cuts.get(column, ()))
        for column in columns
    }
    explained = (
        "An orange line marks the median, a pink one the cut-off of a finding; values beyond the middle 99 % stand in "
        "the outermost bars."
    )
    overview_figure(panels, paths[1], f"Metrics of {whole.images:,} images · {source}", explained)
    if comparison is None:
        for path in paths[2:]:
            path.unlink(missing_ok=True)
        return paths[:2]
    _draw_comparison(records, comparison, paths[2:], source)
    return paths


def _draw_comparison(records: Records, comparison: Comparison, paths: Sequence[Path], source: str) -> None:
    sides = (comparison.one, comparison.other)
    names = [f"{side.name} ({side.images:,} images)" for side in sides]
    counts = {name: side.counts[0] for name, side in zip(names, sides, strict=True)}
    title = f"Pixel distribution, {sides[0].name} and {sides[1].name} · {source}"
    comparison_figure(counts, paths[0], title, comparison.levels["gray"].figures)
    panels = {
        titled(column): Panel(
            values_of(records, column, *zip(comparison.datasets, sides, strict=True)),
            note=f"{'▲ ' if apart.is_notable else ''}KS {apart.kolmogorov_smirnov:.2f}",
        )
        for column, apart in comparison.metrics.items()
    }
    explained = f"Blue: {names[0]}, orange: {names[1]}; ▲: differs by more than chance and a fifth of the deviation."
    overview_figure(panels, paths[1], f"Metrics, {sides[0].name} and {sides[1].name} · {source}", explained)
