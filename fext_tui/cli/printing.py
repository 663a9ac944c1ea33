"""What ``fext`` prints: results on standard output, messages on standard error."""

import json
import math
import os
import sys
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def plain_table(*titles: str, right: Collection[str] = ()) -> "Table":
    """Return an empty table without lines; columns of the titles in ``right`` hold numbers, and long text is folded."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in titles:
        table.add_column(title, justify="right" if title in right else "left", overflow="fold")
    return table


def output() -> "Console":
    """Return the console of standard output; text is data to it, never markup."""
    return _console(stderr=False)


def messages() -> "Console":
    """Return the console of standard error, which takes progress and messages."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> "Console":
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else 200
    return Console(stderr=stderr, markup=False, emoji=False, highlight=False, width=width)


def print_json(values: Mapping[str, Any]) -> None:
    """Print one JSON object on one line of standard output; numbers that are not finite become null."""
    sys.stdout.write(json.dumps(_finite(values)) + "\n")
    sys.stdout.flush()


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(content) for key, content in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(content) for content in value]
    return value


def print_paths(paths: Iterable[Path], *, null: bool) -> None:
    """Print paths for other commands, byte for byte, each on a line or before a zero byte; a terminal gets escapes."""
    from fext_tui.text import safe

    shown = safe if sys.stdout.isatty() else os.fspath
    end = "\0" if null else "\n"
    sys.stdout.buffer.write(os.fsencode("".join(f"{shown(path)}{end}" for path in paths)))
    sys.stdout.flush()


def tell_error(cause: str, remedy: str) -> None:
    """Print what went wrong and what to do about it on standard error."""
    from rich.text import Text

    console = messages()
    console.print(Text.assemble(("Error: ", "bold red"), _lines(cause)), soft_wrap=True)
    if remedy:
        console.print(Text(_lines(remedy)), soft_wrap=True)


def _lines(text: str) -> str:
    from fext_tui.text import safe

    return "\n".join(safe(line) for line in text.split("\n"))
