"""``fext compare``."""

import time
from dataclasses import asdict

import click
from rich.console import Group
from rich.table import Table

from engine.comparing import RunFacts, differing, run_facts
from engine.settings import text_of
from fext_tui.cli.invocation import Invocation
from fext_tui.cli.options import workspace_options
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
    invocation.answer({"runs": values}, Group(_figures(found, now), "", _settings(found, changed)))
    return 0


def _figures(runs: list[RunFacts], now: float) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("run", "variant", "state", "best PSNR", "epochs", "img/s", "time", "age", "note"):
        right = title in {"best PSNR", "epochs", "img/s", "time"}
        table.add_column(title, justify="right" if right else "left", overflow="fold")
    for run in runs:
        table.add_row(
            safe(run.name), run.variant, run.state, decibel(run.psnr), number(run.epoch, 1), number(run.img_s, 1),
            duration(run.seconds), age(now, run.created), safe(" ".join((*(f"#{tag}" for tag in run.tags), run.note))),
        )  # fmt: skip
    return table


def _settings(runs: list[RunFacts], changed: dict[str, tuple[object, ...]]) -> Table | str:
    if len(runs) < 2:
        return ""
    if not changed:
        return "Their settings are the same."
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("setting")
    for run in runs:
        table.add_column(safe(run.name), overflow="fold")
    for key, values in changed.items():
        table.add_row(key, *(safe(text_of(value)) if value is not None else "" for value in values))
    return table
