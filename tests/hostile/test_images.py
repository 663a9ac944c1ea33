"""Hostile image files, some hundreds of them: each is read or refused with a reason, by every task and the app.

`test_soak_images.py` reads thousands, and measures what each costs.
"""

import os
import resource
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.analysis import analyze
from engine.analysis.measuring import DEFECTS
from engine.encoding import encode
from engine.errors import FextError
from engine.images.decode import UnreadableImage, decode
from engine.images.pack import open_images
from engine.images.scan import scan
from engine.models import Autoencoder
from engine.records import Records
from engine.report import CollectedReport
from engine.settings import Settings, from_layers
from engine.training.checkpoint import Snapshot, Standing, copied, describe, point, save_state
from engine.workspace import Workspace
from fext_tui.graphics import Cell
from fext_tui.pictures import Pictures
from fext_tui.view import Place
from tests.hostile import corpus
from tests.hostile.corpus import Sample, encoded
from tests.hostile.folders import FOLLOWED, SPECIAL, everything_below, special, written
from tests.hostile.reader import Reader

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")

TINY: dict[str, Any] = {
    "data.image_height": 16, "data.image_width": 16, "model.latent_channels": 8, "model.downsampling": 8,
    "device.kind": "cpu", "device.workers": 2, "data.pack": "on", "encoding.pooling": "flatten",
}  # fmt: skip
PLACE = Place(24, 8, "quadrants", Cell(8, 16))
MOST_BYTES = 400 * 2**20
"""What reading a bomb may take; a sound picture takes up to twenty bytes a pixel."""


@dataclass(frozen=True)
class Hostile:
    """A folder of hostile files, by the names that a scan gives them."""

    folder: Path
    samples: dict[str, Sample]

    @property
    def must_be_read(self) -> set[str]:
        """Those that are sound."""
        return {name for name, sample in self.samples.items() if sample.ends == "read"} | FOLLOWED

    @property
    def must_be_refused(self) -> set[str]:
        """Those that are not, which no decoder may make a picture of."""
        return {name for name, sample in self.samples.items() if sample.ends == "refused"}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Hostile:
    folder = tmp_path_factory.mktemp("hostile") / "images"
    samples = written(folder, corpus.quick())
    special(folder)
    return Hostile(folder, {name: one for name, one in samples.items() if not name.endswith(".gif")})


@pytest.fixture
def settings() -> Settings:
    return from_layers(("", TINY))


def check_report(report: CollectedReport) -> None:
    """See that nothing of a file reaches the terminal raw."""
    for _, text in report.lines:
        assert all(character.isprintable() for character in text), repr(text)


def check_reasons(reasons: dict[str, str]) -> None:
    """See that each reason is some words."""
    for name, reason in reasons.items():
        assert 4 < len(reason) < 100, name
        assert reason.isprintable(), name


def check_endings(hostile: Hostile, read: set[str], skipped: set[str]) -> None:
    """See that each file was read or skipped, and what is sound or not as it must."""
    assert not read & skipped
    assert read | skipped == set(hostile.samples) | FOLLOWED
    assert sorted(hostile.must_be_read - read) == []
    assert sorted(hostile.must_be_refused & read) == []


@pytest.fixture
def nothing_else_is_written(hostile: Hostile, workspace: Workspace, tmp_path: Path) -> Iterator[None]:
    """See that afterwards nothing has changed but the workspace."""
    before = everything_below(hostile.folder), set(tmp_path.iterdir())
    yield
    assert (everything_below(hostile.folder), set(tmp_path.iterdir())) == before
    assert workspace.root in before[1]


@pytest.mark.usefixtures("nothing_else_is_written")
def test_an_analysis_measures_or_tells_each(
    hostile: Hostile, workspace: Workspace, records: Records, settings: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    report = CollectedReport()
    result = analyze(settings, workspace, records, report, folder=str(hostile.folder))
    dataset = records.find_dataset(hostile.folder)
    assert dataset is not None
    read = {row["path"] for row in records.image_metrics(dataset, ())}
    defects = {row["path"]: row["detail"] for kind in DEFECTS for row in records.findings(dataset, kind)}
    assert (len(read), len(defects)) == (result.images, result.skipped)
    check_endings(hostile, read, set(defects))
    check_reasons(defects)
    check_report(report)
    told = capfd.readouterr()
    assert (told.out + told.err).replace("\n", "").isprintable()


@pytest.mark.usefixtures("nothing_else_is_written")
def test_what_is_trained_on_is_sound(hostile: Hostile, workspace: Workspace, settings: Settings) -> None:
    report = CollectedReport()
    data = settings.data
    store = open_images(
        scan(hostile.folder, report), data.image_height, data.image_width, data.grayscale, "on", workspace, 2, report
    )
    skipped = dict(store.skipped)
    check_endings(hostile, {file.path for file in store.files}, set(skipped))
    check_reasons(skipped)
    check_report(report)
    assert store.batch(np.arange(len(store))).shape == (len(store), 16, 16, 3)


@pytest.mark.usefixtures("nothing_else_is_written")
def test_encoding_gives_a_vector_or_a_reason(
    hostile: Hostile, workspace: Workspace, records: Records, settings: Settings
) -> None:
    save_untrained(workspace, settings)
    report = CollectedReport()
    result = encode(settings, workspace, records, report, checkpoint="tiny", folder=str(hostile.folder))
    vectors = np.load(result.embeddings, allow_pickle=False)
    assert result.rows + result.skipped == len(hostile.samples) + len(FOLLOWED)
    assert len(hostile.must_be_refused) <= result.skipped
    assert vectors.shape == (result.rows, result.dim)
    assert np.isfinite(vectors).all()
    check_report(report)


def save_untrained(workspace: Workspace, settings: Settings) -> None:
    """Save the state of a network that nobody has trained, as ``tiny``."""
    network = Autoencoder(settings.model, 3)
    run = workspace.checkpoints / "tiny"
    run.mkdir()
    (run / "images.csv").write_text("subset,path,content_hash\r\ntrain,a.png,00\r\n")
    described = describe(settings, network, Standing(), "tiny", {"device": "CPU", "precision": "float32"})
    point(run, "last", save_state(run, Snapshot(copied(network.state_dict()), {}, Standing(), described)))


def test_the_viewer_shows_or_tells_each(hostile: Hostile, capfd: pytest.CaptureFixture[str]) -> None:
    pictures = Pictures()
    read, refused = set(), {}
    for name in hostile.samples:
        try:
            drawn = pictures.draw(hostile.folder / name, PLACE, lambda: True, small=True)
        except UnreadableImage as error:
            refused[name] = error.cause
        else:
            assert drawn
            assert 1 <= drawn[1].columns <= PLACE.columns
            read.add(name)
    check_endings(hostile, read | FOLLOWED, set(refused))
    check_reasons(refused)
    assert "\x1b" not in capfd.readouterr().err


@pytest.mark.parametrize("name", sorted(SPECIAL | {"self.png"}))
def test_what_is_no_file_is_never_opened(hostile: Hostile, name: str) -> None:
    assert name not in {file.path for file in scan(hostile.folder, CollectedReport()).files}
    with pytest.raises(UnreadableImage, match=r"not a regular file|no such file|too many levels"):
        decode(hostile.folder / name, gray=False)


def test_a_bomb_costs_little(tmp_path: Path) -> None:
    """In a process that is killed where it does not answer, and whose memory is looked at."""
    with Reader(tmp_path / "errors") as reader:
        reader.read(tmp_path / "none.png")
        for sample in corpus.bombs():
            path = tmp_path / sample.name
            path.write_bytes(sample.data)
            told = reader.read(path)
            endings = set(told.endings.values())
            assert len(endings) == 1, (sample.name, told)
            assert ("read" in endings) is not (sample.ends == "refused") or sample.ends == "either", (sample.name, told)
            assert told.bytes < MOST_BYTES, (sample.name, told)
            assert told.written.replace("\n", "").isprintable(), sample.name


def test_of_what_is_no_image_nothing_is_read(tmp_path: Path) -> None:
    """A gigabyte, all of it a hole."""
    (tmp_path / "hole.png").touch()
    os.truncate(tmp_path / "hole.png", 2**30)
    (tmp_path / "more.png").touch()
    os.truncate(tmp_path / "more.png", 2**40)
    with Reader(tmp_path / "errors") as reader:
        reader.read(tmp_path / "none.png")
        told = reader.read(tmp_path / "hole.png")
        assert set(told.endings.values()) == {"not a PNG image"}
        assert told.bytes < 16 * 2**20
        assert set(reader.read(tmp_path / "more.png").endings.values()) == {"larger than 1,024 MiB"}


# --- Files that change while they are read ----------------------------------------------------------------------


class Changing(type(Path())):  # type: ignore[misc]  the class of paths of this system
    """A path to a file that is changed by ``change`` at the moment after it was looked at."""

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        found = super().stat(follow_symlinks=follow_symlinks)
        CHANGES[self.name](Path(self))
        return found


def becomes_a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def becomes_a_link_to_a_device(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


CHANGES = {
    "gone.png": lambda path: path.unlink(),
    "pipe.png": becomes_a_pipe,
    "device.png": becomes_a_link_to_a_device,
    "shorter.png": lambda path: os.truncate(path, 500),
    "empty.png": lambda path: os.truncate(path, 0),
    "longer.png": lambda path: os.truncate(path, 2**40),
    "other.png": lambda path: path.write_bytes(encoded("JPEG")),
}


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("gone.png", "no such file or directory"),
        ("pipe.png", "not a regular file"),
        ("device.png", "not a regular file"),
        ("shorter.png", "truncated"),
        ("empty.png", r"empty \(0 bytes\)"),
        ("longer.png", "larger than"),
        ("other.png", "a JPEG image named .png"),
    ],
)
def test_a_file_that_changes_while_it_is_read_is_told(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / name).write_bytes(encoded("PNG"))
    with pytest.raises(UnreadableImage, match=reason):
        decode(Changing(tmp_path / name), gray=False)


@dataclass
class Meddling(CollectedReport):
    """A report that, when measuring or packing begins, takes files away and writes over others."""

    folder: Path = Path()

    def progress(self, phase: str, done: float, total: float, unit: str) -> None:
        if phase in {"measuring", "packing"} and not done:
            for number in range(20, 30):
                (self.folder / f"{number}.png").unlink(missing_ok=True)
            for number in range(30, 40):
                (self.folder / f"{number}.png").write_bytes(encoded("PNG")[:300])


def test_files_that_vanish_under_a_task_are_skipped(
    tmp_path: Path, workspace: Workspace, records: Records, settings: Settings
) -> None:
    folder = tmp_path / "changing"

    def fill() -> Meddling:
        folder.mkdir(exist_ok=True)
        for number in range(40):
            (folder / f"{number}.png").write_bytes(encoded("PNG", corpus.picture(20, 20 + number)))
        return Meddling(folder=folder)

    result = analyze(settings, workspace, records, fill(), folder=str(folder))
    assert (result.images, result.skipped) == (20, 20)
    report = fill()
    store = open_images(scan(folder, report), 16, 16, False, "on", workspace, 2, report)
    reasons = [reason for _, reason in store.skipped]
    assert (len(store), reasons.count("no such file or directory"), reasons.count("truncated")) == (20, 10, 10)


# --- What this user may not read --------------------------------------------------------------------------------


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Give a folder that other users may enter, unlike those of `tmp_path`."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def nobody() -> Iterator[None]:
    """Be a user whom permissions bind, where this one is root."""
    if os.geteuid():
        yield
        return
    os.seteuid(65_534)
    yield
    os.seteuid(0)


@pytest.fixture
def closed(open_folder: Path) -> Path:
    """Return a folder with a sound file, one that may not be read, and a folder that may not be entered."""
    for name in ("sound.png", "closed.png", "closed/in.png"):
        (open_folder / name).parent.mkdir(exist_ok=True)
        (open_folder / name).write_bytes(encoded("PNG"))
    (open_folder / "closed.png").chmod(0)
    (open_folder / "closed").chmod(0)
    return open_folder


@pytest.mark.usefixtures("nobody")
def test_what_may_not_be_read_is_told(closed: Path) -> None:
    report = CollectedReport()
    found = scan(closed, report)
    assert [file.path for file in found.files] == ["closed.png", "sound.png"]
    assert ("warning", "Cannot be looked at, left out: closed/") in report.lines
    with pytest.raises(UnreadableImage, match="permission denied"):
        decode(closed / "closed.png", gray=False)
    with pytest.raises(FextError, match="cannot be read: Permission denied"):
        scan(closed / "closed", report)
    assert stat.S_IMODE((closed / "closed").stat().st_mode) == 0


# --- Memory that runs out ---------------------------------------------------------------------------------------


def test_a_sound_file_is_not_called_damaged_where_memory_runs_out(tmp_path: Path) -> None:
    path = tmp_path / "large.jpg"
    path.write_bytes(encoded("JPEG", corpus.picture(40, 60).resize((9_000, 6_000))))
    before = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 80 * 2**20, before[1]))
    try:
        with pytest.raises(MemoryError):
            decode(path, gray=False)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
