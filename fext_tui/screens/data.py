"""Data: a dataset's facts, its images with their metrics, its distributions, and what is wrong with it."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.message import Message
from textual.widgets import DataTable, Static
from textual.worker import get_current_worker

from engine.errors import FextError, UsageError
from engine.records import JobRow, Row
from engine.settings import Settings
from fext_tui import text
from fext_tui.dataset_facts import DatasetFacts, analyzed_folder, read_facts
from fext_tui.listing import count_pictures
from fext_tui.screens.base import Breakpoints, FextScreen
from fext_tui.sources import training_folder
from fext_tui.widgets.dataset_card import DatasetCard
from fext_tui.widgets.distribution_pane import DistributionPane
from fext_tui.widgets.folder_dialog import FolderDialog
from fext_tui.widgets.image_table import ImageTable
from fext_tui.widgets.panes import Panes, PaneStrip
from fext_tui.widgets.settings_form import SettingsForm
from fext_tui.widgets.table import KeyTable

PANES = {
    "dataset": ("d", "Dataset"),
    "settings": ("f", "Settings"),
    "images": ("i", "Images"),
    "distribution": ("v", "Distribution"),
    "findings": ("x", "Findings"),
}
FINDING_COLUMNS = {"kind": "kind", "detail": "reason", "path": "image"}
SAMPLE_IMAGES: Mapping[str, Any] = {"count": 600, "seed": 42}
NO_IMAGES = "No images in the records yet.\na  analyzes those of the folder."
NO_FINDINGS = "Nothing found.\na  analyzes the images and lists here what is wrong with them."
HEIGHTS: Breakpoints = [(0, "-low"), (30, "-short"), (40, "-tall")]
"""Rows from which the screen has a class; ``-low`` shows one pane at a time, however wide the terminal is."""


class FindingsTable(KeyTable):
    """What is wrong with which file."""

    BINDING_GROUP_TITLE = "Findings"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select_cursor", "View", id="findings.view", tooltip="Show this file in the Viewer"),
    ]

    def __init__(self) -> None:
        super().__init__(FINDING_COLUMNS, id="findings")

    def show_findings(self, findings: Sequence[Row]) -> None:
        """Show these findings, in their order."""
        self.show(
            {
                str(number): [Text(text.safe(row[name])) for name in FINDING_COLUMNS]
                for number, row in enumerate(findings)
            }
        )


class FactsRead(Message):
    """A thread has read what is known of a dataset, or why it cannot be."""

    def __init__(self, folder: Path, facts: DatasetFacts | None, error: FextError | None = None) -> None:
        super().__init__()
        self.folder = folder
        self.facts = facts
        self.error = error


class DataScreen(FextScreen):
    """What is in the image folder, and what is wrong with it."""

    MODE: ClassVar[str] = "data"
    AUTO_FOCUS = ""
    VERTICAL_BREAKPOINTS = HEIGHTS
    BINDING_GROUP_TITLE = "Data"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "analyze", "Analyze", id="data.analyze", tooltip="Measure all images of the folder"),
        Binding("o", "open", "Folder", id="data.open", tooltip="Choose the folder of training images"),
        Binding("m", "make", "Sample images", id="data.make", tooltip="Make 600 images to try everything with"),
        Binding("d", "pane('dataset')", "Dataset", show=False, id="data.dataset", tooltip="To the summary"),
        Binding("f", "pane('settings')", "Settings", show=False, id="data.settings", tooltip="To the settings"),
        Binding("i", "pane('images')", "Images", show=False, id="data.images", tooltip="To the table of images"),
        Binding(
            "v", "pane('distribution')", "Distribution", show=False, id="data.distribution", tooltip="To the plots"
        ),
        Binding("x", "pane('findings')", "Findings", show=False, id="data.findings", tooltip="What is wrong"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.facts: DatasetFacts | None = None

    def compose_body(self) -> ComposeResult:
        """Give the five panes."""
        yield PaneStrip(PANES)
        yield Panes(
            PANES,
            "dataset",
            Container(DatasetCard(id="dataset-card"), id="pane-dataset"),
            Container(
                ImageTable(self.fext.workspace), Static(NO_IMAGES, classes="empty"), id="pane-images", classes="-empty"
            ),
            Container(SettingsForm(("analysis", "data"), opened=("analysis",)), id="pane-settings"),
            DistributionPane(),
            Container(
                FindingsTable(),
                Static(NO_FINDINGS, classes="empty"),
                Static(id="findings-line"),
                id="pane-findings",
                classes="-empty",
            ),
        )

    def on_mount(self) -> None:
        """Read what is known, and listen for news."""
        self.fext.job_ended.subscribe(self, self._hear_end)
        self.watch(self.app, "settings", self._settings_changed, init=False)
        self._read()

    # --- Reading --------------------------------------------------------------------------------------------

    @property
    def _folder(self) -> Path:
        return analyzed_folder(self.fext.workspace, self.fext.settings)

    def _settings_changed(self, _: Settings) -> None:
        if self.facts is None or self.facts.folder != self._folder:
            self._read()

    def _hear_end(self, _: JobRow) -> None:
        self._read()

    def _read(self) -> None:
        self.run_worker(partial(self._read_facts, self._folder), group="facts", exclusive=True, thread=True)

    def _read_facts(self, folder: Path) -> None:
        """Read the facts: on a thread, which touches no widget."""
        worker = get_current_worker()
        try:
            facts = read_facts(self.fext.workspace, folder, lambda: not worker.is_cancelled)
        except FextError as error:
            self.post_message(FactsRead(folder, None, error))
            return
        if not worker.is_cancelled:
            self.post_message(FactsRead(folder, facts))

    @on(FactsRead)
    def _show(self, message: FactsRead) -> None:
        if message.error is not None:
            self.fext.tell_error(message.error)
        if message.facts is None or message.folder != self._folder:
            return
        self.facts = facts = message.facts
        self.query_one(DatasetCard).show(facts, self.fext.clock())
        self.query_one(DistributionPane).show(facts)
        self._show_images(facts)
        self._show_findings(facts)
        self._enter_pane()

    def _show_images(self, facts: DatasetFacts) -> None:
        self.query_one("#pane-images").set_class(not facts.images, "-empty")
        if facts.dataset is not None and facts.images:
            groups = facts.analyzed.settings["analysis"]["metrics"] if facts.analyzed else ()
            self.query_one(ImageTable).show_dataset(facts.dataset, groups)

    def _show_findings(self, facts: DatasetFacts) -> None:
        self.query_one("#pane-findings").set_class(not facts.findings, "-empty")
        self.query_one(FindingsTable).show_findings(facts.findings)
        shown = len(facts.findings)
        more = f"the first {shown:,} of {facts.finding_count:,}" if shown < facts.finding_count else ""
        self.query_one("#findings-line", Static).update(more)

    @on(ImageTable.Failed)
    def _tell_failure(self, message: ImageTable.Failed) -> None:
        self.fext.tell_error(message.error)

    # --- Panes ----------------------------------------------------------------------------------------------

    def action_pane(self, name: str) -> None:
        """Go to a pane."""
        self.query_one(Panes).show(name)
        self.set_focus(None)
        self._enter_pane()

    def _enter_pane(self) -> None:
        """Give the keys to what the current pane holds, where it holds anything and nothing else has them."""
        name = self.query_one(Panes).current
        target = {"settings": "#setting-list", "images": "#images", "findings": "#findings"}.get(name)
        if target and self.focused is None and not self.query_one(f"#pane-{name}").has_class("-empty"):
            self.query_one(target).focus()

    def action_leave_field(self) -> None:
        """Close the innermost: the filter of the table, or a field."""
        if not (self.query_one("#pane-images").has_focus_within and self.query_one(ImageTable).close_filter()):
            super().action_leave_field()

    # --- Actions --------------------------------------------------------------------------------------------

    def action_analyze(self) -> None:
        """Measure all images of the folder."""
        self.fext.start_job("analyze", {})

    def action_open(self) -> None:
        """Choose the folder of training images."""
        start = training_folder(self.fext.workspace, self.fext.settings)
        self.app.push_screen(FolderDialog("Choose the folder of training images", start), self._open)

    def _open(self, folder: Path | None) -> None:
        if folder is not None:
            own = folder == self.fext.workspace.images
            self._set("" if own else str(folder))

    def _set(self, folder: str) -> None:
        try:
            self.fext.settings = self.fext.settings.with_values({"data.folder": folder, "analysis.folder": ""})
        except UsageError as error:
            self.fext.tell_error(error)

    def action_make(self) -> None:
        """Make sample images in the workspace, and take them as training images."""
        images = self.fext.workspace.images
        if count_pictures(images, lambda: True, 0)[0]:
            place = text.folder_name(images)
            self.fext.tell_error(UsageError(f"{place} holds images already.", "Sample images go into an empty folder."))
            return
        self._set("")
        self.fext.start_job("sample", {"folder": str(images), **SAMPLE_IMAGES})

    # --- To the Viewer --------------------------------------------------------------------------------------

    @on(ImageTable.Chosen)
    async def _view_image(self, message: ImageTable.Chosen) -> None:
        await self.fext.open_in_viewer(self._folder / message.path)

    @on(DataTable.RowSelected, "#findings")
    async def _view_finding(self, event: DataTable.RowSelected) -> None:
        if self.facts is not None:
            await self.fext.open_in_viewer(self._folder / self.facts.findings[event.cursor_row]["path"])
