"""What is known of a job, in words: its progress, its result, its error."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from textual.content import Content

from engine.records import JobRow
from fext_tui import text
from fext_tui.stories import JobStory, changed_settings
from fext_tui.widgets.log import log_content

STATE_STYLES = {
    "queued": "$text-muted",
    "running": "bold $primary",
    "done": "$success",
    "stopped": "$warning",
    "failed": "bold $error",
    "killed": "bold $error",
    "lost": "bold $error",
}
"""How the states are told apart beside their words."""

_TOLD = {
    "psnr": "{:.2f} dB",
    "val_psnr": "{:.2f} dB",
    "ssim": "SSIM {:.3f}",
    "img_s": "{:,.1f} img/s",
    "images": "{:,} images",
    "rows": "{:,} vectors",
    "dim": "of {:,} values",
    "skipped": "{:,} skipped",
    "seconds": "{:.1f} s",
}
_RESULT_UNITS = {"psnr": "dB", "val_psnr": "dB", "img_s": "img/s", "seconds": "s"}


def result_words(result: Mapping[str, Any] | None) -> str:
    """Return what matters most of a job's result as one line, for instance ``25.31 dB · 128 images``."""
    told = ((name, (result or {}).get(name)) for name in _TOLD)
    return " · ".join(_TOLD[name].format(value) for name, value in told if value)


def _is_short(value: object) -> bool:
    return value is not None and not isinstance(value, (list, dict)) and value != ""


def _word(name: str, value: object) -> str:
    if isinstance(value, float):
        unit = _RESULT_UNITS.get(name, "")
        return f"{name} {value:.4g} {unit}".rstrip() if abs(value) < 10_000 else f"{name} {value:,.0f} {unit}".rstrip()
    shown = f"{value:,}" if isinstance(value, int) else text.safe(value, 200)
    return f"{name} {shown}"


def error_facts(job: JobRow, log: Path) -> Content:
    """Return a job's error in full: cause, remedy, trace, and where its log lies."""
    error = job.error or {}
    parts = [
        Content.styled(text.safe_lines(error.get("cause") or "No cause was recorded."), "bold $error"),
        Content(text.safe_lines(error.get("remedy") or "")),
        Content.styled(f"Log: {text.safe(log)}", "$text-muted"),
        Content.styled(text.safe_lines(error.get("traceback") or ""), "$text-muted"),
    ]
    return Content("\n\n").join(part for part in parts if part)


def story_facts(story: JobStory, now: float, log: Path) -> Content:
    """Return all that is known of a job: times, error, result, settings that differ, files, last lines."""
    sections = [
        _head(story, now),
        error_facts(story.job, log) if story.job.error else Content(""),
        _section("Result", _result_lines(story.job.result)),
        _section("Settings that differ from the defaults", _setting_lines(story.job)),
        _section("Files", [Content(text.safe(row["path"])) for row in story.artifacts]),
        _section("Last lines", [log_content(row) for row in story.lines]),
    ]
    return Content("\n\n").join(section for section in sections if section)


def _head(story: JobStory, now: float) -> Content:
    job = story.job
    state = (job.state, STATE_STYLES[job.state])
    title = Content.assemble((f"Job {job.id}  {job.kind}  ", "bold"), state, (f"  {text.safe(story.name)}", "bold"))
    times = f"submitted {text.ago(now, job.created)}"
    if job.started is not None:
        times += f", ran {text.duration(job.seconds(now))}" if job.ended else f", started {text.age(now, job.started)}"
    return title + Content.styled(f"\n{times}", "$text-muted")


def _section(title: str, lines: list[Content]) -> Content:
    if not lines:
        return Content("")
    return Content("\n").join([Content.styled(title, "bold $text-primary"), *lines])


def _result_lines(result: Mapping[str, Any] | None) -> list[Content]:
    return [
        Content.assemble((f"{name:<12} ", "$text-muted"), _word(name, value).removeprefix(f"{name} "))
        for name, value in (result or {}).items()
        if _is_short(value)
    ]


def _setting_lines(job: JobRow) -> list[Content]:
    return [
        Content.assemble(
            (f"{key:<32} ", "$text-muted"),
            (text.safe(value) or "empty", "bold"),
            (f"  default {text.safe(default) or 'empty'}", "$text-muted"),
        )
        for key, value, default in changed_settings(job)
    ]
