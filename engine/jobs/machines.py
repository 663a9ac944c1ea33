"""Running a job on several machines: the first of them has it from the records, the others join it."""

import contextlib
import dataclasses
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from engine.distributed.endpoint import Endpoint, endpoint_of, interface_to
from engine.distributed.launch import processes_of, uses_gpus
from engine.distributed.meeting import Guest, Machine, Meeting, Place, lost_connection
from engine.errors import EXIT_USAGE, FextError, Stopped, UsageError
from engine.files import replace_file
from engine.jobs.outcome import Outcome, outcome_of
from engine.jobs.process import host_name
from engine.jobs.ranks import Explanation, Slip, conclude, folder_of_ranks, merged, run_here
from engine.jobs.tasks import settings_of
from engine.records import JobRow, Records
from engine.report import Report, go_on
from engine.settings import Settings
from engine.workspace import Workspace

PATIENCE_SECONDS = 600.0
"""How long machines wait for one another to come."""

_GRACE_SECONDS = 5.0
_LOOK_SECONDS = 0.2
_RECORDS_FILE = "records.db"


def join_command(endpoint: Endpoint) -> str:
    """Return what is run on each other machine of a job."""
    return f"fext join {endpoint}"


# --- The first machine ------------------------------------------------------------------------------------------


def run_on_machines(
    workspace: Workspace,
    records: Records,
    job: JobRow,
    report: Report,
    *,
    patience: float = PATIENCE_SECONDS,
    grace: float = _GRACE_SECONDS,
) -> Outcome:
    """Run a job on this machine and on others that join it, and return how it ended.

    Args:
        workspace: where it is.
        records: its records, which no other machine opens.
        job: the job, which this process has claimed.
        report: told which command joins, who has come, and asked whether to stop.
        patience: seconds to wait for the others.
        grace: seconds that the others have where one rank has ended; then they are killed.

    Raises:
        FextError: the meeting point cannot be, or what it needs cannot be written.

    """
    settings = settings_of(job)
    endpoint, key = endpoint_of(settings.device.rendezvous), secrets.token_hex(8)
    invitation = {
        "key": key,
        "versions": _versions(),
        "resources": str(workspace.root),
        "gpus": uses_gpus(settings.device),
        "job": dataclasses.asdict(job),
        "records": _needed_records(workspace, records, job, settings),
    }
    with _shown_to_others(workspace, key), Meeting(endpoint, invitation) as meeting:
        first = _First(workspace, records, job, report, meeting, grace)
        outcome = outcome_of(lambda: first.run(settings, patience), workspace.log_of_job(job.id))
        meeting.end({"state": outcome.state, "error": outcome.error})
    return outcome


@dataclass(frozen=True)
class _First:
    """The first machine of a job, once it can be met."""

    workspace: Workspace
    records: Records
    job: JobRow
    report: Report
    meeting: Meeting
    grace: float

    def run(self, settings: Settings, patience: float) -> Outcome:
        """Wait for the other machines, run the ranks of this one, and return how the job ended."""
        own = Machine(host_name(), processes_of(settings.device))
        guests = self._wait(settings.device.nodes - 1, patience)
        place = self.meeting.begin(own, guests)
        self.report.log(f"{len(place.machines)} machines: {_listed(place)}.")
        slip = Slip(self.workspace.root, self.job, interface_to(self.meeting.endpoint))
        with folder_of_ranks() as folder:
            result = run_here(
                slip,
                folder,
                own.processes,
                stopping=lambda: self.report.stopping() or self.meeting.is_asked_to_stop,
                has_ended=lambda: self.meeting.is_over,
                grace=self.grace,
                place=place,
                broken_off=lambda: bool(self.meeting.missing()),
            )
        self.meeting.call_over()
        others = self.meeting.endings(2 * self.grace)
        result = merged(result, others.values())
        absent = [number for number in range(1, len(place.machines)) if number not in others]
        explain = Explanation(self.workspace, self.records, self.job, result.out_of_memory, place, absent)
        return conclude(result.told, result.ending, explain)

    def _wait(self, wanted: int, patience: float) -> Mapping[int, Machine]:
        """Return so many other machines, when they have come.

        Raises:
            FextError: they have not come in time.
            Stopped: the report says stop.

        """
        command = join_command(self.meeting.endpoint)
        self.report.log(f"Waiting for {_counted(wanted, 'other machine')}. Run there: {command}")
        guests: Mapping[int, Machine] = {}
        deadline = time.monotonic() + patience
        while len(guests) < wanted:
            go_on(self.report)
            if time.monotonic() > deadline:
                raise FextError(
                    f"Of {_counted(wanted, 'other machine')}, {len(guests)} came in {_duration(patience)}.",
                    f"Start the job again, and run on each of them: {command}",
                )
            time.sleep(_LOOK_SECONDS)
            before, guests = guests, dict(list(self.meeting.guests().items())[:wanted])
            for number in guests.keys() - before.keys():
                self.report.log(f"{guests[number].host} joins ({len(guests)} of {wanted}).")
            self.report.progress("waiting for machines", len(guests), wanted, "machines")
        return guests


def _listed(place: Place) -> str:
    return ", ".join(f"{machine.host} ({_counted(machine.processes, 'process')})" for machine in place.machines)


def _counted(number: int, thing: str) -> str:
    plural = f"{thing}es" if thing.endswith("s") else f"{thing}s"
    return f"{number} {thing if number == 1 else plural}"


def _duration(seconds: float) -> str:
    return f"{seconds / 60:g} minutes" if seconds >= 60 else f"{seconds:g} seconds"


def _versions() -> dict[str, str]:
    return {"FeXT": version("fext-tui"), "PyTorch": torch.__version__}


def _needed_records(workspace: Workspace, records: Records, job: JobRow, settings: Settings) -> dict[str, Any]:
    """Return what tasks read of the records: the run, and the excluded images by the folders that are stored."""
    run = records.run(job.run) if job.run is not None else None
    folders = [workspace.training_folder(settings.data.folder)]
    if settings.data.validation_folder:
        folders.append(workspace.actual_path(settings.data.validation_folder))
    known = {folder: records.find_dataset(folder) for folder in folders}
    return {
        "run": [run["name"], run["variant"]] if run else None,
        "excluded": {
            workspace.stored_path(folder): sorted(records.excluded(dataset))
            for folder, dataset in known.items()
            if dataset is not None
        },
    }


@contextmanager
def _shown_to_others(workspace: Workspace, key: str) -> Iterator[None]:
    """Let a file of the workspace show others that they see the same one."""
    path = _mark(workspace, key)
    replace_file(path, key.encode())
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _mark(workspace: Workspace, key: str) -> Path:
    return workspace.logs / f".meeting-{key}"


# --- The others -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Joined:
    """How a job ended that this machine took part in: ``done`` or ``stopped``; the ranks that it had, if any."""

    job: int
    kind: str
    state: str
    host: str
    ranks: list[int]


def join_job(
    endpoint: Endpoint,
    *,
    resources: Path | None = None,
    processes: str = "",
    patience: float = PATIENCE_SECONDS,
    grace: float = _GRACE_SECONDS,
    tell: Callable[[str], None],
    requests: Callable[[], int],
) -> Joined:
    """Take part in the job that waits for machines at an endpoint, and return when it has ended.

    Args:
        endpoint: where its first machine is met.
        resources: the folder of its workspace as this machine sees it; None: the same path as there.
        processes: how many here, or ``all``; empty: as the job says.
        patience: seconds to wait until somebody answers there.
        grace: as in `run_on_machines`.
        tell: takes lines for the person.
        requests: how often it was asked to stop: once stops the job, as there; twice kills the ranks of this machine.

    Raises:
        UsageError: this machine cannot take part, or is not wanted.
        FextError: the job failed, or its first machine is gone.
        Stopped: it was asked to stop before the job began.

    """
    tell(f"Looking for the job at {endpoint} …")
    with Guest(endpoint, patience, lambda: requests() > 0) as guest:
        invitation = guest.invitation
        _refuse_other_versions(invitation["versions"], endpoint)
        job = JobRow(**invitation["job"])
        workspace = _same_workspace(Path(resources or invitation["resources"]), invitation["key"], endpoint)
        settings = _settings_here(job, processes)
        _refuse_other_device(settings, endpoint, gpus=invitation["gpus"])
        own = Machine(host_name(), processes_of(settings.device))
        guest.arrive(own)
        tell(f"Joined job {job.id} ({job.kind}) of {job.host}; waiting for the other machines …")
        place = _wait_to_begin(guest, requests)
        ranks = list(place.ranks_of(place.number)) if place else []
        if place:
            tell(f"{len(place.machines)} machines: {_listed(place)}. Here is {_named(ranks)}.")
            _run_as_guest(guest, place, workspace, job, grace=grace, requests=requests)
        return Joined(job.id, job.kind, _end_of(guest), own.host, ranks)


def _named(ranks: list[int]) -> str:
    return f"ranks {ranks[0]} to {ranks[-1]}" if len(ranks) > 1 else f"rank {ranks[0]}"


def _settings_here(job: JobRow, processes: str) -> Settings:
    settings = settings_of(job)
    return settings.with_values({"device.processes": processes}, "--processes") if processes else settings


def _same_workspace(root: Path, key: str, endpoint: Endpoint) -> Workspace:
    """Return the workspace where it is the one that the first machine has.

    Raises:
        UsageError: it is not.

    """
    workspace = Workspace(root)
    try:
        same = _mark(workspace, key).read_text(encoding="ascii") == key
    except OSError:
        same = False
    if not same:
        raise UsageError(
            f"{workspace.root} is not the workspace of the job at {endpoint}.",
            "All machines need one workspace, on a file system that they share (NFS, Lustre …). Where this machine has "
            "it elsewhere, name that folder: --resources PATH.",
        )
    return workspace


def _refuse_other_versions(there: Mapping[str, str], endpoint: Endpoint) -> None:
    """See to it that this machine has the same programs as the first one.

    Raises:
        UsageError: it has not.

    """
    for name, here in _versions().items():
        if here != there[name]:
            raise UsageError(
                f"This machine has {name} {here}, that at {endpoint} {there[name]}.", "Install the same on both."
            )


def _refuse_other_device(settings: Settings, endpoint: Endpoint, *, gpus: bool) -> None:
    """See to it that this machine computes on GPUs where the first one does, else on the CPU.

    Raises:
        UsageError: it does not.

    """
    if (here := uses_gpus(settings.device)) != gpus:
        has, has_not = ("this machine", str(endpoint)) if here else (str(endpoint), "this machine")
        raise UsageError(
            f"The job would compute on GPUs on {has}, and on the CPU on {has_not}.",
            "`fext doctor` tells why PyTorch finds no GPU; --device cpu makes all machines compute on the CPU.",
        )


def _wait_to_begin(guest: Guest, requests: Callable[[], int]) -> Place | None:
    """Return where this machine stands, when all begin; None where the job ends before."""
    while (place := guest.place()) is None and guest.end() is None:
        if requests():
            raise Stopped
        time.sleep(_LOOK_SECONDS)
    return place


def _run_as_guest(
    guest: Guest, place: Place, workspace: Workspace, job: JobRow, *, grace: float, requests: Callable[[], int]
) -> None:
    """Run the ranks of this machine, and tell the first one how they ended."""

    def asked() -> bool:
        if requests() and not guest.is_lost:
            with contextlib.suppress(FextError):  # it is lost, which is seen at the next look
                guest.ask_to_stop()
        return False

    with folder_of_ranks() as folder:
        own = _own_records(folder, workspace, job, guest.invitation["records"])
        log = workspace.logs / f"{host_name()}-job-{job.id}.log"
        slip = dataclasses.replace(own, interface=interface_to(guest.endpoint), log=log)
        result = run_here(
            slip,
            folder,
            place.machines[place.number].processes,
            stopping=asked,
            has_ended=lambda: guest.is_over,
            grace=grace,
            place=place,
            broken_off=lambda: guest.is_lost or requests() > 1,
        )
    guest.call_over()
    guest.tell_ending(result.as_json())


def _own_records(folder: Path, workspace: Workspace, job: JobRow, needed: Mapping[str, Any]) -> Slip:
    """Return a slip with records of what the task reads, for those of the workspace are the first machine's alone."""
    path = folder / _RECORDS_FILE
    with Records(workspace, path) as records:
        run = records.add_run(*needed["run"]) if needed["run"] else None
        for stored, paths in needed["excluded"].items():
            records.exclude(records.dataset(workspace.actual_path(stored)), paths)
    return Slip(workspace.root, dataclasses.replace(job, run=run), records=path)


def _end_of(guest: Guest) -> str:
    """Return the state in which the job ended.

    Raises:
        FextError: it failed, or does not tell.

    """
    deadline = time.monotonic() + 60
    while (end := guest.end()) is None:
        if time.monotonic() > deadline:
            raise lost_connection(guest.endpoint)
        time.sleep(_LOOK_SECONDS)
    if error := end["error"]:
        kind = UsageError if error.get("exit_code") == EXIT_USAGE else FextError
        raise kind(str(error["cause"]), str(error.get("remedy", "")))
    return str(end["state"])
