"""What is pruned and what stays: states of runs, packs and lists, records of datasets."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.checkpoints import mark_complete, tags_of
from engine.errors import UsageError
from engine.images.pack import open_images
from engine.images.scan import scan
from engine.pruning import (
    delete_dataset,
    delete_plots,
    prunable_states,
    prune_states,
    remove_caches,
    unneeded_caches,
)
from engine.records import Records
from engine.report import CollectedReport
from engine.settings import Settings
from engine.workspace import Workspace

Save = Callable[..., Path]


@pytest.fixture
def save(workspace: Workspace) -> Save:
    """Return what writes a state of a run, whose tags stand for it: ``save("mine", 10, "best", size=64)``."""

    def write(run: str, step: int, *tags: str, size: int = 64, folder: str = "") -> Path:
        state = workspace.checkpoints / run / f"step-{step:08d}"
        state.mkdir(parents=True)
        settings = Settings().with_values({"data.image_height": size, "data.image_width": size, "data.folder": folder})
        latent = [64, size // 16, size // 16]
        facts = {"name": run, "settings": settings.model_dump(mode="json"), "image_channels": 3, "latent": latent,
                 "parameters": 1, "step": step, "epoch": 1.0, "val_psnr": 20.0, "created": 1.0}  # fmt: skip
        (state / "config.json").write_text(json.dumps(facts), encoding="utf-8")
        (state / "model.safetensors").write_bytes(bytes(1000))
        mark_complete(state)
        for tag in tags:
            (state.parent / tag).symlink_to(state.name)
        return state

    return write


@pytest.fixture
def run(save: Save, records: Records) -> int:
    """Write a run with six states, of which the third is best, and return its number."""
    tags = (["epoch-0001"], ["epoch-0002"], ["epoch-0003", "best"], ["kept-00000040"], [], ["last"])
    for number, told in enumerate(tags, 1):
        save("mine", number * 10, *told)
    number = records.add_run("mine", "redux")
    for tag in ("epoch-0001", "best", "last"):
        records.put_checkpoint(number, tag, 10, 1.0, 20.0)
    return number


def left(workspace: Workspace, run: str = "mine") -> list[int]:
    return sorted(int(path.name.partition("-")[2]) for path in (workspace.checkpoints / run).glob("step-*"))


@pytest.mark.parametrize(
    ("keep", "steps", "tags"),
    [(0, [30, 60], {"best", "last", "epoch-0003"}), (1, [30, 40, 60], {"best", "last", "epoch-0003", "kept-00000040"}),
     (9, [10, 20, 30, 40, 60], {"best", "last", "epoch-0001", "epoch-0002", "epoch-0003", "kept-00000040"})],
)  # fmt: skip
def test_best_last_and_the_newest_stay(
    workspace: Workspace, records: Records, run: int, keep: int, steps: list[int], tags: set[str]
) -> None:
    [found] = prunable_states(workspace, records, keep)
    assert found.bytes == sum(path.stat().st_size for state in found.paths for path in state.iterdir())
    assert prune_states(workspace, records, [found]) == found.bytes
    assert left(workspace) == steps
    assert set(tags_of(workspace.checkpoints / "mine")) == tags
    assert all(state.is_dir() for state in tags_of(workspace.checkpoints / "mine").values())
    assert {row["tag"] for row in records.checkpoints(run)} == {"epoch-0001", "best", "last"} & tags
    assert prunable_states(workspace, records, keep) == []


def test_a_run_whose_best_state_is_damaged_is_left_alone(workspace: Workspace, records: Records, run: int) -> None:
    (workspace.checkpoints / "mine" / "best" / "model.safetensors").write_bytes(bytes(10))
    assert prunable_states(workspace, records) == []


def test_a_run_that_a_job_needs_is_left_alone(workspace: Workspace, records: Records, run: int, save: Save) -> None:
    save("other", 1)
    save("other", 2, "best", "last")
    found = prunable_states(workspace, records)
    assert [one.name for one in found] == ["mine", "other"]
    job = records.add_job("encode", "cpu", {}, {"checkpoint": "mine/epoch-0001"})
    assert [one.name for one in prunable_states(workspace, records)] == ["other"]
    with pytest.raises(UsageError, match=f"Job {job}"):
        prune_states(workspace, records, found)
    assert left(workspace) == [10, 20, 30, 40, 50, 60]


def test_a_job_counts_however_many_wait_behind_it(workspace: Workspace, records: Records, run: int) -> None:
    records.add_job("resume", "cpu", {}, {"checkpoint": "mine"}, run)
    with records.transaction():
        for _ in range(500):
            records.add_job("analyze", "cpu", {}, {})
    assert prunable_states(workspace, records) == []


def test_a_state_that_has_become_best_since_it_was_looked_for_stays(
    workspace: Workspace, records: Records, run: int
) -> None:
    found = prunable_states(workspace, records)
    best = workspace.checkpoints / "mine" / "best"
    best.unlink()
    best.symlink_to("step-00000020")
    prune_states(workspace, records, found)
    assert left(workspace) == [20, 30, 60]
    assert set(tags_of(best.parent)) == {"best", "last", "epoch-0002", "epoch-0003"}
    (best / "model.safetensors").unlink()
    assert prune_states(workspace, records, found) == 0, "best is not whole any more, and an older one may be needed"


@pytest.mark.parametrize(("is_there", "steps"), [(True, [10, 30, 60]), (False, [30, 60])])
def test_what_embeddings_were_made_with_stays(
    workspace: Workspace, records: Records, run: int, is_there: bool, steps: list[int]
) -> None:
    folder = workspace.inference / "mine" / "epoch-0001"
    folder.mkdir(parents=True)
    if is_there:
        (folder / "bundle.json").write_text("{}")
    records.add_embeddings(job=None, checkpoint="mine/epoch-0001", folder="", path=workspace.stored_path(folder),
                           rows=1, dim=1, skipped=0)  # fmt: skip
    prune_states(workspace, records, prunable_states(workspace, records))
    assert left(workspace) == steps


def test_of_links_only_the_links_go(workspace: Workspace, records: Records, run: int, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "precious").mkdir(parents=True)
    (elsewhere / "large").write_bytes(bytes(100_000))
    state = workspace.checkpoints / "mine" / "step-00000005"
    state.symlink_to(elsewhere)
    (state.parent / "step-00000010" / "link").symlink_to(elsewhere)
    (workspace.checkpoints / "linked").symlink_to(workspace.checkpoints / "mine")
    [found] = prunable_states(workspace, records)
    assert state in found.paths
    assert found.bytes < 100_000
    prune_states(workspace, records, [found])
    assert (elsewhere / "precious").is_dir()
    assert left(workspace) == [30, 60]


def test_only_the_named_runs_are_looked_at(workspace: Workspace, records: Records, run: int, save: Save) -> None:
    save("other", 1)
    save("other", 2, "best", "last")
    assert [one.name for one in prunable_states(workspace, records, runs=["other"])] == ["other"]


# --- Caches -----------------------------------------------------------------------------------------------------------


def pictures(folder: Path, count: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        pixels = np.random.default_rng(number).integers(0, 256, (20, 20, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")


def packed(workspace: Workspace, folder: Path, size: int) -> str:
    """Make the pack of a folder, and return its name."""
    before = set(workspace.packs.iterdir())
    open_images(scan(folder, CollectedReport()), size, size, False, "on", workspace, 1, CollectedReport())
    [pack] = set(workspace.packs.iterdir()) - before
    return pack.name


def test_a_pack_stays_where_a_checkpoint_would_open_it_again(
    workspace: Workspace, records: Records, tmp_path: Path, save: Save
) -> None:
    pictures(workspace.images, 3)
    pictures(tmp_path / "elsewhere", 2)
    old = packed(workspace, workspace.images, 32)
    pictures(workspace.images, 4)
    needed = packed(workspace, workspace.images, 32)
    smaller = packed(workspace, workspace.images, 16)
    elsewhere = packed(workspace, tmp_path / "elsewhere", 32)
    save("mine", 1, "best", "last", size=32)
    save("other", 1, "best", "last", size=32, folder=str(tmp_path / "elsewhere"))
    save("gone", 1, "best", "last", size=32, folder=str(tmp_path / "gone"))
    (save("strange", 1, "best", "last") / "config.json").write_text("{}")
    (workspace.packs / ".new-half").mkdir()
    packs, _ = found = unneeded_caches(workspace, records)
    assert {path.name for path in packs.paths} == {old, smaller}
    assert remove_caches(records, found) == packs.bytes > 0
    assert {path.name for path in workspace.packs.iterdir()} == {needed, elsewhere, ".new-half"}


def test_lists_of_splits_stay_where_the_records_know_them(workspace: Workspace, records: Records) -> None:
    for name in ("split-a.csv", "split-b.csv"):
        (workspace.metadata / name).write_text("subset,path,content_hash\n")
    dataset = records.dataset(workspace.images)
    records.put_split(dataset, "a", seed=1, fraction=0.2, train_images=1, validation_images=1,
                      file=workspace.stored_path(workspace.metadata / "split-a.csv"))  # fmt: skip
    remove_caches(records, unneeded_caches(workspace, records))
    assert [path.name for path in workspace.metadata.glob("split-*")] == ["split-a.csv"]


def test_caches_are_not_looked_for_while_a_job_may_make_one(workspace: Workspace, records: Records) -> None:
    records.add_job("train", "cpu", {}, {})
    with pytest.raises(UsageError, match="running or waiting"):
        unneeded_caches(workspace, records)


def test_caches_stay_where_a_job_has_come_since_they_were_looked_for(workspace: Workspace, records: Records) -> None:
    pictures(workspace.images, 3)
    packed(workspace, workspace.images, 32)
    found = unneeded_caches(workspace, records)
    records.add_job("train", "cpu", {}, {})
    with pytest.raises(UsageError, match="running or waiting"):
        remove_caches(records, found)
    assert len(list(workspace.packs.iterdir())) == 1


def test_a_pack_of_a_folder_that_an_older_state_names_stays(
    workspace: Workspace, records: Records, tmp_path: Path, save: Save
) -> None:
    pictures(workspace.images, 3)
    pictures(tmp_path / "elsewhere", 2)
    for folder in (workspace.images, tmp_path / "elsewhere"):
        packed(workspace, folder, 32)
    save("mine", 1, "best", size=32)
    save("mine", 2, "last", size=32, folder=str(tmp_path / "elsewhere"))
    packs, _ = unneeded_caches(workspace, records)
    assert packs.paths == ()


# --- Records ----------------------------------------------------------------------------------------------------------


def add_images(records: Records, folder: Path, count: int) -> int:
    dataset = records.dataset(folder)
    files = [{"path": f"{number}.png", "bytes": 1, "modified_ns": 1} for number in range(count)]
    records.put_images(dataset, files)
    records.exclude(dataset, ["0.png"])
    return dataset


def test_what_is_known_of_a_folder_is_deleted_and_nothing_else(
    workspace: Workspace, records: Records, tmp_path: Path
) -> None:
    add_images(records, tmp_path / "one", 3)
    kept = add_images(records, tmp_path / "two", 2)
    assert delete_dataset(records, tmp_path / "one") == 3
    assert records.find_dataset(tmp_path / "one") is None
    assert records.dataset_summary(kept)["images"] == 2
    assert records.excluded(kept) == {"0.png"}
    assert records.problems() == [], "nothing is left that belonged to it"
    with pytest.raises(UsageError, match="know nothing"):
        delete_dataset(records, tmp_path / "one")


def test_figures_of_analyses_go(workspace: Workspace) -> None:
    (workspace.dataset_plots / "metrics.png").write_bytes(bytes(70))
    (workspace.dataset_plots / ".gitkeep").write_text("")
    assert delete_plots(workspace) == (1, 70)
    assert [path.name for path in workspace.dataset_plots.iterdir()] == [".gitkeep"]
