"""What one call of ``fext`` was given, and what it needs of the engine."""

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import RenderableType

    from engine.records import Records
    from engine.settings import Settings
    from engine.workspace import Workspace

FOLDER_SETTINGS = frozenset({"data.folder", "data.validation_folder", "encoding.folder", "analysis.folder"})


@dataclass
class Invocation:
    """The options that every verb shares, wherever they stood, and the values set for this call."""

    resources: str | None = None
    preset: str | None = None
    configuration: str | None = None
    as_json: bool = False
    on_finish: list[str] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)

    def workspace(self) -> "Workspace":
        """Return the workspace; its folders may not be there yet."""
        from engine.workspace import find_workspace

        return find_workspace(self.resources, os.environ)

    def settings(self) -> "Settings":
        """Return the settings of this call, from all their sources.

        Raises:
            UsageError: an unknown setting, preset or configuration, or a bad value.

        """
        from engine.configurations import load_settings

        return load_settings(
            self.workspace(),
            os.environ,
            preset=self.preset,
            configuration=self.configuration,
            command_line=self.named(),
        )

    def named(self) -> dict[str, Any]:
        """Return the values that this call itself sets, by dotted key; folders as jobs keep them."""
        folders = {key: self.stored(str(absolute(self.values[key]))) for key in FOLDER_SETTINGS if self.values.get(key)}
        return self.values | folders

    def stored(self, path: str) -> str:
        """Return an absolute path as jobs keep it: relative to the workspace where it lies inside; empty for none."""
        return self.workspace().stored_path(Path(path)) if path else ""

    @contextmanager
    def records(self) -> Iterator["Records"]:
        """Make the workspace, give its records, and mend what dead processes left in them.

        Raises:
            FextError: the workspace or the records cannot be used.

        """
        from engine.jobs.care import reconcile
        from engine.records import Records

        workspace = self.workspace().create()
        with Records(workspace) as records:
            reconcile(workspace, records)
            yield records

    def answer(self, values: Mapping[str, Any], *renderables: "RenderableType") -> None:
        """Print the result on standard output: ``values`` as one line of JSON, or what a person reads."""
        from fext_tui.cli.printing import output, print_json

        if self.as_json:
            print_json(values)
        else:
            output().print(*renderables, sep="\n")


def absolute(text: str) -> Path:
    """Return a path argument as an absolute path, with ``~`` standing for the home folder."""
    path = Path(text)
    try:
        path = path.expanduser()
    except RuntimeError:
        return Path(os.path.abspath(path))
    return Path(os.path.abspath(path))


def existing_images(text: str | None) -> str:
    """Return an argument that names images, by a folder or a list of paths, as an absolute path; empty for none.

    Raises:
        UsageError: there is no such folder or list.

    """
    from engine.errors import UsageError
    from engine.images.scan import EXTENSIONS

    if not text:
        return ""
    path = absolute(text)
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise UsageError(f"Folder {path}: {error.strerror}.", _near_folder(path)) from error
    if not (stat.S_ISDIR(mode) or (stat.S_ISREG(mode) and path.suffix.lower() not in EXTENSIONS)):
        remedy = "Give the folder that holds the images, or a text file with the path of an image on each line."
        raise UsageError(f"{path} is a file, not a folder.", remedy)
    if any("\ud800" <= character <= "\udfff" for character in str(path)):
        raise UsageError(f"The path {path} is no UTF-8.", "Rename the folder; files in it may have any name.")
    return str(path)


def _near_folder(path: Path) -> str:
    import difflib

    here = path.parent.is_dir() and os.access(path.parent, os.R_OK | os.X_OK)
    names = [one.name for one in path.parent.iterdir() if one.is_dir()] if here else []
    near = difflib.get_close_matches(path.name, names, n=1)
    return f"Did you mean {path.parent / near[0]}?" if near else "Check the path."
