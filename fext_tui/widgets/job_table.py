"""The table of jobs."""

from collections.abc import Mapping, Sequence

from rich.text import Text

from engine.records import JobRow, Row
from fext_tui import text
from fext_tui.widgets.job_facts import result_words, run_time
from fext_tui.widgets.table import KeyTable, right

COLUMNS = {
    "mark": "",
    "id": "job",
    "kind": "kind",
    "state": "state",
    "what": "run, folder",
    "psnr": "PSNR dB",
    "epoch": "epoch",
    "time": "time",
    "age": "age",
    "result": "result",
}
_COLORS = {"running": "primary", "stopped": "warning", "failed": "error", "killed": "error", "lost": "error"}
_WIDEST_NAME = 28


class JobTable(KeyTable):
    """One row a job, newest first."""

    def __init__(self) -> None:
        super().__init__(COLUMNS, id="jobs")
        self._marks: Mapping[int, str] = {}
        self._places: Mapping[int, int] = {}

    @property
    def selected_job(self) -> int | None:
        """The number of the job under the cursor."""
        return None if self.selected is None else int(self.selected)

    def show_jobs(
        self,
        jobs: Sequence[JobRow],
        runs: Mapping[int, Row],
        marks: Mapping[int, str],
        queue: Sequence[int],
        now: float,
    ) -> None:
        """Show these jobs.

        Args:
            jobs: newest first.
            runs: their runs by number.
            marks: the colors, theme variables, of the marked runs by number.
            queue: the numbers of the jobs that wait, first in line first.
            now: in seconds since the epoch.

        """
        self._marks = marks
        self._places = {job: place for place, job in enumerate(queue, 1)}
        self.show({str(job.id): self._cells(job, runs.get(job.run or 0, {}), now) for job in jobs})

    def show_progress(self, job: JobRow) -> None:
        """Renew the state of one job."""
        if str(job.id) in self.rows:
            state = self._state(job)
            if self.get_cell(str(job.id), "state") != state:
                self.update_cell(str(job.id), "state", state, update_width=True)

    def _cells(self, job: JobRow, run: Row, now: float) -> list[Text]:
        what = (
            run.get("name")
            or job.arguments.get("name")
            or job.arguments.get("checkpoint")
            or job.arguments.get("folder")
            or ""
        )
        color = self._marks.get(job.run or 0)
        return [
            Text("●", style=self.app.theme_variables[color]) if color else Text(" "),
            right(str(job.id)),
            Text(text.safe(job.kind)),
            self._state(job),
            Text(text.shortened(text.safe(what), _WIDEST_NAME)),
            right(text.number(run.get("psnr")) if run else ""),
            right(text.number(run.get("epoch"), 1) if run else ""),
            right(text.duration(run_time(job, now)) if job.ended else ""),
            right(text.age(now, job.created)),
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
