"""What can be done for the upkeep of a workspace, and doing it on a thread, after asking where something is lost."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from textual import on
from textual.message import Message
from textual.signal import Signal

from engine.records import Records
from engine.settings import Settings
from engine.upkeep import remove_logs
from engine.workspace import Workspace
from fext_tui.screens.dialogs import Confirm
from fext_tui.steering import JobSteering
from fext_tui.text import counted, folder_name, safe, safe_lines, size

Work = Callable[[Workspace, Records], str]


@dataclass(frozen=True)
class Chore:
    """A piece of upkeep.

    Attributes:
        title: what it is called while it is done.
        work: does it, on a thread, and returns what a person is told then.
        question: asked before, with No first; empty: nothing is lost, and nothing is asked.
        detail: what goes and what stays.
        yes: the answer that does it.
        forgets: whether the jobs that the app knows of may be gone afterwards.

    """

    title: str
    work: Work
    question: str = ""
    detail: str = ""
    yes: str = "Remove"
    forgets: bool = False


@dataclass(frozen=True)
class Offer:
    """A chore that was found to be possible: its title in a list, and how much it is."""

    title: str
    help: str
    chore: Chore


def _export(workspace: Workspace, records: Records) -> str:
    folder = workspace.metadata / time.strftime("export-%Y%m%d-%H%M%S")
    paths = records.export_csv(folder)
    return f"{len(paths)} tables are in {folder_name(folder)}"


def _remove_logs(workspace: Workspace, records: Records) -> str:
    files, count = remove_logs(workspace, records)
    return f"{files:,} log files are removed, {size(count)}."


def _delete_records(_: Workspace, records: Records) -> str:
    records.delete_everything()
    return "All records are deleted."


def _check(_: Workspace, records: Records) -> str:
    problems = records.problems()
    if problems:
        return safe_lines("The records are damaged:\n" + "\n".join(problems[:10]))
    return f"The records are whole, {size(records.bytes())}."


def _compact(_: Workspace, records: Records) -> str:
    before, after = records.compact()
    return f"The records took {size(before)}, now {size(after)}."


def _remove_plots(workspace: Workspace, _: Records) -> str:
    from engine.pruning import delete_plots

    files, count = delete_plots(workspace)
    return f"Removed {counted(files, 'figure')}, {size(count)}."


def _look_for_release(_: Workspace, __: Records) -> str:
    from engine.releases import look_for_release

    return safe(look_for_release().told)


CHORES = {
    "export": Chore("Exporting the records", _export),
    "check": Chore("Checking the records", _check),
    "compact": Chore("Compacting the records", _compact),
    "logs": Chore(
        "Removing logs", _remove_logs, "Remove the logs?", "Those of jobs that run or wait stay; so do all records."
    ),
    "plots": Chore(
        "Removing figures", _remove_plots, "Remove the figures of analyses?", "The next analysis draws them anew."
    ),
    "records": Chore(
        "Deleting the records",
        _delete_records,
        "Delete all records?",
        "Jobs, curves and measurements go; images, checkpoints and embeddings stay. This cannot be undone.",
        "Delete all",
        forgets=True,
    ),
    "release": Chore("Asking for a newer release", _look_for_release),
}
"""What can be done without looking first."""


# --- What is found by looking -----------------------------------------------------------------------------------------


def states_to_prune(workspace: Workspace, records: Records) -> list[Offer]:
    """Return how checkpoints can be pruned: the fewer states are kept, the more room that gives."""
    from engine.pruning import Prunable, prunable_states, prune_states

    def offer(title: str, found: list[Prunable]) -> Offer:
        count, total = sum(len(one.paths) for one in found), sum(one.bytes for one in found)

        def prune(workspace: Workspace, records: Records) -> str:
            return f"Removed {counted(count, 'state')}, {size(prune_states(workspace, records, found))}."

        chore = Chore("Pruning checkpoints", prune)
        told = f"{counted(count, 'state')} of {counted(len(found), 'run')} go, {size(total)}"
        return Offer(title, told, chore)

    titles = {0: "Keep best and last", 1: "and the newest other one", 3: "and the 3 newest others"}
    found = {title: prunable_states(workspace, records, keep) for keep, title in titles.items()}
    return [offer(title, one) for title, one in found.items() if one]


def caches_to_remove(workspace: Workspace, records: Records) -> list[Offer]:
    """Return the packs and lists that nothing needs, to be removed together."""
    from engine.pruning import remove_caches, unneeded_caches

    found = [one for one in unneeded_caches(workspace, records) if one.paths]
    told = ", ".join(f"{counted(len(one.paths), one.name)} {size(one.bytes)}" for one in found)
    chore = Chore("Removing caches", lambda _, records: f"Caches are removed, {size(remove_caches(records, found))}.")
    return [Offer("Remove what nothing needs", told, chore)] if found else []


def data_to_delete(_: Workspace, records: Records) -> list[Offer]:
    """Return the folders that something is known of, each to be forgotten."""
    return [_forgetting(records.workspace, row["folder"], row["images"]) for row in records.datasets()]


def _forgetting(workspace: Workspace, stored: str, images: int) -> Offer:
    from engine.pruning import delete_dataset

    folder = workspace.actual_path(stored)

    def forget(_: Workspace, records: Records) -> str:
        return f"The records of {counted(delete_dataset(records, folder), 'image')} are deleted."

    chore = Chore(
        "Deleting what is known of a folder",
        forget,
        f"Delete all that is known of {folder_name(folder)}?",
        "Its metrics, findings and exclusions go; the images stay. This cannot be undone.",
        "Delete",
    )
    return Offer(folder_name(folder), counted(images, "image"), chore)


LOOKS: dict[str, Callable[[Workspace, Records], list[Offer]]] = {
    "states": states_to_prune,
    "caches": caches_to_remove,
    "data": data_to_delete,
}
"""What has to be looked for first, for it is told how much it is."""


# --- Doing ------------------------------------------------------------------------------------------------------------


class ChoreEnded(Message):
    """A chore is done, and what is told of it; nothing, where it failed: that is told apart."""

    def __init__(self, told: str, *, forgets: bool = False) -> None:
        super().__init__()
        self.told = told
        self.forgets = forgets


class ChoreDoing(JobSteering):
    """The part of the app that does chores. ``chore`` is what is done now; ``chore_ended`` tells when it has ended."""

    def __init__(self, records: Records, settings: Settings) -> None:
        super().__init__(records, settings)
        self.chore: Chore | None = None
        self.chore_ended: Signal[None] = Signal(self, "chore-ended")

    def do_chore(self, chore: Chore) -> None:
        """Do a chore, after asking where it says so; one at a time."""

        def answered(sure: bool | None) -> None:
            if sure:
                self._begin(chore)

        if chore.question:
            self.push_screen(Confirm(chore.question, chore.detail, chore.yes, "Keep them"), answered)
        else:
            self._begin(chore)

    def _begin(self, chore: Chore) -> None:
        if self.chore is not None:
            self.notify(f"{self.chore.title} is not done yet.", severity="warning", timeout=4)
            return
        self.chore = chore

        def work(records: Records) -> None:
            told = ""
            try:
                told = chore.work(self.workspace, records)
            finally:
                self.post_message(ChoreEnded(told, forgets=chore.forgets and bool(told)))

        self.with_records(work, "chore")

    @on(ChoreEnded)
    def _end_chore(self, message: ChoreEnded) -> None:
        self.chore = None
        if message.told:
            self.notify(message.told, markup=False, timeout=8)
        if message.forgets:
            self.forget_jobs()
        self.chore_ended.publish(None)
