"""The last lines of a screen: what the keys do here and now."""

from dataclasses import dataclass

from textual.app import App
from textual.binding import ActiveBinding
from textual.content import Content
from textual.geometry import Size
from textual.screen import Screen
from textual.style import Style
from textual.widget import Widget
from textual.widgets import Input

from fext_tui.keys import character_of

MOST_LINES = 2


@dataclass(frozen=True)
class Key:
    """One key, or a group of keys, and what it does."""

    keys: tuple[str, ...]
    names: tuple[str, ...]
    label: str
    enabled: bool = True

    @property
    def width(self) -> int:
        """Columns that it takes, without the space around it."""
        return sum(map(len, self.keys)) + 1 + len(self.label)


def flow(keys: list[Key], width: int, lines: int = MOST_LINES) -> list[list[Key]]:
    """Return the keys in lines of at most ``width`` columns; what does not fit into ``lines`` is left out."""
    rows: list[list[Key]] = [[]]
    room = width - 1
    for key in keys:
        if rows[-1] and key.width > room:
            if len(rows) == lines:
                break
            rows.append([])
            room = width - 1
        rows[-1].append(key)
        room -= key.width + 2
    return rows


def _place(active: ActiveBinding) -> tuple[int, bool, int]:
    """Return what bindings are sorted by: those of what is focused, of the screen, of the app; groups behind.

    Within these they stand as the code has them, whatever keys the user gave them.
    """
    whose = 2 if isinstance(active.node, App) else 1 if isinstance(active.node, Screen) else 0
    ids = [binding.id for _, binding in active.node._bindings]
    known = active.binding.id in ids
    return whose, active.binding.group is not None, ids.index(active.binding.id) if known else len(ids)


class KeyLine(Widget):
    """The keys of the screen and of what is focused, from their bindings; each can be clicked."""

    def __init__(self) -> None:
        super().__init__(id="key-line")
        self._keys: list[Key] = []

    def on_mount(self) -> None:
        """Listen for other bindings."""
        self.screen.bindings_updated_signal.subscribe(self, self._changed)
        self._changed(self.screen)

    def _changed(self, screen: Screen[object]) -> None:
        found = self._find(screen)
        if found != self._keys:
            self._keys = found
            self.refresh(layout=True)

    def _find(self, screen: Screen[object]) -> list[Key]:
        by_label: dict[str, Key] = {}
        types = isinstance(screen.focused, Input)
        for active in sorted(screen.active_bindings.values(), key=_place):
            binding = active.binding
            if not binding.show or (types and character_of(binding.key)):
                continue
            label = binding.group.description if binding.group else binding.description
            shown = self.app.get_key_display(binding)
            old = by_label.get(label)
            if old is None:
                by_label[label] = Key((shown,), (binding.key,), label, active.enabled)
            elif binding.group is not None:
                by_label[label] = Key((*old.keys, shown), (*old.names, binding.key), label, old.enabled)
        return list(by_label.values())

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return one line, or two where the keys need them."""
        return len(flow(self._keys, width))

    def render(self) -> Content:
        """Return the lines."""
        lines = (
            Content(" ") + Content("  ").join(self._draw(key) for key in row)
            for row in flow(self._keys, self.size.width)
        )
        return Content("\n").join(lines)

    def _draw(self, key: Key) -> Content:
        shown = (
            Content(text).stylize(Style.from_meta({"@click": f"app.simulate_key('{name}')"}))
            for text, name in zip(key.keys, key.names, strict=True)
        )
        label = Content.styled(f" {key.label}", "$footer-description-foreground" if key.enabled else "$text-disabled")
        return Content("").join(shown) + label
