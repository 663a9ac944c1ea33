"""Submitting a job."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from engine.checkpoints import find_checkpoint, find_resumable, read_config
from engine.errors import UsageError
from engine.jobs.care import reconcile
from engine.jobs.on_finish import remember
from engine.jobs.tasks import lane_of, task_of
from engine.records import JobRow, Records
from engine.resuming import refuse_fixed
from engine.settings import Settings
from engine.workspace import Workspace, check_name


def submit(
    workspace: Workspace,
    records: Records,
    kind: str,
    settings: Settings,
    arguments: Mapping[str, Any],
    *,
    on_finish: Sequence[str] = (),
) -> JobRow:
    """Put a job at the end of the queue and return it, as `submit_all` does with several."""
    return submit_all(workspace, records, kind, [(settings, arguments)], on_finish=on_finish)[0]


def submit_all(
    workspace: Workspace,
    records: Records,
    kind: str,
    wanted: Sequence[tuple[Settings, Mapping[str, Any]]],
    *,
    on_finish: Sequence[str] = (),
) -> list[JobRow]:
    """Put jobs of a kind, each of settings and arguments, at the end of the queue: all of them, or none.

    Then it is seen to that somebody runs the queue. A ``train`` gets a run: ``name`` of the arguments, else one from
    variant and time. A ``resume`` belongs to the run of its checkpoint. ``on_finish`` is the command, a list of words,
    that is run after each of them.

    Raises:
        UsageError: an unknown kind or argument, a name that is taken or cannot be one, or an unknown checkpoint.
        FextError: a damaged checkpoint; the records cannot be written; no process can be started (the job waits).

    """
    with records.transaction():
        jobs = [_add(workspace, records, kind, settings, dict(arguments)) for settings, arguments in wanted]
        for job in jobs if on_finish else ():
            remember(workspace, job, on_finish)
    reconcile(workspace, records)
    return [records.job(job) for job in jobs]


def _add(workspace: Workspace, records: Records, kind: str, settings: Settings, values: dict[str, Any]) -> int:
    unknown = sorted(values.keys() - task_of(kind).arguments)
    if unknown:
        raise UsageError(f"A job of kind {kind!r} takes no {', '.join(unknown)}.", _takes(kind))
    run = None
    if kind == "train":
        values["name"] = _name_for(workspace, records, values.get("name") or "", settings)
        run = records.add_run(values["name"], settings.model.variant, values.pop("note", ""))
    elif "checkpoint" in task_of(kind).arguments:
        run = _check(workspace, records, kind, values)
    return records.add_job(kind, lane_of(kind, settings.device), settings.model_dump(), values, run)


def _takes(kind: str) -> str:
    return f"It takes {', '.join(sorted(task_of(kind).arguments))}."


def _name_for(workspace: Workspace, records: Records, wanted: str, settings: Settings) -> str:
    """Return the name of a new run.

    Raises:
        UsageError: the wanted one is taken, or cannot name a run.

    """
    if not wanted:
        return _free_name(workspace, records, f"{settings.model.variant}-{time.strftime('%Y%m%d-%H%M%S')}")
    check_name(wanted, "run")
    if (workspace.checkpoints / wanted).exists():
        raise UsageError(f"There is a checkpoint named {wanted!r} already.", "Choose another name, or resume it.")
    _give_back_unused(records, wanted)
    return wanted


def _free_name(workspace: Workspace, records: Records, base: str) -> str:
    name, number = base, 1
    while records.run_named(name) or (workspace.checkpoints / name).exists():
        number += 1
        name = f"{base}-{number}"
    return name


def _give_back_unused(records: Records, name: str) -> None:
    """Free the name of a run that failed before its first step, so that the same command works once it is mended."""
    run = records.run_named(name)
    if run and not _active(records, run["id"]) and not records.metrics_after(run["id"], limit=1):
        records.delete_run(run["id"])


def _active(records: Records, run: int) -> JobRow | None:
    return next((job for job in records.jobs("queued", "running", limit=-1) if job.run == run), None)


def _check(workspace: Workspace, records: Records, kind: str, arguments: Mapping[str, Any]) -> int | None:
    """Return the run that the job belongs to: that of its checkpoint for a resume, none for the others.

    Raises:
        UsageError: there is no such checkpoint, its run goes on already, or what is to change cannot.
        FextError: the checkpoint is damaged.

    """
    checkpoint = str(arguments.get("checkpoint", ""))
    if kind != "resume":
        find_checkpoint(workspace, checkpoint)
        return None
    state = find_resumable(workspace, checkpoint)
    name, settings = state.parent.name, read_config(state).settings
    refuse_fixed(settings, arguments.get("changes", {}))
    run = records.run_of(name, settings.model.variant)
    if active := _active(records, run):
        raise UsageError(f"Job {active.id} trains {name!r} already.", f"Wait for it, or stop it: fext stop {active.id}")
    return run
