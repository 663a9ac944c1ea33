"""Curves of several runs over one another: what is read for them, and how they are laid."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from engine.comparing import RunFacts, run_facts
from engine.records import Records, Row
from fext_tui.series import Series

Axis = Literal["step", "epoch", "time"]

METRICS: Mapping[str, tuple[str, str]] = {
    "validation/psnr": ("PSNR", " dB"),
    "validation/loss": ("validation loss", ""),
    "train/loss": ("training loss", ""),
    "validation/ssim": ("SSIM", ""),
    "img_s": ("throughput", " img/s"),
}
"""Title and unit of each metric that runs are compared by."""

AXES: Mapping[Axis, str] = {"step": "steps", "epoch": "epochs", "time": "minutes"}


class Look(NamedTuple):
    """How a marked run is drawn: a theme variable for its color, and what marks its points."""

    color: str
    mark: str

    @property
    def sign(self) -> tuple[str, str]:
        """What stands before its name, and in which style."""
        return f"{self.mark} ", f"bold ${self.color}"


LOOKS = tuple(
    Look(color, mark)
    for color, mark in zip(("primary", "accent", "success", "error", "secondary", "foreground"), "ox+#*@", strict=True)
)
"""As many as are told apart with ease, also without colors."""

_SMOOTH = 0.85
"""Weight of what came before in a smoothed curve."""


@dataclass(frozen=True)
class Comparison:
    """Some runs in the order of their marks, and their curves, rows of ``step value epoch time`` by run and metric."""

    runs: tuple[RunFacts, ...] = ()
    curves: Mapping[str, Mapping[str, Sequence[Row]]] = field(default_factory=dict)


def read_comparison(records: Records, names: Sequence[str], now: float) -> Comparison:
    """Read the facts and curves of runs at ``now``, in seconds since the epoch; those that are gone are left out."""
    runs = [run_facts(records, name, now) for name in names if records.run_named(name)]
    curves = {run.name: {metric: records.curve(run.id, metric) for metric in METRICS} for run in runs}
    return Comparison(tuple(runs), curves)


def laid(rows: Sequence[Row], axis: Axis, *, logarithmic: bool, smooth: bool) -> Series:
    """Return a curve as it is drawn: over steps, epochs or minutes since its first value, perhaps of smoothed values.

    What is no number is left out; on a logarithmic scale, also what is not above zero.
    """
    kept = [row for row in rows if row["value"] is not None and (row["value"] > 0 or not logarithmic)]
    values = [row["value"] for row in kept]
    along = [(row["time"] - kept[0]["time"]) / 60 if axis == "time" else row[axis] for row in kept]
    return Series(along, list(smoothed(values)) if smooth else values)


def smoothed(values: Sequence[float]) -> Iterator[float]:
    """Yield the exponential moving average of values, free of the bias of its beginning (Kingma and Ba, 2015)."""
    average, weight = 0.0, 0.0
    for value in values:
        average, weight = _SMOOTH * average + (1 - _SMOOTH) * value, _SMOOTH * weight + (1 - _SMOOTH)
        yield average / weight
