"""What every key does on a screen, told from its bindings, and by the keys that the user gave them."""

import re
import textwrap

from textual.app import App
from textual.binding import ActiveBinding
from textual.content import Content
from textual.dom import DOMNode
from textual.keys import _character_to_key, format_key
from textual.screen import Screen
from textual.widgets import DataTable

_TEXTUALS_OWN = frozenset({"screen.copy_text", "app.focus_next", "app.focus_previous", "help_quit", "command_palette"})
_KEYS, _TITLE = 10, 16
"""Columns of the keys, and of what they are called, with the space behind them."""
_DIALOG, _SHARE, _FRAME = 100, 94, 8
"""Columns of the dialog that tells them, its share of the terminal in percent at most, and what its frame takes."""
_NAMED = re.compile(r"\{([a-z_.]+):([^{}]+)\}")


def key_of(node: DOMNode, binding_id: str, usual: str) -> str:
    """Return the name of the first key of a binding: ``usual``, unless the user gave it others."""
    return node.app._keymap.get(binding_id, usual).split(",")[0]


def shown_key(node: DOMNode, binding_id: str, usual: str) -> str:
    """Return the first key of a binding as it is shown: ``usual``, unless the user gave it others."""
    return format_key(key_of(node, binding_id, "")) or usual


def character_of(key: str) -> str:
    """Return the character that a key types; nothing where it types none."""
    shown = format_key(key)
    return shown if len(shown) == 1 and _character_to_key(shown) == key else ""


def key_hints(node: DOMNode, *told: tuple[str, str]) -> str:
    """Return a line of keys and what they do, each told as its binding's id and the words, of which the first is a key.

    ``("dialog.cancel", "esc cancel")``; what has no id is told as it stands.
    """
    hints = []
    for binding_id, words in told:
        usual, _, what = words.partition(" ")
        hints.append(f"{shown_key(node, binding_id, usual)} {what}")
    return "   ".join(hints)


def with_keys(node: DOMNode, text: str) -> str:
    """Return a text of ours with its keys: ``{data.open:o}`` is the key of that binding, ``o`` if none was given."""
    return _NAMED.sub(lambda found: shown_key(node, found[1], found[2]), text)


def describe_keys(screen: Screen[object]) -> Content:
    """Return what the keys do: those of the screen, of what is focused, and everywhere; movements in one line."""
    by_node: dict[DOMNode, list[ActiveBinding]] = {}
    for one in screen.active_bindings.values():
        if one.enabled and one.binding.description and one.binding.action not in _TEXTUALS_OWN:
            by_node.setdefault(one.node, []).append(one)
    nodes = sorted(by_node, key=lambda node: (node is screen.app, node is not screen))
    return Content("\n\n").join(_section(node, by_node[node]) for node in nodes)


def offered(screen: Screen[object]) -> list[ActiveBinding]:
    """Return the bindings that stand for an action, each action once; movements are not among them."""
    by_action: dict[tuple[DOMNode, str], ActiveBinding] = {}
    for one in screen.active_bindings.values():
        if one.enabled and _acts(one) and one.binding.action not in _TEXTUALS_OWN:
            by_action.setdefault((one.node, one.binding.action), one)
    return list(by_action.values())


def _acts(one: ActiveBinding) -> bool:
    """Return whether a binding stands for an action; those of widgets without a help move about in them."""
    return bool(one.binding.tooltip) or (isinstance(one.node, Screen | App) and bool(one.binding.description))


def _section(node: DOMNode, bindings: list[ActiveBinding]) -> Content:
    by_action: dict[str, list[ActiveBinding]] = {}
    moves = [one for one in bindings if not _acts(one)]
    for one in bindings:
        if _acts(one):
            by_action.setdefault(one.binding.action, []).append(one)
    told = sorted(by_action.values(), key=lambda same: not same[0].binding.show)
    lines = [_line(same, same[0].binding.description, same[0].binding.tooltip) for same in told]
    if moves:
        lines.append(_line(moves, "Move", ""))
    title = node.BINDING_GROUP_TITLE or ("Tables" if isinstance(node, DataTable) else type(node).__name__)
    return Content("\n").join([Content.styled(title, "bold $text-primary"), *lines])


def _line(same: list[ActiveBinding], description: str, tooltip: str) -> Content:
    app = same[0].node.app
    keys = " ".join(dict.fromkeys(app.get_key_display(one.binding) for one in same))
    if len(keys) > _KEYS - 2:
        return Content.assemble(f"{description:<{_KEYS}}", (keys, "bold $footer-key-foreground"))
    title = f"{description:<{_TITLE - 1}} "
    room = min(_DIALOG, app.size.width * _SHARE // 100) - _FRAME - _KEYS - len(title)
    told = f"\n{' ' * (_KEYS + len(title))}".join(textwrap.wrap(tooltip, max(room, 20)))
    return Content.assemble((f"{keys:<{_KEYS}}", "bold $footer-key-foreground"), title, (told, "$text-muted"))
