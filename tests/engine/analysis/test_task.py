"""The analysis of real folders, into real records."""

import csv
import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from engine.analysis import analyze, measuring
from engine.analysis.distribution import level_distances
from engine.analysis.measuring import DEFECTS
from engine.errors import FextError, Stopped, UsageError
from engine.images.pack import open_images
from engine.images.scan import scan
from engine.images.split import split
from engine.records import Records
from engine.records.schema import columns_of
from engine.report import CollectedReport
from engine.settings import METRIC_GROUPS
from engine.workspace import Workspace
from tests.engine.analysis.bench import BAD, QUICK, STRANGE, Bench, Draw, settings_with
from tests.engine.analysis.naive_metrics import NAIVE

GOLDEN_COLUMNS = (
    "name,height,width,mean,median,std,min,max,pixel_range,noise_std,noise_ratio,underexposed_pct,overexposed_pct,"
    "midtone_pct,mean_gray,entropy_bits,normalized_entropy,var_laplacian,tenengrad,spectral_highfreq_ratio,"
    "colorfulness,mean_saturation,low_sat_pct,high_sat_pct,edge_density,mean_gradient,lbp_energy,lbp_entropy"
)


def read(folder: Path, path: str) -> Any:
    """Read as OpenCV does by itself."""
    data = np.frombuffer((folder / path).read_bytes(), np.uint8)
    return cv2.imdecode(data, cv2.IMREAD_COLOR)


def test_a_folder_is_measured_and_remembered(bench: Bench) -> None:
    result = bench.analyze()
    assert (result.images, result.skipped, result.folder) == (23, 4, str(bench.folder))
    rows = bench.rows(*METRIC_GROUPS)
    assert len(rows) == 23
    assert STRANGE in rows
    total = np.zeros(256, np.int64)
    for path, row in rows.items():
        picture = read(bench.folder, path)
        total += np.bincount(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).ravel(), minlength=256)
        for group in METRIC_GROUPS:
            expected = NAIVE[group](picture)
            assert {name: row[name] for name in expected} == pytest.approx(expected, rel=1e-4, abs=1e-6), path
    assert bench.histograms()["all"] == (23, total.tolist())
    assert rows["turned.JPG"]["height"] == 400
    formats = {name: rows[name]["format"] for name in ("turned.JPG", "gray.tif", "b/wide.bmp", "b/clear.png")}
    assert list(formats.values()) == ["JPEG", "TIFF", "BMP", "PNG"]
    assert rows["gray.tif"]["bytes"] == (bench.folder / "gray.tif").stat().st_size


def test_bad_files_are_listed_with_their_kinds_and_reasons(bench: Bench) -> None:
    bench.analyze(**QUICK)
    told = [row for row in bench.records.findings(bench.dataset) if row["kind"] in DEFECTS]
    assert {row["path"]: (row["kind"], row["detail"]) for row in told} == {
        "cut.jpg": ("truncated", "truncated"),
        "b/empty.png": ("unreadable", "empty (0 bytes)"),
        "b/words.webp": ("unreadable", "not a WEBP image"),
        "mislabeled.jpg": ("wrong_extension", "a PNG image named .jpg"),
    }
    warnings = [text for level, text in bench.report.lines if level == "warning"]
    assert any("cut.jpg: truncated" in text for text in warnings)
    assert any("4 could not be read" in text for _, text in bench.report.lines)


def test_the_split_is_the_one_that_training_makes(bench: Bench) -> None:
    result = bench.analyze(**QUICK)
    store = open_images(scan(bench.folder, bench.report), 32, 32, False, "off", bench.workspace, 1, bench.report)
    expected = split(store, 0.2, 42, 3)
    rows = bench.rows()
    for side, numbers in zip(("train", "validation"), expected, strict=True):
        assert {store.files[number].path for number in numbers} == {
            p for p, row in rows.items() if row["subset"] == side
        }
    assert (result.train_images, result.validation_images) == tuple(map(len, expected))
    assert result.validation_images > 0


def test_the_histograms_of_both_sides_are_compared(bench: Bench) -> None:
    result = bench.analyze(**QUICK)
    histograms = {name: np.array(counts) for name, (_, counts) in bench.histograms().items()}
    assert np.array_equal(histograms["train"] + histograms["validation"], histograms["all"])
    assert result.distances == level_distances(histograms["train"], histograms["validation"])
    assert result.distances
    assert f"Wasserstein {result.distances.wasserstein:.2f}" in result.summary
    assert ("info", result.summary) in bench.report.lines


def test_figures_are_drawn(bench: Bench) -> None:
    result = bench.analyze()
    names = ["pixel_distribution.png", "metrics.png", "train_validation.png", "metrics_train_validation.png"]
    assert result.plots == [str(bench.workspace.dataset_plots / name) for name in names]
    assert [("plot", Path(plot)) for plot in result.plots] == bench.report.artifacts
    for plot in result.plots:
        with Image.open(plot) as image:
            assert image.format == "PNG"
            assert 700 <= image.height <= image.width <= 2000
    bench.analyze(**QUICK, data__validation_fraction=0.0)
    assert {path.name for path in bench.workspace.dataset_plots.iterdir()} == set(names[:2])


@pytest.mark.parametrize(
    ("groups", "rows"), [("entropy", 1), ("exposure,statistics", 2), ("texture,edges,statistics,color", 3)]
)
def test_the_overview_has_a_panel_for_every_metric(bench: Bench, groups: str, rows: int) -> None:
    plots = bench.analyze(analysis__metrics=groups).plots
    for plot in (plots[1], plots[3]):
        with Image.open(plot) as image:
            assert image.height == 90 + 205 * rows


def test_the_result_is_json_and_progress_is_told(bench: Bench) -> None:
    told = json.loads(json.dumps(asdict(bench.analyze(**QUICK))))
    assert {"images", "skipped", "seconds", "folder", "plots", "csv"} <= set(told)
    assert told["seconds"] > 0
    phases = dict.fromkeys((phase, unit) for phase, _, _, unit in bench.report.progresses)
    assert list(phases) == [("scanning", "images"), ("measuring", "images"), ("comparing", "images")]
    measuring_told = [progress for progress in bench.report.progresses if progress[0] == "measuring"]
    assert measuring_told[-1] == ("measuring", 27, 27, "images")


def test_figures_of_the_moment_are_told(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "_TOLD_EVERY_SECONDS", 0.0)
    bench.analyze(**QUICK)
    told = [text for _, text in bench.report.lines if "images a second" in text]
    assert len(told) == 27
    assert told[-1].startswith("27 of 27 images, 4 of them unreadable")


def test_the_table_has_one_row_an_image(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    result = bench.analyze(csv=str(path))
    assert result.csv == str(path)
    assert ("table", path) in bench.report.artifacts
    with path.open(encoding="utf-8", newline="") as file:
        header, *lines = list(csv.reader(file))
    assert ",".join(header) == GOLDEN_COLUMNS
    rows = bench.rows(*METRIC_GROUPS)
    names = {name.encode(errors="backslashreplace").decode(): name for name in rows}
    assert [names[line[0]] for line in lines] == [*sorted(set(rows) - {STRANGE}), STRANGE]
    for line in lines:
        row = rows[names[line[0]]]
        assert line[1:] == [f"{row[column]:.9g}" for column in header[1:]]


def test_the_table_equals_the_stored_one(bench: Bench, golden: Path, tmp_path: Path) -> None:
    bench.folder = golden / "images"
    path = tmp_path / "table.csv"
    assert bench.analyze(csv=str(path)).images == 24
    with path.open(newline="") as ours, (golden / "statistics.csv").open(newline="") as theirs:
        measured = {row.pop("name"): row for row in csv.DictReader(ours)}
        expected = {row.pop("name"): row for row in csv.DictReader(theirs)}
    assert set(measured) == set(expected)
    for name, row in expected.items():
        for column, value in row.items():
            assert float(measured[name][column]) == pytest.approx(float(value), rel=1e-4, abs=1e-6), (name, column)
    counts = np.loadtxt(golden / "gray_histogram.csv", dtype=np.int64)
    assert bench.histograms()["all"][1] == counts.tolist()


def test_only_chosen_groups_are_stored_and_tabled(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    bench.analyze(csv=str(path), analysis__metrics="texture,entropy")
    row = bench.rows(*METRIC_GROUPS)["gray.tif"]
    for group in METRIC_GROUPS:
        is_measured = group in {"texture", "entropy"}
        values = [row[column] for column in columns_of(group) if column not in {"height", "width"}]
        assert all((value is not None) == is_measured for value in values), group
    header = path.read_text().splitlines()[0]
    assert header == ",".join(["name", *columns_of("entropy"), *columns_of("texture")])


def test_a_second_analysis_replaces_the_first(bench: Bench) -> None:
    bench.analyze(**QUICK)
    numbers = {path: row["id"] for path, row in bench.rows().items()}
    (bench.folder / "gray.tif").unlink()
    (bench.folder / "cut.jpg").unlink()
    Image.new("RGB", (40, 40), "black").save(bench.folder / "picture_003.png")
    result = bench.analyze(**QUICK)
    rows = bench.rows("exposure")
    assert (result.images, result.skipped) == (22, 3)
    assert set(rows) == set(numbers) - {"gray.tif"}
    assert rows["picture_003.png"]["underexposed_pct"] == 100
    assert rows["picture_003.png"]["id"] == numbers["picture_003.png"]
    assert bench.histograms()["all"][0] == 22
    assert "cut.jpg" not in {row["path"] for row in bench.records.findings(bench.dataset)}
    assert len(bench.records.datasets()) == 1


def test_a_sample_measures_a_share_and_deletes_nothing(bench: Bench) -> None:
    bench.analyze(**QUICK)
    (bench.folder / "gray.tif").unlink()
    result = bench.analyze(**QUICK, analysis__sample_fraction=0.5, analysis__sample_seed=3)
    assert result.images + result.skipped == 13
    assert "gray.tif" in bench.rows()
    again = bench.analyze(**QUICK, analysis__sample_fraction=0.5, analysis__sample_seed=4)
    assert again.images + again.skipped == 13


def test_images_that_training_does_not_use_are_on_no_side(bench: Bench) -> None:
    result = bench.analyze(**QUICK, data__sample_fraction=0.5)
    sides = [row["subset"] for row in bench.rows().values()]
    assert sides.count("train") == result.train_images
    assert sides.count("validation") == result.validation_images
    assert sides.count("") == result.images - result.train_images - result.validation_images > 5
    used = {file.path for file in scan(bench.folder, bench.report).sample(0.5, 42).files}
    assert {path for path, row in bench.rows().items() if row["subset"]} == used - BAD


def test_a_validation_folder_is_measured_as_a_dataset_of_its_own(
    bench: Bench, tmp_path: Path, draw_pictures: Draw
) -> None:
    other = draw_pictures(tmp_path / "held out", 5, seed=9)
    (other / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    result = bench.analyze(**QUICK, data__validation_folder=str(other))
    assert (result.images, result.skipped) == (23, 4)
    assert (result.train_images, result.validation_images) == (23, 5)
    histograms = bench.histograms()
    assert histograms["train"] == histograms["all"]
    held_out = bench.records.find_dataset(other)
    assert held_out is not None
    [alone] = [row for row in bench.records.histograms(held_out) if row["channel"] == "gray"]
    assert (alone["subset"], alone["images"], alone["counts"]) == ("all", *histograms["validation"])
    subsets = {row["path"]: row["subset"] for row in bench.records.image_metrics(held_out, ["exposure"])}
    assert subsets == {f"picture_{number:03d}.png": "validation" for number in range(5)}
    assert [(row["path"], row["kind"]) for row in bench.records.findings(held_out)] == [("bad.png", "truncated")]
    assert {row["subset"] for row in bench.rows().values()} == {"train"}


def test_the_validation_folder_itself_can_be_analyzed(bench: Bench) -> None:
    result = bench.analyze(**QUICK, data__validation_folder=str(bench.folder))
    assert (result.images, result.distances, result.summary) == (23, None, "")
    assert set(bench.histograms()) == {"all"}


def test_a_validation_folder_inside_is_warned_of(bench: Bench) -> None:
    result = bench.analyze(**QUICK, data__validation_folder=str(bench.folder / "b"))
    assert any(level == "warning" and "held out too" in text for level, text in bench.report.lines)
    inside = {path for path in bench.rows() if path.startswith("b/")}
    leaks = {row["path"] for row in bench.records.findings(bench.dataset, "leakage")}
    assert leaks - {"picture_000.png"} == inside
    assert (result.train_images, result.validation_images) == (23 - len(leaks), len(inside))


def test_any_number_of_threads_gives_the_same(bench: Bench, tmp_path: Path) -> None:
    tables = [tmp_path / f"{workers}.csv" for workers in (1, 5)]
    results = [bench.analyze(csv=str(path), again=True, device__workers=int(path.stem)) for path in tables]
    assert tables[0].read_bytes() == tables[1].read_bytes()
    assert results[0].distances == results[1].distances


def test_folders_by_precedence(workspace: Workspace, records: Records, tmp_path: Path, draw_pictures: Draw) -> None:
    default = draw_pictures(workspace.images, 2)
    training, own, asked = (draw_pictures(tmp_path / name, 2, seed=n) for n, name in enumerate(("t", "o", "a")))

    def chosen(folder: str = "", **values: Any) -> str:
        settings = settings_with(**QUICK, data__validation_fraction=0.0, **values)
        return analyze(settings, workspace, records, CollectedReport(), folder=folder).folder

    assert chosen() == str(default)
    assert chosen(data__folder=str(training)) == str(training)
    assert chosen(data__folder=str(training), analysis__folder=str(own)) == str(own)
    assert chosen(str(asked), data__folder=str(training), analysis__folder=str(own)) == str(asked)
    assert chosen("database/images", analysis__folder=str(own)) == str(default)


class StoppingReport(CollectedReport):
    """Says stop once ten images are done."""

    def progress(self, phase: str, done: float, total: float, unit: str) -> None:
        super().progress(phase, done, total, unit)
        self.stop = phase == "measuring"


def test_stop_leaves_the_last_analysis_and_no_file_behind(bench: Bench, tmp_path: Path) -> None:
    bench.analyze(**QUICK)
    before = bench.rows("exposure"), bench.histograms()
    table = tmp_path / "table.csv"
    table.write_text("older")
    bench.report = StoppingReport()
    with pytest.raises(Stopped):
        bench.analyze(csv=str(table), again=True, **QUICK)
    assert (bench.rows("exposure"), bench.histograms()) == before
    assert table.read_text() == "older"
    assert not list(tmp_path.glob(".new-*"))
    assert [path for path in bench.workspace.metadata.iterdir() if path.is_file()] == []


def test_nothing_readable_is_one_clear_error(workspace: Workspace, records: Records, tmp_path: Path) -> None:
    folder = tmp_path / "bad"
    folder.mkdir()
    (folder / "a.png").write_bytes(b"not a picture")
    (folder / "b.png").touch()
    with pytest.raises(FextError, match="None of the 2 images") as raised:
        analyze(settings_with(), workspace, records, CollectedReport(), folder=str(folder))
    assert "a.png" in raised.value.remedy
    dataset = records.find_dataset(folder)
    assert dataset is not None
    assert len(records.findings(dataset)) == 2


def test_missing_and_empty_folders(bench: Bench, tmp_path: Path) -> None:
    bench.folder = tmp_path / "absent"
    with pytest.raises(UsageError, match="does not exist"):
        bench.analyze()
    bench.folder.mkdir()
    with pytest.raises(FextError, match="no image"):
        bench.analyze()


def test_a_table_that_cannot_be_written_is_told_at_once(bench: Bench, tmp_path: Path) -> None:
    with pytest.raises(FextError, match="cannot be written"):
        bench.analyze(csv=str(tmp_path / "absent" / "table.csv"))
    assert bench.records.find_dataset(bench.folder) is None


def test_no_torch_is_loaded() -> None:
    code = "import sys, engine.analysis; assert not {'torch', 'matplotlib.pyplot', 'textual'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
