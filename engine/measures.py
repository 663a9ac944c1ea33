"""What the measures of images are called, and their units."""

_WORDS = {
    "bytes": "size",
    "std": "deviation",
    "pixel_range": "range",
    "noise_std": "noise",
    "var_laplacian": "Laplacian variance",
    "tenengrad": "Tenengrad",
    "spectral_highfreq_ratio": "high frequencies",
    "lbp_energy": "LBP energy",
    "lbp_entropy": "LBP entropy",
    "entropy_bits": "entropy",
    "low_sat_pct": "low saturation %",
    "high_sat_pct": "high saturation %",
}

_UNITS = {
    "height": "px",
    "width": "px",
    "mean": "gray level",
    "median": "gray level",
    "std": "levels",
    "min": "level",
    "max": "level",
    "pixel_range": "levels",
    "noise_std": "levels",
    "noise_ratio": "of deviation",
    "mean_gray": "level",
    "entropy_bits": "bits",
    "normalized_entropy": "of 8 bits",
    "spectral_highfreq_ratio": "share",
    "mean_saturation": "0 to 1",
    "edge_density": "share",
    "mean_gradient": "levels",
    "lbp_entropy": "bits",
}


def label(column: str) -> str:
    """Return a column of the image metrics as words."""
    return _WORDS.get(column, column.replace("_pct", " %").replace("_", " "))


def title(column: str) -> str:
    """Return a column as the title of an axis, with its unit: ``Noise (levels)``."""
    words, unit = label(column), _UNITS.get(column, "")
    if words.endswith(" %"):
        words, unit = words.removesuffix(" %"), "%"
    return f"{words[0].upper()}{words[1:]}{f' ({unit})' if unit else ''}"
