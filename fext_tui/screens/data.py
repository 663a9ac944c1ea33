"""Data: a dataset's facts, its images with their metrics, its distributions, and what is wrong with it."""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.message import Message
from textual.widgets import DataTable
from textual.worker import get_current_worker

from engine.errors import FextError, UsageError
from engine.images.scan import root_of
from engine.records import JobRow
from engine.settings import Settings
from fext_tui import text
from fext_tui.dataset_facts import Asked, DatasetFacts, asked_by, read_facts
from fext_tui.listing import count_pictures
from fext_tui.screens.base import Breakpoints, FextScreen
from fext_tui.widgets.dataset_card import DatasetCard
from fext_tui.widgets.distribution_pane import DistributionPane
from fext_tui.widgets.empty import Empty
from fext_tui.widgets.findings_table import FindingsTable
from fext_tui.widgets.folder_dialog import FolderDialog
from fext_tui.widgets.image_table import ImageTable
from fext_tui.widgets.panes import Panes, PaneStrip
from fext_tui.widgets.settings_form import SettingsForm

if TYPE_CHECKING:
    from pathlib import Path

    from fext_tui.sources import Chosen

PANES = {
    "dataset": ("d", "Dataset"),
    "settings": ("f", "Settings"),
    "images": ("i", "Images"),
    "distribution": ("v", "Distribution"),
    "findings": ("x", "Findings"),
}
SAMPLE_IMAGES: Mapping[str, Any] = {"count": 600, "seed": 42}
NO_IMAGES = "No images in the records yet.\n{data.analyze:a}  analyzes those of the folder."
NO_FINDINGS = (
    "Nothing is known of these images yet.\n{data.analyze:a}  analyzes them and lists here what is wrong with them."
)
HEIGHTS: Breakpoints = [(0, "-low"), (30, "-short"), (40, "-tall")]
"""Rows from which the screen has a class; ``-low`` shows one pane at a time, however wide the terminal is."""


class FactsRead(Message):
    """A thread has read what is known of a dataset, or why it cannot be."""

    def __init__(self, asked: Asked, facts: DatasetFacts | None, error: FextError | None = None) -> None:
        super().__init__()
        self.asked = asked
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
                ImageTable(self.fext.workspace),
                Empty(NO_IMAGES),
                id="pane-images",
                classes="-empty",
            ),
            Container(SettingsForm(("analysis", "data"), opened=("analysis",)), id="pane-settings"),
            DistributionPane(self.fext.workspace),
            Container(
                FindingsTable(),
                Empty(NO_FINDINGS),
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
    def _asked(self) -> Asked:
        return asked_by(self.fext.workspace, self.fext.settings)

    def _settings_changed(self, _: Settings) -> None:
        if self.facts is None or self.facts.asked != self._asked:
            self._read()

    def _hear_end(self, _: JobRow) -> None:
        self._read()

    @on(ImageTable.Excluded)
    def _read(self) -> None:
        self.run_worker(partial(self._read_facts, self._asked), group="facts", exclusive=True, thread=True)

    def _read_facts(self, asked: Asked) -> None:
        """Read the facts: on a thread, which touches no widget."""
        worker = get_current_worker()
        try:
            facts = read_facts(self.fext.workspace, asked, lambda: not worker.is_cancelled)
        except FextError as error:
            self.post_message(FactsRead(asked, None, error))
            return
        if not worker.is_cancelled:
            self.post_message(FactsRead(asked, facts))

    @on(FactsRead)
    def _show(self, message: FactsRead) -> None:
        if message.error is not None:
            self.fext.tell_error(message.error)
        if message.facts is None or message.asked != self._asked:
            return
        self.facts = facts = message.facts
        self.query_one(DatasetCard).show(facts, self.fext.clock())
        self.query_one(DistributionPane).show(facts)
        self._show_images(facts)
        self.query_one("#pane-findings").set_class(not facts.is_analyzed and not facts.findings, "-empty")
        self.query_one(FindingsTable).show_findings(facts.findings)
        self._enter_pane()

    def _show_images(self, facts: DatasetFacts) -> None:
        self.query_one("#pane-images").set_class(not facts.images, "-empty")
        if facts.dataset is not None and facts.images:
            self.query_one(ImageTable).show_dataset(facts.dataset, facts.groups)

    @on(ImageTable.Failed)
    @on(DistributionPane.Failed)
    def _tell_failure(self, message: ImageTable.Failed | DistributionPane.Failed) -> None:
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
        targets = {"settings": "#setting-list", "images": "#images", "findings": "#findings"}
        target = (targets | {"distribution": "#pane-distribution"}).get(name)
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
        start = root_of(self.fext.workspace.training_folder(self.fext.settings.data.folder))
        self.app.push_screen(FolderDialog("Choose the folder of training images", start), self._open)

    def _open(self, folder: "Path | None") -> None:
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
        await self.fext.open_in_viewer(root_of(self._asked.folder) / message.path)

    @on(DataTable.RowSelected, "#findings")
    def _list_findings(self, event: DataTable.RowSelected) -> None:
        from fext_tui.screens.findings import FindingScreen

        facts = self.facts
        if facts is not None and facts.dataset is not None:
            held_out = facts.analyzed.settings["data"]["validation_folder"] if facts.analyzed else ""
            other = self.fext.workspace.actual_path(held_out) if held_out else None
            screen = FindingScreen(facts.folder, facts.dataset, str(event.row_key.value), other)
            self.app.push_screen(screen, self._leave_findings)

    async def _leave_findings(self, chosen: "Chosen | None") -> None:
        self._read()
        await self.fext.show_chosen(chosen)
