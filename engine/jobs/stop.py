"""Stopping a job."""

import time

from engine.jobs.care import reconcile
from engine.records import JobRow, Records


def request_stop(records: Records, job: int) -> JobRow:
    """Ask a job to stop, and return how it stands: one that waits is ``stopped`` at once.

    One that runs finishes its step, saves a checkpoint and ends; asked a second time, it is killed. One that has
    ended stays as it is.

    Raises:
        UsageError: there is no job of that number.

    """
    if not records.change_job(job, only_if=("queued",), state="stopped", stop=1, ended=time.time()):
        asked = records.job(job).stop
        records.change_job(job, only_if=("running",), stop=asked + 1)
        reconcile(records.workspace, records)
    return records.job(job)
