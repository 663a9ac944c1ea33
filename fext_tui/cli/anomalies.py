"""``fext anomalies``."""

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any

import click
from rich.table import Table

from engine.checkpoints import find_checkpoint
from engine.errors import UsageError
from engine.rankings import SCORES, read_ranking
from engine.records import JobRow, Records
from fext_tui.cli.invocation import Invocation, absolute, existing_images
from fext_tui.cli.options import device_option, global_options, job_options, setting_option
from fext_tui.cli.printing import output, plain_table
from fext_tui.cli.submission import conclude, perform
from fext_tui.text import safe

_BEYOND = "▲"


@click.command()
@click.argument("checkpoint")
@click.argument("folder", required=False)
@click.option("--reference", metavar="FOLDER", help="Usual images, in place of those of the training.")
@click.option("--labels", metavar="FILE", help="CSV of path,label with 1 for anomalous images, to rate the ranking.")
@click.option(
    "--normal", metavar="NAME", multiple=True, help="Images in folders of this name are normal, others are not; repeat."
)
@setting_option("--percentile", "anomalies.percentile")
@setting_option("--batch-size", "anomalies.batch_size")
@click.option(
    "-n", "count", default=20, show_default=True, type=click.IntRange(0, 100_000), help="Images to list, the oddest."
)
@device_option
@job_options
@global_options
@click.pass_obj
def anomalies(
    invocation: Invocation,
    checkpoint: str,
    folder: str | None,
    *,
    reference: str | None,
    labels: str | None,
    normal: tuple[str, ...],
    count: int,
    detach: bool,
) -> int:
    """Rank the images of FOLDER by how unlike they are to those that CHECKPOINT was trained on.

    Without FOLDER: database/inference/images of the workspace. Each image is scored by how badly it is restored, as a
    whole and in its worst 5 %, and by how far its vector is from those of known images.
    """
    find_checkpoint(invocation.workspace(), checkpoint)
    arguments = {
        "checkpoint": checkpoint,
        "folder": invocation.stored(existing_images(folder)),
        "reference": invocation.stored(existing_images(reference)),
        "labels": invocation.stored(_existing_file(labels)),
        "normal": list(normal),
    }
    return perform(invocation, "anomalies", arguments, detach=detach, ending=partial(tell, count))


def _existing_file(text: str | None) -> str:
    if not text:
        return ""
    path = absolute(text)
    if not path.is_file():
        raise UsageError(f"There is no file {path}.", "Give a CSV file of path,label.")
    return str(path)


def tell(count: int, invocation: Invocation, _: Records, job: JobRow) -> int:
    """Print what a search that is done has found, with so many of the oddest images, and return the exit code."""
    assert job.result is not None
    ranking = read_ranking(invocation.workspace().actual_path(job.result["table"]))
    rows = list(islice(ranking, count))
    code = conclude(invocation, job, {"worst": rows})
    if rows and not invocation.as_json:
        output().print("", _table(rows, job.result["thresholds"]), sep="\n")
    return code


def _table(rows: Sequence[Mapping[str, Any]], thresholds: Mapping[str, float]) -> Table:
    is_labeled = any(row["label"] is not None for row in rows)
    titles = ("error", "worst 5 %", "distance", "percentile")
    table = plain_table(
        "rank", "image", *titles, f"{_BEYOND} beyond", *(["label"] if is_labeled else []), right={"rank", *titles}
    )
    for row in rows:
        scores = (f"{row[name]:.4f}" for name in SCORES)
        label = [("normal", "anomalous")[row["label"]] if row["label"] is not None else ""] if is_labeled else []
        table.add_row(
            str(row["rank"]), safe(row["path"]), *scores, f"{row['percentile']:.1f}",
            _BEYOND if row["is_anomaly"] else "", *label,
        )  # fmt: skip
    table.add_row("", "threshold", *(f"{thresholds[name]:.4f}" for name in SCORES), "", "", style="dim")
    return table
