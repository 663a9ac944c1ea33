"""Runs: every job and what became of it, the curve of its run, and the upkeep of the records."""

from collections.abc import Callable, Iterable
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, VerticalScroll
from textual.message import Message
from textual.widgets import DataTable, Static

from engine.jobs.queueing import Place, hold, move
from engine.records import JobRow, Records, Row
from fext_tui.comparison import LOOKS, Comparison, read_comparison
from fext_tui.job_lines import job_lines
from fext_tui.screens.base import Target
from fext_tui.screens.upkeep import UpkeepScreen
from fext_tui.stories import JobStory, read_story
from fext_tui.throttle import Throttle
from fext_tui.widgets.empty import Empty
from fext_tui.widgets.job_facts import story_facts
from fext_tui.widgets.job_table import JobList, JobTable
from fext_tui.widgets.overlay import ComparedCurves, Overlay, comparison_facts
from fext_tui.widgets.panes import Panes, PaneStrip

if TYPE_CHECKING:
    from pathlib import Path

    from engine.jobs.follow import Update

PANES = {"jobs": ("b", "Jobs"), "details": ("i", "Details"), "curves": ("v", "Curves")}
SHOWN_JOBS = 500
"""How many of the newest jobs the table shows; `x` exports all of them."""
TOLD_SECONDS = 2.0
"""How long the progress of a running job stands in the table before it is renewed."""
EMPTY = (
    "No job yet.\n"
    "{mode.model:2} then {model.train:t}  trains a model.   {mode.data:1} then {data.analyze:a}  analyzes images."
)
NO_CURVE = "This job has no curve."
_QUEUE = Binding.Group("Queue", compact=True)
_COMPARING = Binding.Group("Plot", compact=True)
_UPKEEP = Binding.Group("Records", compact=True)


class JobsRead(Message):
    """The jobs were read from the records, newest first; ``queue`` holds the numbers of those that wait, in order.

    Of readings that overlap, that of the higher ``number`` was begun later.
    """

    def __init__(self, number: int, jobs: list[JobRow], runs: dict[int, Row], queue: list[int]) -> None:
        super().__init__()
        self.number = number
        self.jobs = jobs
        self.runs = runs
        self.queue = queue


class StoryRead(Message):
    """All that is known of one job was read."""

    def __init__(self, story: JobStory) -> None:
        super().__init__()
        self.story = story


class ComparisonRead(Message):
    """The facts and curves of the marked runs were read."""

    def __init__(self, comparison: Comparison) -> None:
        super().__init__()
        self.comparison = comparison


class RunsScreen(UpkeepScreen):
    """Jobs, runs, records."""

    MODE: ClassVar[str] = "runs"
    JUMP_HINT: ClassVar[str] = "number of a job"
    AUTO_FOCUS = "#jobs"
    BINDING_GROUP_TITLE = "Runs"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("i", "pane('details')", "Details", show=False, id="runs.details", tooltip="All about the selected job"),
        Binding("v", "pane('curves')", "Curves", show=False, id="runs.curves", tooltip="The curve of its run"),
        Binding("b", "pane('jobs')", "Jobs", show=False, id="runs.jobs", tooltip="To the table"),
        Binding("s", "stop", "Stop", id="runs.stop", tooltip="Stop the selected job with a checkpoint; again: kill it"),
        Binding("a", "attach", "Attach", id="runs.attach", tooltip="Follow the selected job on Model"),
        Binding("r", "resume", "Resume", id="runs.resume", tooltip="Go on with the selected run"),
        Binding("o", "open", "Open", id="runs.open", tooltip="Show the job's figure in the Viewer"),
        Binding(
            "less_than_sign",
            "move('earlier')",
            "Earlier",
            key_display="<",
            id="runs.earlier",
            group=_QUEUE,
            tooltip="Let the selected job, which waits, change places with the one before",
        ),
        Binding(
            "greater_than_sign",
            "move('later')",
            "Later",
            key_display=">",
            id="runs.later",
            group=_QUEUE,
            tooltip="Let it change places with the one behind",
        ),
        Binding("H", "hold", "Hold", id="runs.hold", group=_QUEUE, tooltip="Pass it over, or release it again"),
        Binding("n", "note", "Note", id="runs.note", tooltip="Write a note and tags to the selected run"),
        Binding(
            "N",
            "rename",
            "Rename",
            show=False,
            id="runs.rename",
            tooltip="Give the selected run and its checkpoints another name",
        ),
        Binding(
            "d",
            "delete_run",
            "Delete",
            show=False,
            id="runs.delete_run",
            tooltip="Delete the selected run, with its checkpoints or without",
        ),
        Binding("space", "mark", "Mark", id="runs.mark", tooltip="Mark the run, or not: marked ones are compared"),
        Binding("u", "unmark", "Unmark", show=False, id="runs.unmark", tooltip="Mark no run any more"),
        Binding(
            "m",
            "overlay('next_metric')",
            "Metric",
            id="runs.metric",
            group=_COMPARING,
            tooltip="Compare another metric: PSNR, losses, SSIM, throughput",
        ),
        Binding(
            "t",
            "overlay('next_axis')",
            "Axis",
            id="runs.axis",
            group=_COMPARING,
            tooltip="Draw over steps, epochs or time",
        ),
        Binding(
            "l",
            "overlay('toggle_logarithmic')",
            "Log",
            id="runs.log",
            group=_COMPARING,
            tooltip="Linear or logarithmic scale",
        ),
        Binding(
            "w",
            "overlay('toggle_smooth')",
            "Smooth",
            id="runs.smooth",
            group=_COMPARING,
            tooltip="Values as they are, or their moving average",
        ),
        Binding("x", "export", "Export", id="runs.export", group=_UPKEEP, tooltip="Write all records as CSV files"),
        Binding("g", "remove_logs", "Logs", id="runs.logs", group=_UPKEEP, tooltip="Remove the logs of ended jobs"),
        Binding("D", "delete", "Delete all", id="runs.delete", group=_UPKEEP, tooltip="Delete all records"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._readings = count(1)
        self._shown_reading = 0
        self._jobs: dict[int, JobRow] = {}
        self._runs: dict[int, Row] = {}
        self._queue: list[int] = []
        self._marked: list[int] = []
        self._comparison = Comparison()
        self._progress = Throttle(self, TOLD_SECONDS, self._show_progress)
        self._figure: Path | None = None

    def compose_body(self) -> ComposeResult:
        """Give table, details and curves."""
        yield PaneStrip(PANES)
        yield Panes(
            PANES,
            "jobs",
            Container(JobList(), Empty(EMPTY), id="pane-jobs"),
            VerticalScroll(Static(id="story"), id="pane-details"),
            ComparedCurves(NO_CURVE),
        )

    def on_mount(self) -> None:
        """Show what is recorded, and listen for changes."""
        self.fext.jobs_changed.subscribe(self, self.read)
        self.fext.chore_ended.subscribe(self, self.read)
        self.fext.job_updates.subscribe(self, self._hear)

    def on_screen_resume(self) -> None:
        """Read anew what may have changed while another screen was shown."""
        self.read()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer what can be done with the selected job."""
        job = self._selected
        trained = job is not None and job.run is not None
        offered = {
            "stop": job is not None and not job.has_ended,
            "open": self._figure is not None,
            "attach": job is not None,
            "resume": trained and job is not None and job.has_ended,
            **dict.fromkeys(("move", "hold"), job is not None and job.state == "queued"),
            **dict.fromkeys(("mark", "note"), trained),
            **dict.fromkeys(("rename", "delete_run"), trained and job is not None and job.has_ended),
            **dict.fromkeys(("unmark", "overlay"), bool(self._marked)),
            **dict.fromkeys(("export", "remove_logs", "delete"), bool(self._jobs)),
        }
        if action in offered:
            return offered[action]
        return super().check_action(action, parameters)

    # --- Going to -----------------------------------------------------------------------------------------------

    def jump_targets(self) -> Iterable[Target]:
        """Give the jobs, newest first."""
        for line in job_lines(list(self._jobs.values()), self._runs, self.fext.clock()):
            title = f"Job {line.job.id}  {line.job.kind}"
            yield Target(title, f"{line.job.state}  {line.name}", partial(self._go_to, line.job.id))

    def jump_to(self, typed: str) -> None:
        """Go to the job of that number."""
        job = next((job for job in self._jobs if str(job) == typed), None)
        if job is None:
            self.tell_nowhere(typed)
        else:
            self._go_to(job)

    def _go_to(self, job: int) -> None:
        self.action_pane("jobs")
        self.query_one(JobList).go_to(job)

    @property
    def _selected(self) -> JobRow | None:
        return self._jobs.get(self.query_one(JobTable).selected_job or 0) if self.is_mounted else None

    # --- Panes ------------------------------------------------------------------------------------------------

    def action_pane(self, name: str) -> None:
        """Go to a pane."""
        self.query_one(Panes).show(name)
        target = {"jobs": "#jobs", "details": "#pane-details"}.get(name)
        self.set_focus(self.query_one(target) if target else None)

    def action_leave_field(self) -> None:
        """Go back to the table; there, take the filter away, else clear away the news of an ended job."""
        if self.query_one(JobList).close_filter():
            return
        if self.query_one(JobTable).has_focus:
            super().action_leave_field()
        self.action_pane("jobs")

    # --- Reading ----------------------------------------------------------------------------------------------

    def read(self, _: object = None) -> None:
        """Read the jobs in a thread, while they are shown."""
        if self.is_current:
            self.fext.with_records(self.read_jobs, "jobs")

    def read_jobs(self, records: Records) -> None:
        """Read the jobs, their runs and the queue."""
        number = next(self._readings)
        jobs = records.jobs(limit=SHOWN_JOBS)
        runs = {row["id"]: row for row in records.runs(limit=SHOWN_JOBS)}
        self.post_message(JobsRead(number, jobs, runs, [job.id for job in records.queue()]))

    @on(JobsRead)
    def _show_jobs(self, message: JobsRead) -> None:
        if message.number < self._shown_reading:
            return
        self._shown_reading = message.number
        self._jobs = {job.id: job for job in message.jobs}
        self._runs = message.runs
        self._queue = message.queue
        self._marked = [run for run in self._marked if run in self._runs]
        self.query_one("#pane-jobs").set_class(not self._jobs, "-empty")
        self._show_table()
        self._read_story()
        self._read_comparison()
        self.refresh_bindings()

    def _show_table(self) -> None:
        marks = dict(zip(self._marked, LOOKS, strict=False))
        now = self.fext.clock()
        lines = job_lines(list(self._jobs.values()), self._runs, now)
        self.query_one(JobList).show_jobs(lines, marks, self._queue, now)

    def _hear(self, update: "Update") -> None:
        if not update.job.has_ended:
            self._progress.soon()

    def _show_progress(self) -> None:
        job = self.fext.current_job
        if job is not None and self.is_current:
            self.query_one(JobTable).show_progress(job)
            if self._selected is not None and self._selected.id == job.id:
                self._read_story()
            if job.run in self._marked:
                self._read_comparison()

    @on(DataTable.RowHighlighted)
    def _select(self) -> None:
        self._read_story()
        self.refresh_bindings()

    @on(DataTable.RowSelected)
    def _open(self) -> None:
        self.action_pane("details")

    def _read_story(self) -> None:
        job = self._selected
        if job is not None:
            self.fext.with_records(lambda records: self.post_message(StoryRead(read_story(records, job.id))), "story")

    @on(StoryRead)
    def _show_story(self, message: StoryRead) -> None:
        story = message.story
        if self._selected is not None and self._selected.id == story.job.id:
            log = self.fext.workspace.log_of_job(story.job.id)
            if not self._comparison.runs:
                self.query_one("#story", Static).update(story_facts(story, self.fext.clock(), log))
            self.query_one(ComparedCurves).show(story.history)
            self._figure = story.figure(self.fext.workspace)
            self.refresh_bindings()

    # --- Comparing --------------------------------------------------------------------------------------------

    def action_mark(self) -> None:
        """Mark the run of the selected job, or take its mark away, and go to the next row."""
        job = self._selected
        if job is None or job.run is None:
            return
        if job.run in self._marked:
            self._marked.remove(job.run)
        elif len(self._marked) == len(LOOKS):
            self.notify(f"No more than {len(LOOKS)} runs can be told apart.", timeout=4)
            return
        else:
            self._marked.append(job.run)
        self._show_table()
        self._read_comparison()
        self.query_one(JobTable).action_cursor_down()
        self.refresh_bindings()

    def action_unmark(self) -> None:
        """Mark no run any more."""
        self._marked.clear()
        self._show_table()
        self._read_comparison()
        self.refresh_bindings()

    def action_overlay(self, change: str) -> None:
        """Change how the compared curves are drawn."""
        getattr(self.query_one(Overlay), change)()

    def _read_comparison(self) -> None:
        names = [str(self._runs[run]["name"]) for run in self._marked]
        now = self.fext.clock()
        if names:
            self.fext.with_records(
                lambda records: self.post_message(ComparisonRead(read_comparison(records, names, now))), "comparison"
            )
        else:
            self._show_comparison(ComparisonRead(Comparison()))

    @on(ComparisonRead)
    def _show_comparison(self, message: ComparisonRead) -> None:
        if [run.id for run in message.comparison.runs] != self._marked:
            return
        was, self._comparison = self._comparison, message.comparison
        self.query_one(ComparedCurves).compare(message.comparison)
        if message.comparison.runs:
            facts = comparison_facts(message.comparison, self.fext.clock())
            self.query_one("#story", Static).update(facts)
        elif was.runs:
            self._read_story()

    # --- Jobs -------------------------------------------------------------------------------------------------

    def action_stop(self) -> None:
        """Stop the selected job."""
        self.fext.stop_job(self._selected)

    async def action_attach(self) -> None:
        """Follow the selected job on the Model screen."""
        if self._selected is not None:
            self.fext.attach(self._selected.id)
            await self.fext.show_curves()

    async def action_open(self) -> None:
        """Show the first figure that the selected job made in the Viewer."""
        if self._figure is not None:
            await self.fext.open_in_viewer(self._figure)

    def action_resume(self) -> None:
        """Go on with the run of the selected job."""
        job = self._selected
        if job is not None and job.run is not None:
            self.fext.start_job("resume", {"checkpoint": self.fext.records.run(job.run)["name"]})

    def action_move(self, place: Place) -> None:
        """Move the selected job in the queue."""
        job = self._selected
        if job is not None:
            self._change_queue(lambda records: move(records, job.id, place))

    def action_hold(self) -> None:
        """Hold the selected job back, or release it."""
        job = self._selected
        if job is not None:
            self._change_queue(lambda records: hold(records, job.id, held=not job.held))

    def _change_queue(self, change: Callable[[Records], object]) -> None:
        def work(records: Records) -> None:
            change(records)
            self.read_jobs(records)

        self.fext.with_records(work, "queue")

    @property
    def selected_run(self) -> Row | None:
        """The run of the selected job."""
        job = self._selected
        return self._runs.get(job.run) if job is not None and job.run is not None else None
