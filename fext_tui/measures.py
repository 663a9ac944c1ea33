"""How measures of images are written."""

import math

from fext_tui.text import NONE


def figure(value: float | None) -> str:
    """Return a measure with four digits that count and thousands separators; a dash where there is none."""
    if value is None or not math.isfinite(value):
        return NONE
    if value == round(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    decimals = 3 - math.floor(math.log10(abs(value)))
    return f"{value:.{min(max(decimals, 0), 6)}f}"
