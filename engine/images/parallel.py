"""Work on many items by a few threads: results in order, bounded memory, stoppable."""

import itertools
import os
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from engine.images.reading import UnreadableImage
from engine.report import Report, go_on

Item = TypeVar("Item")
Result = TypeVar("Result")

_AHEAD = 4
_TOLD_EVERY_SECONDS = 0.1


def worker_count(workers: int) -> int:
    """Return the number of threads: as set, or with 0 one a core that this process may use."""
    return workers or len(os.sched_getaffinity(0))


def parallel(
    items: Iterable[Item], function: Callable[[Item], Result], workers: int
) -> Generator[tuple[Item, Result | UnreadableImage], None, None]:
    """Yield (item, what ``function`` returned for it) in the order of the items, computed by ``workers`` threads.

    Where the function raised `UnreadableImage`, that is the result; any other error ends the work and is raised.
    At most four results a thread wait to be taken. Closing the generator drops what is not begun.
    """
    with ThreadPoolExecutor(workers, thread_name_prefix="images") as pool:
        waiting: deque[tuple[Item, Future[Result]]] = deque()
        remaining = iter(items)
        try:
            while True:
                for item in itertools.islice(remaining, workers * _AHEAD - len(waiting)):
                    waiting.append((item, pool.submit(function, item)))
                if not waiting:
                    return
                done = _next(waiting)
                yield done
        finally:
            for _, future in waiting:
                future.cancel()


def _next(waiting: deque[tuple[Item, Future[Result]]]) -> tuple[Item, Result | UnreadableImage]:
    item, future = waiting.popleft()
    try:
        return item, future.result()
    except UnreadableImage as reason:
        return item, reason


def reported(
    results: Generator[Item, None, None],
    report: Report,
    phase: str,
    total: int,
    unit: str = "images",
    *,
    done_before: Callable[[], int] = lambda: 0,
) -> Generator[Item, None, None]:
    """Yield what ``results`` yields, tell the progress ten times a second, and end where the report says stop.

    ``done_before`` tells of how many of the ``total`` nothing is yielded, as far as that is known.

    Raises:
        Stopped: the report says stop; ``results`` is closed.

    """
    told = 0.0
    done = 0
    try:
        report.progress(phase, 0, total, unit)
        for result in results:
            go_on(report)
            yield result
            done += 1
            if time.monotonic() - told >= _TOLD_EVERY_SECONDS:
                report.progress(phase, done + done_before(), total, unit)
                told = time.monotonic()
        report.progress(phase, done + done_before(), total, unit)
    finally:
        results.close()
