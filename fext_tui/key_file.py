"""The user's own keys: ``keys.toml`` beside the user's configuration, read, checked against all actions, and begun."""

import difflib
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs

from engine.errors import UsageError

if TYPE_CHECKING:
    from fext_tui.bindings import Action

_MODIFIERS = ("ctrl", "shift", "alt", "super", "hyper", "meta")
_FORMER_NAMES = {"esc": "escape", "return": "enter", "del": "delete", "pgup": "pageup", "pgdn": "pagedown"}
_HEAD = """\
# Other keys for FeXT: take the # before a line away, and change what stands behind the =.
# Several keys are separated by commas; names of keys are those of Textual: space, enter, f5, ctrl+r, comma.
# This file belongs into {path}
# `fext keys` lists the keys in force, and tells what is wrong with this file.

[keys]
"""


def keys_file() -> Path:
    """Return where the user's own keys stand: a table ``[keys]`` of ids and keys, ``"viewer.next" = "j,down"``."""
    return platformdirs.user_config_path("fext") / "keys.toml"


def read_keys(path: Path) -> dict[str, str]:
    """Return what a file gives keys to, by id, as it stands there; nothing where there is no file.

    Raises:
        UsageError: the file cannot be read, or is no list of keys.

    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{path} cannot be read: {error}.", "Mend it, or remove it: the usual keys stand.") from error
    table = document.get("keys", {})
    strangers = sorted(set(document) - {"keys"})
    if strangers or not isinstance(table, dict):
        raise UsageError(
            f"{path}: {strangers[0] if strangers else 'keys'} is not the table [keys].",
            'Write, below a line [keys], for instance: "viewer.next" = "j,down"',
        )
    return {name: _joined(path, name, value) for name, value in _flat(table)}


def _flat(table: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Yield ids and values; an id without quotation marks is a table in a table to TOML."""
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value


def _joined(path: Path, name: str, value: object) -> str:
    keys = value if isinstance(value, list) else [value]
    words = [key for key in keys if isinstance(key, str) and key.strip()]
    if not words or len(words) < len(keys):
        raise UsageError(f"{path}: {name} has no keys.", f'Write, for instance: "{name}" = "x,ctrl+x"')
    return ",".join(words)


def checked(wanted: Mapping[str, str], actions: Sequence["Action"]) -> tuple[dict[str, str], list[UsageError]]:
    """Return those of the wanted keys that can be given, with Textual's names, and what is wrong with the others.

    What clashes with another action of the same screen keeps the keys it had.
    """
    known = {action.id: action for action in actions}
    taken: dict[str, tuple[str, ...]] = {}
    problems = []
    for name, keys in wanted.items():
        try:
            taken[_known(name, known)] = tuple(key_name(key) for key in keys.split(","))
        except UsageError as error:
            problems.append(error)
    while clash := _clash(taken, known):
        del taken[clash[0]]
        problems.append(_told_clash(*clash))
    return {name: ",".join(keys) for name, keys in taken.items()}, problems


def _known(name: str, known: Mapping[str, "Action"]) -> str:
    if name in known:
        return name
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    hint = f"Did you mean {' or '.join(near)}?" if near else "`fext keys` lists them all."
    raise UsageError(f"keys.toml: no action is named {name!r}.", hint)


def key_name(key: str) -> str:
    """Return Textual's name of a key: ``!`` is ``exclamation_mark``.

    Raises:
        UsageError: there is no such key.

    """
    from textual.keys import _character_to_key

    from fext_tui.keys import character_of

    *modifiers, base = key.strip().split("+") if len(key.strip()) > 1 else (key.strip(),)
    name = _character_to_key(base) if len(base) == 1 else base
    is_key = bool(base) and (len(base) == 1 or name in _named_keys() or bool(character_of(name)))
    if is_key and all(one in _MODIFIERS for one in modifiers):
        return "+".join((*modifiers, name))
    near = _FORMER_NAMES.get(base) or next(iter(difflib.get_close_matches(base, _named_keys(), n=1)), "")
    hint = f"Did you mean {near}?" if near else "Names are, for instance: x, space, enter, f5, ctrl+r, comma."
    raise UsageError(f"keys.toml: there is no key {key.strip()!r}.", hint)


def _named_keys() -> frozenset[str]:
    from textual.keys import Keys

    return frozenset(key.value for key in Keys if not key.value.startswith("<"))


def _clash(
    taken: Mapping[str, tuple[str, ...]], known: Mapping[str, "Action"]
) -> "tuple[str, str, Action, Action] | None":
    """Return the first action that was given a key of another one of its screen: id, key, and the two actions."""
    from fext_tui.bindings import meet

    for name, keys in taken.items():
        action = known[name]
        for key in keys:
            others = (
                other
                for other in known.values()
                if other.id != name and key in taken.get(other.id, other.keys) and meet(action, other)
            )
            if key not in action.keys and (other := next(others, None)):
                return name, key, action, other
    return None


def _told_clash(name: str, key: str, action: "Action", other: "Action") -> UsageError:
    return UsageError(
        f"keys.toml: {shown_name(key)} for {name} is the key of {other.id} ({other.title}) already.",
        f"Give {other.id} another key too, or {name} one that is free; it keeps {shown_keys(action.keys)} meanwhile.",
    )


def shown_name(key: str) -> str:
    """Return a key as it is written in the file: the character where it is one, else its name."""
    from fext_tui.keys import character_of

    character = character_of(key)
    return character if character and character not in ',"\\' else key


def shown_keys(keys: Iterable[str]) -> str:
    """Return keys as they are written in the file."""
    return ",".join(shown_name(key) for key in keys)


def template(actions: Sequence["Action"], path: Path) -> str:
    """Return a file in which every action has its usual keys, all of them put out by a ``#``."""
    lines = [_HEAD.format(path=path)]
    for place in dict.fromkeys(action.place for action in actions):
        here = [action for action in actions if action.place == place]
        lines += [f"# {place}", *(_template_line(action) for action in here), ""]
    return "\n".join(lines)


def _template_line(action: "Action") -> str:
    line = f'# "{action.id}" = "{shown_keys(action.keys)}"'
    return f"{line:<44} # {action.title}{f': {action.help}' if action.help else ''}"
