"""Panes of a screen: side by side where there is room, one at a time in a narrow terminal."""

from collections.abc import Mapping

from textual.containers import Container
from textual.content import Content
from textual.style import Style
from textual.widget import Widget
from textual.widgets import Static

from fext_tui.keys import key_of, shown_key

Titles = Mapping[str, tuple[str, str]]
"""Key and title of each pane, by its name."""


def _id(widget: Widget, pane: str) -> str:
    """Return the id of the binding that leads to a pane: the screen's mode and the pane's name."""
    return f"{getattr(widget.screen, 'MODE', '')}.{pane}"


class PaneStrip(Static):
    """The titles of the panes with their keys, the shown one set off; seen in narrow terminals only."""

    def __init__(self, titles: Titles) -> None:
        super().__init__(classes="pane-strip")
        self._titles = titles

    def show(self, current: str) -> None:
        """Set one title off."""
        self.update(Content("  ").join(self._draw(name, here=name == current) for name in self._titles))

    def _draw(self, name: str, *, here: bool) -> Content:
        usual, title = self._titles[name]
        key, shown = (told(self, _id(self, name), usual) for told in (key_of, shown_key))
        style = "bold underline $text-primary" if here else "$text-muted"
        click = Style.from_meta({"@click": f"app.simulate_key('{key}')"})
        return Content(" ") + Content(shown).stylize(click) + Content(" ") + Content.styled(title, style)


class Panes(Container):
    """Holds panes with the ids ``pane-NAME``; a narrow terminal shows the current one alone."""

    def __init__(self, titles: Titles, current: str, *children: Widget) -> None:
        super().__init__(*children, classes="panes")
        self._titles = titles
        self.current = current
        for pane in children:
            pane.add_class("pane", *(["-current"] if pane.id == f"pane-{current}" else []))

    def on_mount(self) -> None:
        """Give the panes their titles, and set that of the current one off."""
        for name, (usual, title) in self._titles.items():
            key = shown_key(self, _id(self, name), usual)
            told = Content.assemble((f"{key} ", "bold $footer-key-foreground"), title)
            self._pane(name).border_title = told.markup
        self.screen.query_one(PaneStrip).show(self.current)

    def show(self, name: str) -> None:
        """Make a pane the current one."""
        self.current = name
        for one in self._titles:
            self._pane(one).set_class(one == name, "-current")
        self.screen.query_one(PaneStrip).show(name)

    def _pane(self, name: str) -> Widget:
        return self.query_one(f"#pane-{name}")
