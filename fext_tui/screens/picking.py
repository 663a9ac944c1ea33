"""What is done with the list of pictures: sorted, filtered, gone to by name, marked; and with those that are marked."""

from functools import partial
from pathlib import Path

from textual import on
from textual.message import Message

from engine.records import Records
from fext_tui.keys import with_keys
from fext_tui.orders import Order, offered_orders
from fext_tui.screens.dialogs import Choose
from fext_tui.screens.sources import SourcesScreen
from fext_tui.sources import Chosen, Source
from fext_tui.text import safe
from fext_tui.viewer_actions import ACTIONS, Done, Marked, act
from fext_tui.widgets.browser import Browser

_NOT_MEASURED = (
    "Press {mode.data:1} for Data and {data.analyze:a} to measure these pictures: then they can be sorted by it."
)


class OrdersRead(Message):
    """In which orders the pictures of a source can be shown."""

    def __init__(self, source: Source, orders: list[Order]) -> None:
        super().__init__()
        self.source = source
        self.orders = orders


class PicturesDone(Message):
    """What was asked for was done with pictures."""

    def __init__(self, done: Done) -> None:
        super().__init__()
        self.done = done


class PickingScreen(SourcesScreen):
    """Base of a screen whose pictures are picked from a `Browser`."""

    # --- Order and filter -----------------------------------------------------------------------------------

    def action_filter(self) -> None:
        """Edit the filter, which stands below the list."""
        self.remove_class("-large")
        self.browser.filter()

    def action_sort(self) -> None:
        """Choose what the pictures are sorted by."""
        source = self.browser.source

        def work(records: Records) -> None:
            self.post_message(OrdersRead(source, offered_orders(records, source)))

        self.fext.with_records(work, "orders")

    @on(OrdersRead)
    def _choose_order(self, message: OrdersRead) -> None:
        if message.source != self.browser.source or not self.is_active:
            return
        orders = [self._turned(order) for order in message.orders]
        own = "their own order" if message.source.is_ordered else "name"
        options = [("", own, ""), *((str(at), safe(order.title), order.end) for at, order in enumerate(orders))]
        detail = "" if orders else with_keys(self, _NOT_MEASURED)

        def chosen(number: str | None) -> None:
            if number is not None:
                self.browser.sort(orders[int(number)] if number else None)

        self.app.push_screen(Choose("Sort the pictures by", options, detail), chosen)

    def _turned(self, order: Order) -> Order:
        """Return an order the other way round where it is the one that is."""
        return order.reversed() if order == self.browser.order else order

    def jump_to(self, typed: str) -> None:
        """Go to a picture by its number, or by a part of its name."""
        self.browser.go_to(typed)

    @on(Browser.Missing)
    def _tell_missing(self, message: Browser.Missing) -> None:
        self.tell_nowhere(message.text)

    # --- Marks ----------------------------------------------------------------------------------------------

    def action_mark(self) -> None:
        """Mark the picture and go on, or take its mark away."""
        self.browser.mark()
        self.browser.move(1)

    def action_unmark(self) -> None:
        """Take all marks away."""
        self.browser.unmark_all()

    def _chosen(self) -> list[Path]:
        """Return the marked pictures, or else the one that is looked at."""
        browser = self.browser
        return browser.marked or ([browser.current] if browser.current else [])

    def action_act(self) -> None:
        """Choose what to do with the marked pictures, or with this one."""
        paths = self._chosen()
        if not paths:
            return
        what = f"{len(paths):,} marked pictures" if self.browser.marked else safe(paths[0].name)
        self.app.push_screen(Choose(f"What is to be done with {what}?", ACTIONS), partial(self._act, paths))

    def action_copy(self) -> None:
        """Copy the paths of the marked pictures, or of this one."""
        self._act(self._chosen(), "copy")

    def _act(self, paths: list[Path], action: str | None) -> None:
        if action == "show":
            self.show_files(Chosen(tuple(paths), "Marked"))
        elif action is not None and paths:
            marked = Marked(self.here, tuple(paths))
            self.fext.with_records(
                lambda records: self.post_message(PicturesDone(act(self.fext, action, records, marked))), "pictures"
            )

    @on(PicturesDone)
    def _tell_done(self, message: PicturesDone) -> None:
        done = message.done
        if done.copied:
            self.app.copy_to_clipboard(done.copied)
        if done.encoding is not None:
            self.fext.start_job("encode", done.encoding)
        self.notify(done.told, markup=False, timeout=5)
