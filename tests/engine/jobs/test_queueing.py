"""The order of the queue: moved, held, kept whatever the clock says, and obeyed by the runner."""

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.errors import UsageError
from engine.jobs.care import has_work
from engine.jobs.queueing import Place, hold, move
from engine.jobs.stop import request_stop
from engine.records import Records
from engine.records import jobs as jobs_of_records

if TYPE_CHECKING:
    from tests.engine.jobs.conftest import Jobs


def _queue(records: Records, count: int) -> list[int]:
    return [records.add_job("sample", "cpu", {}, {}) for _ in range(count)]


def _order(records: Records) -> list[int]:
    return [job.id for job in records.queue()]


@pytest.mark.parametrize(
    ("place", "expected"),
    [("first", [2, 0, 1, 3]), ("earlier", [0, 2, 1, 3]), ("later", [0, 1, 3, 2]), ("last", [0, 1, 3, 2])],
)
def test_a_job_moves_to_its_place(records: Records, place: Place, expected: list[int]) -> None:
    jobs = _queue(records, 4)
    assert [job.id for job in move(records, jobs[2], place)] == [jobs[at] for at in expected]
    late = records.add_job("sample", "cpu", {}, {})
    assert _order(records)[-1] == late, "who joins later stands behind"


def test_the_first_and_the_last_stay_where_they_are(records: Records) -> None:
    jobs = _queue(records, 3)
    for job, place in ((jobs[0], "earlier"), (jobs[0], "first"), (jobs[2], "later"), (jobs[2], "last")):
        move(records, job, place)  # type: ignore[arg-type]
        assert _order(records) == jobs


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moves=st.lists(st.tuples(st.integers(0, 4), st.sampled_from(["first", "earlier", "later", "last"])), max_size=8))
def test_moves_are_those_of_a_list(records: Records, moves: list[tuple[int, Place]]) -> None:
    for job in records.queue():
        request_stop(records, job.id)
    order = jobs = _queue(records, 5)
    for index, place in moves:
        job = jobs[index]
        rest = [other for other in order if other != job]
        at = order.index(job)
        target = {"first": 0, "earlier": max(at - 1, 0), "later": at + 1, "last": len(rest)}[place]
        order = [*rest[:target], job, *rest[target:]]
        move(records, job, place)
        assert _order(records) == order


def test_a_clock_set_back_lets_nobody_jump_the_queue(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    first = records.add_job("sample", "cpu", {}, {})
    monkeypatch.setattr(jobs_of_records.time, "time", lambda: 1.0)
    second = records.add_job("sample", "cpu", {}, {})
    assert _order(records) == [first, second]


def test_a_clock_set_back_makes_no_job_run_for_less_than_nothing(records: Records) -> None:
    job = records.add_job("sample", "cpu", {}, {})
    assert records.job(job).seconds(now=5.0) is None
    records.change_job(job, state="running", started=100.0)
    assert records.job(job).seconds(now=130.0) == 30.0
    assert records.job(job).seconds(now=5.0) == 0.0
    records.change_job(job, state="done", ended=90.0)
    assert records.job(job).seconds(now=130.0) == 0.0


def test_a_held_job_is_passed_over_and_is_no_work(records: Records) -> None:
    first, second = _queue(records, 2)
    records.change_job(first, held=True)
    waiting = records.next_queued()
    assert waiting is not None
    assert waiting.id == second
    records.change_job(second, held=True)
    assert records.next_queued() is None
    assert not has_work(records)
    assert [job.held for job in records.queue()] == [True, True]


def test_only_a_job_that_waits_can_be_moved_or_held(records: Records) -> None:
    [job] = _queue(records, 1)
    request_stop(records, job)
    for change in (lambda: move(records, job, "first"), lambda: hold(records, job, held=True)):
        with pytest.raises(UsageError, match="does not wait: it is stopped"):
            change()
    with pytest.raises(UsageError, match="no job 99"):
        move(records, 99, "first")


def test_the_runner_obeys_the_order_and_goes_home_when_all_that_waits_is_held(jobs: "Jobs") -> None:
    running = jobs.started(jobs.sample(10_000_000)).id
    one, two, held = (jobs.sample(1) for _ in range(3))
    hold(jobs.records, held, held=True)
    move(jobs.records, two, "first")
    request_stop(jobs.records, running)
    ended = [jobs.ended(job).ended for job in (two, one)]
    assert ended == sorted(ended, key=lambda at: at or 0)
    jobs.wait_for(lambda: not jobs.runner_is_there(), what="the end of the runner")
    assert jobs.records.job(held).state == "queued"
    hold(jobs.records, held, held=False)
    assert jobs.ended(held).state == "done"
