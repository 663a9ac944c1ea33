"""What the four screens share: the bar on top, the bar of the job, the footer, and how they fit the terminal."""

from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.content import Content
from textual.events import Resize
from textual.screen import Screen
from textual.widgets import Input, Static

from fext_tui.text import folder_name, shortened
from fext_tui.widgets.job_bar import JobBar
from fext_tui.widgets.key_line import KeyLine

if TYPE_CHECKING:
    from fext_tui.app import FextApp

Breakpoints = list[tuple[int, str]]
WIDTHS: Breakpoints = [(0, "-narrow"), (100, "-medium"), (150, "-wide")]
"""Columns from which a screen has a class; ``-narrow`` shows one pane at a time."""
HEIGHTS: Breakpoints = [(0, "-short"), (40, "-tall")]
"""Rows from which a screen has a class."""
SMALLEST = (60, 20)
"""Columns and rows under which a screen has the class ``-tiny`` and says so instead of its body."""

TABS = (("1", "data", "Data"), ("2", "model", "Model"), ("3", "viewer", "Viewer"), ("4", "runs", "Runs"))


class TopBar(Static):
    """One line: the product, the four screens with their keys, the workspace."""

    def __init__(self, mode: str) -> None:
        super().__init__(id="top-bar")
        self._mode = mode

    def on_resize(self) -> None:
        """Write the line anew for this width."""
        parts: list[Content | tuple[str, str] | str] = [("  FeXT  ", "bold $accent")]
        for key, mode, title in TABS:
            here = mode == self._mode
            parts.append(
                (
                    f" {key} {title} ",
                    "bold $block-cursor-foreground on $block-cursor-background" if here else "$text-muted",
                )
            )
        line = Content.assemble(*parts)
        app = cast("FextApp", self.app)
        room = self.size.width - line.cell_length - 3
        place = shortened(folder_name(app.workspace.root), room) if room > 8 else ""
        self.update(line + Content.styled(place.rjust(room + 1), "$text-muted"))


class FextScreen(Screen[None]):
    """Base of the four screens: subclasses set `MODE` and implement `compose_body`."""

    MODE: ClassVar[str] = ""
    HORIZONTAL_BREAKPOINTS = WIDTHS
    VERTICAL_BREAKPOINTS = HEIGHTS
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave_field", "Leave", show=False, id="leave", tooltip="Leave a field, clear an ended job"),
    ]

    @property
    def fext(self) -> "FextApp":
        """The app, as what it is."""
        return cast("FextApp", self.app)

    def compose(self) -> ComposeResult:
        """Give the bars, and the body between them."""
        yield TopBar(self.MODE)
        with Container(id="body"):
            yield from self.compose_body()
        yield Static("This needs 60 columns and 20 rows: make the window larger.", id="tiny-notice")
        yield JobBar()
        yield KeyLine()

    def compose_body(self) -> ComposeResult:
        """Give what is between the bars."""
        raise NotImplementedError

    def on_resize(self, event: Resize) -> None:
        """Say that the terminal is too small, where it is."""
        self.set_class(event.size.width < SMALLEST[0] or event.size.height < SMALLEST[1], "-tiny")

    def action_leave_field(self) -> None:
        """Give the keys back to the screen, where a field has them; else clear away the news of an ended job."""
        if isinstance(self.focused, Input):
            self.set_focus(None)
        else:
            self.fext.dismiss_job()
