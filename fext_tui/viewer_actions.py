"""What can be done with pictures that are looked at: excluded, encoded, copied."""

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from engine.checkpoints import list_checkpoints
from engine.errors import UsageError
from engine.files import make_folder, replace_file
from engine.records import Records
from fext_tui.keys import with_keys
from fext_tui.orders import Datasets
from fext_tui.sources import Source
from fext_tui.text import folder_name, safe

if TYPE_CHECKING:
    from fext_tui.app import FextApp

ACTIONS = (
    ("show", "Show them alone", "as a source of their own"),
    ("exclude", "Exclude", "from new training runs; the files stay"),
    ("include", "Include", "undo that"),
    ("encode", "Encode", "into vectors, with the newest checkpoint"),
    ("copy", "Copy the paths", "to the clipboard, and into a file"),
)
"""Names, titles and help of what can be done."""


class Marked(NamedTuple):
    """Pictures of a source."""

    source: Source
    paths: tuple[Path, ...]


class Done(NamedTuple):
    """What was done with pictures, a text to be copied, and the arguments of an encoding that is to be started."""

    told: str
    copied: str = ""
    encoding: Mapping[str, object] | None = None


def act(app: "FextApp", action: str, records: Records, marked: Marked) -> Done:
    """Do what is asked with pictures; for a thread, whose records are its own.

    Raises:
        FextError: it cannot be done.

    """
    works = {"exclude": _exclude, "include": _include, "encode": _encode, "copy": _copy}
    return works[action](app, records, marked)


def checkpoint_names(app: "FextApp") -> list[str]:
    """Return the checkpoints that pictures can be reconstructed or encoded with, newest first; for a thread.

    Raises:
        UsageError: there is none.

    """
    names = [facts.name for facts in list_checkpoints(app.workspace)]
    if not names:
        remedy = with_keys(app, "Train one first: {mode.model:2} for Model, then {model.train:t}.")
        raise UsageError("There is no checkpoint yet.", remedy)
    return names


def _exclude(app: "FextApp", records: Records, marked: Marked) -> Done:
    for dataset, paths in _in_datasets(app, records, marked).items():
        records.exclude(dataset, paths)
    return Done(f"{_count(marked.paths)} left out of new training runs; nothing happens to the files.")


def _include(app: "FextApp", records: Records, marked: Marked) -> Done:
    for dataset, paths in _in_datasets(app, records, marked).items():
        records.include(dataset, paths)
    return Done(f"{_count(marked.paths)} used by new training runs.")


def _in_datasets(app: "FextApp", records: Records, marked: Marked) -> dict[int, list[str]]:
    """Return the names of the pictures by their datasets."""
    datasets, found = Datasets(records), dict[int, list[str]]()
    for path in marked.paths:
        place = datasets.of_picture(marked.source, path)
        if place is None:
            remedy = with_keys(app, "Choose its folder on Data ({mode.data:1}, {data.open:o}) and analyze it.")
            raise UsageError(f"{path.name} lies in no folder that was analyzed.", remedy)
        found.setdefault(place[0], []).append(place[1])
    return found


def _encode(app: "FextApp", records: Records, marked: Marked) -> Done:
    newest = checkpoint_names(app)[0]
    arguments = {"checkpoint": newest, "folder": app.workspace.stored_path(_write_list(app, marked.paths))}
    return Done(f"{_count(marked.paths)} to be encoded with {newest}.", encoding=arguments)


def _copy(app: "FextApp", records: Records, marked: Marked) -> Done:
    listed = folder_name(_write_list(app, marked.paths))
    told = f"Copied, where the terminal allows it. The same is in {listed}."
    copied = "\n".join(map(str, marked.paths)).encode(errors="surrogateescape").decode(errors="replace")
    return Done(told, copied=copied)


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
    return f"{len(paths):,} pictures are" if len(paths) != 1 else f"{safe(paths[0].name)} is"
