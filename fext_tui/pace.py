"""How quickly a job goes on, and what there is to say of it in one line."""

from collections import deque
from collections.abc import Mapping

from engine.records import JobRow
from fext_tui.text import decibel, duration, number, rate

_WINDOW_SECONDS = 20.0


class Pace:
    """The rate of a phase over the last 20 seconds of what was seen of it."""

    def __init__(self) -> None:
        self._phase = ""
        self._seen: deque[tuple[float, float]] = deque()

    def see(self, job: JobRow, now: float) -> None:
        """Take note of how far the job is at a time, in seconds."""
        is_behind = bool(self._seen) and (job.done < self._seen[-1][1] or now < self._seen[-1][0])  # or the clock is
        if job.phase != self._phase or is_behind:
            self._phase = job.phase
            self._seen.clear()
        if not self._seen or job.done > self._seen[-1][1]:
            self._seen.append((now, job.done))
        while len(self._seen) > 2 and now - self._seen[0][0] > _WINDOW_SECONDS:
            self._seen.popleft()

    @property
    def rate(self) -> float | None:
        """Units a second; None until something was seen to move for a tenth of a second."""
        if len(self._seen) < 2:
            return None
        (first, at_first), (last, at_last) = self._seen[0], self._seen[-1]
        return (at_last - at_first) / (last - first) if last - first > 0.1 else None

    def left(self, job: JobRow) -> float | None:
        """Return the seconds that the phase still takes; None where that is not known."""
        if not job.total:
            return None
        if job.unit == "s":
            return job.total - job.done
        return (job.total - job.done) / self.rate if self.rate else None


def count_text(job: JobRow) -> str:
    """Return how far a phase is: ``120/600 steps``, ``0:12 of 1:30``, ``340 images``; empty before it begins."""
    if job.unit == "s":
        return f"{duration(job.done)} of {duration(job.total)}" if job.total else duration(job.done)
    if not job.total and not job.done:
        return ""
    done = f"{job.done:,.0f}/{job.total:,.0f}" if job.total else f"{job.done:,.0f}"
    return f"{done} {job.unit}".strip()


def pace_texts(job: JobRow, pace: Pace) -> list[str]:
    """Return count, rate and time left, those that are known."""
    speed = pace.rate if job.unit != "s" else None
    left = pace.left(job)
    texts = [
        count_text(job),
        rate(speed, f"{job.unit}/s") if speed else "",
        f"{duration(left)} left" if left is not None else "",
    ]
    return [text for text in texts if text]


def metric_texts(values: Mapping[str, float], epoch: float) -> list[str]:
    """Return the newest metrics of a training run, as a person reads them."""
    texts = [f"epoch {epoch:.2f}"]
    if "train/loss" in values:
        texts.append(f"loss {number(values['train/loss'], 4)}")
    if "validation/loss" in values:
        texts.append(f"held out {number(values['validation/loss'], 4)}")
    if "validation/psnr" in values:
        texts.append(decibel(values["validation/psnr"]))
    if "img_s" in values:
        texts.append(rate(values["img_s"]))
    return texts
