"""Every dataset metric straight from its definition, one function a group, nothing shared between them."""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Bgr = NDArray[np.uint8]
Values = dict[str, float]


def gray_of(bgr: Bgr) -> NDArray[np.uint8]:
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY)


def statistics(bgr: Bgr) -> Values:
    gray = gray_of(bgr).astype(np.float64)
    noise = (gray - cv2.GaussianBlur(gray_of(bgr), (3, 3), 0)).std()
    return {
        "height": gray.shape[0],
        "width": gray.shape[1],
        "mean": gray.mean(),
        "median": np.median(gray),
        "std": gray.std(),
        "min": gray.min(),
        "max": gray.max(),
        "pixel_range": gray.max() - gray.min(),
        "noise_std": noise,
        "noise_ratio": noise / (gray.std() + 1e-9),
    }


def exposure(bgr: Bgr) -> Values:
    gray = gray_of(bgr)
    return {
        "underexposed_pct": 100 * np.mean(gray < 10),
        "overexposed_pct": 100 * np.mean(gray > 245),
        "midtone_pct": 100 * np.mean((gray >= 10) & (gray <= 245)),
        "mean_gray": gray.mean(),
    }


def _bits(values: NDArray[np.uint8]) -> float:
    counts = np.bincount(values.ravel(), minlength=256)
    shares = counts[counts > 0] / values.size
    return -float(np.sum(shares * np.log2(shares)))


def entropy(bgr: Bgr) -> Values:
    bits = _bits(gray_of(bgr))
    return {"entropy_bits": bits, "normalized_entropy": bits / 8}


def sharpness(bgr: Bgr) -> Values:
    gray = gray_of(bgr)
    across, down = (cv2.Sobel(gray, cv2.CV_64F, *order, ksize=3) for order in ((1, 0), (0, 1)))
    return {
        "var_laplacian": cv2.Laplacian(gray, cv2.CV_32F, ksize=3).astype(np.float64).var(),
        "tenengrad": np.mean(across**2 + down**2),
        "spectral_highfreq_ratio": _high_share(gray),
    }


def _high_share(gray: NDArray[np.uint8]) -> float:
    height, width = gray.shape
    magnitude = np.abs(np.fft.fftshift(np.fft.fft2(gray.astype(np.float64))))
    cy, cx = height // 2, width // 2
    y, x = np.ogrid[:height, :width]
    radius = np.sqrt((y - cy) ** 2 + (x - cx) ** 2)
    farthest = np.sqrt(max(cy, height - cy) ** 2 + max(cx, width - cx) ** 2)
    total = magnitude.sum()
    return float(magnitude[radius >= 0.25 * farthest].sum() / total) if total else 0.0


def color(bgr: Bgr) -> Values:
    blue, green, red = np.moveaxis(bgr.astype(np.float64), 2, 0)
    rg, yb = red - green, 0.5 * (red + green) - blue
    saturation = cv2.cvtColor(bgr, cv2.COLOR_BGR2HSV)[..., 1] / 255
    return {
        "colorfulness": np.sqrt(rg.var() + yb.var()) + 0.3 * np.sqrt(rg.mean() ** 2 + yb.mean() ** 2),
        "mean_saturation": saturation.mean(),
        "low_sat_pct": 100 * np.mean(saturation < 0.10),
        "high_sat_pct": 100 * np.mean(saturation > 0.90),
    }


def edges(bgr: Bgr) -> Values:
    gray = gray_of(bgr)
    median = np.median(gray)
    found = cv2.Canny(gray, int(max(0, 0.67 * median)), int(min(255, 1.33 * median)))
    across, down = (cv2.Sobel(gray, cv2.CV_64F, *order, ksize=3) for order in ((1, 0), (0, 1)))
    return {"edge_density": np.mean(found > 0), "mean_gradient": np.mean(np.hypot(across, down))}


def texture(bgr: Bgr) -> Values:
    gray = gray_of(bgr)
    height, width = gray.shape
    if height < 3 or width < 3:
        return {"lbp_energy": 0.0, "lbp_entropy": 0.0}
    center = gray[1:-1, 1:-1]
    patterns = np.zeros(center.shape, np.uint8)
    for bit, (dy, dx) in enumerate(((-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1))):
        neighbor = gray[1 + dy : height - 1 + dy, 1 + dx : width - 1 + dx]
        patterns |= (neighbor >= center).astype(np.uint8) << np.uint8(bit)
    shares = np.bincount(patterns.ravel(), minlength=256) / patterns.size
    return {"lbp_energy": float(np.sum(shares**2)), "lbp_entropy": _bits(patterns)}


NAIVE: dict[str, Callable[[Bgr], Values]] = {
    "statistics": statistics,
    "exposure": exposure,
    "entropy": entropy,
    "sharpness": sharpness,
    "color": color,
    "edges": edges,
    "texture": texture,
}
