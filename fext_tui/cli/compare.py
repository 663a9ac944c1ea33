"""``fext compare``."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import click
from rich.console import Group
from rich.table import Table

from engine.comparing import RunFacts, differing, run_facts
from engine.settings import text_of
from fext_tui.cli.invocation import Invocation
from fext_tui.cli.options import workspace_options
from fext_tui.cli.printing import plain_table
from fext_tui.text import age, decibel, duration, number, safe


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN RUN …")
@workspace_options
@click.pass_obj
def compare(invocation: Invocation, runs: tuple[str, ...]) -> int:
    """Show runs side by side: how they went, best first, and the settings in which they differ."""
    now = time.time()
    with invocation.records() as records:
        found = [run_facts(records, name, now) for name in dict.fromkeys(runs)]
    found.sort(key=lambda run: -(run.psnr or 0.0))
    changed = differing(found)
    values = [asdict(run) | {"settings": {key: run.settings.get(key) for key in changed}} for run in found]
    table = differing_table([run.name for run in found], changed)
    invocation.answer({"runs": values}, Group(_figures(found, now), "", table))
    return 0


def _figures(runs: list[RunFacts], now: float) -> Table:
    table = plain_table(
        "run", "variant", "state", "best PSNR", "epochs", "img/s", "time", "age", "note",
        right={"best PSNR", "epochs", "img/s", "time"},
    )  # fmt: skip
    for run in runs:
        table.add_row(
            safe(run.name), run.variant, run.state, decibel(run.psnr), number(run.epoch, 1), number(run.img_s, 1),
            duration(run.seconds), age(now, run.created), safe(run.description),
        )  # fmt: skip
    return table


def differing_table(names: Sequence[str], changed: Mapping[str, Sequence[Any]]) -> Table | str:
    """Return the settings in which several things differ, by dotted key, with the values of each; None is empty."""
    if len(names) < 2:
        return ""
    if not changed:
        return "Their settings are the same."
    table = plain_table("setting", *map(safe, names))
    for key, values in changed.items():
        table.add_row(key, *(safe(text_of(value)) if value is not None else "" for value in values))
    return table
