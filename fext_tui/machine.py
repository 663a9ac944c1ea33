"""The machine in words: one short line, and a panel with the readings of the last minutes."""

from collections.abc import Iterator, Sequence

from textual.content import Content

from engine.machine import GpuUse, MachineUse
from engine.records import JobRow
from fext_tui import text
from fext_tui.widgets.job_bar import progress_bar

READINGS = 60
"""Readings that are kept."""
_LABEL_WIDTH = 8
_WORDS_WIDTH = 20
_TREND_WIDTH = 16
_LEVELS = "▁▂▃▄▅▆▇█"
_GAP = 2


def machine_words(use: MachineUse, lane: str, room: int) -> str:
    """Return what matters most of a reading while a job runs in a lane, as much as fits ``room`` columns."""
    words = ""
    for part in _parts(use, lane):
        more = part if not words else " " * _GAP + part
        if len(words) + len(more) > room:
            break
        words += more
    return words


def _parts(use: MachineUse, lane: str) -> Iterator[str]:
    gpu = next((gpu for gpu in use.gpus if lane == f"gpu:{gpu.number}"), None)
    if gpu is None:
        yield f"cpu {_percent(use.busy)}"
        yield _of(use.memory_used, use.memory_total)
        yield f"{text.size(use.disk_free)} free"
        return
    yield f"gpu {_percent(gpu.busy)}"
    yield _of(gpu.memory_used, gpu.memory_total)
    yield from _condition(gpu)


def _condition(gpu: GpuUse) -> Iterator[str]:
    if gpu.temperature is not None:
        yield f"{gpu.temperature} °C"
    if gpu.power is not None:
        yield f"{gpu.power:.0f} W"


def _percent(share: float | None) -> str:
    return text.NONE if share is None else f"{100 * share:.0f} %"


def _of(used: float, total: float) -> str:
    """Return used and total bytes in the total's unit, for instance ``8.1/24 GB``."""
    amount, unit = text.size(total).split()
    scale = total / float(amount) if total else 1.0
    return f"{used / scale:.1f}/{float(amount):g} {unit}"


def machine_facts(readings: Sequence[MachineUse], job: JobRow | None, width: int) -> Content:
    """Return the newest reading in full, with how processor and GPUs were busy in those before it.

    Args:
        readings: oldest first, at least one.
        job: the job whose use the readings tell, where one runs.
        width: columns.

    """
    use = readings[-1]
    bar = max(8, width - _LABEL_WIDTH - _GAP - _WORDS_WIDTH - _TREND_WIDTH)
    sections = [Content("\n").join(_machine_lines(readings, bar))]
    for number in range(len(use.gpus)):
        before = [one.gpus[number] for one in readings if number < len(one.gpus)]
        sections.append(Content("\n").join(_gpu_lines(before, job, bar)))
    if job is not None and use.job is not None:
        told = f"{use.job.cores:.1f} cores, {text.size(use.job.memory)} of its own"
        sections.append(Content.assemble((f"Job {job.id} {job.kind}", "bold"), f"  {told}"))
    return Content("\n\n").join(sections)


def _machine_lines(readings: Sequence[MachineUse], bar: int) -> Iterator[Content]:
    use = readings[-1]
    cores = f"{use.cores} core" + ("s" if use.cores > 1 else "")
    yield _meter("CPU", use.busy, bar, f"{_percent(use.busy)} of {cores}", [one.busy for one in readings])
    yield _meter("memory", use.memory_used / (use.memory_total or 1), bar, _of(use.memory_used, use.memory_total))
    taken = 1 - use.disk_free / (use.disk_total or 1)
    yield _meter("disk", taken, bar, f"{text.size(use.disk_free)} free")


def _gpu_lines(readings: Sequence[GpuUse], job: JobRow | None, bar: int) -> Iterator[Content]:
    gpu = readings[-1]
    power = "" if gpu.power is None else f"{gpu.power:.0f} W"
    power += f" of {gpu.power_limit:.0f} W" if power and gpu.power_limit is not None else ""
    heat = "" if gpu.temperature is None else f"{gpu.temperature} °C"
    condition = "  ".join(part for part in (heat, power) if part)
    yield Content.assemble((f"GPU {gpu.number}  {text.safe(gpu.name)}", "bold"), (f"  {condition}", "$text-muted"))
    yield _meter("busy", gpu.busy or 0.0, bar, _percent(gpu.busy), [one.busy or 0.0 for one in readings])
    own = f", {text.size(gpu.job_memory)} job {job.id}" if job is not None and gpu.job_memory else ""
    used = _of(gpu.memory_used, gpu.memory_total)
    yield _meter("memory", gpu.memory_used / (gpu.memory_total or 1), bar, f"{used}{own}")


def _meter(label: str, share: float, bar: int, words: str, before: Sequence[float] = ()) -> Content:
    head = Content.styled(f"{label:<{_LABEL_WIDTH}}", "$text-muted") + progress_bar(share, bar)
    return head + Content(" " * _GAP + f"{words:<{_WORDS_WIDTH}}") + Content.styled(trend(before), "$primary")


def trend(shares: Sequence[float]) -> str:
    """Return the newest of shares in [0, 1] as columns, lower and higher, the last one on the right."""
    levels = (round(max(0.0, min(share, 1.0)) * (len(_LEVELS) - 1)) for share in shares[-_TREND_WIDTH:])
    return "".join(_LEVELS[level] for level in levels)
