"""Following a job: what is new, once, and from the beginning."""

import pytest

from engine.errors import UsageError
from engine.jobs.follow import Follower
from engine.records import Records
from engine.workspace import Workspace


def values(records: Records, run: int, steps: range) -> None:
    records.add_metrics(run, ((step, 0.0, 0.0, {"train/loss": float(step)}) for step in steps))


def test_who_attaches_late_gets_everything_and_then_only_what_is_new(workspace: Workspace) -> None:
    with Records(workspace) as writer, Records(workspace) as reader:
        run = writer.add_run("a", "redux")
        job = writer.add_job("train", "cpu", {}, {}, run)
        values(writer, run, range(5))
        writer.add_log_lines(job, [(0.0, "info", "one"), (0.0, "info", "two")])
        follower = Follower(reader, job)
        first = follower.poll()
        assert [row["step"] for row in first.metrics] == [0, 1, 2, 3, 4]
        assert [row["text"] for row in first.log] == ["one", "two"]
        assert (first.job.id, first.job.state) == (job, "queued")
        again = follower.poll()
        assert again.log == again.metrics == []
        values(writer, run, range(5, 7))
        writer.add_log_lines(job, [(0.0, "info", "three")])
        writer.change_job(job, state="done")
        last = follower.poll()
        assert [row["step"] for row in last.metrics] == [5, 6]
        assert [row["text"] for row in last.log] == ["three"]
        assert last.job.has_ended


def test_polls_are_bounded_and_miss_nothing(records: Records) -> None:
    run = records.add_run("a", "redux")
    job = records.add_job("train", "cpu", {}, {}, run)
    follower = Follower(records, job)
    follower.poll()
    values(records, run, range(25_000))
    records.add_log_lines(job, [(0.0, "info", str(number)) for number in range(2_500)])
    records.change_job(job, state="done")
    updates = [follower.poll()]
    while updates[-1].log or updates[-1].metrics:
        updates.append(follower.poll())
    assert max(len(update.metrics) for update in updates) <= 10_000
    assert max(len(update.log) for update in updates) <= 1_000
    assert [row["step"] for update in updates for row in update.metrics] == list(range(25_000))
    assert [int(row["text"]) for update in updates for row in update.log] == list(range(2_500))


def test_a_long_curve_comes_rolled_up_and_then_value_by_value(records: Records) -> None:
    run = records.add_run("a", "redux")
    job = records.add_job("train", "cpu", {}, {}, run)
    values(records, run, range(100_000))
    records.add_metrics(run, [(99_999, 0.0, 0.0, {"validation/psnr": 30.0})])
    follower = Follower(records, job)
    first = follower.poll()
    assert first.last == {"train/loss": 99_999.0, "validation/psnr": 30.0}
    assert len(first.metrics) < 5_000
    assert [row["step"] for row in first.metrics] == sorted(row["step"] for row in first.metrics)
    losses = [row for row in first.metrics if row["name"] == "train/loss"]
    assert (losses[0]["low"], losses[-1]["high"]) == (0.0, 99_999.0)
    values(records, run, range(100_000, 100_003))
    second = follower.poll()
    assert [(row["step"], row["value"]) for row in second.metrics] == [(step, step) for step in range(100_000, 100_003)]
    assert second.last == {}


def test_lines_are_those_of_the_job_and_values_those_of_its_run(records: Records) -> None:
    run, other_run = records.add_run("a", "redux"), records.add_run("b", "redux")
    first = records.add_job("train", "cpu", {}, {}, run)
    resumed = records.add_job("resume", "cpu", {}, {}, run)
    other = records.add_job("encode", "cpu", {}, {})
    values(records, run, range(3))
    values(records, other_run, range(3))
    records.add_log_lines(first, [(0.0, "info", "first")])
    update = Follower(records, resumed).poll()
    assert (update.log, len(update.metrics)) == ([], 3)
    assert Follower(records, other).poll().metrics == []


def test_a_resume_that_tells_steps_anew_is_heard(records: Records) -> None:
    run = records.add_run("a", "redux")
    job = records.add_job("resume", "cpu", {}, {}, run)
    values(records, run, range(10))
    follower = Follower(records, job)
    follower.poll()
    records.delete_metrics_after(run, 4)
    values(records, run, range(5, 8))
    assert [row["step"] for row in follower.poll().metrics] == [5, 6, 7]


def test_an_unknown_job_cannot_be_followed(records: Records) -> None:
    with pytest.raises(UsageError):
        Follower(records, 3)
