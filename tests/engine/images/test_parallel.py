"""Work on threads: in order, bounded, and over when it is stopped."""

import threading

import pytest

from engine.errors import Stopped
from engine.images.decode import UnreadableImage
from engine.images.parallel import parallel, reported, worker_count
from engine.report import CollectedReport


@pytest.mark.parametrize("workers", [1, 3])
def test_results_come_in_order(workers: int) -> None:
    assert list(parallel(range(200), lambda number: number**2, workers)) == [(n, n**2) for n in range(200)]


def test_threads_work_at_the_same_time() -> None:
    together = threading.Barrier(3, timeout=30)
    assert len(list(parallel(range(3), lambda _: together.wait(), 3))) == 3


def test_what_cannot_be_read_is_a_result() -> None:
    def read(number: int) -> int:
        if number == 3:
            raise UnreadableImage("truncated")
        return number

    results = [result for _, result in parallel(range(5), read, 2)]
    assert [result for result in results if isinstance(result, int)] == [0, 1, 2, 4]
    assert isinstance(results[3], UnreadableImage)
    assert results[3].cause == "truncated"


def test_other_errors_end_the_work() -> None:
    begun: list[int] = []

    def fail(number: int) -> None:
        begun.append(number)
        raise KeyError(number)

    with pytest.raises(KeyError):
        list(parallel(range(10_000), fail, 2))
    assert len(begun) < 100


def test_no_more_is_begun_than_is_taken_and_a_little() -> None:
    begun: list[int] = []
    results = parallel(range(10_000), begun.append, 2)
    for _ in range(10):
        next(results)
    results.close()
    assert len(begun) <= 10 + 8
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("images")]


def test_progress_is_told_to_the_end() -> None:
    report = CollectedReport()
    assert len(list(reported(parallel(range(50), abs, 2), report, "packing", 50))) == 50
    assert report.progresses[0] == ("packing", 0, 50, "images")
    assert report.progresses[-1] == ("packing", 50, 50, "images")


def test_a_stop_ends_it_with_its_threads() -> None:
    report = CollectedReport()
    results = reported(parallel(range(10_000), abs, 2), report, "packing", 10_000)
    next(results)
    report.stop = True
    with pytest.raises(Stopped):
        next(results)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("images")]


def test_worker_count() -> None:
    assert worker_count(5) == 5
    assert worker_count(0) >= 1
