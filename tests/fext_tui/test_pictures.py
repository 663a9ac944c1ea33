"""Pictures read for the screen."""

import os
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from engine.images.decode import UnreadableImage
from fext_tui.graphics import Cell
from fext_tui.pictures import Pictures, Place

PLACE = Place(20, 10, "halves", Cell(10, 20))


def save(path: Path, color: tuple[int, int, int], size: tuple[int, int] = (60, 30)) -> Path:
    PIL.Image.new("RGB", size, color).save(path)
    return path


def colors(pictures: Pictures, path: Path, place: Place = PLACE) -> set[object]:
    drawn = pictures.draw(path, place, lambda: True)
    assert drawn is not None
    return {style.bgcolor.get_truecolor() for strip in drawn[1].strips for _, style, _ in strip if style}


def test_it_draws_a_file_with_its_facts(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", (10, 200, 30))
    drawn = Pictures().draw(path, PLACE, lambda: True)
    assert drawn is not None
    facts, drawing = drawn
    assert (facts.width, facts.height, facts.channels, facts.bytes) == (60, 30, 3, path.stat().st_size)
    assert (drawing.columns, drawing.rows) == (20, 5)
    assert colors(Pictures(), path) == {(10, 200, 30)}


def test_a_file_that_changed_is_read_again(tmp_path: Path) -> None:
    pictures = Pictures()
    path = save(tmp_path / "a.png", (255, 0, 0))
    assert colors(pictures, path) == {(255, 0, 0)}
    save(path, (0, 0, 255))
    os.utime(path, ns=(1, 1))
    assert colors(pictures, path) == {(0, 0, 255)}


def test_a_kept_picture_needs_no_reading(tmp_path: Path) -> None:
    pictures = Pictures()
    path = save(tmp_path / "a.png", (1, 2, 3))
    facts = path.stat()
    assert colors(pictures, path) == {(1, 2, 3)}
    path.write_bytes(bytes(facts.st_size))
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert colors(pictures, path) == {(1, 2, 3)}
    with pytest.raises(UnreadableImage):
        pictures.draw(path, Place(30, 10, "halves", Cell(10, 20)), lambda: True)


def test_the_oldest_are_forgotten_where_there_is_no_room(tmp_path: Path) -> None:
    pictures = Pictures(kept_bytes=2 * 20 * 10 * 3)
    paths = [save(tmp_path / f"{number}.png", (number, 0, 0)) for number in range(3)]
    for path in paths:
        colors(pictures, path)
    sizes = [path.stat() for path in paths]
    for path, facts in zip(paths, sizes, strict=True):
        path.write_bytes(bytes(facts.st_size))
        os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    with pytest.raises(UnreadableImage):
        colors(pictures, paths[0])
    assert colors(pictures, paths[2]) == {(2, 0, 0)}


def test_what_nobody_wants_any_more_is_not_read(tmp_path: Path) -> None:
    broken = tmp_path / "a.png"
    broken.write_bytes(b"no picture")
    assert Pictures().draw(broken, PLACE, lambda: False) is None


def test_it_tells_why_a_file_cannot_be_shown(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    with pytest.raises(UnreadableImage, match="No such file"):
        Pictures().draw(tmp_path / "gone.png", PLACE, lambda: True)
    with pytest.raises(UnreadableImage, match="empty"):
        Pictures().draw(tmp_path / "empty.png", PLACE, lambda: True)


def test_a_gray_picture_is_seen_gray(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    PIL.Image.fromarray(np.full((40, 40), 90, np.uint8)).save(path)
    assert colors(Pictures(), path) == {(90, 90, 90)}
