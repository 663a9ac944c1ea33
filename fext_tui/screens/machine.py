"""The panel of the machine: processor, memory, disk, GPUs, and what the followed job takes of them."""

from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from fext_tui.keys import key_hints
from fext_tui.machine import machine_facts

if TYPE_CHECKING:
    from fext_tui.app import FextApp

LOOK_SECONDS = 1.0
"""How often the machine is read while the panel is open."""
_WAITING = "Reading …"


class MachinePanel(ModalScreen[None]):
    """Shows the readings of the machine as they come."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter,M", "dismiss(None)", "Close", id="dialog.close"),
    ]

    def compose(self) -> ComposeResult:
        """Give the text."""
        with Vertical(classes="dialog reading"):
            yield Static("Machine", classes="dialog-title")
            yield Static(_WAITING, id="machine-facts")
            yield Static(key_hints(self, ("dialog.close", "esc close")), classes="dialog-keys")

    def on_mount(self) -> None:
        """Read now and again."""
        fext = cast("FextApp", self.app)
        fext.machine_read.subscribe(self, lambda _: self._show())
        self._show()
        fext.read_machine()
        self.set_interval(LOOK_SECONDS, fext.read_machine)

    def on_resize(self) -> None:
        """Write for this width."""
        self._show()

    def _show(self) -> None:
        fext, facts = cast("FextApp", self.app), self.query_one("#machine-facts", Static)
        width = facts.content_size.width
        if fext.machine_readings and width:
            facts.update(machine_facts(list(fext.machine_readings), fext.running_here, width))
