"""What the records tell of datasets and their images."""

import operator
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.records import Condition, Finding, Records
from engine.records.images import OWN_COLUMNS, metric_group
from engine.records.schema import METRIC_TABLES, columns_of
from engine.workspace import Workspace

ODD = "caf\udce9/[b]\n.png"


def add(
    records: Records, dataset: int, path: str, *, size: int = 100, shape: tuple[int, int] = (4, 3), **columns: str
) -> int:
    row = {"path": path, "bytes": size, "modified_ns": 1, "width": shape[0], "height": shape[1],
           "format": "PNG", "subset": "", "mode": "", **columns}  # fmt: skip
    return records.put_images(dataset, [row])[path]


def test_a_dataset_is_found_by_its_folder_and_not_made(records: Records, workspace: Workspace, tmp_path: Path) -> None:
    assert records.find_dataset(workspace.images) is None
    assert records.datasets() == []
    dataset = records.dataset(workspace.images)
    assert records.find_dataset(workspace.images) == dataset
    assert records.find_dataset(tmp_path) is None


def test_an_image_comes_with_all_its_metrics(records: Records, workspace: Workspace) -> None:
    dataset = records.dataset(workspace.images)
    image = add(records, dataset, ODD, subset="train")
    exposure = {"underexposed_pct": 1.0, "overexposed_pct": 2.0, "midtone_pct": 97.0, "mean_gray": 120.0}
    records.put_image_metrics("exposure", [{"image": image, **exposure}])
    found = records.image(dataset, ODD)
    assert found is not None
    assert {name: found[name] for name in exposure} == exposure
    assert (found["path"], found["subset"], found["width"], found["height"]) == (ODD, "train", 4, 3)
    assert {column for group in METRIC_TABLES for column in columns_of(group)} <= set(found)
    assert found["mean"] is None
    assert records.image(dataset, "gone.png") is None
    assert records.image(dataset + 1, ODD) is None


def test_the_summary_counts_one_dataset(records: Records, workspace: Workspace, tmp_path: Path) -> None:
    dataset, other = records.dataset(workspace.images), records.dataset(tmp_path)
    add(records, dataset, "a.png", size=10, shape=(5, 9), subset="train", mode="RGB")
    add(records, dataset, "b.png", size=30, shape=(8, 2), subset="train", mode="RGB")
    add(records, dataset, "c.jpg", size=2, shape=(6, 6), format="JPEG", subset="validation")
    add(records, other, "d.jpg", size=1000, shape=(99, 99))
    assert records.dataset_summary(dataset) == {
        "images": 3, "bytes": 42, "min_width": 5, "max_width": 8, "min_height": 2, "max_height": 9,
        "formats": {"PNG": 2, "JPEG": 1}, "subsets": {"train": 2, "validation": 1},
        "modes": {"RGB": 2, "": 1},
    }  # fmt: skip
    assert list(records.dataset_summary(dataset)["formats"]) == ["PNG", "JPEG"]


def test_the_summary_of_nothing_is_nothing(records: Records) -> None:
    summary = records.dataset_summary(1)
    assert (summary["images"], summary["bytes"], summary["min_width"], summary["formats"]) == (0, 0, None, {})


def test_findings_can_be_asked_for_in_part(records: Records, workspace: Workspace) -> None:
    dataset = records.dataset(workspace.images)
    told = [Finding(f"{number}.png", "unreadable", "empty") for number in (3, 1, 2)] + [Finding("1.png", "dark", "")]
    records.put_findings(dataset, ["unreadable", "dark"], told)
    assert [row["path"] for row in records.findings(dataset, "unreadable", 2)] == ["1.png", "2.png"]
    assert [row["path"] for row in records.findings(dataset, "unreadable", 2, 2)] == ["3.png"]
    assert [row["kind"] for row in records.findings(dataset, limit=2)] == ["dark", "unreadable"]
    assert len(records.findings(dataset)) == 4
    assert records.count_findings(dataset) == {"dark": 1, "unreadable": 3}
    assert records.count_findings(dataset + 1) == {}


# --- Exclusions -------------------------------------------------------------------------------------------------


def test_findings_tell_whether_their_file_is_excluded(records: Records, tmp_path: Path) -> None:
    dataset, other = records.dataset(tmp_path), records.dataset(tmp_path / "other")
    for one in (dataset, other):
        records.put_findings(one, ["dark"], [Finding(path, "dark", "too dark") for path in ("a.png", "b.png", ODD)])
    records.exclude(dataset, ["a.png", ODD, "not found.png"])
    records.exclude(dataset, iter([ODD]))
    assert records.excluded(dataset) == {"a.png", ODD, "not found.png"}
    assert {row["path"]: row["excluded"] for row in records.findings(dataset)} == {
        "a.png": True, "b.png": False, ODD: True,
    }  # fmt: skip
    assert not any(row["excluded"] for row in records.findings(other))
    assert records.excluded(other) == frozenset()
    records.put_findings(dataset, ["dark"], [])
    records.include(dataset, [ODD, "never excluded.png"])
    assert records.excluded(dataset) == {"a.png", "not found.png"}
    records.include(dataset)
    assert records.excluded(dataset) == frozenset()


def test_thousands_of_files_are_excluded_and_included_at_once(records: Records, tmp_path: Path) -> None:
    dataset = records.dataset(tmp_path)
    paths = [f"{number}.png" for number in range(1700)]
    records.exclude(dataset, paths)
    assert records.excluded(dataset) == frozenset(paths)
    records.include(dataset, paths[100:])
    assert records.excluded(dataset) == frozenset(paths[:100])


# --- What nothing is to be measured on again --------------------------------------------------------------------


def fingerprint(image: int, layout: str = "32x32x3") -> dict[str, Any]:
    return {"image": image, "layout": layout, "content": b"c" * 16, "perceptual": -image, "thumbnail": b"t" * 768,
            "pixels": b"\0p" * 8, "levels": b"l"}  # fmt: skip


def entropy(image: int, bits: float = 1.0) -> dict[str, Any]:
    return {"image": image, "entropy_bits": bits, "normalized_entropy": bits / 8}


def test_known_images_are_those_of_which_everything_is_known(records: Records, tmp_path: Path) -> None:
    dataset, other = records.dataset(tmp_path), records.dataset(tmp_path / "other")
    files = [(path, 100, 1) for path in ("a.png", "b.png", "c.png", ODD)]
    numbers = {path: add(records, dataset, path) for path, _, _ in files}
    records.put_fingerprints([fingerprint(numbers[path]) for path in ("a.png", "b.png", ODD)])
    records.put_image_metrics("entropy", [entropy(numbers[path]) for path in ("a.png", "c.png", ODD)])

    def known(
        *groups: str, of: list[tuple[str, int, int]] = files, layout: str = "32x32x3", within: int = dataset
    ) -> set[str]:
        found = records.known_images(within, of, groups, layout)
        assert found == {path: numbers[path] for path in found}
        return set(found)

    assert known() == {"a.png", "b.png", ODD}
    assert known("entropy") == {"a.png", ODD}
    assert known("entropy", "exposure") == set()
    assert known(layout="32x32x1") == set()
    assert known(within=other) == set()
    assert known(of=[("a.png", 101, 1), (ODD, 100, 2), ("b.png", 100, 1)]) == {"b.png"}


def test_known_images_among_thousands(records: Records, tmp_path: Path) -> None:
    dataset = records.dataset(tmp_path)
    rows = [{"path": f"{number}.png", "bytes": number, "modified_ns": 2**61 + number} for number in range(1300)]
    numbers = records.put_images(dataset, rows)
    records.put_fingerprints(fingerprint(number) for number in numbers.values())
    files = [(row["path"], row["bytes"] + (row["bytes"] == 1200), row["modified_ns"]) for row in rows]
    assert records.known_images(dataset, files, [], "32x32x3") == {
        path: number for path, number in numbers.items() if path != "1200.png"
    }


def test_an_image_that_changed_loses_what_was_measured_on_it(records: Records, tmp_path: Path) -> None:
    dataset = records.dataset(tmp_path)
    numbers = [add(records, dataset, path) for path in ("a.png", "b.png", ODD)]
    records.put_image_metrics("entropy", [entropy(number) for number in numbers])
    assert add(records, dataset, "a.png", shape=(9, 9)) == numbers[0]
    assert add(records, dataset, ODD, size=101) == numbers[2]
    measured = {row["path"]: row["entropy_bits"] for row in records.image_metrics(dataset, ["entropy"])}
    assert measured == {"a.png": 1.0, "b.png": 1.0, ODD: None}


def test_fingerprints_come_back_in_the_order_of_paths(records: Records, tmp_path: Path) -> None:
    dataset = records.dataset(tmp_path)
    numbers = {path: add(records, dataset, path) for path in ("b.png", ODD, "a.png")}
    records.put_fingerprints(fingerprint(number) for number in numbers.values())
    prints = records.fingerprints(dataset)
    assert prints.numbers.tolist() == [numbers["a.png"], numbers["b.png"], numbers[ODD]]
    assert [content.ljust(16, b"\0") for content in prints.pixels.tolist()] == [b"\0p" * 8] * 3
    assert prints.perceptual.tolist() == [2**64 - number for number in prints.numbers.tolist()]
    assert records.thumbnails(prints.numbers.tolist()) == dict.fromkeys(numbers.values(), b"t" * 768)
    assert dict(records.levels(dataset)) == dict.fromkeys(numbers.values(), b"l")
    assert records.paths(prints.numbers.tolist()) == {number: path for path, number in numbers.items()}


# --- Conditions and pages ---------------------------------------------------------------------------------------

COMPARE = {"<": operator.lt, ">": operator.gt, "<=": operator.le, ">=": operator.ge, "=": operator.eq}


@pytest.fixture
def measured(records: Records, tmp_path: Path) -> int:
    """Return a dataset of 300 images, on most of which all metrics were measured; another one lies beside it."""
    random = np.random.default_rng(0)
    for folder in (tmp_path / "other", tmp_path):
        dataset = records.dataset(folder)
        rows = [
            {"path": f"{number % 7}/{number:03d}.png" if number != 5 else ODD, "bytes": int(random.integers(10, 99)),
             "modified_ns": 1, "format": "PNG", "width": int(random.integers(1, 30)),
             "height": int(random.integers(1, 30)), "mode": "RGB", "bits": 8 if number % 3 else 1}
            for number in range(300)
        ]  # fmt: skip
        numbers = list(records.put_images(dataset, rows).values())
        for group in METRIC_TABLES:
            records.put_image_metrics(group, [
                {"image": number, **{name: float(random.integers(0, 12)) for name in columns_of(group)}}
                for number in numbers[20:]
            ])  # fmt: skip
    return dataset


ALL_METRICS = [column for group in METRIC_TABLES for column in columns_of(group) if column not in {"width", "height"}]


def test_conditions_choose_images_by_any_column(records: Records, measured: int) -> None:
    every = records.image_metrics(measured, list(METRIC_TABLES))
    for column in ("bytes", "width", "bits", "megapixels", "aspect", "mean_gray", "entropy_bits"):
        values = [row[column] for row in every if row[column] is not None]
        limit = sorted(values)[150] if len(set(values)) > 2 else 4
        for sign, holds in COMPARE.items():
            where = [Condition(column, sign, limit)]
            expected = [row for row in every if row[column] is not None and holds(row[column], limit)]
            assert len(expected) < 300
            assert records.image_metrics(measured, list(METRIC_TABLES), where=where) == expected
            assert records.count_images(measured, where=where) == len(expected)
            paths = [row["path"] for row in records.image_metrics(measured, [], where=where)]
            assert paths == [row["path"] for row in expected]


def test_conditions_hold_together_with_a_search_and_an_order(records: Records, measured: int) -> None:
    where = [Condition("aspect", "<", 3), Condition("entropy_bits", ">=", 4), Condition("mean_gray", "<=", 8)]
    asked: dict[str, Any] = {"contains": "3/", "where": where, "order_by": "noise_std"}
    every = records.image_metrics(measured, list(METRIC_TABLES))
    expected = [
        row["path"] for row in every
        if "3/" in row["path"] and row["aspect"] < 3
        and (row["entropy_bits"] or 0) >= 4 and (row["mean_gray"] or 0) <= 8
    ]  # fmt: skip
    rows = records.image_metrics(measured, ["statistics"], **asked)
    assert sorted(row["path"] for row in rows) == expected
    assert [row["noise_std"] for row in rows] == sorted(row["noise_std"] for row in rows)
    assert records.count_images(measured, **asked) == len(expected) > 5


@pytest.mark.parametrize("column", ["nonsense", "entropy_bits; DROP TABLE image", "id", "image.path"])
def test_unknown_columns_are_refused(records: Records, measured: int, column: str) -> None:
    with pytest.raises(KeyError):
        records.image_metrics(measured, [], order_by=column)
    with pytest.raises(KeyError):
        records.count_images(measured, where=[Condition(column, "<", 1)])
    with pytest.raises(KeyError):
        records.metric_values(measured, column)
    with pytest.raises(KeyError):
        metric_group(column)


@pytest.mark.parametrize("sign", ["!=", "LIKE", "< 1 OR 1 <"])
def test_unknown_operators_are_refused(records: Records, measured: int, sign: str) -> None:
    with pytest.raises(ValueError, match=re.escape(sign)):
        records.image_metrics(measured, [], where=[Condition("bytes", sign, 1)])


@pytest.mark.parametrize("descending", [False, True])
def test_pages_by_any_column_hold_every_image_with_it_once(records: Records, measured: int, descending: bool) -> None:
    for column in (*OWN_COLUMNS, *ALL_METRICS):
        asked: dict[str, Any] = {"order_by": column, "descending": descending}
        whole = records.image_metrics(measured, list(METRIC_TABLES), **asked)
        pages = [records.image_metrics(measured, [], limit=64, offset=start, **asked) for start in range(0, 320, 64)]
        assert [row["id"] for page in pages for row in page] == [row["id"] for row in whole]
        assert len({row["id"] for row in whole}) == records.count_images(measured, order_by=column)
        assert len(whole) == (280 if metric_group(column) else 300)
        if column != "path":
            keys = [(row[column], row["id"]) for row in whole]
            assert keys == sorted(keys, reverse=descending)


@pytest.mark.parametrize("descending", [False, True])
def test_a_page_is_read_from_the_index_of_its_column(records: Records, measured: int, descending: bool) -> None:
    def page(column: str) -> list[dict[str, Any]]:
        asked: dict[str, Any] = {"order_by": column, "descending": descending, "limit": 50, "offset": 20}
        return records.image_metrics(measured, ["color", "statistics"], **asked)

    columns = [*OWN_COLUMNS, *ALL_METRICS]
    before = {column: page(column) for column in columns}
    records.index_metrics(METRIC_TABLES)
    records.index_metrics(METRIC_TABLES)
    for column in columns:
        with spied(records) as statements:
            assert page(column) == before[column]
        plan = plan_of(records, statements)
        assert "B-TREE" not in plan, column
        group = metric_group(column)
        table = METRIC_TABLES[group]._meta.table_name if group else "image"
        assert (f"{table}_by_{column}" if column != "path" else "image_dataset_id_path") in plan


def plan_of(records: Records, statements: list[str]) -> str:
    [statement] = statements
    with closing(sqlite3.connect(records.path)) as connection:
        return "\n".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}"))


@contextmanager
def spied(records: Records) -> Iterator[list[str]]:
    """Give the statements that are run, values and all."""
    statements: list[str] = []
    connection = records._database.connection()
    connection.set_trace_callback(statements.append)
    try:
        yield statements
    finally:
        connection.set_trace_callback(None)


def test_values_of_a_metric_come_with_their_images(records: Records, measured: int) -> None:
    for column in ("mean_gray", "megapixels", "bytes"):
        numbers, values = records.metric_values(measured, column)
        rows = records.image_metrics(measured, list(METRIC_TABLES))
        expected = {row["id"]: row[column] for row in rows if row[column] is not None}
        assert dict(zip(numbers.tolist(), values.tolist(), strict=True)) == pytest.approx(expected)


def test_rows_of_metrics_are_those_of_images_with_all_groups(records: Records, measured: int) -> None:
    number = add(records, measured, "9/new.png")
    records.put_image_metrics("entropy", [entropy(number, 7.5)])
    assert len(list(records.metric_rows(measured, ["entropy", "exposure"]))) == 280
    rows = {row["path"]: row for row in records.metric_rows(measured, ["entropy"])}
    assert len(rows) == 281
    assert rows["9/new.png"] == {
        "id": number, "path": "9/new.png", "entropy_bits": 7.5, "normalized_entropy": 7.5 / 8,
    }  # fmt: skip
    texts = [path for path in rows if path != ODD]
    assert texts == sorted(texts)
