"""The line that says what runs: state, phase, progress, throughput, time left; or why it went wrong."""

from typing import TYPE_CHECKING, cast

from rich.cells import cell_len
from textual.content import Content
from textual.geometry import Size
from textual.widget import Widget

from engine.records import JobRow
from fext_tui import text
from fext_tui.keys import with_keys
from fext_tui.pace import Pace, count_text
from fext_tui.widgets.job_facts import STATE_STYLES

if TYPE_CHECKING:
    from fext_tui.app import FextApp

IDLE = "No job runs.  Model: {model.train:t} trains.  Data: {data.analyze:a} analyzes."
_LONGEST_BAR = 40
_SHORTEST_BAR = 8
_GAP = 2
_BY_NEED = ("phase", "left", "share", "bar", "rate", "counts", "name")
_IN_ORDER = ("name", "phase", "bar", "share", "counts", "rate", "left")


def progress_bar(share: float, width: int) -> Content:
    """Return a bar of ``width`` columns that is full by ``share`` of 1, in half columns."""
    halves = round(max(0.0, min(share, 1.0)) * width * 2)
    full, half = divmod(halves, 2)
    done = "━" * full + "╸" * half
    return Content.styled(done, "$primary") + Content.styled("─" * (width - len(done)), "$border")


def job_line(job: JobRow, name: str, pace: Pace, width: int, img_s: float | None = None) -> Content:
    """Return one line about a job that fits ``width``: what is needed least is left out first.

    Args:
        job: the job.
        name: what it works on, for instance the name of its run.
        pace: how quickly it goes on.
        width: columns.
        img_s: images a second, where it trains.

    """
    state = "stopping" if job.stop and not job.has_ended else job.state
    head = Content.assemble((state, STATE_STYLES[job.state]), f"  job {job.id} {job.kind}")
    parts = {"name": name} | ({} if job.has_ended else _measures(job, pace, img_s))
    room = width - head.cell_length
    chosen = {}
    for part in _BY_NEED:
        if parts.get(part) and cell_len(parts[part]) + _GAP <= room:
            chosen[part] = Content(parts[part])
            room -= cell_len(parts[part]) + _GAP
    if "bar" in chosen:
        chosen["bar"] = progress_bar(job.done / job.total, min(_SHORTEST_BAR + room, _LONGEST_BAR))
    return Content(" " * _GAP).join([head, *(chosen[part] for part in _IN_ORDER if part in chosen)])


def _measures(job: JobRow, pace: Pace, img_s: float | None) -> dict[str, str]:
    """Return phase, counts, throughput, share and time left, as far as they are known."""
    speed = None if job.unit == "s" else pace.rate
    left = pace.left(job)
    return {
        "phase": job.phase,
        "bar": "-" * _SHORTEST_BAR if job.total else "",
        "share": f"{100 * min(job.done / job.total, 1):3.0f} %" if job.total else "",
        "counts": count_text(job),
        "rate": text.rate(img_s) if img_s else text.rate(speed, f"{job.unit}/s") if speed else "",
        "left": f"{text.duration(left)} left" if left is not None else "",
    }


class JobBar(Widget):
    """One line about the followed job; two where it went wrong."""

    def __init__(self) -> None:
        super().__init__(id="job-bar")

    @property
    def _fext(self) -> "FextApp":
        return cast("FextApp", self.app)

    def on_mount(self) -> None:
        """Listen for news."""
        self._fext.job_updates.subscribe(self, self._changed)
        self._fext.job_ended.subscribe(self, self._changed)
        self._fext.jobs_changed.subscribe(self, self._changed)

    def _changed(self, _: object) -> None:
        self.refresh(layout=self.size.height != self._lines())

    def _lines(self) -> int:
        job = self._fext.current_job
        return 2 if job is not None and job.error is not None else 1

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return one line, or two with an error."""
        return self._lines()

    def render(self) -> Content:
        """Return the line."""
        job = self._fext.current_job
        if job is None:
            return Content.styled(with_keys(self, IDLE), "$text-muted")
        history = self._fext.history
        training = job.kind in {"train", "resume"} and job.phase == "training"
        img_s = history.last.get("img_s") if training else None
        line = job_line(job, text.safe(history.name), history.pace, self.size.width, img_s)
        return line + Content("\n") + self._error(job) if job.error is not None else line

    def _error(self, job: JobRow) -> Content:
        error = job.error or {}
        told = text.safe(" ".join(f"{error.get('cause', '')} {error.get('remedy', '')}".split()))
        room = self.size.width - len("  ! more")
        cut = told if len(told) <= room else f"{told[: room - 1]}…"
        return Content.styled(cut, "$error") + Content.styled("  ! more", "$text-muted")
