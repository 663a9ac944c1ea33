"""The guides, read in the app."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Markdown, Static

from fext_tui.guides import guide
from fext_tui.keys import key_hints
from fext_tui.text import safe
from fext_tui.widgets.dialog import Dialog


class GuideScreen(Dialog[None]):
    """A page of the documentation, to scroll through."""

    BINDING_GROUP_TITLE = "Guide"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss(None)", "Close", id="guide.close"),
        Binding("j,down", "scroll('down')", "Down", show=False, id="guide.down"),
        Binding("k,up", "scroll('up')", "Up", show=False, id="guide.up"),
        Binding("space,pagedown", "scroll('page_down')", "Next page", show=False, id="guide.page_down"),
        Binding("pageup", "scroll('page_up')", "Page before", show=False, id="guide.page_up"),
        Binding("g,home", "scroll('home')", "Start", show=False, id="guide.home"),
        Binding("G,end", "scroll('end')", "End", show=False, id="guide.end"),
    ]

    def __init__(self, topic: str, title: str) -> None:
        """Show a page.

        Raises:
            FextError: it is not installed.

        """
        super().__init__()
        self._heading = title
        self._text = guide(topic).partition("\n")[2]

    def compose(self) -> ComposeResult:
        """Give the page."""
        with Vertical(classes="dialog guide"):
            yield Static(Content(safe(self._heading)), classes="dialog-title")
            with VerticalScroll():
                yield Markdown(self._text, open_links=False)
            yield Static(
                key_hints(self, ("guide.down", "↑↓ scroll"), ("guide.close", "esc close")), classes="dialog-keys"
            )

    def action_scroll(self, way: str) -> None:
        """Scroll."""
        getattr(self.query_one(VerticalScroll), f"scroll_{way}")(animate=False)
