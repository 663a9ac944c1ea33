"""Packs: the pixels that decoding gives, written whole or not at all, whoever dies, fills the disk or comes second."""

import csv
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pytest
from PIL import Image

from engine.errors import FextError, Stopped
from engine.images.decode import content_hash, load_image
from engine.images.pack import FileImages, ImageStore, PackedImages, open_images
from engine.images.packfile import remove_abandoned
from engine.images.scan import Manifest, scan
from engine.report import CollectedReport
from engine.workspace import Workspace

Mode = Literal["auto", "on", "off"]


def draw(folder: Path, count: int, first: int = 0) -> Path:
    """Write pictures of many sizes, in color and gray, JPEG and PNG."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(first, first + count):
        generator = np.random.default_rng(number)
        height, width = generator.integers(10, 60, 2)
        shape = (height, width) if number % 5 == 0 else (height, width, 3)
        picture = Image.fromarray(generator.integers(0, 256, shape, dtype=np.uint8))
        picture.save(folder / f"{number:04d}.{'png' if number % 2 else 'jpg'}")
    return folder


class Place(NamedTuple):
    """A folder of twelve pictures, and a workspace."""

    folder: Path
    workspace: Workspace

    def open(
        self,
        pack: Mode = "on",
        size: tuple[int, int] = (16, 24),
        *,
        gray: bool = False,
        report: CollectedReport | None = None,
    ) -> ImageStore:
        report = report or CollectedReport()
        return open_images(self.manifest(), *size, gray, pack, self.workspace, 2, report)

    def manifest(self) -> Manifest:
        return scan(self.folder, CollectedReport())

    def packs(self) -> list[Path]:
        return sorted(self.workspace.packs.iterdir())


@pytest.fixture
def place(tmp_path: Path, workspace: Workspace) -> Place:
    return Place(draw(tmp_path / "pictures", 12), workspace)


def everything(store: ImageStore) -> np.ndarray:
    return store.batch(np.arange(len(store), dtype=np.int64))


# --- What is in a store -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("pack", ["on", "auto", "off"])
@pytest.mark.parametrize("gray", [False, True])
def test_a_store_gives_what_decoding_gives(place: Place, pack: Mode, gray: bool) -> None:
    store = place.open(pack, gray=gray)
    assert isinstance(store, FileImages if pack == "off" else PackedImages)
    assert store.shape == (16, 24, 1 if gray else 3)
    expected = np.stack([load_image(place.folder / file.path, 16, 24, gray) for file in store.files])
    np.testing.assert_array_equal(everything(store), expected)
    assert store.content_hashes == tuple(content_hash(picture) for picture in expected)
    assert store.perceptual_hashes.dtype == np.uint64
    assert len(set(store.perceptual_hashes.tolist())) > 6
    assert store.skipped == ()


@pytest.mark.parametrize("pack", ["on", "off"])
def test_batches_are_copies_in_the_order_asked_for(place: Place, pack: Mode) -> None:
    store = place.open(pack)
    whole = everything(store)
    batch = store.batch(np.array([7, 0, 7, 11]))
    np.testing.assert_array_equal(batch, whole[[7, 0, 7, 11]])
    batch[:] = 0
    np.testing.assert_array_equal(everything(store), whole)
    assert store.batch(np.array([], dtype=np.int64)).shape == (0, 16, 24, 3)


def test_both_kinds_of_store_have_the_same_hashes(place: Place) -> None:
    packed, loose = place.open("on"), place.open("off")
    assert packed.files == loose.files
    assert packed.content_hashes == loose.content_hashes
    np.testing.assert_array_equal(packed.perceptual_hashes, loose.perceptual_hashes)


def test_a_pack_is_read_by_numpy_and_csv(place: Place) -> None:
    store = place.open()
    (pack,) = place.packs()
    images = np.load(pack / "images.npy", allow_pickle=False)
    assert images.shape == (12, 16, 24, 3)
    with (pack / "index.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows] == [file.path for file in store.files]
    assert [content_hash(images[int(row["row"])]) for row in rows] == [row["content_hash"] for row in rows]
    assert {path.name for path in pack.iterdir()} == {"images.npy", "index.csv"}


# --- When a pack is made anew -----------------------------------------------------------------------------------


def test_a_pack_is_used_again_without_the_files(place: Place) -> None:
    before = everything(place.open())
    manifest = place.manifest()
    for path in place.folder.iterdir():
        path.write_bytes(b"")
    report = CollectedReport()
    again = open_images(manifest, 16, 24, False, "on", place.workspace, 2, report)
    np.testing.assert_array_equal(everything(again), before)
    assert not [phase for phase, *_ in report.progresses if phase == "packing"]


def test_another_size_color_or_file_makes_another_pack(place: Place) -> None:
    place.open()
    place.open(size=(24, 16))
    place.open(gray=True)
    os.utime(place.folder / "0003.png", ns=(1, 1))
    place.open()
    draw(place.folder, 1, first=99)
    place.open()
    assert len(place.packs()) == 5


def test_folders_with_equal_names_sizes_and_times_have_packs_of_their_own(tmp_path: Path, workspace: Workspace) -> None:
    stores = []
    for number, level in enumerate((10, 200)):
        folder = tmp_path / f"set{number}"
        folder.mkdir()
        Image.new("RGB", (20, 20), (level, level, level)).save(folder / "same.bmp")
        os.utime(folder / "same.bmp", ns=(0, 0))
        stores.append(Place(folder, workspace).open())
    assert [int(everything(store)[0, 0, 0, 0]) for store in stores] == [10, 200]


def test_a_pack_follows_a_workspace_that_is_moved(tmp_path: Path) -> None:
    old = Workspace(tmp_path / "old").create()
    draw(old.images, 4)
    Place(old.images, old).open()
    old.root.rename(tmp_path / "new")
    new = Workspace(tmp_path / "new")
    report = CollectedReport()
    Place(new.images, new).open(report=report)
    assert len(list(new.packs.iterdir())) == 1
    assert not report.progresses


@pytest.mark.parametrize(
    "damage",
    [
        lambda pack: os.truncate(pack / "images.npy", 5000),
        lambda pack: (pack / "images.npy").write_bytes(b"not an array"),
        lambda pack: (pack / "images.npy").unlink(),
        lambda pack: (pack / "index.csv").write_text("row,path\n0,a\n"),
        lambda pack: os.truncate(pack / "index.csv", 300),
        lambda pack: (pack / "index.csv").unlink(),
    ],
    ids=["cut", "garbage", "no images", "other columns", "fewer rows", "no index"],
)
def test_a_damaged_pack_is_made_anew(place: Place, damage: Callable[[Path], object]) -> None:
    before = everything(place.open())
    damage(place.packs()[0])
    np.testing.assert_array_equal(everything(place.open()), before)
    assert len(place.packs()) == 1


# --- Bad images -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pack", ["on", "off"])
def test_unreadable_images_are_skipped_with_their_reasons(place: Place, pack: Mode) -> None:
    (place.folder / "empty.png").touch()
    cut = place.folder / "0002.jpg"
    cut.write_bytes(cut.read_bytes()[:-50])
    shutil.copy(place.folder / "0001.png", place.folder / "mislabelled.jpg")
    for number in range(5):
        (place.folder / f"text_{number}.jpg").write_text("no picture")
    report = CollectedReport()
    store = place.open(pack, report=report)
    reasons = dict(store.skipped)
    assert len(store) == 11
    assert len(everything(store)) == 11
    assert reasons["empty.png"] == "empty (0 bytes)"
    assert reasons["0002.jpg"] == "truncated"
    assert reasons["mislabelled.jpg"] == "a PNG image named .jpg"
    assert len(reasons) == 8
    warnings = [line for level, line in report.lines if level == "warning"]
    assert "Skipped 0002.jpg: truncated" in warnings
    assert "Skipped 3 more that cannot be read." in warnings
    assert warnings[-1] == "11 images are used, 8 skipped."
    assert place.open(pack).skipped == store.skipped


def test_a_folder_without_a_readable_image_is_told(place: Place) -> None:
    for path in place.folder.iterdir():
        path.write_bytes(b"nothing")
    for pack in ("on", "off"):
        with pytest.raises(FextError, match=r"None of the 12 images.*\n.*0000\.jpg: not a JPEG image"):
            place.open(pack)
    assert place.packs() == []


def test_names_of_any_bytes_survive(place: Place) -> None:
    name = os.fsdecode(b'caf\xe9, "two"\n\r\nlines.png')
    (place.folder / "0001.png").rename(place.folder / name)
    first = place.open()
    again = place.open()
    assert name in {file.path for file in again.files}
    assert first.files == again.files


def test_a_file_that_goes_away_later_is_told(place: Place) -> None:
    store = place.open("off")
    (place.folder / store.files[3].path).unlink()
    with pytest.raises(FextError, match="can no longer be read: no such file"):
        everything(store)


# --- Stopped, killed, full, twice -------------------------------------------------------------------------------


class _StopsSoon(CollectedReport):
    def progress(self, phase: str, done: float, total: float, unit: str) -> None:
        super().progress(phase, done, total, unit)
        self.stop = done >= 1


@pytest.mark.parametrize("pack", ["on", "off"])
def test_a_stop_leaves_nothing(place: Place, pack: Mode) -> None:
    with pytest.raises(Stopped):
        place.open(pack, report=_StopsSoon())
    assert place.packs() == []


CHILD = """
import os, signal, sys, time
from pathlib import Path
from engine.images.pack import open_images
from engine.images.scan import scan
from engine.report import CollectedReport
from engine.workspace import Workspace

class Report(CollectedReport):
    def progress(self, phase, done, total, unit):
        if phase == "packing" and done == 1:
            at_one(Path(sys.argv[3]))

def at_one(marks):
    if not marks.is_dir():
        os.kill(os.getpid(), signal.SIGKILL)
    (marks / str(os.getpid())).touch()
    while not (marks / "go").exists():
        time.sleep(0.01)

workspace = Workspace(Path(sys.argv[2]))
store = open_images(scan(Path(sys.argv[1]), Report()), 16, 24, False, "on", workspace, 2, Report())
print(len(store), store.content_hashes[5])
"""


def child(place: Place, marks: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CHILD, str(place.folder), str(place.workspace.root), str(marks)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)


def test_a_killed_process_leaves_nothing_that_counts(place: Place, tmp_path: Path) -> None:
    assert child(place, tmp_path / "kill").wait(120) == -signal.SIGKILL
    (left,) = place.packs()
    assert left.name.startswith(".new-")
    report = CollectedReport()
    assert len(place.open(report=report)) == 12
    assert ("packing", 12, 12, "images") in report.progresses


def test_two_processes_may_pack_the_same_at_once(
    place: Place, tmp_path: Path, wait_for: Callable[[Callable[[], bool]], bool]
) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    children = [child(place, marks) for _ in range(2)]
    wait_for(lambda: len(list(marks.iterdir())) == 2)
    (marks / "go").touch()
    told = {process.communicate(timeout=120)[0] for process in children}
    assert [process.returncode for process in children] == [0, 0]
    assert told == {f"12 {place.open().content_hashes[5]}\n"}
    assert len(place.packs()) == 1


def test_only_what_nobody_writes_is_cleared_away(tmp_path: Path) -> None:
    long_ago = time.time() - 3600
    for name in (".new-dead", ".new-alive", ".new-written", "whole"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "images.npy").touch()
        for path in (tmp_path / name, tmp_path / name / "images.npy"):
            os.utime(path, (long_ago, long_ago))
    (tmp_path / ".new-written" / "images.npy").touch()
    (tmp_path / ".new-young").mkdir()
    descriptor = os.open(tmp_path / ".new-alive", os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        remove_abandoned(tmp_path)
    finally:
        os.close(descriptor)
    assert {path.name for path in tmp_path.iterdir()} == {".new-alive", ".new-written", ".new-young", "whole"}
    remove_abandoned(tmp_path)
    assert ".new-alive" not in {path.name for path in tmp_path.iterdir()}


def test_a_disk_without_room_is_told_before_the_work(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(place.workspace.packs)._replace(free=5000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    report = CollectedReport()
    with pytest.raises(FextError, match=r"needs [\d,]+ bytes; 5,000 are free.*\n.*data.pack") as caught:
        place.open("on", report=report)
    needed = int(str(caught.value).split("needs ")[1].split(" bytes")[0].replace(",", ""))
    assert 12 * 16 * 24 * 3 < needed < 12 * 16 * 24 * 3 + 12 * 600
    assert not report.progresses
    store = place.open("auto", report=report)
    assert isinstance(store, FileImages)
    assert any(level == "warning" and "decoded as they are needed" in line for level, line in report.lines)
    assert place.packs() == []


FULL_DISK = """
mount -t tmpfs -o size=64k none "$1" || exit 77
exec "$2" - "$1" "$3" <<'CHILD'
import sys
from pathlib import Path
import shutil
from engine.errors import FextError
from engine.images.packfile import NoRoomError, write_pack
from engine.images.layout import Layout
from engine.images.scan import scan
from engine.report import CollectedReport

target = Path(sys.argv[1]) / "packs" / "key"
manifest = scan(Path(sys.argv[2]), CollectedReport())
try:
    write_pack(target, manifest, Layout(64, 64, False), 2, CollectedReport())
except NoRoomError as error:
    print(error.cause)
    print([path.name for path in target.parent.iterdir()])
CHILD
"""


def test_a_disk_that_is_full_is_told_and_cleared(place: Place, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["unshare", "--map-root-user", "--mount", "sh", "-c", FULL_DISK, "sh"]
    command += [str(disk), sys.executable, str(place.folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    except FileNotFoundError:
        pytest.skip("unshare is absent")
    if done.returncode in {1, 77}:
        pytest.skip(f"no disk of its own: {done.stderr.strip()}")
    cause, left = done.stdout.splitlines()
    assert "needs 1" in cause
    assert left == "[]"
