"""Work that is divided among ranks: how far all of them have come, and whether they go on."""

import time
from collections.abc import Callable
from contextlib import suppress

from engine.distributed.ranks import Ranks, Sum
from engine.errors import Stopped
from engine.report import QuietReport, Report

Work = Callable[[Report], None]

_EVERY_SECONDS = 0.1


def work_together(ranks: Ranks, report: Report, work: Work, *, total: int = 0, before: int = 0) -> bool:
    """Do this rank's part of what all ranks work on, and return, when all are through, whether they were stopped.

    Args:
        ranks: those who work.
        report: the first rank's is told the progress of all, and asked whether to stop.
        work: does the part; its own report is asked whether to stop and told how far the part has come. What it logs
            is not told.
        total: how many items there are, which the first rank tells.
        before: how many of them are done already, likewise.

    Raises:
        RuntimeError: another rank is lost.

    """
    together = _Together(ranks, report, total, before)
    with suppress(Stopped):
        work(together)
    return together.finish()


class _Together(QuietReport):
    """The report of a part, which hears of the other parts.

    Ranks add up what they have done again and again, without waiting for one another: a round ends when every rank has
    come to its next question whether to stop, however much work each has. What a round says of stops, all act upon.
    """

    def __init__(self, ranks: Ranks, report: Report, total: int, before: int) -> None:
        self._ranks, self._report = ranks, report
        self._total, self._before = total, before
        self._phase, self._done, self._unit = "", 0.0, ""
        self._is_through = self._stops = False
        self._told = time.monotonic()
        self._round = self._begin()

    def progress(self, phase: str, done: float, total: float, unit: str) -> None:
        """Keep how far this part has come, for the next round."""
        self._phase, self._done, self._unit = phase, done, unit

    def stopping(self) -> bool:
        """Return whether the first rank was asked to stop, as all ranks know."""
        now = time.monotonic()
        if now - self._told > _EVERY_SECONDS and self._round.is_there:
            self._turn()
            self._told = now
        return self._stops

    def finish(self) -> bool:
        """Wait until all ranks are through, and return whether they were stopped."""
        self._is_through = True
        while not self._turn():
            pass
        return self._stops

    def _turn(self) -> bool:
        """End a round, and begin the next unless all ranks are through; return whether they are."""
        done, stops, through = self._round.wait()
        self._stops = stops > 0
        if self._phase:
            self._report.progress(self._phase, self._before + done, self._total, self._unit)
        if through == self._ranks.count:
            return True
        self._round = self._begin()
        return False

    def _begin(self) -> Sum:
        stops = self._stops or self._report.stopping()
        return self._ranks.begin_sum([self._done, stops, self._is_through])
