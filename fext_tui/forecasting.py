"""What a run will take, in words: one line for the form, and all of it for a dialog and the command line."""

from collections.abc import Iterator

from engine.forecast import Forecast, Part
from fext_tui import text

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
NOT_MEASURED = "not measured yet"
Row = tuple[str, str, str]
"""A figure: what it is of, how much, and where it comes from. The first is empty where it belongs to that above."""


def about(seconds: float) -> str:
    """Return a length of time as one figure: ``45 s``, ``12 min``, ``3.2 h`` or ``2.5 d``."""
    for unit, length, limit in (("s", 1, 90), ("min", _MINUTE, 90 * _MINUTE), ("h", _HOUR, 2 * _DAY)):
        if seconds < limit:
            value = seconds / length
            return f"{value:.0f} {unit}" if value >= 10 or unit == "s" else f"{value:.1f} {unit}"
    return f"{seconds / _DAY:.1f} d"


def compact(made: Forecast) -> str:
    """Return time, memory and disk in one line; what is calculated has a ``~`` before it."""
    seconds, where = made.seconds, "GPU memory" if made.on_gpu else "memory"
    if seconds is not None:
        time = f"≈ {about(seconds)}"
    elif made.time:
        time = f"≥ {about(sum(part.value for part in made.time))}"
    else:
        time = NOT_MEASURED
    return f"{time} · {_amount(made.peak)} {where} · ~{text.size(made.written)} disk"


def extent(made: Forecast) -> str:
    """Return images and steps in one line."""
    images = made.images
    count = "" if images.complete else "more than "
    steps = "" if made.steps is None else f", {made.steps:,} in all"
    return f"{count}{images.train:,} + {images.held_out:,} images · {made.steps_of_epoch:,} steps an epoch{steps}"


def _amount(part: Part) -> str:
    return f"{'~' if part.source == 'calculated' else ''}{text.size(part.value)}"


def rows(made: Forecast, now: float, way_to_measure: str) -> Iterator[Row]:
    """Yield all that is known, as figures with their sources; ``way_to_measure`` says what measures the time."""
    images = made.images
    count = "" if images.complete else "more than "
    yield "Images", f"{count}{images.train:,} to train on", "as far as all can be read"
    yield "", f"{images.held_out:,} held out", "about"
    yield "Steps", f"{made.steps_of_epoch:,} an epoch", ""
    if made.steps is not None and made.epochs is not None:
        yield "", f"{made.steps:,} in all", f"{made.epochs:,.4g} epochs, if patience lasts"
    yield from _times(made, now, way_to_measure)
    yield from _memory(made)
    yield "Disk", text.size(made.written), "and one more while saving"
    for part in made.disk:
        yield "", f"{text.size(part.value)}  {part.name}", part.source


def _times(made: Forecast, now: float, way_to_measure: str) -> Iterator[Row]:
    measured = made.measured
    if measured is None:
        told = f"{about(made.time[0].value)} of training" if made.time else NOT_MEASURED
        yield "Time", told, way_to_measure
        return
    yield "Time", f"≈ {about(made.seconds or 0)}", f"{measured.step * 1000:,.0f} ms a step, measured"
    whose = f"run {text.safe(measured.name)}" if measured.name else "a probe"
    yield "", "", f"by {whose}, {text.ago(now, measured.at)}"
    for part in made.time:
        yield "", f"{about(part.value)}  {part.name}", part.source
    if measured.start is None:
        yield "", "–  start, packing", "not measured"


def _memory(made: Forecast) -> Iterator[Row]:
    yield "GPU memory" if made.on_gpu else "Memory", text.size(made.peak.value), made.peak.source
    for part in made.memory:
        beside = ", beside the GPU" if made.on_gpu and part is not made.memory[0] else ""
        yield "", f"{text.size(part.value)}  {part.name}{beside}", part.source
