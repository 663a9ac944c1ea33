"""The images of a training run, as far as they are still there."""

from pathlib import Path

from engine.checkpoints import IMAGES_FILE, TRAIN, VALIDATION, CheckpointConfig, read_listing
from engine.errors import UsageError
from engine.images.scan import Manifest, scan
from engine.report import Report
from engine.workspace import Workspace

_SIDES: dict[str, frozenset[str]] = {
    "validation": frozenset({VALIDATION}),
    "training": frozenset({TRAIN}),
    "all": frozenset({VALIDATION, TRAIN}),
}
_REMEDIES: dict[str, str] = {
    "validation": "Give a folder to evaluate on.",
    "training": "Give a folder to evaluate on, or train again.",
    "all": "Give a folder to evaluate on, or train again.",
}


class RunImages:
    """The images that a run was trained on and those that it held out, as far as they are still there."""

    def __init__(self, workspace: Workspace, config: CheckpointConfig, run: Path, report: Report) -> None:
        self._workspace = workspace
        self._data = config.settings.data
        self._run = run
        self._report = report
        self._scanned: dict[Path, Manifest] = {}

    def side(self, subset: str) -> Manifest:
        """Return the images of ``validation``, of ``training``, or ``all`` of both where they lie in one folder.

        Raises:
            UsageError: there is no such subset, it is empty, or its images are gone.
            FextError: the listing of the checkpoint or the folder cannot be read.
            Stopped: the report says stop.

        """
        if subset not in _SIDES:
            raise UsageError(f"There is no subset {subset!r}.", f"Choose one of {', '.join(_SIDES)}.")
        if subset == "all" and self._data.validation_folder:
            raise UsageError(
                f"The images of {self._run.name} lie in two folders.",
                "Choose validation or training, or give a folder.",
            )
        listed = self._listed(subset)
        what = "held-out" if subset == "validation" else "training"
        if not listed:
            raise UsageError(f"{self._run.name} was trained without {what} images.", _REMEDIES[subset])
        source = (subset == "validation" and self._data.validation_folder) or self._data.folder
        manifest = self._scan(self._workspace.training_folder(source))
        kept = tuple(file for file in manifest.files if file.path in listed)
        if not kept:
            raise UsageError(f"The {what} images of {self._run.name} are gone.", "Bring them back, or give a folder.")
        if len(kept) < len(listed):
            self._report.log(f"{len(listed) - len(kept):,} of the {what} images are gone.", "warning")
        return Manifest(manifest.folder, kept)

    def _listed(self, subset: str) -> frozenset[str]:
        rows = read_listing(self._run / IMAGES_FILE)
        return frozenset(path for side, path, _ in rows if side in _SIDES[subset])

    @property
    def trained_on(self) -> frozenset[str]:
        """The paths of the training images."""
        return self._listed("training")

    def _scan(self, folder: Path) -> Manifest:
        if folder not in self._scanned:
            self._scanned[folder] = scan(folder, self._report)
        return self._scanned[folder]
