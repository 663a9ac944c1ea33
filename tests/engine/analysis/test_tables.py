"""The tables that an analysis writes, and how it compares training with validation images."""

import csv
from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet
from scipy.stats import ks_2samp

from engine.analysis import measuring, table
from engine.analysis.distribution import level_distances, value_distances
from engine.errors import FextError, Stopped
from engine.records.schema import columns_of
from engine.report import CollectedReport
from engine.settings import METRIC_GROUPS
from tests.engine.analysis.bench import QUICK, STRANGE, Bench, Draw

CHANNELS = ("gray", "red", "green", "blue")
ALL_COLUMNS = [column for group in METRIC_GROUPS for column in columns_of(group)]


def test_csv_and_parquet_hold_the_same(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "_GROUP_ROWS", 10)
    paths = [tmp_path / name for name in ("table.csv", "table.parquet")]
    result = bench.analyze(csv=str(paths[0]), parquet=str(paths[1]))
    assert [result.csv, result.parquet] == list(map(str, paths))
    assert [("table", path) for path in paths] == [told for told in bench.report.artifacts if told[0] == "table"]
    with paths[0].open(encoding="utf-8", newline="") as file:
        header, *lines = list(csv.reader(file))
    stored = parquet.read_table(paths[1])
    assert stored.column_names == header == ["name", *ALL_COLUMNS]
    assert stored.num_rows == len(lines) == result.images == 23
    assert stored.column("name").to_pylist() == [line[0] for line in lines]
    assert STRANGE.encode(errors="backslashreplace").decode() in {line[0] for line in lines}
    for place, column in enumerate(header[1:], 1):
        values = stored.column(column)
        assert str(values.type) == "double"
        assert [f"{value:.9g}" for value in values.to_pylist()] == [line[place] for line in lines]
    rows = {path.encode(errors="backslashreplace").decode(): row for path, row in bench.rows(*METRIC_GROUPS).items()}
    for values in stored.to_pylist():
        assert {column: rows[values["name"]][column] for column in ALL_COLUMNS} | {"name": values["name"]} == values


def test_tables_hold_the_images_that_were_measured_this_time_or_before(bench: Bench, tmp_path: Path) -> None:
    bench.analyze(**QUICK)
    paths = [tmp_path / "table.csv", tmp_path / "table.parquet"]
    values = {"analysis__metrics": "exposure", "analysis__sample_fraction": 0.5}
    result = bench.analyze(csv=str(paths[0]), parquet=str(paths[1]), **values)
    assert result.unchanged == result.images < 23
    assert len(paths[0].read_text().splitlines()) - 1 == parquet.read_table(paths[1]).num_rows == result.images


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_stop_leaves_an_older_table_as_it_was(bench: Bench, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "older"
    path.write_text("older")
    bench.report = CollectedReport(stop=True)
    with pytest.raises(Stopped):
        bench.analyze(**QUICK, **{kind: str(path)})
    assert path.read_text() == "older"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["images", "older", "workspace"]


def test_a_parquet_table_that_cannot_be_written_is_told(bench: Bench, tmp_path: Path) -> None:
    with pytest.raises(FextError, match="cannot be written"):
        bench.analyze(parquet=str(tmp_path / "absent" / "table.parquet"), **QUICK)
    assert bench.records.find_dataset(bench.folder) is None


# --- Training against validation --------------------------------------------------------------------------------


def values_by_side(bench: Bench, column: str) -> dict[str, np.ndarray]:
    rows = bench.rows(*METRIC_GROUPS).values()
    return {
        side: np.array([row[column] for row in rows if row["subset"] == side], np.float64)
        for side in ("train", "validation")
    }


def test_every_metric_and_channel_of_the_two_sides_is_compared(bench: Bench) -> None:
    result = bench.analyze()
    assert list(result.channels) == list(CHANNELS)
    for channel in CHANNELS:
        sides = bench.histograms(channel)
        assert set(sides) == {"all", "train", "validation"}
        counts = {side: np.array(counts) for side, (_, counts) in sides.items()}
        assert np.array_equal(counts["all"], counts["train"] + counts["validation"])
        assert result.channels[channel] == level_distances(counts["train"], counts["validation"])
    assert result.distances == result.channels["gray"]
    assert list(result.metrics) == ALL_COLUMNS
    for column, apart in result.metrics.items():
        sides = values_by_side(bench, column)
        assert apart == value_distances(sides["train"], sides["validation"])
        assert apart.kolmogorov_smirnov == pytest.approx(ks_2samp(*sides.values()).statistic)
    assert "metrics differ" in result.summary


def test_a_validation_folder_of_another_kind_is_told_to_differ(
    bench: Bench, tmp_path: Path, draw_pictures: Draw
) -> None:
    bench.folder = draw_pictures(tmp_path / "plain", 30)
    held_out = draw_pictures(tmp_path / "held_out", 12, seed=9, size=80)
    result = bench.analyze(data__validation_folder=str(held_out), analysis__metrics="statistics,color")
    assert (result.train_images, result.validation_images) == (30, 12)
    assert list(result.metrics) == [*columns_of("statistics"), *columns_of("color")]
    assert (result.metrics["width"].means, result.metrics["width"].kolmogorov_smirnov) == ((40, 80), 1.0)
    assert result.metrics["width"].is_notable
    assert "width 40 → 80" in result.summary
    other = bench.records.find_dataset(held_out)
    assert other is not None
    assert {row["subset"] for row in bench.records.image_metrics(other, [])} == {"validation"}
    again = bench.analyze(data__validation_folder=str(held_out), analysis__metrics="statistics,color")
    assert (again.metrics, again.channels, again.summary) == (result.metrics, result.channels, result.summary)


def test_nothing_is_compared_where_one_side_is_empty(bench: Bench) -> None:
    result = bench.analyze(**QUICK, data__validation_fraction=0.0)
    assert (result.channels, result.metrics, result.distances, result.summary) == ({}, {}, None, "")
    assert (result.train_images, result.validation_images) == (0, 0)
    assert any("not compared" in text for _, text in bench.report.lines)


def test_more_images_than_are_stored_at_once_are_all_there(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "_BATCH", 5)
    assert bench.analyze(**QUICK).images == 23
    assert len(bench.rows()) == 23
    assert len(bench.records.fingerprints(bench.dataset).numbers) == 23
