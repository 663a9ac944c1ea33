"""The figures of a training run, in one or two lines, and the legends of its curves."""

from collections.abc import Sequence

from textual.content import Content
from textual.widget import Widget

from engine.records import JobRow
from fext_tui import text
from fext_tui.following import History
from fext_tui.widgets.curve import Line

_TITLES = {"train/loss": "train", "validation/loss": "val", "validation/psnr": "val"}


def figures(history: History) -> list[tuple[str, str]]:
    """Return what is known of a run as (name, value), the most wanted first."""
    last, job = history.last, history.job
    lives = job is not None and not job.has_ended
    left = history.pace.left(job) if job is not None and lives and job.phase == "training" else None
    pairs = [
        ("epoch", f"{history.epoch:.2f}{_of_epochs(job)}" if history.step else ""),
        ("best PSNR", text.decibel(history.best_psnr) if history.best_psnr is not None else ""),
        ("throughput", text.rate(last["img_s"]) if "img_s" in last else ""),
        ("step", f"{history.step:,}" if history.step else ""),
        ("left", text.duration(left) if left is not None else ""),
        ("learning rate", f"{last['learning_rate']:.3g}" if "learning_rate" in last else ""),
        ("SSIM", f"{last['validation/ssim']:.3f}" if last.get("validation/ssim") is not None else ""),
        ("memory", f"{last['memory_gb']:.1f} GB" if "memory_gb" in last else ""),
    ]
    return [(name, value) for name, value in pairs if value]


def _of_epochs(job: JobRow | None) -> str:
    settings = job.settings.get("training", {}) if job is not None and job.kind == "train" else {}
    return f"/{settings['epochs']:,}" if settings.get("epochs") and not settings.get("minutes") else ""


def legend(lines: Sequence[Line], title: str, history: History, digits: int, unit: str = "") -> Content:
    """Return what a plot shows: its lines as they are drawn, with their newest values."""
    parts = [Content.styled(title, "bold")]
    for line in lines:
        if line.metric in history.last:
            mark = line.mark or "─"
            value = f"{history.last[line.metric]:.{digits}f}{unit}"
            gap = " " if digits > 3 or len(lines) == 1 else ""
            parts.append(Content.assemble((mark, f"${line.color}"), f"{gap}{_TITLES[line.metric]} {value}"))
    if len(parts) == 1 and history.series:
        parts.append(Content.styled("after the first validation", "$text-muted"))
    return Content(" ").join(parts)


class Figures(Widget):
    """The name of a run and its figures, as many as fit."""

    def __init__(self) -> None:
        super().__init__(id="figures")
        self._run = ""
        self._pairs: list[tuple[str, str]] = []

    def show(self, history: History) -> None:
        """Show what is known now."""
        shown = (text.safe(history.name), figures(history))
        if shown != (self._run, self._pairs):
            self._run, self._pairs = shown
            self.refresh()

    def render(self) -> Content:
        """Return the two lines: the name, then the figures."""
        room = self.size.width
        line = Content("")
        for name, value in self._pairs:
            gap = "   " if line.plain else ""
            more = Content.assemble(gap, (f"{name} ", "$text-muted"), (value, "bold"))
            if line.cell_length + more.cell_length > room:
                break
            line += more
        return Content.styled(text.shortened(self._run, room), "bold $text-primary") + Content("\n") + line
