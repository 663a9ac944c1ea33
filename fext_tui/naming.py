"""What a job is called by what it works on."""

from engine.records import JobRow, Records


def job_name(records: Records, job: JobRow) -> str:
    """Return what a job works on: its run, its checkpoint, its folder, or nothing."""
    if job.run is not None:
        return str(records.run(job.run)["name"])
    return str(job.arguments.get("checkpoint") or job.arguments.get("folder") or "")
