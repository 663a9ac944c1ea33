"""What can be done with pictures that are looked at: excluded, encoded, copied."""

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from textual.message import Message

from engine.checkpoints import list_checkpoints
from engine.errors import UsageError
from engine.files import make_folder, replace_file
from engine.records import Records
from fext_tui.orders import Datasets
from fext_tui.sources import Source
from fext_tui.text import folder_name

if TYPE_CHECKING:
    from fext_tui.app import FextApp

ACTIONS = (
    ("show", "Show them alone", "as a source of their own"),
    ("exclude", "Exclude", "new training runs leave them out; no file is touched"),
    ("include", "Include", "undo that"),
    ("encode", "Encode", "into vectors, with the newest checkpoint"),
    ("copy", "Copy the paths", "to the clipboard, and into a file"),
)
"""Names, titles and help of what can be done."""


class Marked(NamedTuple):
    """Pictures of a source."""

    source: Source
    paths: tuple[Path, ...]


class PicturesTold(Message):
    """What was done with pictures."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text


def act(app: "FextApp", action: str, marked: Marked, post: Callable[[Message], object]) -> None:
    """Do what is asked with pictures, on a thread; it posts what was done."""
    works = {"exclude": _exclude, "include": _include, "encode": _encode, "copy": _copy}
    work = works[action]
    app.with_records(lambda records: post(PicturesTold(work(app, records, marked))), "pictures")


def _exclude(app: "FextApp", records: Records, marked: Marked) -> str:
    names = _in_datasets(records, marked)
    for dataset, paths in names.items():
        records.exclude(dataset, paths)
    return f"{_count(marked.paths)} left out of new training runs; nothing happens to the files."


def _include(app: "FextApp", records: Records, marked: Marked) -> str:
    for dataset, paths in _in_datasets(records, marked).items():
        records.include(dataset, paths)
    return f"{_count(marked.paths)} used by new training runs."


def _in_datasets(records: Records, marked: Marked) -> dict[int, list[str]]:
    """Return the names of the pictures by their datasets."""
    datasets, found = Datasets(records), dict[int, list[str]]()
    for path in marked.paths:
        place = datasets.of_picture(marked.source, path)
        if place is None:
            raise UsageError(
                f"{path.name} lies in no folder that was analyzed.", "Choose its folder on Data (1, o) and analyze it."
            )
        found.setdefault(place[0], []).append(place[1])
    return found


def _encode(app: "FextApp", records: Records, marked: Marked) -> str:
    checkpoints = list_checkpoints(app.workspace)
    if not checkpoints:
        raise UsageError("There is no checkpoint yet.", "Train one first: 2 for Model, then t.")
    listed = _write_list(app, marked.paths)
    name = checkpoints[0].name
    app.call_from_thread(app.start_job, "encode", {"checkpoint": name, "folder": app.workspace.stored_path(listed)})
    return f"{_count(marked.paths)} to be encoded with {name}."


def _copy(app: "FextApp", records: Records, marked: Marked) -> str:
    text = "\n".join(map(str, marked.paths))
    app.call_from_thread(app.copy_to_clipboard, text)
    return f"Copied, where the terminal allows it. The same is in {folder_name(_write_list(app, marked.paths))}."


def _write_list(app: "FextApp", paths: Sequence[Path]) -> Path:
    """Write paths into a list that every verb takes in place of a folder."""
    folder = app.workspace.metadata / "lists"
    make_folder(folder)
    listed = folder / time.strftime("marked-%Y%m%d-%H%M%S.txt")
    names = [os.fsencode(path) for path in paths]
    end = b"\0" if any(b"\n" in name for name in names) else b"\n"
    replace_file(listed, b"".join(name + end for name in names))
    return listed


def _count(paths: Sequence[Path]) -> str:
    return f"{len(paths):,} pictures are" if len(paths) != 1 else f"{paths[0].name} is"
