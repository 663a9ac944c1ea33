"""The panel of the machine: processor, memory, disk, GPUs, and what the followed job takes of them."""

from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.geometry import Size
from textual.widget import Widget
from textual.widgets import Static

from fext_tui.keys import key_hints
from fext_tui.machine import machine_facts
from fext_tui.widgets.dialog import Dialog

if TYPE_CHECKING:
    from fext_tui.app import FextApp

LOOK_SECONDS = 1.0
"""How often the machine is read while the panel is open."""


class MachineFacts(Widget):
    """The readings of the machine, as wide as there is room for."""

    DEFAULT_CSS = "MachineFacts { height: auto; }"

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return the lines that the readings take."""
        return self._facts(width).plain.count("\n") + 1

    def render(self) -> Content:
        """Return the readings."""
        return self._facts(self.content_size.width)

    def _facts(self, width: int) -> Content:
        fext = cast("FextApp", self.app)
        if not fext.machine_readings:
            return Content("Reading …")
        return machine_facts(list(fext.machine_readings), fext.running_here, width)


class MachinePanel(Dialog[None]):
    """Shows the readings of the machine as they come."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter,M", "dismiss(None)", "Close", id="dialog.close"),
    ]

    def compose(self) -> ComposeResult:
        """Give the text."""
        with Vertical(classes="dialog reading"):
            yield Static("Machine", classes="dialog-title")
            yield MachineFacts()
            yield Static(key_hints(self, ("dialog.close", "esc close")), classes="dialog-keys")

    def on_mount(self) -> None:
        """Read now and again."""
        fext = cast("FextApp", self.app)
        facts = self.query_one(MachineFacts)
        fext.machine_read.subscribe(self, lambda _: facts.refresh(layout=True))
        fext.read_machine()
        self.set_interval(LOOK_SECONDS, fext.read_machine)
