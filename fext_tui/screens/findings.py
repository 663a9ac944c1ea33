"""The files of one kind of findings, what decides it, and what becomes of them."""

import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import DataTable, Static
from textual.worker import get_current_worker

from engine.errors import UsageError
from engine.images.scan import root_of
from engine.measures import label
from engine.records import Row
from engine.settings import FIELDS
from fext_tui.dataset_facts import Histogram
from fext_tui.finding_kinds import EXPLANATIONS, TITLES
from fext_tui.findings import (
    PAGE,
    CutOff,
    FindingsPage,
    judge_again,
    moved,
    read_cut_off,
    read_findings,
    toggle_excluded,
    toggle_kind,
)
from fext_tui.keys import key_hints, with_keys
from fext_tui.measures import figure
from fext_tui.screens.base import WorkingDialog
from fext_tui.sources import Chosen
from fext_tui.text import safe, shortened
from fext_tui.widgets.histogram import Curve, HistogramPlot
from fext_tui.widgets.table import KeyTable

_COLUMNS = {"mark": "", "path": "image", "detail": "why", "other": "like"}
_LONGEST = 60
_KEYS = (
    ("", "enter view"), ("finding.view_all", "w view all"), ("finding.exclude", "e exclude"),
    ("finding.exclude_all", "E all"),
)  # fmt: skip
_NONE, _MORE = "No file of this kind.", " {finding.lower:<} and {finding.higher:>} move the cut-off."
_CUT_KEYS = ("finding.lower", "< lower"), ("finding.higher", "> higher")


class FilesTable(KeyTable):
    """Files, and why each is among them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("g", "scroll_top", "First", show=False, id="finding.first"),
        Binding("G", "scroll_bottom", "Last", show=False, id="finding.last"),
    ]

    def __init__(self) -> None:
        super().__init__(_COLUMNS, id="finding-files")


class FindingScreen(WorkingDialog[Chosen | None]):
    """Lists the files of a kind; gives what is to be shown in the Viewer, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss(None)", "Back", id="finding.back"),
        Binding("w", "view_all", "All in the Viewer", id="finding.view_all"),
        Binding("e", "exclude", "Exclude", id="finding.exclude", tooltip="Let training leave this file out, or use it"),
        Binding("E", "exclude_all", "Exclude all", key_display="E", id="finding.exclude_all"),
        Binding("less_than_sign,comma", "cut(-1)", "Lower", key_display="<", id="finding.lower"),
        Binding("greater_than_sign,full_stop", "cut(1)", "Higher", key_display=">", id="finding.higher"),
    ]

    class Read(Message):
        """A thread has read findings."""

        def __init__(self, page: FindingsPage) -> None:
            super().__init__()
            self.page = page

    class CutRead(Message):
        """A thread has read what decides the kind."""

        def __init__(self, cut: CutOff | None, histogram: Histogram | None) -> None:
            super().__init__()
            self.cut = cut
            self.histogram = histogram

    def __init__(self, folder: Path, dataset: int, kind: str, held_out: Path | None) -> None:
        """List the findings of ``kind`` of a dataset; ``held_out`` is the folder that it was compared with."""
        super().__init__()
        self._folder = folder
        self._others = held_out if held_out is not None and kind == "leakage" else folder
        self._dataset = dataset
        self._kind = kind
        self._rows: list[Row] = []
        self._total = 0
        self._files = 0
        self._excluded = 0
        self._cut: CutOff | None = None
        self._waiting = True
        self._one_at_a_time = threading.Lock()

    def compose(self) -> ComposeResult:
        """Give heading, histogram, and files."""
        with Vertical(classes="dialog finding"):
            yield Static(id="finding-title", classes="dialog-title")
            yield Static(EXPLANATIONS[self._kind], classes="dialog-detail")
            yield HistogramPlot(id="finding-plot")
            yield Static(id="finding-cut")
            yield FilesTable()
            yield Static(id="finding-empty")
            yield Static(id="finding-keys", classes="dialog-keys")

    def on_mount(self) -> None:
        """Read the files and the cut-off."""
        self.query_one(FilesTable).focus()
        self._tell()
        self._work(self._read_all)

    # --- Reading, on a thread -------------------------------------------------------------------------------

    def _work(self, work: Callable[[], Message | None], group: str = "reading", *, exclusive: bool = True) -> None:
        """Do work on a thread; ``exclusive``: what is waiting or going on in its group is no longer wanted."""
        self.run_worker(partial(self._in_turn, work), group=group, exclusive=exclusive, thread=True)

    def _in_turn(self, work: Callable[[], Message | None]) -> None:
        """Do work unless it is no longer wanted: one after the other, so that what was asked last is what stands."""
        with self._one_at_a_time:
            if not get_current_worker().is_cancelled:
                self.tried(work)

    def _read_all(self, *, judge: bool = False) -> None:
        """Read the cut-off and the files, which are judged anew before where that is asked for."""
        worker, settings = get_current_worker(), self.fext.settings
        cut, histogram = read_cut_off(self.fext.workspace, settings, self._dataset, self._kind)
        if worker.is_cancelled:
            return
        self.post_message(self.CutRead(cut, histogram))
        if judge:
            judge_again(self.fext.workspace, settings, self._dataset, self._kind)
        self._read_from(0)

    def _read_from(self, offset: int, rows: int = PAGE) -> None:
        worker = get_current_worker()
        page = read_findings(self.fext.workspace, self._dataset, self._kind, offset, rows)
        if not worker.is_cancelled:
            self.post_message(self.Read(page))

    # --- Showing --------------------------------------------------------------------------------------------

    @on(Read)
    def _take(self, message: Read) -> None:
        page, table = message.page, self.query_one(FilesTable)
        if page.offset not in {0, len(self._rows)}:
            return
        cursor = table.cursor_row
        self._waiting = False
        self._total, self._files, self._excluded = page.total, page.files, page.excluded
        if not page.offset:
            self._rows = []
            table.clear()
        for row in page.rows:
            table.add_row(*_cells(row))
        self._rows += page.rows
        table.move_cursor(row=cursor, animate=False)
        self._tell()

    @on(CutRead)
    def _take_cut(self, message: CutRead) -> None:
        self._cut = message.cut
        plot = self.query_one(HistogramPlot)
        plot.display = message.histogram is not None
        if message.histogram is not None and message.cut is not None:
            plot.show(Curve("all", "primary", message.histogram, filled=True), marks=message.cut.marks)
        self._tell()

    def _tell(self) -> None:
        excluded = f", {self._excluded:,} excluded from training" if self._excluded else ""
        number = "reading …" if self._waiting else f"{self._files:,} files{excluded}"
        title = Content.assemble(TITLES[self._kind], (f"   {number}", "$text-muted"))
        self.query_one("#finding-title", Static).update(title)
        cut = self._cut
        line = self.query_one("#finding-cut", Static)
        line.display = cut is not None
        if cut is not None:
            field = FIELDS[cut.key]
            of = f" of {label(cut.column)}" if cut.column else ""
            line.update(
                Content.assemble(
                    (f"{field.title} {figure(cut.value)} {field.unit}".rstrip(), "bold $text-warning"),
                    (f"   the line in the histogram{of}" if cut.marks else "", "$text-muted"),
                )
            )
        is_empty = not self._waiting and not self._total
        self.query_one(FilesTable).display = not is_empty
        empty = self.query_one("#finding-empty", Static)
        empty.display = is_empty
        empty.update(with_keys(self, _NONE + (_MORE if cut else "")))
        self.query_one("#finding-keys", Static).update(
            key_hints(self, *_KEYS, *(_CUT_KEYS if cut else ()), ("finding.back", "esc back"))
        )

    @on(DataTable.RowHighlighted)
    def _more(self, event: DataTable.RowHighlighted) -> None:
        if event.cursor_row >= len(self._rows) - 1 and len(self._rows) < self._total:
            self._work(partial(self._read_from, len(self._rows)), "more")

    # --- Keys -----------------------------------------------------------------------------------------------

    @on(DataTable.RowSelected)
    def _view(self, event: DataTable.RowSelected) -> None:
        if event.cursor_row < len(self._rows):
            path = root_of(self._folder) / self._rows[event.cursor_row]["path"]
            self.dismiss(Chosen((path,)))

    def action_view_all(self) -> None:
        """Show all files of the kind in the Viewer."""
        if self._total:
            self._work(self._collect, "collect")

    def _collect(self) -> Message | None:
        page = read_findings(self.fext.workspace, self._dataset, self._kind, rows=-1)
        own, others = root_of(self._folder), root_of(self._others)
        paths: dict[Path, None] = {}
        for row in page.rows:
            paths |= {others / row["other"]: None} if row["other"] else {}
            paths |= {own / row["path"]: None}
        title = TITLES[self._kind] if len(paths) > 1 else ""
        return self.Answered(Chosen(tuple(paths), title)) if paths else None

    def action_exclude(self) -> None:
        """Let training leave out the file under the cursor, or use it again."""
        place = self.query_one(FilesTable).cursor_row
        if place < len(self._rows):
            row = self._rows[place]
            self._change(partial(
                toggle_excluded, self.fext.workspace, self._dataset, [row["path"]], exclude=not row["excluded"]
            ))  # fmt: skip

    def action_exclude_all(self) -> None:
        """Let training leave out all files of the kind; where it does, use them again."""
        if self._total:
            exclude = self._excluded < self._files
            self._change(partial(toggle_kind, self.fext.workspace, self._dataset, self._kind, exclude=exclude))

    def _change(self, change: Callable[[], None]) -> None:
        def work() -> None:
            change()
            self._read_from(0, max(len(self._rows), PAGE))

        self._work(work, "change", exclusive=False)

    def action_cut(self, steps: int) -> None:
        """Move the cut-off, and judge the kind anew."""
        if self._cut is None:
            return
        try:
            self.fext.settings = moved(self.fext.settings, self._cut, steps)
        except UsageError as error:
            self.fext.tell_error(error)
            return
        self._cut = replace(self._cut, value=float(self.fext.settings.values()[self._cut.key]))
        self._tell()
        self._work(partial(self._read_all, judge=True))


def _cells(row: Row) -> list[Text]:
    is_out = bool(row["excluded"])
    style = "dim" if is_out else ""
    return [
        Text("✗" if is_out else " ", style="bold"),
        Text(shortened(safe(row["path"]), _LONGEST), style=style),
        Text(safe(row["detail"]), style=style),
        Text(shortened(safe(row["other"]), _LONGEST), style=style),
    ]
