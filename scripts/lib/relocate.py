"""Mend an environment that was moved with its checkout: ``relocate.py VENV OLD_ROOT NEW_ROOT``.

Packages stay as they are; what names the old place is rewritten: the first lines of the commands in ``bin``, the
activation scripts, and the files that lead to the checkout's own packages.
"""

import sys
from collections.abc import Callable
from pathlib import Path

_LONGEST_SHEBANG = 127


def shebang(python: str) -> str:
    """Return the first lines of a command; through the shell where the kernel would not take the path."""
    if " " not in python and len(python) < _LONGEST_SHEBANG:
        return f"#!{python}\n"
    return f"#!/bin/sh\n'''exec' \"{python}\" \"$0\" \"$@\"\n' '''\n"


def relocated(text: str, old: str, new: str) -> str:
    """Return a file of ``bin`` with its first lines, where it is a Python command, and all else for the new place."""
    for name in ("python", "python3", f"python3.{sys.version_info.minor}"):
        before = shebang(f"{old}/.venv/bin/{name}")
        if text.startswith(before):
            body = text[len(before) :].replace(f"{old}/.venv", f"{new}/.venv")
            return shebang(f"{new}/.venv/bin/{name}") + body
    return text.replace(f"{old}/.venv", f"{new}/.venv")


def rewrite(path: Path, change: Callable[[str], str]) -> None:
    """Put a file's changed text in its place; what is no text stays."""
    try:
        text = path.read_bytes().decode()
    except UnicodeDecodeError:
        return
    path.write_bytes(change(text).encode())


def relocate(venv: Path, old: str, new: str) -> None:
    """Rewrite everything in ``venv`` that names the old place."""
    for path in (venv / "bin").iterdir():
        if path.is_file() and not path.is_symlink():
            rewrite(path, lambda text: relocated(text, old, new))
    for packages in venv.glob("lib/python3*/site-packages"):
        for path in packages.glob("__editable__*"):
            rewrite(path, lambda text: text.replace(old, new))
        for path in packages.glob("fext_tui-*.dist-info/direct_url.json"):
            rewrite(path, lambda text: text.replace(Path(old).as_uri(), Path(new).as_uri()))


if __name__ == "__main__":
    relocate(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
