"""The figures of an analysis."""

from pathlib import Path

from engine.analysis.comparison import Comparison, Subset
from engine.analysis.measuring import Measured
from engine.analysis.table import columns_in
from engine.files import printable
from engine.plots import comparison_figure, distribution_figure, overview_figure

_TITLES = {
    "height": "Height (px)",
    "width": "Width (px)",
    "mean": "Mean (gray level)",
    "median": "Median (gray level)",
    "std": "Standard deviation (levels)",
    "min": "Darkest pixel (level)",
    "max": "Brightest pixel (level)",
    "pixel_range": "Range (gray levels)",
    "noise_std": "Noise (gray levels)",
    "noise_ratio": "Noise over deviation",
    "underexposed_pct": "Underexposed (%)",
    "overexposed_pct": "Overexposed (%)",
    "midtone_pct": "Midtones (%)",
    "mean_gray": "Mean gray (level)",
    "entropy_bits": "Entropy (bits)",
    "normalized_entropy": "Entropy (share of 8 bits)",
    "var_laplacian": "Variance of Laplacian",
    "tenengrad": "Tenengrad",
    "spectral_highfreq_ratio": "High frequencies (share)",
    "colorfulness": "Colorfulness",
    "mean_saturation": "Saturation (0 to 1)",
    "low_sat_pct": "Pale pixels (%)",
    "high_sat_pct": "Vivid pixels (%)",
    "edge_density": "Edge pixels (share)",
    "mean_gradient": "Mean gradient",
    "lbp_energy": "Texture energy (LBP)",
    "lbp_entropy": "Texture entropy (bits)",
}


def draw(
    folder: Path, measured: Measured, groups: tuple[str, ...], whole: Subset, comparison: Comparison | None
) -> list[Path]:
    """Draw the figures of an analysis into ``folder``, over older ones, and return their paths.

    Raises:
        FextError: a file cannot be written.

    """
    source = printable(measured.manifest.folder.name)
    paths = [folder / "pixel_distribution.png", folder / "metrics.png", folder / "train_validation.png"]
    pixels = int(whole.counts.sum()) / 1e6
    facts = f"{whole.images:,} images, {pixels:,.1f} million pixels"
    distribution_figure(whole.counts, paths[0], f"Pixel distribution · {source}", facts)
    metrics = {_TITLES[column]: measured.values[:, n] for n, column in enumerate(columns_in(groups))}
    explained = "A line marks the median; values beyond the middle 99 % stand in the outermost bars."
    overview_figure(metrics, paths[1], f"Metrics of {whole.images:,} images · {source}", explained)
    if comparison is None:
        paths.pop().unlink(missing_ok=True)
        return paths
    sides = {f"{side.name} ({side.images:,} images)": side.counts for side in (comparison.train, comparison.validation)}
    title = f"Pixel distribution, train and validation · {source}"
    comparison_figure(sides, paths[2], title, comparison.distances.figures)
    return paths
