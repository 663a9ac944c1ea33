"""The size of a network, counted from its measures: parameters, buffers, and what a training step keeps."""

import itertools
from dataclasses import dataclass

from engine.architecture import (
    CELL,
    COMPARED_VALUES,
    FRAME,
    PYRAMID_CELLS,
    WHITENED_VALUES,
    Widths,
    bases_of,
    stages_of,
)
from engine.settings import ModelSettings


@dataclass(frozen=True)
class NetworkSize:
    """Numbers of values: float32, unless a lower precision is trained in.

    Attributes:
        parameters: what is trained.
        buffers: what is fitted: the shortcut and the statistics of whitening.
        encoder: what the backward pass needs of an image's way to the latent.
        decoder: what it needs of the way from the latent to the loss.
        once: what it needs once a step, whatever the batch.

    """

    parameters: int
    buffers: int
    encoder: int
    decoder: int
    once: int


def network_size(model: ModelSettings, height: int, width: int, channels: int) -> NetworkSize:
    """Return the size of the network that `engine.models.Autoencoder` builds, for images of this size."""
    stages = stages_of(model.variant, model.downsampling)
    sides = (-(-side // model.downsampling) * model.downsampling // CELL for side in (height, width))
    rows, columns = sides
    positions = [rows * columns // 4**level for level in range(len(stages.channels))]
    encoder, decoder = _activations(model, stages, positions, channels)
    directions = _directions(model, channels)
    once = bases_of(model) * shortcut_values(model) * directions if model.shortcut else 0
    return NetworkSize(_parameters(model, stages, channels), _buffers(model, channels), encoder, decoder, once)


def shortcut_values(model: ModelSettings) -> int:
    """Return how many values of a latent's position the shortcut gives: all but the code, where there is one."""
    return model.latent_channels - (bases_of(model) > 1)


def directions_share(model: ModelSettings, channels: int) -> float:
    """Return the directions that the shortcut's bases are found in, as a share of a patch's values."""
    return _directions(model, channels) / _patch(model, channels)


def _patch(model: ModelSettings, channels: int) -> int:
    return channels * model.downsampling**2


def _directions(model: ModelSettings, channels: int) -> int:
    return min(_patch(model, channels), FRAME * shortcut_values(model))


def _convolution(inputs: int, outputs: int, side: int) -> int:
    return inputs * outputs * side**2 + outputs


def _parameters(model: ModelSettings, stages: Widths, channels: int) -> int:
    widths, cell = stages.channels, channels * CELL**2
    first, last, latent = widths[0], widths[-1], model.latent_channels
    compressed = shortcut_values(model) if model.shortcut else latent
    ends = _convolution(cell, first, 3) * (2 if model.shortcut else 1) + 2 * first + _convolution(first, cell, 3)
    bottleneck = 2 * last + _convolution(last, compressed, 1) + _convolution(latent, last, 1)
    blocks = sum(
        2 * count * (2 * width + 2 * _convolution(width, width, 3))
        for width, count in zip(widths, stages.blocks, strict=True)
    )
    changes = sum(
        _convolution(fine, coarse, 1) + _convolution(coarse, fine, 1) + 4 * fine * coarse
        for fine, coarse in itertools.pairwise(widths)
    )
    return ends + bottleneck + blocks + changes + _projection(model)


def _projection(model: ModelSettings) -> int:
    width = model.projection
    if not width:
        return 0
    return _convolution(2 * model.latent_channels, width, 1) + 2 * width + _convolution(width, COMPARED_VALUES, 1)


def _buffers(model: ModelSettings, channels: int) -> int:
    count = 0
    if model.shortcut:
        patch, directions, values = _patch(model, channels), _directions(model, channels), shortcut_values(model)
        count += patch * directions + bases_of(model) * directions * values + values + patch
    if model.whitening:
        pyramid = 2 * PYRAMID_CELLS * model.latent_channels
        count += pyramid * (1 + min(pyramid, WHITENED_VALUES))
    return count


def _activations(model: ModelSettings, stages: Widths, positions: list[int], channels: int) -> tuple[int, int]:
    """Return what autograd keeps of encoder and decoder, in values an image.

    A residual block keeps its input, the normalized one, and what the ReLU lets through, with two figures a position;
    a change of stage keeps both of its sides, and max pooling two more values for each of its 64-bit indices.
    """
    widths, cell = stages.channels, channels * CELL**2
    blocks = sum(
        count * (3 * width + 2) * places for width, count, places in zip(widths, stages.blocks, positions, strict=True)
    )
    down = sum(width * (places + 3 * (places // 4)) for width, places in zip(widths[:-1], positions, strict=False))
    up = sum(width * places for width, places in zip(widths[1:], positions[1:], strict=True))
    encoder = cell * positions[0] + blocks + down + (2 * widths[-1] + 2) * positions[-1]
    decoder = model.latent_channels * positions[-1] + up + blocks + (2 * widths[0] + 2 + cell) * positions[0]
    if model.shortcut:
        encoder += positions[-1]
        of_detail = 4 * cell + (channels + 1) * (CELL**2 + 1) + channels + 2
        decoder += (bases_of(model) + 1) * positions[-1] + of_detail * positions[0]
    return encoder, decoder
