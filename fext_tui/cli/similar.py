"""``fext similar``."""

from dataclasses import asdict

import click
from rich.console import Group
from rich.status import Status

from engine.report import CollectedReport, Level
from engine.search import Similar, find_similar
from engine.workspace import Workspace
from fext_tui.cli.invocation import Invocation, absolute
from fext_tui.cli.options import device_option, global_options
from fext_tui.cli.printing import messages, plain_table
from fext_tui.cli.summary import lines_table, shown_path
from fext_tui.text import safe


@click.command()
@click.argument("image")
@click.option("-k", "--count", default=20, show_default=True, type=click.IntRange(1), help="Images to list.")
@click.option("--checkpoint", default="", metavar="NAME", help="Search embeddings of this checkpoint.")
@click.option("--folder", default="", metavar="FOLDER", help="Search embeddings of the images of this folder.")
@device_option
@global_options
@click.pass_obj
def similar(invocation: Invocation, image: str, count: int, checkpoint: str, folder: str) -> int:
    """List the images that are most like IMAGE, among those that `fext encode` has turned into vectors.

    Similarity is the cosine of two vectors. The newest embeddings that hold IMAGE are searched, else the newest; or
    those that --checkpoint and --folder name. An IMAGE that they do not hold is encoded by their checkpoint.
    """
    settings = invocation.settings()
    source = str(absolute(folder)) if folder else ""
    with invocation.records() as records, messages().status("Searching …") as status:
        found = find_similar(
            invocation.workspace(), records, absolute(image), k=count, checkpoint=checkpoint, folder=source,
            settings=settings, report=_Telling(status),
        )  # fmt: skip
    invocation.answer(_values(found), _told(found, invocation.workspace()))
    return 0


class _Telling(CollectedReport):
    """Tells on standard error what takes long."""

    def __init__(self, status: Status) -> None:
        super().__init__()
        self._status = status

    def progress(self, phase: str, done: float, total: float, unit: str) -> None:
        """Show how far it is, on a terminal."""
        self._status.update(f"{phase} {done:,.0f} of {total:,.0f} {unit}")

    def log(self, text: str, level: Level = "info") -> None:
        """Print the line."""
        self._status.console.print(safe(text), style="yellow" if level == "warning" else "")


def _values(found: Similar) -> dict[str, object]:
    neighbors = [
        {"rank": rank, "similarity": one.similarity, "path": str(one.path), "exists": one.is_there}
        for rank, one in enumerate(found.neighbors, 1)
    ]
    places = {"image": str(found.image), "folder": str(found.folder), "embeddings": str(found.embeddings)}
    return asdict(found) | places | {"neighbors": neighbors}


def _told(found: Similar, workspace: Workspace) -> Group:
    how = "as stored" if found.is_stored else "encoded now"
    exact = "each compared" if found.recall == 1 else f"by an index that finds {found.recall:.1%} of the nearest"
    searched = f"{found.images:,} of {shown_path(found.folder, workspace)} by {found.checkpoint}, {exact}"
    table = plain_table("rank", "similarity", "image", "", right={"rank", "similarity"})
    for rank, one in enumerate(found.neighbors, 1):
        note = "" if one.is_there else "the file is gone"
        table.add_row(str(rank), f"{one.similarity:.4f}", safe(shown_path(one.path, workspace)), note)
    lines = lines_table([("image", f"{shown_path(found.image, workspace)}, {how}"), ("searched", searched)])
    return Group(lines, "", table if found.neighbors else "It is the only one.")
