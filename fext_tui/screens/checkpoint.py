"""One checkpoint: what it is, what was measured with it, and what can be done with it."""

from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import DataTable, Static

from engine.checkpoint_details import CheckpointDetails, checkpoint_details
from engine.errors import UsageError
from engine.images.scan import root_of
from engine.rankings import Ranking, list_rankings
from engine.records import Records, Row
from engine.workspace import LATENT_FILE, Workspace
from fext_tui.keys import key_hints, with_keys
from fext_tui.screens.base import WorkingDialog
from fext_tui.screens.dialogs import Choose
from fext_tui.sources import Chosen, Source, encoding_folder, ranking_source
from fext_tui.text import age, ago, counted, decibel, duration, folder_name, number, safe, safe_lines, shortened, size
from fext_tui.widgets.folder_dialog import FolderDialog
from fext_tui.widgets.table import KeyTable, right

_COLUMNS = {
    "set": "set", "images": "images", "psnr": "PSNR dB", "ssim": "SSIM", "ms_ssim": "MS-SSIM", "mae": "MAE",
    "cosine": "cosine", "age": "age",
}  # fmt: skip
_LOOKS = (
    ("", "enter figures"), ("checkpoint.worst", "w worst"), ("checkpoint.best", "b best"),
    ("checkpoint.latent", "l latent"), ("checkpoint.odd", "o odd images"),
)  # fmt: skip
_WORKS = (
    ("checkpoint.evaluate", "e evaluate"), ("checkpoint.evaluate_training", "t on training images"),
    ("checkpoint.anomalies", "a find anomalies"), ("checkpoint.export", "x export"), ("checkpoint.back", "esc back"),
)  # fmt: skip
_SHOWN = 200
"""Images, worst or best, that are opened in the Viewer."""
_LONGEST, _LONGEST_SETTINGS = 40, 160
_NONE_YET = (
    "Nothing was measured yet.\n"
    "{checkpoint.evaluate:e}  measures the images held out, {checkpoint.evaluate_training:t} those trained on."
)


class CheckpointScreen(WorkingDialog[Chosen | Source | None]):
    """Tells of a checkpoint and of its evaluations; gives what is to be shown in the Viewer, or None."""

    CLOSES_ON_FAILURE = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss(None)", "Back", id="checkpoint.back"),
        Binding("w", "images(False)", "Worst", id="checkpoint.worst", tooltip="The images of lowest PSNR, in order"),
        Binding("b", "images(True)", "Best", id="checkpoint.best", tooltip="The images of highest PSNR, in order"),
        Binding("l", "latent", "Latent", id="checkpoint.latent", tooltip="Where the images lie in the latent"),
        Binding("e", "evaluate('validation')", "Evaluate", id="checkpoint.evaluate"),
        Binding("t", "evaluate('training')", "On training images", id="checkpoint.evaluate_training"),
        Binding("a", "find_anomalies", "Find anomalies", id="checkpoint.anomalies",
                tooltip="Rank the images of a folder by how unlike they are to those trained on"),
        Binding("o", "odd", "Odd images", id="checkpoint.odd", tooltip="The images of a ranking, the oddest first"),
        Binding("x", "export", "Export", id="checkpoint.export", tooltip="To ONNX and torch.export files"),
    ]  # fmt: skip

    class Read(Message):
        """A thread has read what is known."""

        def __init__(self, details: CheckpointDetails, rankings: list[Ranking]) -> None:
            super().__init__()
            self.details = details
            self.rankings = rankings

    def __init__(self, name: str) -> None:
        super().__init__()
        self._checkpoint = name
        self._evaluations: dict[str, Row] = {}
        self._rankings: list[Ranking] = []

    def compose(self) -> ComposeResult:
        """Give heading, facts, evaluations and what the one under the cursor says."""
        with Vertical(classes="dialog checkpoint"):
            yield Static(Content(safe(self._checkpoint)), classes="dialog-title")
            yield Static("Reading …", id="checkpoint-facts")
            yield KeyTable(_COLUMNS, id="checkpoint-evaluations")
            yield Static(with_keys(self, _NONE_YET), id="checkpoint-none", classes="dialog-detail")
            yield Static(id="checkpoint-evaluation")
            yield Static(f"{key_hints(self, *_LOOKS)}\n{key_hints(self, *_WORKS)}", classes="dialog-keys")

    def on_mount(self) -> None:
        """Read, and read again when a job has ended."""
        self.query_one("#checkpoint-none").display = False
        self.query_one(KeyTable).focus()
        self.fext.job_ended.subscribe(self, lambda _: self._read())
        self._read()

    def _read(self) -> None:
        self.in_thread(self._read_all, "checkpoint")

    def _read_all(self) -> Message:
        with Records(self.fext.workspace) as records:
            details = checkpoint_details(self.fext.workspace, records, self._checkpoint)
        return self.Read(details, list_rankings(self.fext.workspace, self._checkpoint))

    @on(Read)
    def _take(self, message: Read) -> None:
        details, self._rankings = message.details, message.rankings
        self.query_one("#checkpoint-facts", Static).update(facts_of(details, self.fext.workspace, self.fext.clock()))
        self._evaluations = {str(row["id"]): row for row in details.evaluations}
        table, now = self.query_one(KeyTable), self.fext.clock()
        table.show({key: _cells(row, self.fext.workspace, now) for key, row in self._evaluations.items()})
        table.display = bool(self._evaluations)
        self.query_one("#checkpoint-none").display = not self._evaluations
        self._tell_evaluation()

    @on(DataTable.RowHighlighted)
    def _tell_evaluation(self) -> None:
        line = self.query_one("#checkpoint-evaluation", Static)
        row = self._selected
        line.display = row is not None
        if row is not None:
            line.update(evaluation_words(row))

    @property
    def _selected(self) -> Row | None:
        key = self.query_one(KeyTable).selected
        return self._evaluations.get(key) if key else None

    # --- Keys -----------------------------------------------------------------------------------------------

    @on(DataTable.RowSelected)
    def _show_figures(self) -> None:
        row = self._selected
        if row is not None and row["report"]:
            self.dismiss(Chosen((self.fext.workspace.actual_path(row["report"]),)))

    def action_images(self, best: bool) -> None:
        """Show the images of an evaluation in the Viewer, the worst or the best reconstructed first."""
        row = self._selected
        if row is not None:
            self.in_thread(partial(self._collect, row, best=best), "images")

    def _collect(self, row: Row, *, best: bool) -> Message:
        root = root_of(self.fext.workspace.actual_path(row["folder"]))
        with Records(self.fext.workspace) as records:
            images = records.image_errors(row["id"], order_by="psnr", descending=best, limit=_SHOWN)
        figures = {
            title: {root / one["path"]: one[column] for one in images if one[column] is not None}
            for title, column in (("PSNR", "psnr"), ("SSIM", "ssim"), ("MAE", "mae"))
        }
        chosen = Chosen(
            tuple(root / one["path"] for one in images),
            f"{'Best' if best else 'Worst'} of {self._checkpoint}",
            self._checkpoint,
            figures,
        )
        return self.Answered(chosen)

    def action_latent(self) -> None:
        """Show where the images of an evaluation lie in the latent."""
        from fext_tui.screens.latent import LatentScreen

        row = self._selected
        if row is not None:
            folder = self.fext.workspace.actual_path(row["report"])
            self.app.push_screen(LatentScreen(safe(f"Latent of {self._checkpoint}"), folder / LATENT_FILE))

    def action_evaluate(self, subset: str) -> None:
        """Measure the images held out, or those trained on."""
        self.fext.start_job("evaluate", {"checkpoint": self._checkpoint, "subset": subset})

    def action_find_anomalies(self) -> None:
        """Choose a folder, and rank its images by how unlike they are to those trained on."""
        settings = self.fext.settings
        folder = encoding_folder(self.fext.workspace, settings)

        def start(chosen: Path | None) -> None:
            if chosen is not None:
                stored = self.fext.workspace.stored_path(chosen)
                self.fext.start_job("anomalies", {"checkpoint": self._checkpoint, "folder": stored})

        self.app.push_screen(FolderDialog("Find anomalies in", folder), start)

    def action_odd(self) -> None:
        """Show the images of a ranking in the Viewer, the most unusual first."""
        if not self._rankings:
            remedy = with_keys(self, "{checkpoint.anomalies:a}  ranks one by how unusual its images are.")
            self.fext.tell_error(UsageError("No folder was ranked yet.", remedy))
            return
        now = self.fext.clock()
        options = [
            (str(at), folder_name(one.folder), f"{one.anomalies:,} of {one.images:,} odd, {ago(now, one.made)}")
            for at, one in enumerate(self._rankings)
        ]

        def chosen(number: str | None) -> None:
            if number is not None:
                self.dismiss(ranking_source(self._rankings[int(number)]))

        self.app.push_screen(Choose("Odd images of", options), chosen)

    def action_export(self) -> None:
        """Write the networks as files for other programs."""
        self.fext.start_job("export", {"checkpoint": self._checkpoint})


def facts_of(details: CheckpointDetails, workspace: Workspace, now: float) -> Content:
    """Return what a checkpoint is, in a few lines."""
    facts = details.facts
    source = folder_name(workspace.actual_path(details.folder) if details.folder else workspace.images)
    latent = facts.latent.replace(" ", "")
    states = ", ".join(f"{'/'.join(state.tags)} (epoch {state.epoch:.1f})" for state in details.states if state.tags)
    others = ", ".join(f"{what} {size(count)}" for what, count in details.others.items() if count)
    changed = ", ".join(f"{key}={value}" for key, value in details.changed.items() if key != "data.folder")
    millions = f"{facts.parameters / 1e6:.1f} M parameters"
    images = f"{details.train_images:,} images of {shortened(source, _LONGEST)}"
    extent = f"{number(facts.epoch, 1)} epochs, {facts.step:,} steps, {duration(details.seconds)}"
    lines = {
        "network": f"{facts.variant}, {facts.image.replace(' ', '')} → {latent}, {millions}",
        "trained": f"{images}, {extent}, {details.device or 'unknown device'}",
        "held out": f"{details.validation_images:,} images, {decibel(facts.val_psnr)}",
        "states": f"{states}; {size(facts.bytes)}, made {ago(now, facts.created)}",
        "beside": others or "nothing was made of it yet",
        "settings": shortened(safe(changed), _LONGEST_SETTINGS) or "as by default",
    }
    parts = [Content.assemble((f"{name:<9}", "$text-muted"), safe(value)) for name, value in lines.items()]
    return Content("\n").join(parts)


def evaluation_words(row: Row) -> Content:
    """Return what an evaluation says beyond its means: spread, and the baselines beside the network."""
    told: dict[str, Any] = row["summary"]
    psnr = told.get("summary", {}).get("psnr")
    lines = []
    if psnr:
        lines.append(
            f"PSNR of images: worst {psnr['min']:.1f}, 5 % below {psnr['p5']:.1f}, median {psnr['p50']:.1f}, "
            f"best {psnr['max']:.1f} dB"
        )
    beside = [f"{one['title']} {one['psnr']:.1f}" for one in told.get("baselines", {}).values()]
    if beside:
        lines.append("PSNR beside: " + " · ".join(beside) + " dB")
    if row["skipped"]:
        lines.append(f"{counted(row['skipped'], 'image')} could not be read")
    return Content(safe_lines("\n".join(lines)))


def _cells(row: Row, workspace: Workspace, now: float) -> list[Text]:
    name = {"validation": "held out", "training": "trained on", "all": "all of the run"}.get(row["subset"])
    where = name or shortened(safe(folder_name(workspace.actual_path(row["folder"]))), _LONGEST)
    return [
        Text(where),
        right(f"{row['images']:,}"),
        right(number(row["psnr"])),
        right(number(row["ssim"], 4)),
        right(number(row["ms_ssim"], 4)),
        right(number(row["mae"], 4)),
        right(number(row["cosine"], 4)),
        right(age(now, row["created"])),
    ]
