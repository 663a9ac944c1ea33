"""The table of jobs, its filter and its order."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, Static

from engine.records import JobRow
from fext_tui import text
from fext_tui.comparison import Look
from fext_tui.job_lines import ORDERS, JobLine, ordered
from fext_tui.screens.dialogs import Choose
from fext_tui.widgets.filter_line import FilterLine
from fext_tui.widgets.job_facts import result_words
from fext_tui.widgets.table import KeyTable, right

COLUMNS = {
    "mark": "",
    "id": "job",
    "kind": "kind",
    "state": "state",
    "name": "run, folder",
    "psnr": "PSNR dB",
    "epoch": "epoch",
    "img_s": "img/s",
    "seconds": "time",
    "age": "age",
    "variant": "variant",
    "data": "data",
    "result": "result",
}
_COLORS = {"running": "primary", "stopped": "warning", "failed": "error", "killed": "error", "lost": "error"}
_WIDEST_NAME = 28
_NEWEST_FIRST = "id"
_TABLE = Binding.Group("Find", compact=True)


class JobTable(KeyTable):
    """One row a job."""

    def __init__(self) -> None:
        super().__init__(COLUMNS, id="jobs")
        self._marks: Mapping[int, Look] = {}
        self._places: Mapping[int, int] = {}

    @property
    def selected_job(self) -> int | None:
        """The number of the job under the cursor."""
        return None if self.selected is None else int(self.selected)

    def show_lines(
        self, lines: Sequence[JobLine], marks: Mapping[int, Look], places: Mapping[int, int], now: float
    ) -> None:
        """Show jobs in this order.

        Args:
            lines: the jobs.
            marks: how the marked runs are drawn, by their numbers.
            places: the place in the queue, from 1, of each job that waits.
            now: in seconds since the epoch.

        """
        self._marks, self._places = marks, places
        self.show({str(line.id): self._cells(line, now) for line in lines})

    def show_progress(self, job: JobRow) -> None:
        """Renew the state of one job."""
        if str(job.id) in self.rows:
            state = self._state(job)
            if self.get_cell(str(job.id), "state") != state:
                self.update_cell(str(job.id), "state", state, update_width=True)

    def _cells(self, line: JobLine, now: float) -> list[Text]:
        job = line.job
        look = self._marks.get(job.run or 0)
        return [
            Text(look.mark, style=f"bold {self.app.theme_variables[look.color]}") if look else Text(" "),
            right(str(job.id)),
            Text(text.safe(job.kind)),
            self._state(job),
            Text(text.shortened(text.safe(line.name), _WIDEST_NAME)),
            right(text.number(line.psnr) if job.run else ""),
            right(text.number(line.epoch, 1) if job.run else ""),
            right(f"{line.img_s:,.3g}" if line.img_s is not None else ""),
            right(text.duration(line.seconds) if job.ended else ""),
            right(text.age(now, job.created)),
            Text(text.safe(line.variant)),
            Text(text.shortened(text.safe(line.data), _WIDEST_NAME)),
            Text(_summary(job)),
        ]

    def _state(self, job: JobRow) -> Text:
        if job.state == "queued" and job.id in self._places:
            return Text(f"{'held' if job.held else 'queued'} {self._places[job.id]}.")
        state = "stopping" if job.stop and not job.has_ended else job.state
        share = f" {100 * min(job.done / job.total, 1):.0f} %" if job.state == "running" and job.total else ""
        return Text(f"{state}{share}", style=self._style(job.state))

    def _style(self, state: str) -> str:
        return f"bold {self.app.theme_variables[_COLORS[state]]}" if state in _COLORS else ""


def _summary(job: JobRow) -> str:
    if job.error:
        return text.safe(" ".join(str(job.error.get("cause", "")).split()), 200)
    return result_words(job.result)


class JobList(Vertical):
    """The table with its filter, and a line that says what is shown where that is not all, newest first."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "slash",
            "edit_filter",
            "Filter",
            key_display="/",
            id="jobs.filter",
            group=_TABLE,
            tooltip="Only jobs in whose line a text is found: run, state, variant, data, note, #tag",
        ),
        Binding("c", "choose_order", "Sort", id="jobs.sort", group=_TABLE, tooltip="Choose what sorts the jobs"),
    ]
    BINDING_GROUP_TITLE = "Table"
    DEFAULT_CSS = """
    JobList { height: 1fr; }
    JobList FilterLine { background: $panel; }
    JobList #jobs-line { display: none; height: 1; color: $text-muted; text-wrap: nowrap; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._lines: Sequence[JobLine] = ()
        self._marks: Mapping[int, Look] = {}
        self._places: Mapping[int, int] = {}
        self._now = 0.0
        self._order, self._reverse = _NEWEST_FIRST, False

    def compose(self) -> ComposeResult:
        """Give filter, table and line."""
        yield FilterLine("part of a run's name, a state, a #tag …", id="jobs-filter", table=JobTable)
        yield JobTable()
        yield Static(id="jobs-line")

    def show_jobs(self, lines: Sequence[JobLine], marks: Mapping[int, Look], queue: Sequence[int], now: float) -> None:
        """Show jobs, newest first, as `JobTable.show_lines` does; ``queue``: those that wait, first in line first."""
        self._lines, self._marks, self._now = lines, marks, now
        self._places = {job: place for place, job in enumerate(queue, 1)}
        self._show()

    def _show(self) -> None:
        wanted = self.query_one(FilterLine).wanted
        held = [line for line in self._lines if line.holds(wanted)]
        table = self.query_one(JobTable)
        table.show_lines(ordered(held, self._order, reverse=self._reverse), self._marks, self._places, self._now)
        usual = not wanted and self._order == _NEWEST_FIRST and not self._reverse
        line = self.query_one("#jobs-line", Static)
        line.display = not usual
        if not usual:
            parts = [f"{len(held):,} of {len(self._lines):,} jobs", f"by {ORDERS[self._order]}"]
            parts += ["turned round"] if self._reverse else []
            parts += [f"with “{text.safe(wanted)}”"] if wanted else []
            line.update(Content("   ".join(parts)))

    # --- Order ------------------------------------------------------------------------------------------------

    def action_choose_order(self) -> None:
        """Ask what to sort by."""
        options = [(name, title, "now; again turns it round" if name == self._order else "")
                   for name, title in ORDERS.items()]  # fmt: skip
        self.app.push_screen(Choose("Sort the jobs by", options), self._take_order)

    def _take_order(self, order: str | None) -> None:
        if order is not None:
            self._reverse = order == self._order and not self._reverse
            self._order = order
            self._show()

    # --- The filter -------------------------------------------------------------------------------------------

    def action_edit_filter(self) -> None:
        """Go to the filter."""
        self.query_one(FilterLine).open()

    def go_to(self, job: int) -> None:
        """Put the cursor on a job, which a filter may not hide."""
        self.query_one(FilterLine).close()
        self._show()
        self.query_one(JobTable).select(str(job))

    def close_filter(self) -> bool:
        """Take the filter away; return whether there was one."""
        return self.query_one(FilterLine).close()

    @on(Input.Changed)
    def _filter(self, event: Input.Changed) -> None:
        event.stop()
        self._show()
