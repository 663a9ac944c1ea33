"""What the records tell of datasets and their images."""

from pathlib import Path

from engine.records import Records
from engine.records.schema import METRIC_TABLES, columns_of
from engine.workspace import Workspace

ODD = "caf\udce9/[b]\n.png"


def add(
    records: Records, dataset: int, path: str, *, size: int = 100, shape: tuple[int, int] = (4, 3), **columns: str
) -> int:
    row = {"path": path, "bytes": size, "modified_ns": 1, "format": columns.get("format", "PNG"),
           "width": shape[0], "height": shape[1], "subset": columns.get("subset", "")}  # fmt: skip
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
    add(records, dataset, "a.png", size=10, shape=(5, 9), subset="train")
    add(records, dataset, "b.png", size=30, shape=(8, 2), subset="train")
    add(records, dataset, "c.jpg", size=2, shape=(6, 6), format="JPEG", subset="validation")
    add(records, other, "d.jpg", size=1000, shape=(99, 99))
    assert records.dataset_summary(dataset) == {
        "images": 3, "bytes": 42, "min_width": 5, "max_width": 8, "min_height": 2, "max_height": 9,
        "formats": {"PNG": 2, "JPEG": 1}, "subsets": {"train": 2, "validation": 1},
    }  # fmt: skip
    assert list(records.dataset_summary(dataset)["formats"]) == ["PNG", "JPEG"]


def test_the_summary_of_nothing_is_nothing(records: Records) -> None:
    summary = records.dataset_summary(1)
    assert (summary["images"], summary["bytes"], summary["min_width"], summary["formats"]) == (0, 0, None, {})


def test_findings_can_be_asked_for_in_part(records: Records, workspace: Workspace) -> None:
    dataset = records.dataset(workspace.images)
    records.put_findings(dataset, [(f"{number}.png", "unreadable", "truncated") for number in (3, 1, 2)])
    assert [row["path"] for row in records.findings(dataset, 2)] == ["1.png", "2.png"]
    assert len(records.findings(dataset)) == 3
    assert records.count_findings(dataset) == 3
    assert records.count_findings(dataset + 1) == 0
