"""The upkeep of runs and records, as a screen offers it: notes, names, what is exported, removed and deleted."""

from functools import partial

from engine.records import Records, Row
from engine.upkeep import delete_run, describe_run, description_of, rename_run
from engine.workspace import check_name
from fext_tui import text
from fext_tui.chores import CHORES, ChoreEnded
from fext_tui.screens.base import FextScreen
from fext_tui.screens.dialogs import Ask, Choose


class UpkeepScreen(FextScreen):
    """Base of a screen with a selected run; subclasses give that run, and read anew what was changed."""

    @property
    def selected_run(self) -> Row | None:
        """The run that is noted, renamed or deleted."""
        raise NotImplementedError

    def read(self, _: object = None) -> None:
        """Read what is shown, in a thread."""
        raise NotImplementedError

    def read_jobs(self, records: Records) -> None:
        """Read what is shown; for a thread, with its records."""
        raise NotImplementedError

    def action_note(self) -> None:
        """Ask for note and tags of the selected run."""
        run = self.selected_run
        if run is None:
            return

        def answered(words: str | None) -> None:
            if words is not None:
                self.fext.with_records(lambda records: self._describe(records, run["name"], words), "change")

        title = f"Note of {text.safe(run['name'])}"
        self.app.push_screen(
            Ask(title, "Words that begin with # are tags.", description_of(run["note"], run["tags"].split())), answered
        )

    def action_rename(self) -> None:
        """Ask for another name of the selected run."""
        run = self.selected_run
        if run is None:
            return

        def answered(name: str | None) -> None:
            if name is not None and name != run["name"]:
                self.fext.with_records(lambda records: self._rename(records, run["name"], name), "change")

        title = f"Rename {text.safe(run['name'])}"
        check = partial(check_name, what="run")
        self.app.push_screen(Ask(title, "Its checkpoints are named so too.", run["name"], check), answered)

    def action_delete_run(self) -> None:
        """Delete the selected run, after asking."""
        run = self.selected_run
        if run is None:
            return

        def answered(choice: str | None) -> None:
            if choice in {"records", "checkpoints"}:
                wanted = choice == "checkpoints"
                self.fext.with_records(lambda records: self._delete(records, run, checkpoints=wanted), "change")

        options = (
            ("keep", "Keep it", ""),
            ("records", "Delete its records", "curve and jobs; its checkpoints stay"),
            ("checkpoints", "Delete it all", "with its checkpoints; this cannot be undone"),
        )
        self.app.push_screen(Choose(f"Delete run {text.safe(run['name'])}?", options), answered)

    def _rename(self, records: Records, name: str, wanted: str) -> None:
        rename_run(self.fext.workspace, records, name, wanted)
        self.read_jobs(records)

    def _describe(self, records: Records, name: str, words: str) -> None:
        describe_run(records, name, words)
        self.read_jobs(records)

    def _delete(self, records: Records, run: Row, *, checkpoints: bool) -> None:
        delete_run(self.fext.workspace, records, run["name"], checkpoints=checkpoints)
        followed = self.fext.current_job
        told = f"Run {text.safe(run['name'])} is deleted."
        self.fext.post_message(ChoreEnded(told, forgets=followed is not None and followed.run == run["id"]))

    # --- Records -----------------------------------------------------------------------------------------------

    def action_export(self) -> None:
        """Write all records as CSV files into the workspace."""
        self.fext.do_chore(CHORES["export"])

    def action_remove_logs(self) -> None:
        """Remove the logs of jobs that have ended, after asking."""
        self.fext.do_chore(CHORES["logs"])

    def action_delete(self) -> None:
        """Delete all records, after asking."""
        self.fext.do_chore(CHORES["records"])
