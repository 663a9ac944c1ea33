"""The order of the jobs that wait, and those that are held back."""

from typing import Literal

from engine.errors import UsageError
from engine.jobs.care import reconcile
from engine.records import JobRow, Records

Place = Literal["first", "earlier", "later", "last"]


def move(records: Records, job: int, place: Place) -> list[JobRow]:
    """Move a job that waits to a place in the queue, or by one, and return the queue.

    Raises:
        UsageError: there is no such job, or it does not wait.

    """
    with records.transaction():
        order = [waiting.id for waiting in records.queue()]
        at = order.index(_waiting(records, job).id)
        target = {"first": 0, "earlier": max(at - 1, 0), "later": at + 1, "last": len(order)}[place]
        order.insert(target, order.pop(at))
        records.put_queue(order)
    return records.queue()


def hold(records: Records, job: int, *, held: bool) -> list[JobRow]:
    """Hold a job that waits back, or let it run when its turn comes, and return the queue.

    Raises:
        UsageError: there is no such job, or it does not wait.

    """
    waiting = _waiting(records, job)
    records.change_job(waiting.id, only_if=("queued",), held=held)
    reconcile(records.workspace, records)
    return records.queue()


def _waiting(records: Records, job: int) -> JobRow:
    found = records.job(job)
    if found.state != "queued":
        raise UsageError(f"Job {job} does not wait: it is {found.state}.", "`fext queue` lists the jobs that wait.")
    return found
