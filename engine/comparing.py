"""Runs side by side: how they went, and which settings made the difference."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from engine.checkpoints import find_checkpoint, read_config
from engine.errors import FextError
from engine.records import JobRow, Records
from engine.settings import Settings
from engine.upkeep import description_of


@dataclass(frozen=True)
class RunFacts:
    """One run: what it is called, how far it came, what it was trained with.

    ``psnr`` is the best validation PSNR in dB, ``img_s`` images a second as last told; None where nothing was told.
    ``seconds`` are those that its jobs ran. ``settings`` by dotted key are those of its last checkpoint, else of its
    newest training job; empty where neither can be read.
    """

    id: int
    name: str
    variant: str
    state: str
    note: str
    tags: tuple[str, ...]
    created: float
    psnr: float | None
    epoch: float | None
    step: int | None
    img_s: float | None
    seconds: float
    settings: Mapping[str, Any]

    @property
    def description(self) -> str:
        """Tags and note as one text."""
        return description_of(self.note, self.tags)


def run_facts(records: Records, name: str, now: float) -> RunFacts:
    """Return the facts of a run at ``now``, in seconds since the epoch.

    Raises:
        UsageError: there is no run of that name.

    """
    run = records.existing_run(name)
    jobs = records.jobs_of_run(run["id"])
    return RunFacts(
        id=run["id"],
        name=run["name"],
        variant=run["variant"],
        state=jobs[-1].state if jobs else "",
        note=run["note"],
        tags=tuple(run["tags"].split()),
        created=run["created"],
        **records.run_figures(run["id"]),
        seconds=sum(job.seconds(now) or 0.0 for job in jobs),
        settings=_settings(records, run["name"], jobs),
    )


def _settings(records: Records, name: str, jobs: Sequence[JobRow]) -> dict[str, Any]:
    try:
        return read_config(find_checkpoint(records.workspace, f"{name}/last")).settings.values()
    except FextError:
        stored = next((job.settings for job in reversed(jobs) if job.kind == "train"), {})
    try:
        return Settings.model_validate(stored).values() if stored else {}
    except ValueError:
        return {}


class HasSettings(Protocol):
    """What has settings by dotted key: a run, or a checkpoint."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """The settings."""


def differing(several: Sequence[HasSettings]) -> dict[str, tuple[Any, ...]]:
    """Return the settings that are not the same in all: their values by dotted key, in the order given."""
    keys = dict.fromkeys(key for one in several for key in one.settings)
    values = {key: tuple(one.settings.get(key) for one in several) for key in keys}
    return {key: found for key, found in values.items() if any(value != found[0] for value in found[1:])}
