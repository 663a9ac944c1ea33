"""Where things lie: the resources folder."""

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path

import platformdirs

from engine.errors import FextError, UsageError
from engine.settings import environment_template

LATENT_FILE = "latent.csv"
"""In the folder of an evaluation's report: where its images lie in the latent."""

PROBES_FOLDER = "probes"
"""In the folder of a checkpoint's figures: its probe images, epoch by epoch."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)
_RESERVED = frozenset({"images", "dataset"})


class Workspace:
    """The folders and files of one workspace, by name.

    Paths that are stored (in records, in checkpoints) are written by `stored_path` and read back by
    `actual_path`, so that a workspace that is moved or renamed keeps working.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.database = self.root / "database" / "FEXT_database.db"
        self.images = self.root / "database" / "images"
        self.inference = self.root / "database" / "inference"
        self.inference_images = self.inference / "images"
        self.validation = self.root / "database" / "validation"
        self.dataset_plots = self.validation / "dataset"
        self.exports = self.root / "database" / "export"
        self.metadata = self.root / "database" / "metadata"
        self.packs = self.metadata / "packs"
        self.checkpoints = self.root / "checkpoints"
        self.configurations = self.root / "configurations"
        self.logs = self.root / "logs"
        self.tensorboard = self.logs / "tensorboard"
        self.templates = self.root / "templates"
        self.environment_file = self.root / ".env"

    def create(self) -> "Workspace":
        """Make the folders that are missing, and return the workspace itself.

        Raises:
            FextError: the workspace cannot be written.

        """
        folders = (
            self.images, self.inference_images, self.dataset_plots, self.packs,
            self.checkpoints, self.configurations, self.logs, self.templates,
        )  # fmt: skip
        try:
            for folder in folders:
                folder.mkdir(parents=True, exist_ok=True)
            template = self.templates / ".env"
            if not template.exists():
                template.write_text(environment_template(), encoding="utf-8")
        except OSError as error:
            raise FextError(
                f"The workspace {self.root} cannot be made: {error.strerror or error}.",
                "Give another folder with --resources or FEXT_RESOURCES, or mend its permissions or free space.",
            ) from error
        return self

    def stored_path(self, path: Path) -> str:
        """Return ``path`` as it is stored: relative to the root where it lies inside, else absolute."""
        absolute = Path(os.path.abspath(path))
        return str(absolute.relative_to(self.root)) if absolute.is_relative_to(self.root) else str(absolute)

    def actual_path(self, stored: str) -> Path:
        """Return the path that `stored_path` stored."""
        return self.root / stored

    def training_folder(self, stored: str) -> Path:
        """Return the folder of training images that is stored, the workspace's own where that is empty."""
        return self.actual_path(stored) if stored else self.images

    def label_of(self, folder: Path) -> str:
        """Return a name for what is made of the images of a folder: the folder's own, and a digest of its path."""
        name = re.sub(r"[^A-Za-z0-9_-]+", "-", folder.name)[:40] or "images"
        stored = os.fsencode(self.stored_path(folder))
        return f"{name}-{hashlib.blake2b(stored, digest_size=4).hexdigest()}"

    def log_of_job(self, job: int) -> Path:
        """Return the file that takes the output of a job's process."""
        return self.logs / f"job-{job}.log"


def find_workspace(explicit: str | None, environ: Mapping[str, str]) -> Workspace:
    """Return ``explicit``, else ``FEXT_RESOURCES``, else ``./resources`` if there, else the user's data folder."""
    named = explicit or environ.get("FEXT_RESOURCES")
    if named:
        return Workspace(Path(named).expanduser())
    local = Path("resources")
    return Workspace(local if local.is_dir() else Path(platformdirs.user_data_path("fext")))


def check_name(name: str, what: str) -> str:
    """Return ``name`` where it can name a file of the workspace.

    Raises:
        UsageError: it is empty, too long, reserved, or holds anything but letters, digits, dot, dash, underscore.

    """
    if name in _RESERVED:
        raise UsageError(f"{name!r} is the name of a folder of the workspace.", "Choose another name.")
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot name a {what}.",
            "Use up to 100 letters, digits, dots, dashes and underscores, with a letter or digit first.",
        )
    return name
