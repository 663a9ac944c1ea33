"""In which order the images of an epoch are seen."""

import numpy as np

from engine.images.dataset import Indices


def epoch_order(count: int, seed: int, epoch: int, *, shuffle: bool, buffer: int) -> Indices:
    """Return the order (count,) of an epoch, a function of the arguments alone.

    With ``buffer`` 0 all images are permuted. Else each is drawn from a sliding buffer of that many, filled in
    sequence, so that a pack that is larger than memory is read almost from front to end.
    """
    order = np.arange(count, dtype=np.int64)
    if not shuffle:
        return order
    generator = np.random.default_rng((seed, epoch))
    if buffer == 0 or buffer >= count:
        return generator.permutation(order)
    waiting = order[:buffer].copy()
    places = generator.integers(buffer, size=count - buffer)
    drawn = np.empty(count, dtype=np.int64)
    for number, place in enumerate(places):
        drawn[number] = waiting[place]
        waiting[place] = buffer + number
    drawn[count - buffer :] = generator.permutation(waiting)
    return drawn


def batch_of(order: Indices, step: int, batch_size: int) -> Indices:
    """Return the images of one step (batch_size,); the last batch is filled up from the front of the order.

    Every image is seen at least once an epoch, and every batch has the same shape.
    """
    start = step * batch_size
    return np.take(order, np.arange(start, start + batch_size), mode="wrap")


def steps_of_epoch(count: int, batch_size: int) -> int:
    """Return the number of steps an epoch has."""
    return -(-count // batch_size)
