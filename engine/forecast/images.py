"""How many images a run would have, counted without opening one."""

from dataclasses import dataclass
from pathlib import Path

from engine.errors import Stopped
from engine.images.layout import Layout, pack_bytes, pack_key
from engine.images.scan import scan
from engine.records import Records
from engine.report import CollectedReport
from engine.settings import DataSettings
from engine.workspace import Workspace


@dataclass(frozen=True)
class ImageCount:
    """The images of a run.

    Attributes:
        train: those to train on, about: images that look alike stay on one side, and unreadable ones fall away.
        held_out: those held out for validation, likewise.
        to_pack: those that no pack holds yet.
        pack_bytes: what the packs to be made take; 0 where images are decoded as they are needed.
        complete: whether all were counted, or as many as were asked for.

    """

    train: int
    held_out: int
    to_pack: int
    pack_bytes: int
    complete: bool


@dataclass(frozen=True)
class _Folder:
    images: int
    to_pack: int
    pack_bytes: int
    excluded: int
    complete: bool


class _UpTo(CollectedReport):
    """A report that has a scan stop at a number of images; 0: never."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    @property
    def found(self) -> int:
        """How many images were found so far, by thousands."""
        return int(self.progresses[-1][1]) if self.progresses else 0

    def stopping(self) -> bool:
        """Return whether these are enough."""
        return 0 < self._most <= self.found


def count_images(data: DataSettings, workspace: Workspace, records: Records, most: int = 0) -> ImageCount:
    """Return the images that these settings name; counting ends at ``most`` a folder, 0: never.

    Raises:
        FextError: a folder is missing, cannot be read, or holds no image.

    """
    folder = workspace.training_folder(data.folder)
    one = _count(folder, data, workspace, records, most)
    if data.validation_folder:
        other = _count(workspace.actual_path(data.validation_folder), data, workspace, records, most)
        held_out, train = other.images, one.images
        folders = [one, other]
    else:
        held_out = min(max(1, round(data.validation_fraction * one.images)), one.images - 1)
        held_out = held_out if data.validation_fraction else 0
        train, folders = one.images - held_out, [one]
    share = one.excluded / max(one.images, 1)
    return ImageCount(
        train=max(1, round(train * (1 - share))),
        held_out=round(held_out * (1 - share)),
        to_pack=sum(each.to_pack for each in folders),
        pack_bytes=sum(each.pack_bytes for each in folders),
        complete=all(each.complete for each in folders),
    )


def _count(folder: Path, data: DataSettings, workspace: Workspace, records: Records, most: int) -> _Folder:
    report = _UpTo(most)
    layout = Layout(data.image_height, data.image_width, data.grayscale)
    try:
        manifest = scan(folder, report).sample(data.sample_fraction, data.sample_seed)
    except Stopped:
        count = max(1, round(data.sample_fraction * report.found))
        return _Folder(count, count, pack_bytes(count, 0, layout), 0, complete=False)
    count = len(manifest.files)
    dataset = records.find_dataset(folder)
    excluded = len(records.excluded(dataset)) if dataset is not None else 0
    is_packed = (workspace.packs / pack_key(manifest, workspace.stored_path(folder), layout)).is_dir()
    letters = sum(len(file.path) for file in manifest.files)
    size = 0 if is_packed or data.pack == "off" else pack_bytes(count, letters, layout)
    return _Folder(count, 0 if is_packed else count, size, min(excluded, count), complete=True)
