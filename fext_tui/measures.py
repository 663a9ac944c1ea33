"""How measures of images are named and written."""

import math

from fext_tui.text import NONE

_WORDS = {
    "bytes": "size",
    "std": "deviation",
    "pixel_range": "range",
    "noise_std": "noise",
    "var_laplacian": "Laplacian variance",
    "spectral_highfreq_ratio": "high frequencies",
    "lbp_energy": "LBP energy",
    "lbp_entropy": "LBP entropy",
    "entropy_bits": "entropy",
    "low_sat_pct": "low saturation %",
    "high_sat_pct": "high saturation %",
}


def label(column: str) -> str:
    """Return a column of the image metrics as words."""
    return _WORDS.get(column, column.replace("_pct", " %").replace("_", " "))


def figure(value: float | None) -> str:
    """Return a measure with four digits that count and thousands separators; a dash where there is none."""
    if value is None or not math.isfinite(value):
        return NONE
    if value == round(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    decimals = 3 - math.floor(math.log10(abs(value)))
    return f"{value:.{min(max(decimals, 0), 6)}f}"
