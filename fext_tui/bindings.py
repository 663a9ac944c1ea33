"""Every action of the app that has keys, by screen: told from the bindings of all classes, without opening the app."""

import importlib
import pkgutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from textual.binding import Binding
from textual.dom import DOMNode

EVERYWHERE = "Everywhere"
PLACES: Mapping[str, str] = {
    "": EVERYWHERE, "mode": EVERYWHERE, "table": "Tables", "dialog": "Dialogs", "settings": "Configurations",
    "form": "Settings", "value": "Editing a value", "log": "Log", "folder": "Choosing a folder",
}  # fmt: skip
"""What the first part of an id says of the place of a binding, where that is not the part itself."""

CHAINS: tuple[tuple[str, ...], ...] = (
    ("data", "images", "table"),
    ("data", "images", "filter"),
    ("data", "distribution"),
    ("data", "findings", "table"),
    ("data", "form", "value"),
    ("model", "settings", "form", "value"),
    ("model", "settings", "checkpoints", "table"),
    ("model", "settings", "log"),
    ("viewer", "filter"),
    ("runs", "jobs", "table"),
    ("runs", "jobs", "filter"),
    ("finding", "table"),
    ("checkpoint", "table"),
)
"""The first parts of ids that a key passes through together, in each case with what works everywhere."""

_EVERYWHERE = frozenset({"", "mode"})


@dataclass(frozen=True)
class Action:
    """What keys do in one place.

    Attributes:
        place: a screen, a dialog, a part of one, or everywhere.
        id: by which it is given other keys.
        keys: those that the code gives it, by Textual's names.
        title: what it is called.
        help: what it does, where the title does not say it.
        does: the names of Textual's actions that it stands for.
        owners: the classes whose bindings it is of.

    """

    place: str
    id: str
    keys: tuple[str, ...]
    title: str
    help: str
    does: frozenset[str]
    owners: frozenset[type[DOMNode]]

    @property
    def prefix(self) -> str:
        """The first part of the id; empty for what works everywhere."""
        return prefix_of(self.id)


@dataclass(frozen=True)
class Bound:
    """A class, and a binding that its own code gives it."""

    owner: type[DOMNode]
    binding: Binding


def prefix_of(binding_id: str) -> str:
    """Return the first part of an id; empty for what works everywhere."""
    return binding_id.rpartition(".")[0]


def all_classes() -> list[type[DOMNode]]:
    """Return the app, its screens, dialogs and widgets that have bindings of their own, after loading them all."""
    from fext_tui import screens, widgets
    from fext_tui.app import FextApp

    for package in (screens, widgets):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    found = [one for one in _heirs(DOMNode) if one.__module__.startswith("fext_tui.") and vars(one).get("BINDINGS")]
    return sorted(dict.fromkeys(found), key=lambda one: (one is not FextApp, one.__module__, one.__name__))


def _heirs(parent: type[DOMNode]) -> Iterator[type[DOMNode]]:
    for child in parent.__subclasses__():
        yield child
        yield from _heirs(child)


def all_bindings() -> list[Bound]:
    """Return every binding of the app's own code, one for each of its keys."""
    return [
        Bound(owner, binding)
        for owner in all_classes()
        for binding in Binding.make_bindings(vars(owner)["BINDINGS"])
    ]  # fmt: skip


def all_actions() -> list[Action]:
    """Return what can be given other keys: each id once, those of a place together, what works everywhere first."""
    by_id: dict[str, list[Bound]] = {}
    for bound in all_bindings():
        if bound.binding.id:
            by_id.setdefault(bound.binding.id, []).append(bound)
    actions = [_action(binding_id, same) for binding_id, same in by_id.items()]
    parts = ["", *(part for chain in CHAINS for part in chain), *(action.prefix for action in actions)]
    order = list(dict.fromkeys(map(_place, parts)))
    return sorted(actions, key=lambda action: order.index(action.place))


def _action(binding_id: str, same: Sequence[Bound]) -> Action:
    bindings = [bound.binding for bound in same]
    told = next((one for one in bindings if one.tooltip), bindings[0])
    return Action(
        place=_place(prefix_of(binding_id)),
        id=binding_id,
        keys=tuple(dict.fromkeys(one.key for one in bindings)),
        title=told.description,
        help=told.tooltip,
        does=frozenset(one.action for one in bindings),
        owners=frozenset(bound.owner for bound in same),
    )


def _place(prefix: str) -> str:
    return PLACES.get(prefix, prefix.capitalize())


def meet(one: Action, other: Action) -> bool:
    """Return whether a key that stands for both would not do one of them where it should."""
    if one.does & other.does:
        return False
    if one.prefix == other.prefix and one.prefix not in _EVERYWHERE:
        return bool(one.owners & other.owners)
    return any({one.prefix, other.prefix} <= {*chain, *_EVERYWHERE} for chain in CHAINS)
