"""What learned features are compared with: descriptions of pictures that nothing was trained for."""

import numpy as np
from numpy.typing import NDArray

from engine.evaluation.latent import project
from engine.images.resizing import resize

Pictures = NDArray[np.uint8]
Features = NDArray[np.float32]

_THUMBNAIL = 32
_SIDE = 64
_COMPONENTS = 64
_HOG_VALUES = 1764
_COLOR_LEVELS, _GRAY_LEVELS = 8, 64
_ORIENTATIONS, _CELL, _BLOCK = 9, 8, 2
_CLIP, _LEAST_NORM = 0.2, 1e-5


def descriptors_of(pictures: Pictures, train: NDArray[np.bool_] | None = None) -> dict[str, Features]:
    """Return descriptors by name of pictures (N, H, W, C), C = 1 or 3, each (N, D).

    ``train`` is the mask (N,) of the images that the principal components may be fitted to; all, without it.

    Raises:
        UsageError: there are no pictures.

    """
    return {
        "raw pixels": raw_pixels(pictures),
        "color histogram" if pictures.shape[3] == 3 else "gray histogram": level_histogram(pictures),
        "HOG": oriented_gradients(pictures),
        "PCA of pixels": pixel_components(pictures, train),
    }


def raw_pixels(pictures: Pictures, side: int = _THUMBNAIL) -> Features:
    """Return the pixels of pictures (N, H, W, C) at ``side`` × ``side``, in [0, 1]: (N, side · side · C)."""
    levels = _resized(pictures, side).astype(np.float32)
    return (levels / np.float32(255)).reshape(len(pictures), side * side * pictures.shape[3])


def level_histogram(pictures: Pictures) -> Features:
    """Return the square roots of the shares of the pixels of pictures (N, H, W, C) that fall into each bin.

    Of colors: 8 × 8 × 8 bins of red, green and blue together, (N, 512). Of gray: 64 bins, (N, 64). Of square roots,
    the Euclidean distance is the Hellinger distance of the shares.
    """
    channels = pictures.shape[3]
    levels = _COLOR_LEVELS if channels == 3 else _GRAY_LEVELS
    weights = levels ** np.arange(channels - 1, -1, -1)
    histograms = np.empty((len(pictures), levels**channels), np.float32)
    for number, picture in enumerate(pictures):
        bins = (picture // (256 // levels)).reshape(-1, channels) @ weights
        histograms[number] = np.sqrt(np.bincount(bins, minlength=histograms.shape[1]) / len(bins))
    return histograms


def oriented_gradients(pictures: Pictures) -> Features:
    """Return the histograms of oriented gradients of pictures (N, H, W, C) at 64 × 64: (N, 1764).

    Nine unsigned orientations in cells of 8 × 8 pixels, of the channel with the strongest gradient at each pixel;
    overlapping blocks of 2 × 2 cells, each normalized, clipped at 0.2 and normalized again (L2-Hys). Votes are not
    divided among neighboring cells and orientations. Source: N. Dalal and B. Triggs, "Histograms of Oriented Gradients
    for Human Detection", CVPR 2005.
    """
    gradients = np.empty((len(pictures), _HOG_VALUES), np.float32)
    for number, picture in enumerate(_resized(pictures, _SIDE)):
        gradients[number] = _blocks(_cells(picture))
    return gradients


def pixel_components(pictures: Pictures, train: NDArray[np.bool_] | None = None) -> Features:
    """Return the first 64 principal components of the pixels of pictures (N, H, W, C) at 64 × 64: (N, 64).

    They are fitted to the images of the mask ``train`` (N,), or to all.

    Raises:
        UsageError: there are no pictures.

    """
    return project(raw_pixels(pictures, _SIDE), _COMPONENTS, train).scores


def _resized(pictures: Pictures, side: int) -> Pictures:
    resized = np.empty((len(pictures), side, side, pictures.shape[3]), np.uint8)
    for number, picture in enumerate(pictures):
        resized[number] = resize(picture, side, side)
    return resized


def _cells(picture: Pictures) -> Features:
    """Return the mean strength of the gradient of a picture (H, W, C) by cell and orientation: (H / 8, W / 8, 9)."""
    levels = picture.astype(np.float64)
    down, across = np.zeros_like(levels), np.zeros_like(levels)
    down[1:-1] = levels[2:] - levels[:-2]
    across[:, 1:-1] = levels[:, 2:] - levels[:, :-2]
    strongest = np.argmax(np.hypot(down, across), axis=2)[:, :, None]
    down, across = (np.take_along_axis(one, strongest, 2)[:, :, 0] for one in (down, across))
    turns = np.rad2deg(np.arctan2(down, across)) % 180
    bins = np.minimum((turns * (_ORIENTATIONS / 180)).astype(np.int64), _ORIENTATIONS - 1)
    rows, columns = (size // _CELL for size in bins.shape)
    y, x = np.indices(bins.shape) // _CELL
    places = (y * columns + x) * _ORIENTATIONS + bins
    votes = np.bincount(places.ravel(), np.hypot(down, across).ravel(), rows * columns * _ORIENTATIONS)
    return votes.reshape(rows, columns, _ORIENTATIONS).astype(np.float32) / np.float32(_CELL**2)


def _blocks(cells: Features) -> Features:
    """Return the normalized blocks of 2 × 2 of the cells (rows, columns, 9), one after the other."""
    windows = np.lib.stride_tricks.sliding_window_view(cells, (_BLOCK, _BLOCK), axis=(0, 1))
    blocks = windows.transpose(0, 1, 3, 4, 2).reshape(-1, _BLOCK * _BLOCK * _ORIENTATIONS)
    clipped = np.minimum(_normalized(blocks), _CLIP)
    return np.ravel(_normalized(clipped))


def _normalized(blocks: Features) -> Features:
    lengths = np.sqrt(np.square(blocks).sum(axis=1, keepdims=True) + np.float32(_LEAST_NORM**2))
    return np.asarray(blocks / lengths, np.float32)
