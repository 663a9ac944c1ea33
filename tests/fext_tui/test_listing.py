"""The pictures of a folder, told in portions."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.images.scan import scan
from engine.report import CollectedReport
from fext_tui.listing import count_pictures, is_picture, merged, picture_names


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_it_lists_what_the_engine_scans(tmp_path: Path, hostile: str) -> None:
    touch(
        tmp_path,
        "b.JPG",
        "a.png",
        "notes.txt",
        "x/y/c.webp",
        ".new-1/d.png",
        "._e.png",
        f"{hostile.replace('/', '')}.png",
        "é.tiff",
    )
    (tmp_path / "link").symlink_to(tmp_path / "x")
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "x" / "circle").symlink_to(tmp_path)
    listed = merged(list(picture_names(tmp_path)))
    assert listed == [file.path for file in scan(tmp_path, CollectedReport()).files]
    assert f"{hostile.replace('/', '')}.png" in listed


def test_a_folder_that_only_a_link_leads_to_is_listed_by_the_link(tmp_path: Path) -> None:
    touch(tmp_path / "outside", "a.png")
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "link").symlink_to(tmp_path / "outside")
    assert merged(list(picture_names(tmp_path / "inside"))) == ["link/a.png"]


def test_it_comes_in_sorted_portions(tmp_path: Path) -> None:
    touch(tmp_path, *(f"{number}.png" for number in range(25)))
    portions = list(picture_names(tmp_path, portion=10))
    assert [len(portion) for portion in portions] == [10, 10, 5]
    assert all(portion == sorted(portion) for portion in portions)
    assert merged(portions) == sorted(f"{number}.png" for number in range(25))


@given(st.lists(st.lists(st.text(), max_size=8).map(sorted), max_size=5))
def test_merged_portions_are_sorted_and_whole(portions: list[list[str]]) -> None:
    assert merged(portions) == sorted(name for portion in portions for name in portion)


def test_a_folder_that_cannot_be_read_is_told_where_it_is_the_chosen_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(picture_names(tmp_path / "gone"))
    assert count_pictures(tmp_path / "gone", lambda: True, 5) == (0, True, "No such file or directory")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_folder_below_that_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "closed/b.png")
    (tmp_path / "closed").chmod(0)
    assert merged(list(picture_names(tmp_path))) == ["a.png"]


def test_counting_ends_when_nobody_waits_or_time_is_up(tmp_path: Path) -> None:
    touch(tmp_path, *(f"{number}.png" for number in range(450)))
    assert count_pictures(tmp_path, lambda: True, 60) == (450, True, "")
    assert count_pictures(tmp_path, lambda: False, 60) == (200, False, "")
    assert count_pictures(tmp_path, lambda: True, -1) == (200, False, "")


def test_extensions_count_in_any_case_and_alone() -> None:
    assert is_picture("a.JpEg")
    assert is_picture(".png")
    assert not is_picture("png")
    assert not is_picture("a.png.txt")
