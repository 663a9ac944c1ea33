"""The images of a dataset with their metrics: a page at a time, sorted and filtered by the records."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import DataTable, Input, Static
from textual.worker import get_current_worker

from engine.errors import FextError, UsageError
from engine.measures import label
from engine.records import Records, Row
from engine.records.images import OWN_COLUMNS, metric_group
from engine.records.schema import METRIC_TABLES, columns_of
from engine.workspace import Workspace
from fext_tui import text
from fext_tui.findings import toggle_excluded
from fext_tui.measures import figure
from fext_tui.screens.dialogs import Choose
from fext_tui.wanted import EVERYTHING, Wanted, wanted_of
from fext_tui.widgets.filter_line import FilterLine
from fext_tui.widgets.table import TextTable

PAGE = 100
_NAMED = frozenset({"path", "format", "subset", "mode"})
_LONGEST_PATH = 36


@dataclass(frozen=True)
class Question:
    """What the table shows: which images, in which order, with which metrics."""

    dataset: int
    group: str
    order_by: str = "path"
    descending: bool = False
    wanted: Wanted = EVERYTHING
    offset: int = 0

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns: the path, what it is sorted by, size and subset, and the metrics of the group."""
        wanted = ("path", self.order_by, "width", "height", *columns_of(self.group), "bytes", "subset")
        return tuple(dict.fromkeys(wanted))

    @property
    def groups(self) -> tuple[str, ...]:
        """The metric groups that hold the columns."""
        sorting = metric_group(self.order_by)
        return tuple(dict.fromkeys([self.group, *([sorting] if sorting else [])]))


@dataclass(frozen=True)
class Page:
    """The answer: some rows, the number of all, and the paths that training leaves out."""

    question: Question
    rows: tuple[Row, ...]
    total: int
    excluded: frozenset[str]


def read_page(workspace: Workspace, question: Question) -> Page:
    """Return a page; for a thread, whose records are its own.

    Raises:
        FextError: the records cannot be read.

    """
    with Records(workspace) as records:
        contains, where = question.wanted.text, question.wanted.conditions
        total = records.count_images(question.dataset, contains, where, question.order_by)
        question = replace(question, offset=max(min(question.offset, total - PAGE), 0))
        number = min(PAGE, total - question.offset)
        is_far = question.offset > total // 2  # counted from the other end, it is sooner reached
        rows = records.image_metrics(
            question.dataset,
            question.groups,
            order_by=question.order_by,
            descending=question.descending != is_far,
            contains=contains,
            where=where,
            limit=number,
            offset=total - question.offset - number if is_far else question.offset,
        )
        rows = rows[::-1] if is_far else rows
        excluded = records.excluded(question.dataset)
    return Page(question, tuple(rows), total, excluded)


class PagedTable(TextTable):
    """A table whose cursor asks for the next page where this one ends."""

    BINDING_GROUP_TITLE = "Table"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select_cursor", "View", id="images.view", tooltip="Show this image in the Viewer"),
        Binding("r", "ask('order')", "Sort", id="images.sort", tooltip="Choose the column that sorts the table"),
        Binding(
            "R",
            "ask('reverse')",
            "Reverse",
            key_display="R",
            show=False,
            id="images.reverse",
            tooltip="Turn the order round",
        ),
        Binding("c", "ask('group')", "Columns", id="images.columns", tooltip="Show the next group of metrics"),
        Binding(
            "slash",
            "ask('filter')",
            "Filter",
            key_display="/",
            id="images.filter",
            tooltip="Only paths that hold a text, or images by their measures: mean<20 entropy>=3 cat",
        ),
        Binding(
            "e",
            "ask('exclude')",
            "Exclude",
            id="images.exclude",
            tooltip="Let training leave this image out, or use it",
        ),
        Binding("j", "cursor_down", "Down", show=False, id="images.down"),
        Binding("k", "cursor_up", "Up", show=False, id="images.up"),
        Binding("l", "scroll_right", "Right", show=False, id="images.right"),
        Binding("h", "scroll_left", "Left", show=False, id="images.left"),
        Binding("home,g", "ask('first')", "First", show=False, id="images.first"),
        Binding("end,G", "ask('last')", "Last", show=False, id="images.last"),
    ]

    class Asked(Message):
        """The person wants something of the table as a whole."""

        def __init__(self, wish: str) -> None:
            super().__init__()
            self.wish = wish

    def action_ask(self, wish: str) -> None:
        """Pass a wish on."""
        self.post_message(self.Asked(wish))

    def action_cursor_down(self) -> None:
        """Move down, or to the next page."""
        if not self._ask_at(self.row_count - 1, "next"):
            super().action_cursor_down()

    def action_cursor_up(self) -> None:
        """Move up, or to the page before."""
        if not self._ask_at(0, "before"):
            super().action_cursor_up()

    def action_page_down(self) -> None:
        """Move a screen down, or to the next page."""
        if not self._ask_at(self.row_count - 1, "next"):
            super().action_page_down()

    def action_page_up(self) -> None:
        """Move a screen up, or to the page before."""
        if not self._ask_at(0, "before"):
            super().action_page_up()

    def _ask_at(self, row: int, wish: str) -> bool:
        at_end = self.cursor_row == row
        if at_end:
            self.post_message(self.Asked(wish))
        return at_end


class ImageTable(Vertical):
    """The table with its filter and a line that says what is shown."""

    class Chosen(Message):
        """The person wants to see an image, given by its path in the dataset."""

        def __init__(self, path: str) -> None:
            super().__init__()
            self.path = path

    class Excluded(Message):
        """An image is excluded from training, or no longer."""

    class PageRead(Message):
        """A thread has read a page; the cursor goes to image number ``cursor`` of all, or stays for None."""

        def __init__(self, page: Page, cursor: int | None) -> None:
            super().__init__()
            self.page = page
            self.cursor = cursor

    class Failed(Message):
        """A page cannot be read."""

        def __init__(self, error: FextError) -> None:
            super().__init__()
            self.error = error

    DEFAULT_CSS = """
    ImageTable { height: 1fr; }
    ImageTable #images-line { height: 1; color: $text-muted; text-wrap: nowrap; }
    """

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self._workspace = workspace
        self._groups: Sequence[str] = tuple(METRIC_TABLES)
        self._question: Question | None = None
        self._page: Page | None = None

    def compose(self) -> ComposeResult:
        """Give filter, table and line."""
        yield FilterLine("part of a path, and measures: mean<20 width>=1000", id="images-filter", table=PagedTable)
        yield PagedTable(id="images", cursor_type="row", cell_padding=1, fixed_columns=1)
        yield Static(id="images-line")

    def show_dataset(self, dataset: int, groups: Sequence[str]) -> None:
        """Show a dataset, or read it again, with the metric groups that can be looked through."""
        self._groups = groups or tuple(METRIC_TABLES)
        question = self._question
        if question is None or question.dataset != dataset:
            self._ask(Question(dataset, self._groups[0]))
        elif question.group in self._groups:
            self._ask(question, None)
        else:
            self._ask(replace(question, group=self._groups[0]), None)

    def _ask(self, question: Question, cursor: int | None = 0) -> None:
        self._question = question
        work = partial(self._read, question, cursor)
        self.run_worker(work, group="page", exclusive=True, thread=True)

    def _read(self, question: Question, cursor: int | None) -> None:
        """Read a page: on a thread, which touches no widget."""
        worker = get_current_worker()
        try:
            page = read_page(self._workspace, question)
        except FextError as error:
            self.post_message(self.Failed(error))
            return
        if not worker.is_cancelled:
            self.post_message(self.PageRead(page, cursor))

    @on(PageRead)
    def _show(self, message: PageRead) -> None:
        message.stop()
        if self._question is None or replace(self._question, offset=0) != replace(message.page.question, offset=0):
            return
        table = self.query_one(PagedTable)
        self._page, self._question = message.page, message.page.question
        cursor = table.cursor_row if message.cursor is None else message.cursor - self._question.offset
        with self.app.batch_update():
            table.clear(columns=True)
            for column in self._page.question.columns:
                table.add_column(_heading(column, self._page.question), key=column)
            for row in self._page.rows:
                is_out = row["path"] in self._page.excluded
                table.add_row(*(_cell(column, row, is_out) for column in self._page.question.columns))
            table.move_cursor(row=cursor, animate=False)
        self.query_one("#images-line", Static).update(self._line(self._page))

    def _line(self, page: Page) -> Content:
        question = page.question
        first, last = question.offset + 1, question.offset + len(page.rows)
        parts = [f"{first:,}–{last:,} of {page.total:,}" if page.rows else "no image"]
        parts.append(f"by {label(question.order_by)}{', largest first' if question.descending else ''}")
        place = f" ({self._groups.index(question.group) + 1}/{len(self._groups)})" if len(self._groups) > 1 else ""
        parts.append(f"{question.group}{place}")
        if question.wanted.text:
            parts.append(f"with “{text.safe(question.wanted.text)}”")
        parts.extend(f"{label(column)} {operator} {value:g}" for column, operator, value in question.wanted.conditions)
        if page.excluded:
            parts.append(f"{len(page.excluded):,} excluded")
        return Content("   ".join(parts))

    # --- Wishes ---------------------------------------------------------------------------------------------

    @on(PagedTable.Asked)
    def _wish(self, message: PagedTable.Asked) -> None:
        message.stop()
        if self._question is None or self._page is None:
            return
        question = self._question
        match message.wish:
            case "order":
                self._choose_order(question)
            case "reverse":
                self._ask(replace(question, descending=not question.descending, offset=0))
            case "group":
                place = self._groups.index(question.group) + 1
                self._ask(replace(question, group=self._groups[place % len(self._groups)]), None)
            case "filter":
                self._edit_filter()
            case "exclude":
                self._exclude(self._page)
            case way:
                self._turn(way, question, self._page.total)

    def _turn(self, way: str, question: Question, total: int) -> None:
        """Put the cursor on an image that stands elsewhere: the next, the one before, the first or the last."""
        here = question.offset
        image = {"next": here + PAGE, "before": here - 1, "first": 0, "last": total - 1}[way]
        if here <= image < min(here + PAGE, total):
            self.query_one(PagedTable).move_cursor(row=image - here, animate=False)
        elif 0 <= image < total:
            offset = image if way == "next" else max(image - PAGE + 1, 0)
            self._ask(replace(question, offset=offset), image)

    def _choose_order(self, question: Question) -> None:
        columns = tuple(
            dict.fromkeys([*OWN_COLUMNS, *(column for group in self._groups for column in columns_of(group))])
        )
        options = [(column, label(column), _help_of(column, question)) for column in columns]
        self.app.push_screen(Choose("Sort the images by", options), self._take_order)

    def _take_order(self, column: str | None) -> None:
        if column is None or self._question is None:
            return
        same = column == self._question.order_by
        descending = not self._question.descending if same else column not in _NAMED
        self._ask(replace(self._question, order_by=column, descending=descending, offset=0))

    # --- The filter -----------------------------------------------------------------------------------------

    def _edit_filter(self) -> None:
        self.query_one(FilterLine).open()

    def close_filter(self) -> bool:
        """Take the filter away; return whether there was one."""
        return self.query_one(FilterLine).close()

    @on(Input.Changed)
    def _filter(self, event: Input.Changed) -> None:
        event.stop()
        if self._question is None:
            return
        try:
            wanted = wanted_of(event.value)
        except UsageError as error:
            self.query_one("#images-line", Static).update(Content.styled(error.cause, "$text-warning"))
            return
        if self._question.wanted != wanted:
            self._ask(replace(self._question, wanted=wanted, offset=0))
        elif self._page is not None:
            self.query_one("#images-line", Static).update(self._line(self._page))

    # --- Exclusion ------------------------------------------------------------------------------------------

    def _exclude(self, page: Page) -> None:
        """Let training leave out the image under the cursor, or use it again."""
        place = self.query_one(PagedTable).cursor_row
        if place < len(page.rows):
            path = page.rows[place]["path"]
            work = partial(self._change, page.question, path, exclude=path not in page.excluded)
            self.run_worker(work, group="exclude", thread=True)

    def _change(self, question: Question, path: str, *, exclude: bool) -> None:
        """Exclude an image or take that back, and read the page again: on a thread."""
        try:
            toggle_excluded(self._workspace, question.dataset, [path], exclude=exclude)
        except FextError as error:
            self.post_message(self.Failed(error))
            return
        self.post_message(self.Excluded())
        self._read(question, None)

    @on(DataTable.RowSelected)
    def _choose(self, event: DataTable.RowSelected) -> None:
        event.stop()
        if self._page is not None and event.cursor_row < len(self._page.rows):
            self.post_message(self.Chosen(self._page.rows[event.cursor_row]["path"]))


def _heading(column: str, question: Question) -> Text:
    arrow = ("▼" if question.descending else "▲") if column == question.order_by else ""
    return Text(
        f"{label(column)}{arrow}", style="bold" if arrow else "", justify="left" if column in _NAMED else "right"
    )


def _help_of(column: str, question: Question) -> str:
    if column == question.order_by:
        return "now; again turns it round"
    return metric_group(column) or "file"


def _cell(column: str, row: Row, is_out: bool) -> Text:
    value = row[column]
    if column == "path":
        return Text(text.shortened(text.safe(value), _LONGEST_PATH), style="dim strike" if is_out else "")
    if column == "subset" and is_out:
        return Text("excluded", style="bold")
    if column in _NAMED:
        return Text(text.safe(value))
    return Text(text.size(value) if column == "bytes" else figure(value), justify="right")
