"""``fext compare-data``."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from engine.errors import EXIT_DONE, FextError, UsageError
from engine.measures import label
from engine.records import JobRow, Records
from fext_tui.cli.invocation import Invocation, existing_images
from fext_tui.cli.options import global_options, setting_option
from fext_tui.cli.printing import plain_table
from fext_tui.cli.submission import perform
from fext_tui.cli.summary import lines_table, shown_path
from fext_tui.measures import figure

_NOTABLE = "▲"


@click.command("compare-data")
@click.argument("a")
@click.argument("b")
@setting_option("--metrics", "analysis.metrics", metavar="GROUP,…")
@setting_option("--workers", "device.workers")
@global_options
@click.pass_obj
def compare_data(invocation: Invocation, a: str, b: str) -> int:
    """Tell how far the images of B differ from those of A: metric by metric, by their pixels, and which are in both.

    A and B are folders, or text files with the path of an image on each line. What was measured before is not measured
    again.
    """
    one, other = (existing_images(text) for text in (a, b))
    if Path(one).samefile(other):
        raise UsageError("A and B are the same.", "Give two folders.")
    invocation.values["data.validation_folder"] = other
    return perform(invocation, "analyze", {"folder": invocation.stored(one)}, detach=False, ending=_tell)


def _tell(invocation: Invocation, _: Records, job: JobRow) -> int:
    result = job.result
    assert result is not None
    if not result["channels"]:
        if _leaks(result):
            raise FextError("All images of A are in B too.", "`fext findings A --kind leakage` lists them.")
        raise FextError(
            "A and B cannot be compared: in one of them, no image is left that can be read and is not excluded.",
            "`fext findings FOLDER` tells what is wrong with files; `fext include FOLDER --all` ends all exclusions.",
        )
    values = {"job": job.id, "state": job.state, **result, "leakage": _leaks(result)}
    tables = (_sides(invocation, job, result), _metric_table(result["metrics"]), _channel_table(result["channels"]))
    invocation.answer(values, *(part for table in tables for part in (table, "")), result["summary"])
    return EXIT_DONE


def _leaks(result: Mapping[str, Any]) -> int:
    return int(result["findings"].get("leakage", 0))


def _sides(invocation: Invocation, job: JobRow, result: Mapping[str, Any]) -> Table:
    workspace = invocation.workspace()
    one, other = result["folder"], job.settings["data"]["validation_folder"]
    leaks = _leaks(result)
    left = f"{result['train_images']:,} images in {shown_path(one, workspace)}"
    lines = [
        ("A", f"{left}, less those of B; called training images"),
        ("B", f"{result['validation_images']:,} images in {shown_path(other, workspace)}, called validation images"),
        ("in both", f"{leaks:,} images of A are in B too, the same or nearly so"),
    ]
    if leaks:
        lines.append(("", "`fext findings A --kind leakage` lists them"))
    return lines_table(lines)


def _metric_table(metrics: Mapping[str, Mapping[str, Any]]) -> Table:
    titles = ("mean of A", "mean of B", "Wasserstein", "Jensen-Shannon", "Kolmogorov-Smirnov", "effect")
    table = plain_table("metric", *titles, f"{_NOTABLE} notable", right=titles)
    for name, apart in metrics.items():
        table.add_row(
            label(name), *map(figure, (*apart["means"], apart["wasserstein"])), f"{apart['jensen_shannon']:.3f}",
            f"{apart['kolmogorov_smirnov']:.3f}", f"{apart['effect']:.2f}", _NOTABLE if apart["is_notable"] else "",
        )  # fmt: skip
    return table


def _channel_table(channels: Mapping[str, Mapping[str, float]]) -> Table:
    titles = ("mean shift", "Wasserstein", "Jensen-Shannon", "Kolmogorov-Smirnov")
    table = plain_table("pixels", *titles, right=titles)
    for name, apart in channels.items():
        table.add_row(
            name, f"{apart['mean_shift']:+.2f}", f"{apart['wasserstein']:.2f}", f"{apart['jensen_shannon']:.3f}",
            f"{apart['kolmogorov_smirnov']:.3f}",
        )  # fmt: skip
    return table
