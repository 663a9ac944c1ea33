"""One metric of a run over its steps, as much of it as can be seen."""

from dataclasses import dataclass, field

KEPT_POINTS = 4097
"""Points that a curve keeps in memory, an odd number; of one more, each two become one."""


@dataclass
class Series:
    """Points in the order of their steps; a point may stand for several values, of which it keeps the extremes."""

    steps: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    lows: list[float] = field(default_factory=list)
    highs: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Let points without extremes stand for one value each."""
        self.lows = self.lows or list(self.values)
        self.highs = self.highs or list(self.values)

    def add(self, step: float, value: float, low: float | None = None, high: float | None = None) -> None:
        """Add a point; what lay at or beyond its step is replaced, as by a resume."""
        while self.steps and self.steps[-1] >= step:
            for column in self._columns:
                column.pop()
        self.steps.append(step)
        self.values.append(value)
        self.lows.append(value if low is None else low)
        self.highs.append(value if high is None else high)
        if len(self.steps) > KEPT_POINTS:
            self._halve()

    @property
    def _columns(self) -> tuple[list[float], ...]:
        return self.steps, self.values, self.lows, self.highs

    def _halve(self) -> None:
        """Make one point of each two, but for the first and the last."""
        pairs = range(1, len(self.steps) - 2, 2)
        self.steps[1:-1] = [self.steps[at + 1] for at in pairs]
        self.values[1:-1] = [(self.values[at] + self.values[at + 1]) / 2 for at in pairs]
        self.lows[1:-1] = [min(self.lows[at : at + 2]) for at in pairs]
        self.highs[1:-1] = [max(self.highs[at : at + 2]) for at in pairs]
