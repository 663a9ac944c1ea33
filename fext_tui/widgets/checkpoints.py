"""The table of checkpoints."""

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType

from engine.checkpoints import CheckpointFacts
from fext_tui import text
from fext_tui.widgets.table import KeyTable, right

COLUMNS = {
    "name": "name",
    "psnr": "PSNR dB",
    "epoch": "epoch",
    "variant": "variant",
    "age": "age",
    "image": "image",
    "latent": "latent",
    "bytes": "size",
}


class CheckpointTable(KeyTable):
    """One row a run: what its best state is, newest first."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select_cursor", "Details", id="checkpoints.details", tooltip="All that is known of it"),
    ]

    def __init__(self) -> None:
        super().__init__(COLUMNS, id="checkpoints")

    def show_checkpoints(self, facts: Sequence[CheckpointFacts], now: float) -> None:
        """Show these checkpoints, at a time in seconds since the epoch."""
        self.show({one.name: _cells(one, now) for one in facts})


def _cells(facts: CheckpointFacts, now: float) -> list[Text]:
    return [
        Text(text.safe(facts.name), style="bold"),
        right(text.number(facts.val_psnr)),
        right(text.number(facts.epoch, 1)),
        Text(text.safe(facts.variant)),
        right(text.age(now, facts.created)),
        Text(_sides(facts.image)),
        Text(_sides(facts.latent)),
        right(text.size(facts.bytes)),
    ]


def _sides(sides: str) -> str:
    return text.safe(sides.replace(" ", ""))
