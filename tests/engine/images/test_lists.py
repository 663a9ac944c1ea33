"""Lists of paths in place of folders: in scanning, in training and in analysis."""

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.analysis import analyze
from engine.errors import FextError, UsageError
from engine.images.dataset import prepare
from engine.images.scan import Manifest, scan
from engine.records import Records
from engine.report import CollectedReport
from engine.settings import from_layers

ODD = os.fsdecode(b"caf\xe9.png")


def fill(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * (1 + len(name)))


def scanned(path: Path, report: CollectedReport | None = None) -> Manifest:
    return scan(path, report or CollectedReport())


def paths(path: Path) -> list[str]:
    return [file.path for file in scanned(path).files]


@pytest.mark.parametrize(
    ("before", "after"), [("", "\n"), ("", "\r\n"), ("", "\0"), ("\n", "\n\n"), ("\r\n", "\r\n"), ("", "\r")]
)
def test_a_list_has_a_path_a_line_or_after_each_a_zero(tmp_path: Path, before: str, after: str) -> None:
    names = ["b.png", "deep/a b.JPG", "ünï/日本.webp", ODD, "-rf.tif", "[x]'\".bmp"]
    fill(tmp_path, *names, "not_named.png")
    (tmp_path / "list.txt").write_bytes(os.fsencode(before + "".join(name + after for name in names)))
    manifest = scanned(tmp_path / "list.txt")
    assert [file.path for file in manifest.files] == sorted(names)
    assert (manifest.folder, manifest.root) == (tmp_path / "list.txt", tmp_path)
    assert [file.bytes for file in manifest.files] == [1 + len(name) for name in sorted(names)]
    assert [file.modified_ns for file in manifest.files] == [
        (tmp_path / name).stat().st_mtime_ns for name in sorted(names)
    ]


def test_the_last_line_needs_no_end(tmp_path: Path) -> None:
    fill(tmp_path, "a.png", "b.png")
    (tmp_path / "list").write_text("a.png\nb.png")
    assert paths(tmp_path / "list") == ["a.png", "b.png"]


def test_names_with_line_breaks_can_be_told_with_zeros(tmp_path: Path) -> None:
    fill(tmp_path, "two\nlines.png", "three\r\nlines.png")
    (tmp_path / "list").write_bytes(b"two\nlines.png\0three\r\nlines.png")
    assert paths(tmp_path / "list") == ["three\r\nlines.png", "two\nlines.png"]


def test_a_path_counts_once_however_it_is_written(tmp_path: Path) -> None:
    fill(tmp_path, "a.png", "in/b.png")
    (tmp_path / "list").write_text("a.png\n./a.png\nin/../a.png\nin//b.png\nin/b.png\na.png\n")
    assert paths(tmp_path / "list") == ["a.png", "in/b.png"]


def test_paths_may_be_absolute_or_lead_out_of_the_folder(tmp_path: Path) -> None:
    fill(tmp_path, "out/a.png", "lists/b.png", "c.png")
    absolute = str(tmp_path / "out" / "a.png")
    (tmp_path / "lists" / "list").write_text(f"b.png\n../c.png\n{absolute}\n")
    manifest = scanned(tmp_path / "lists" / "list")
    assert [file.path for file in manifest.files] == sorted(["../c.png", absolute, "b.png"])
    assert all((manifest.root / file.path).is_file() for file in manifest.files)


def test_what_is_missing_or_no_image_is_warned_of(tmp_path: Path) -> None:
    fill(tmp_path, "a.png", "notes.txt", "d.png/e.png")
    os.mkfifo(tmp_path / "pipe.png")
    lines = ["a.png", "gone\x1b.png", "notes.txt", "d.png", "pipe.png", "x" * 300 + ".png"]
    (tmp_path / "list").write_text("\n".join(lines))
    report = CollectedReport()
    assert [file.path for file in scanned(tmp_path / "list", report).files] == ["a.png"]
    warnings = [line for level, line in report.lines if level == "warning"]
    assert [line.removeprefix("Cannot be looked at, left out: ") for line in warnings[:3]] == [
        "gone\\x1b.png", "notes.txt", "d.png",
    ]  # fmt: skip
    assert warnings[3:] == ["Left out likewise: 2 more."]


def test_images_are_found_though_the_list_is_gone_since(tmp_path: Path) -> None:
    fill(tmp_path, "a.png")
    (tmp_path / "list").write_text("a.png")
    manifest = scanned(tmp_path / "list")
    assert (manifest.root / "a.png").is_file()
    (tmp_path / "list").unlink()
    assert (manifest.root / "a.png").is_file()


def test_a_list_of_images_that_are_all_gone_says_so(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("a.png\nb.png\n")
    with pytest.raises(FextError, match="no image"):
        scanned(tmp_path / "list")


@pytest.mark.parametrize("content", [b"", b"\n\n", b"some words\nand more\n", bytes(range(256)), b"\0\0\0"])
def test_a_file_that_is_no_list_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(UsageError, match="neither a folder nor a list") as caught:
        scanned(tmp_path / "file")
    assert "on each line" in caught.value.remedy


def test_a_picture_is_refused_as_a_list(tmp_path: Path) -> None:
    (tmp_path / "picture.PNG").write_bytes(b"\x89PNG\r\n\x1a\n\nother.png\n")
    fill(tmp_path, "other.png")
    with pytest.raises(UsageError, match="neither a folder nor a list"):
        scanned(tmp_path / "picture.PNG")


def test_the_key_and_the_sample_are_those_of_the_files(tmp_path: Path) -> None:
    names = [f"{number:02d}.png" for number in range(40)]
    fill(tmp_path / "images", *names)
    shuffled = random.Random(1).sample(names, len(names))
    (tmp_path / "images" / "list").write_text("\n".join(shuffled))
    folder, listed = scanned(tmp_path / "images"), scanned(tmp_path / "images" / "list")
    assert listed.files == folder.files
    assert listed.key == folder.key
    assert listed.sample(0.3, 5).files == folder.sample(0.3, 5).files
    assert listed.sample(0.3, 5).root == tmp_path / "images"


names = st.lists(
    st.text(
        st.characters(exclude_characters="/\0\r\n\x0b\x0c\x1c\x1d\x1e\x85", exclude_categories=["Cs"]), max_size=12
    ),
    min_size=1,
    max_size=8,
)


@given(names, st.sampled_from(["\n", "\r\n", "\0"]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
def test_any_names_are_found(tmp_path_factory: pytest.TempPathFactory, stems: list[str], end: str) -> None:
    folder = tmp_path_factory.mktemp("names")
    written = sorted({f"x{stem}.png" for stem in stems})
    fill(folder, *written)
    (folder / "list").write_bytes(end.join(written).encode())
    assert paths(folder / "list") == written


# --- In use -----------------------------------------------------------------------------------------------------


def test_training_and_analysis_work_on_the_images_of_a_list(
    records: Records, tmp_path: Path, draw_pictures: Callable[..., Path]
) -> None:
    folder = draw_pictures(tmp_path / "images", 12)
    (folder / "picture_000.png").rename(folder / ODD)
    chosen = [ODD, *(f"picture_{number:03d}.png" for number in range(3, 10)), str(folder / "picture_011.png")]
    listed = folder / "chosen.txt"
    listed.write_bytes(os.fsencode("\r\n".join([*chosen, "gone.png"])))
    for pack in ("on", "off"):
        values = {"data.folder": str(listed), "data.image_height": 32, "data.image_width": 32, "data.pack": pack}
        chosen_settings = from_layers(("", values))
        report = CollectedReport()
        data = prepare(chosen_settings, records.workspace, records, report)
        assert sorted(path for _, path, _ in data.listing) == sorted([*chosen[:-1], "picture_011.png"])
        assert ("warning", "Cannot be looked at, left out: gone.png") in report.lines
        assert data.train.batch(data.train.rows[:0]).shape == (0, 32, 32, 3)
    result = analyze(chosen_settings, records.workspace, records, CollectedReport())
    assert (result.images, result.folder) == (9, str(listed))
    dataset = records.find_dataset(listed)
    assert dataset is not None
    sides = {row["path"]: row["subset"] for row in records.image_metrics(dataset, [])}
    assert sides == {path: subset for subset, path, _ in data.listing}
    assert records.find_dataset(folder) is None
    records.exclude(dataset, [ODD])
    assert ODD not in {
        path for _, path, _ in prepare(chosen_settings, records.workspace, records, CollectedReport()).listing
    }
    listed.write_text("picture_003.png\npicture_004.png\n")
    again = analyze(chosen_settings, records.workspace, records, CollectedReport())
    assert (again.images, again.unchanged) == (2, 2)
    assert records.count_images(dataset) == 2
