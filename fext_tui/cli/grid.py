"""A small grid of training runs: every combination of some values of some settings."""

import itertools
import time
from collections.abc import Sequence

from engine.errors import UsageError
from engine.jobs.submit import submit_all
from engine.settings import FIELDS, Settings
from engine.workspace import check_name
from fext_tui.cli.invocation import Invocation
from fext_tui.cli.printing import plain_table
from fext_tui.text import safe

MOST_JOBS = 256


def combinations(assignments: Sequence[str]) -> list[dict[str, str]]:
    """Return every combination of the values of ``group.field=A,B,…``, the last setting changing fastest.

    Raises:
        UsageError: one is no such assignment, names no setting or one twice, or there are too many.

    """
    axes: dict[str, list[str]] = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        values = [value.strip() for value in text.split(",")]
        if not equals or not all(values) or len(set(values)) < len(values):
            raise UsageError(f"{assignment!r} is no grid.", "Write group.field=A,B,… with different values.")
        if key in axes:
            raise UsageError(f"{key} is given twice.", "Give all of its values at once: group.field=A,B,…")
        if key not in FIELDS:
            raise UsageError(f"Unknown setting {key!r}.", "`fext settings` lists them.")
        axes[key] = values
    grid = [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]
    if len(grid) > MOST_JOBS:
        raise UsageError(f"That makes {len(grid):,} runs.", f"At most {MOST_JOBS} can be lined up at once.")
    return grid


def submit_grid(invocation: Invocation, wanted: Sequence[tuple[dict[str, str], Settings]], name: str | None) -> int:
    """Put a training run for each combination and its settings in the queue: all or, where one cannot be, none."""
    base = check_name(name, "run") if name else time.strftime("grid-%Y%m%d-%H%M%S")
    jobs = [
        (settings, {"name": f"{base}-{number}", "note": ", ".join(f"{key} = {value}" for key, value in one.items())})
        for number, (one, settings) in enumerate(wanted, 1)
    ]
    with invocation.records() as records:
        added = submit_all(invocation.workspace(), records, "train", jobs, on_finish=invocation.on_finish)
    table = plain_table("job", "run", "note", right={"job"})
    for job, (_, arguments) in zip(added, jobs, strict=True):
        table.add_row(str(job.id), safe(arguments["name"]), safe(arguments["note"]))
    values = [{"job": job.id, **arguments} for job, (_, arguments) in zip(added, jobs, strict=True)]
    names = safe(" ".join(arguments["name"] for _, arguments in jobs[:3]))
    told = f"`fext queue` shows what waits, `fext compare {names}{' …' if len(jobs) > 3 else ''}` how they went."
    invocation.answer({"jobs": values}, table, told)
    return 0
