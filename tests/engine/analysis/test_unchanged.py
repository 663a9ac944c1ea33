"""Files that did not change are not measured again, and what was measured in parts is what one go gives."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from engine.analysis import AnalysisResult, measuring
from engine.errors import Stopped
from engine.records import Records
from engine.report import CollectedReport
from engine.settings import METRIC_GROUPS
from engine.workspace import Workspace
from tests.engine.analysis.bench import BAD, Bench
from tests.engine.analysis.bench import QUICK as METRICS

QUICK = METRICS | {"data__validation_fraction": 0.0}
READABLE = 23


def spoil(path: Path) -> None:
    """Overwrite a file with nonsense of its size, and leave its time as it was."""
    status = path.stat()
    path.write_bytes(bytes(status.st_size))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def kept(result: AnalysisResult) -> Mapping[str, Any]:
    """Return what does not depend on when and where it was found."""
    own = {"seconds", "plots", "unchanged", "csv", "parquet"}
    return {name: value for name, value in vars(result).items() if name not in own}


def remembered(bench: Bench) -> tuple[Any, ...]:
    """Return all that the records hold of a dataset but numbers."""
    metrics = {path: dict(row) for path, row in bench.rows(*METRIC_GROUPS).items()}
    prints = bench.records.fingerprints(bench.dataset)
    paths = bench.records.paths(prints.numbers.tolist())
    thumbnails = bench.records.thumbnails(prints.numbers.tolist())
    hashes = zip(prints.contents.tolist(), prints.pixels.tolist(), prints.perceptual.tolist(), strict=True)
    known = {
        paths[number]: (*own, thumbnails[number]) for number, own in zip(prints.numbers.tolist(), hashes, strict=True)
    }
    levels = {paths[number]: data for number, data in bench.records.levels(bench.dataset)}
    for row in metrics.values():
        del row["id"]
    findings = [
        {name: value for name, value in row.items() if name != "id"} for row in bench.records.findings(bench.dataset)
    ]
    histograms = {channel: bench.histograms(channel) for channel in ("gray", "red", "green", "blue")}
    return metrics, known, levels, findings, histograms


@dataclass
class StopsAfter(CollectedReport):
    """Says stop once it was asked so many times."""

    asked: int = 0
    patience: int = 0

    def stopping(self) -> bool:
        self.asked += 1
        return self.asked > self.patience


def test_a_second_analysis_measures_nothing_and_tells_the_same(bench: Bench) -> None:
    first = bench.analyze()
    before = remembered(bench)
    for path in bench.rows():
        spoil(bench.folder / path)
    second = bench.analyze()
    assert (first.unchanged, second.unchanged) == (0, READABLE)
    assert kept(second) == kept(first)
    assert remembered(bench) == before
    assert any(f"{READABLE} of them before" in text for _, text in bench.report.lines)
    assert bench.report.progresses[-2][1:3] == (27, 27)


def test_a_stop_is_obeyed_while_nothing_is_measured(
    bench: Bench, tmp_path: Path, draw_pictures: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.folder = draw_pictures(tmp_path / "plain", 20)
    bench.analyze(**QUICK)
    bench.report = StopsAfter(patience=5)
    monkeypatch.setattr(measuring, "_BATCH", 2)
    with pytest.raises(Stopped):
        bench.analyze(**QUICK)
    assert len(bench.rows()) == 20


@pytest.mark.parametrize("change", ["content", "time"])
def test_a_changed_file_alone_is_measured_anew(bench: Bench, change: str) -> None:
    bench.analyze(**QUICK)
    numbers = {path: row["id"] for path, row in bench.rows().items()}
    changed = bench.folder / "picture_003.png"
    spoil(bench.folder / "picture_004.png")
    if change == "content":
        Image.new("RGB", (41, 40), "black").save(changed)
    else:
        os.utime(changed, ns=(1, 1))
    result = bench.analyze(**QUICK)
    assert (result.images, result.unchanged, result.skipped) == (READABLE, READABLE - 1, len(BAD))
    rows = bench.rows("exposure")
    assert (rows["picture_003.png"]["underexposed_pct"] == 100) == (change == "content")
    assert {path: row["id"] for path, row in rows.items()} == numbers


def test_no_metric_of_a_changed_file_is_taken_for_one_of_what_it_is_now(bench: Bench) -> None:
    both = QUICK | {"analysis__metrics": "exposure,entropy"}
    bench.analyze(**both)
    Image.new("RGB", (41, 40), "black").save(bench.folder / "picture_003.png")
    assert bench.analyze(**QUICK).unchanged == READABLE - 1
    row = bench.rows("exposure", "entropy")["picture_003.png"]
    assert (row["mean_gray"], row["entropy_bits"]) == (0, None)
    assert bench.analyze(**both).unchanged == READABLE - 1
    assert bench.rows("entropy")["picture_003.png"]["entropy_bits"] == 0


def test_all_are_measured_anew_where_that_is_asked_for(bench: Bench) -> None:
    bench.analyze(**QUICK)
    spoil(bench.folder / "picture_003.png")
    result = bench.analyze(**QUICK, again=True)
    assert (result.images, result.unchanged, result.skipped) == (READABLE - 1, 0, len(BAD) + 1)
    assert "picture_003.png" not in bench.rows()
    assert bench.records.findings(bench.dataset, "unreadable")[-1]["path"] == "picture_003.png"


def test_another_form_in_training_or_another_group_is_measured(bench: Bench) -> None:
    bench.analyze(**QUICK | {"analysis__metrics": "exposure,entropy"})
    assert bench.analyze(**QUICK).unchanged == READABLE
    assert bench.analyze(**QUICK | {"analysis__metrics": "exposure,color"}).unchanged == 0
    assert bench.analyze(**QUICK | {"analysis__metrics": "exposure,color,entropy"}).unchanged == READABLE
    assert bench.analyze(**QUICK, data__image_height=16).unchanged == 0
    assert bench.analyze(**QUICK, data__image_height=16, data__grayscale=True).unchanged == 0


def test_a_file_that_is_mended_is_measured(bench: Bench) -> None:
    bench.analyze(**QUICK)
    Image.new("RGB", (30, 30), "red").save(bench.folder / "b" / "empty.png")
    result = bench.analyze(**QUICK)
    assert (result.images, result.unchanged, result.skipped) == (READABLE + 1, READABLE, len(BAD) - 1)
    assert "b/empty.png" not in {row["path"] for row in bench.records.findings(bench.dataset, "unreadable")}


def test_what_one_folder_holds_is_not_taken_for_what_another_does(
    bench: Bench, tmp_path: Path, draw_pictures: Any
) -> None:
    bench.analyze(**QUICK)
    other = Bench(bench.workspace, bench.records, draw_pictures(tmp_path / "other", 14))
    for path in other.folder.iterdir():
        status = (bench.folder / path.name).stat()
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert other.analyze(**QUICK).unchanged == 0


@pytest.mark.parametrize("patience", [13, 20, 28])
def test_a_stopped_analysis_goes_on_with_what_it_left(
    bench: Bench, patience: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(measuring, "_BATCH", 4)
    table = tmp_path / "table.csv"
    table.write_text("older")
    stopping = Bench(bench.workspace, bench.records, bench.folder, StopsAfter(patience=patience))
    with pytest.raises(Stopped):
        stopping.analyze(csv=str(table), **QUICK)
    stored = len(bench.rows())
    assert 0 < stored < READABLE
    assert stored % 4 == 0
    assert bench.histograms() == {}
    assert table.read_text() == "older"
    spoil(bench.folder / next(iter(bench.rows())))
    resumed = bench.analyze(csv=str(table), **QUICK)
    assert resumed.unchanged == stored
    assert (resumed.images, resumed.skipped) == (READABLE, len(BAD))


def test_a_resumed_analysis_equals_a_fresh_one_exactly(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(measuring, "_BATCH", 4)
    fresh_table, table = tmp_path / "fresh.csv", tmp_path / "resumed.csv"
    with Records(Workspace(tmp_path / "fresh").create()) as records:
        fresh = Bench(records.workspace, records, bench.folder)
        expected = kept(fresh.analyze(csv=str(fresh_table)))
        everything = remembered(fresh)
    for patience in (14, 12, 18):
        stopping = Bench(bench.workspace, bench.records, bench.folder, StopsAfter(patience=patience))
        with pytest.raises(Stopped):
            stopping.analyze()
    resumed = bench.analyze(csv=str(table), device__workers=1)
    assert 0 < resumed.unchanged < READABLE
    assert kept(resumed) == expected
    assert remembered(bench) == everything
    assert table.read_bytes() == fresh_table.read_bytes()


def test_images_measured_in_gray_and_in_color_are_compared(bench: Bench) -> None:
    shutil.copy(bench.folder / "picture_000.png", bench.folder / "twin.png")
    with Image.open(bench.folder / "picture_001.png") as picture:
        picture.convert("RGB").save(bench.folder / "near.jpg", quality=95)
    bench.analyze(**QUICK)
    result = bench.analyze(**QUICK, data__grayscale=True, analysis__sample_fraction=0.5)
    assert result.findings["duplicate"] >= 1


def test_a_name_that_is_nothing_but_an_extension(bench: Bench) -> None:
    with Image.open(bench.folder / "picture_000.png") as picture:
        picture.convert("RGB").save(bench.folder / "named.jpg")
    (bench.folder / "named.jpg").rename(bench.folder / ".jpg")
    bench.analyze(**QUICK)
    assert bench.rows()[".jpg"]["format"] == "JPEG"
