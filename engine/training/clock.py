"""Training time, and whether to stop, as every rank has it."""

import math
import time

from engine.distributed.ranks import Ranks
from engine.report import Report


class Clock:
    """Training time, without scan, packing, validation and saving; it stands still until `start`.

    All ranks read it off the first one, in `look`: what follows from time, or from a request to stop, is the same.

    Attributes:
        seconds: of training, at the last look.
        now: seconds of any clock then, from an arbitrary start.
        stopping: whether the task was asked to stop.

    """

    def __init__(self, seconds: float, ranks: Ranks, report: Report) -> None:
        self._ranks = ranks
        self._report = report
        self._before = seconds
        self._started = math.inf
        self.look()

    def look(self) -> None:
        """Read the clock, all ranks at the same place."""
        now = time.perf_counter()
        seconds = self._before + max(0.0, now - self._started)
        self.seconds, self.now, stopping = self._ranks.agree([seconds, now, self._report.stopping()])
        self.stopping = bool(stopping)

    def start(self) -> None:
        """Let it go."""
        self._started = time.perf_counter()
        self.look()

    def stop(self) -> float:
        """Hold it, and return the seconds of training."""
        self.look()
        self._before, self._started = self.seconds, math.inf
        return self.seconds
