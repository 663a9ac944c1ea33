"""Finding images: all of them, once, in one order, whatever the folder holds."""

import os
from pathlib import Path

import pytest

from engine.errors import FextError, Stopped, UsageError
from engine.images.scan import EXTENSIONS, Manifest, scan
from engine.report import CollectedReport


def fill(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())


def paths(folder: Path) -> list[str]:
    return [file.path for file in scan(folder, CollectedReport()).files]


def test_images_are_found_in_all_folders_and_sorted(tmp_path: Path) -> None:
    fill(tmp_path, "b.png", "a.JPG", "z/c.webp", "z/a/d.TIFF", "y/e.bmp", "k.tif", "l.Jpeg")
    fill(tmp_path, "notes.txt", "z/movie.gif", "png", "noextension", ".new-x/half.png", "z/._b.png")
    assert paths(tmp_path) == ["a.JPG", "b.png", "k.tif", "l.Jpeg", "y/e.bmp", "z/a/d.TIFF", "z/c.webp"]
    assert {"." + name.rpartition(".")[2].lower() for name in paths(tmp_path)} == EXTENSIONS


def test_size_and_time_are_told(tmp_path: Path) -> None:
    fill(tmp_path, "a.png")
    os.utime(tmp_path / "a.png", ns=(5, 1_234_567_890))
    (file,) = scan(tmp_path, CollectedReport()).files
    assert (file.bytes, file.modified_ns) == (5, 1_234_567_890)


def test_links_are_followed_but_nothing_counts_twice(tmp_path: Path) -> None:
    folder, outside = tmp_path / "in", tmp_path / "out"
    fill(folder, "z/a.png", "b.png")
    fill(outside, "c.png", "deep/d.png")
    (folder / "a_link_to_z").symlink_to("z")
    (folder / "z" / "up").symlink_to("..")
    (folder / "z" / "self").symlink_to("self")
    (folder / "linked.png").symlink_to(outside / "c.png")
    (folder / "outside").symlink_to(outside)
    (folder / "outside_again").symlink_to(outside / "deep")
    assert paths(folder) == ["b.png", "linked.png", "outside/c.png", "outside/deep/d.png", "z/a.png"]


def test_what_is_no_regular_file_is_left_out(tmp_path: Path) -> None:
    fill(tmp_path, "a.png")
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "folder.png").mkdir()
    fill(tmp_path, "folder.png/inside.png")
    assert paths(tmp_path) == ["a.png", "folder.png/inside.png"]


def test_broken_links_are_told(tmp_path: Path) -> None:
    fill(tmp_path, "a.png")
    (tmp_path / "gone\n.png").symlink_to("nowhere.png")
    report = CollectedReport()
    scan(tmp_path, report)
    assert [line for level, line in report.lines if level == "warning"] == [
        "Cannot be looked at, left out: gone\\n.png"
    ]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_folders_that_may_not_be_read_are_told(tmp_path: Path) -> None:
    fill(tmp_path, "a.png", "closed/b.png")
    (tmp_path / "closed").chmod(0)
    report = CollectedReport()
    try:
        assert len(scan(tmp_path, report).files) == 1
    finally:
        (tmp_path / "closed").chmod(0o755)
    assert "closed" in report.lines[0][1]


def test_names_of_any_bytes(tmp_path: Path) -> None:
    names = [b"caf\xe9.png", "café.png".encode(), b"two\nlines.png", b"[bold]x\x1b[31m.png", b"-rf.png", b"a b.png"]
    for name in names:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_bytes(b"x")
    manifest = scan(tmp_path, CollectedReport())
    assert sorted(os.fsencode(file.path) for file in manifest.files) == sorted(names)
    assert all((manifest.folder / file.path).exists() for file in manifest.files)
    assert len(manifest.key) == 32


def test_the_key_tells_names_sizes_and_times(tmp_path: Path) -> None:
    fill(tmp_path, "a.png", "b.png")

    def key() -> str:
        return scan(tmp_path, CollectedReport()).key

    keys = {key()}
    assert key() in keys
    os.utime(tmp_path / "a.png", ns=(0, 7))
    keys.add(key())
    (tmp_path / "b.png").write_bytes(b"longer than before")
    keys.add(key())
    (tmp_path / "b.png").rename(tmp_path / "c.png")
    keys.add(key())
    fill(tmp_path, "d.png")
    keys.add(key())
    assert len(keys) == 5


def test_a_sample_is_a_share_in_order(tmp_path: Path) -> None:
    fill(tmp_path, *(f"{number % 3}/{number:03d}.png" for number in range(90)))
    whole = scan(tmp_path, CollectedReport())
    half, third = whole.sample(0.5, 1), whole.sample(0.3, 1)
    assert len(half.files) == 45
    assert list(half.files) == sorted(half.files, key=lambda file: file.path)
    assert set(third.files) < set(half.files) < set(whole.files)
    assert whole.sample(0.5, 1).key == half.key != whole.sample(0.5, 2).key
    assert {file.path[0] for file in half.files} == {"0", "1", "2"}
    assert whole.sample(1.0, 1) is whole
    assert len(whole.sample(0.0001, 1).files) == 1


def test_a_sample_keeps_its_files_when_others_come(tmp_path: Path) -> None:
    fill(tmp_path, *(f"{number:03d}.png" for number in range(100)))
    before = scan(tmp_path, CollectedReport())
    grown = Manifest(tmp_path, before.files[:98])
    kept = set(before.sample(0.5, 3).files) & set(grown.sample(0.5, 3).files)
    assert len(kept) >= 48


def test_missing_and_empty_folders_are_told(tmp_path: Path) -> None:
    report = CollectedReport()
    with pytest.raises(UsageError, match="does not exist"):
        scan(tmp_path / "nowhere", report)
    fill(tmp_path, "file.png")
    with pytest.raises(UsageError, match="neither a folder nor a list"):
        scan(tmp_path / "file.png", report)
    (tmp_path / "empty").mkdir()
    fill(tmp_path, "empty/notes.txt")
    with pytest.raises(FextError, match=r"no image.*\n.*\.png") as caught:
        scan(tmp_path / "empty", report)
    assert not isinstance(caught.value, UsageError)


def test_progress_and_stop(tmp_path: Path) -> None:
    fill(tmp_path, "a.png", "b.png")
    report = CollectedReport()
    scan(tmp_path, report)
    assert report.progresses[-1] == ("scanning", 2, 2, "images")
    with pytest.raises(Stopped):
        scan(tmp_path, CollectedReport(stop=True))
