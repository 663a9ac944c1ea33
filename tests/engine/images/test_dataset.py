"""The images of a run: exclusions, what is held out elsewhere, and the images a run began with."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from engine.analysis import analyze
from engine.errors import UsageError
from engine.images.dataset import TRAIN, VALIDATION, TrainingData, as_before, prepare
from engine.records import Records
from engine.report import CollectedReport
from engine.settings import Settings

Listing = list[tuple[str, str, str]]
Small = Callable[..., Settings]


class Desk:
    """Prepares images, and keeps what was told."""

    def __init__(self, records: Records, small: Small) -> None:
        self.records = records
        self.small = small
        self.report = CollectedReport()

    def prepare(self, **values: Any) -> TrainingData:
        self.report = CollectedReport()
        return prepare(self.small(**values), self.records.workspace, self.records, self.report)

    def exclude(self, folder: Path, *paths: str) -> None:
        self.records.exclude(self.records.dataset(folder), paths)

    def go_on(self, listing: Listing, *, accept: bool = False, **values: Any) -> Listing:
        return as_before(self.prepare(**values), listing, self.report, accept=accept).listing


@pytest.fixture
def desk(records: Records, small: Small) -> Desk:
    return Desk(records, small)


def names(*numbers: int) -> list[str]:
    return [f"picture_{number:03d}.png" for number in numbers]


def without(listing: Listing, *paths: str) -> Listing:
    return [entry for entry in listing if entry[1] not in paths]


# --- Exclusions -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pack", ["on", "off"])
def test_excluded_images_are_left_out_and_all_others_keep_their_side(desk: Desk, pictures: Path, pack: str) -> None:
    before = desk.prepare(data__pack=pack)
    held_out = [path for side, path, _ in before.listing if side == VALIDATION]
    out = [*names(1, 4, 7, 30), *held_out[:2]]
    desk.exclude(pictures, *out, "gone.png")
    after = desk.prepare(data__pack=pack)
    assert after.listing == without(before.listing, *out)
    assert after.excluded == {(path, content) for _, path, content in before.listing if path in out}
    assert (len(after.train), len(after.validation)) == (
        sum(side == TRAIN for side, *_ in after.listing),
        sum(side == VALIDATION for side, *_ in after.listing),
    )
    assert any(f"{len(set(out))} images are excluded" in line for _, line in desk.report.lines)


def test_included_images_are_used_again(desk: Desk, pictures: Path) -> None:
    before = desk.prepare().listing
    dataset = desk.records.dataset(pictures)
    desk.exclude(pictures, *names(1, 2, 3))
    desk.records.include(dataset, names(2))
    assert desk.prepare().listing == without(before, *names(1, 3))
    desk.records.include(dataset)
    assert desk.prepare().listing == before
    assert not [line for _, line in desk.report.lines if "excluded" in line]


def test_exclusions_survive_a_new_analysis(desk: Desk, pictures: Path) -> None:
    before = desk.prepare().listing
    desk.exclude(pictures, *names(1, 2))
    for again in (False, True):
        analyze(desk.small(analysis__metrics="exposure"), desk.records.workspace, desk.records, CollectedReport(),
                again=again)  # fmt: skip
    assert desk.prepare().listing == without(before, *names(1, 2))


def sides_in_records(desk: Desk, folder: Path) -> dict[str, str]:
    rows = desk.records.image_metrics(desk.records.dataset(folder), [])
    return {row["path"]: row["subset"] for row in rows if row["subset"]}


def test_an_analysis_divides_images_as_training_does_before_the_excluded_are_left_out(
    desk: Desk, pictures: Path
) -> None:
    desk.exclude(pictures, *names(*range(0, 40, 3)))
    listing = desk.prepare().listing
    analyze(desk.small(analysis__metrics="exposure"), desk.records.workspace, desk.records, CollectedReport())
    assert sides_in_records(desk, pictures) == {path: side for side, path, _ in listing}


def test_that_no_image_is_left_to_validate_with_is_told(desk: Desk, pictures: Path) -> None:
    before = desk.prepare().listing
    assert not [line for level, line in desk.report.lines if level == "warning"]
    desk.exclude(pictures, *(path for side, path, _ in before if side == VALIDATION))
    assert len(desk.prepare().validation) == 0
    assert [line for level, line in desk.report.lines if level == "warning" and "No image is held out" in line]


def test_images_of_a_validation_folder_can_be_excluded_too(
    desk: Desk, pictures: Path, tmp_path: Path, draw_pictures: Callable[..., Path]
) -> None:
    held_out = draw_pictures(tmp_path / "held_out", 6, seed=9)
    before = desk.prepare(data__validation_folder=str(held_out)).listing
    desk.exclude(held_out, *names(1))
    desk.exclude(pictures, *names(2))
    after = desk.prepare(data__validation_folder=str(held_out)).listing
    gone = [(TRAIN, names(2)[0]), (VALIDATION, names(1)[0])]
    assert after == [entry for entry in before if entry[:2] not in gone]
    assert len(after) == len(before) - 2


# --- Images held out elsewhere ----------------------------------------------------------------------------------


def test_images_that_nearly_equal_held_out_ones_are_not_trained_on(
    desk: Desk, pictures: Path, tmp_path: Path, draw_pictures: Callable[..., Path]
) -> None:
    held_out = draw_pictures(tmp_path / "held_out", 6, seed=9)
    shutil.copy(pictures / "picture_003.png", held_out / "the same.png")
    with Image.open(pictures / "picture_005.png") as picture:
        picture.save(held_out / "saved anew.jpg", quality=85)
    data = desk.prepare(data__validation_folder=str(held_out), data__near_distance=5)
    assert {path for side, path, _ in data.listing if side == TRAIN} == set(names(*range(40))) - set(names(3, 5))
    assert len(data.validation) == 8
    assert ("warning", "2 images are held out too; they are not trained on.") in desk.report.lines
    values = {"data__validation_folder": str(held_out), "data__near_distance": 5, "analysis__metrics": "exposure"}
    result = analyze(desk.small(**values), desk.records.workspace, desk.records, CollectedReport())
    assert (result.train_images, result.validation_images) == (38, 8)
    assert set(sides_in_records(desk, pictures)) == set(names(*range(40))) - set(names(3, 5))
    assert result.findings["leakage"] == 2
    exact = desk.prepare(data__validation_folder=str(held_out), data__near_distance=0)
    assert "picture_003.png" not in {path for side, path, _ in exact.listing if side == TRAIN}


# --- The images a run began with --------------------------------------------------------------------------------


def test_a_run_goes_on_with_images_that_were_excluded_since(desk: Desk, pictures: Path) -> None:
    desk.exclude(pictures, *names(1, 2))
    began = desk.prepare().listing
    assert desk.go_on(began) == began
    desk.exclude(pictures, *names(3, 4, 20))
    for accept in (False, True):
        assert desk.go_on(began, accept=accept) == began
    assert ("info", "Images that were excluded since the run began stay in it.") in desk.report.lines


def test_a_run_with_a_validation_folder_goes_on_likewise(
    desk: Desk, pictures: Path, tmp_path: Path, draw_pictures: Callable[..., Path]
) -> None:
    held_out = draw_pictures(tmp_path / "held_out", 6, seed=9)
    began = desk.prepare(data__validation_folder=str(held_out)).listing
    desk.exclude(pictures, *names(3, 4))
    desk.exclude(held_out, *names(0))
    assert desk.go_on(began, data__validation_folder=str(held_out)) == began


def test_images_that_are_gone_or_included_again_are_no_exclusions(desk: Desk, pictures: Path) -> None:
    desk.exclude(pictures, *names(1))
    began = desk.prepare().listing
    (pictures / "picture_010.png").unlink()
    desk.exclude(pictures, *names(2))
    with pytest.raises(UsageError, match="0 new or changed, 1 gone"):
        desk.go_on(began)
    desk.records.include(desk.records.dataset(pictures), names(1))
    with pytest.raises(UsageError, match="1 new or changed, 1 gone"):
        desk.go_on(began)


def test_accepted_changes_leave_excluded_images_out(desk: Desk, pictures: Path) -> None:
    desk.exclude(pictures, *names(1))
    began = desk.prepare().listing
    sides = {path: side for side, path, _ in began}
    (pictures / "picture_010.png").unlink()
    desk.exclude(pictures, *names(2))
    went_on = desk.go_on(began, accept=True)
    assert {path: side for side, path, _ in went_on} == {
        path: side for path, side in sides.items() if path not in names(2, 10)
    }
