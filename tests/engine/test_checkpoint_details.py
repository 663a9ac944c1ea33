"""What is told of checkpoints without their weights, against what lies in their files and in the records."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.checkpoint_details import checkpoint_details, summary_csv, summary_of
from engine.checkpoints import find_checkpoint
from engine.comparing import differing
from engine.encoding import encode
from engine.errors import FextError, UsageError
from engine.evaluation import evaluate
from engine.records import Records
from engine.report import CollectedReport
from engine.settings import Settings
from engine.training import train
from engine.workspace import Workspace

Small = Callable[..., Settings]


def _train(workspace: Workspace, records: Records, settings: Settings, name: str) -> None:
    report = CollectedReport()
    run = records.add_run(name, "redux")
    train(settings, workspace, records, report, run=run)
    records.add_metrics(run, [(step, epoch, 0.0, values) for step, epoch, values in report.metric_rows])


@pytest.fixture
def trained(workspace: Workspace, records: Records, small: Small) -> str:
    _train(workspace, records, small(training__checkpoint_every=1), "first")
    return "first"


def test_details_are_those_of_the_files(
    workspace: Workspace, records: Records, small: Small, pictures: Path, trained: str
) -> None:
    evaluated = evaluate(small(), workspace, records, CollectedReport(), checkpoint="first")
    encode(small(), workspace, records, CollectedReport(), checkpoint="first/last", folder=str(pictures))
    records.add_embeddings(checkpoint="first-2", folder="", path="", rows=1, dim=1, skipped=0)
    encode(small(), workspace, records, CollectedReport(), checkpoint="first/last", folder=str(pictures), again=True)
    details = checkpoint_details(workspace, records, "first")
    run, state = workspace.checkpoints / "first", find_checkpoint(workspace, "first")
    config = json.loads((state / "config.json").read_text())
    with (run / "images.csv").open(newline="") as file:
        sides = [row["subset"] for row in csv.DictReader(file)]
    assert (details.train_images, details.validation_images) == (sides.count("train"), sides.count("validation"))
    assert details.train_images + details.validation_images == 40
    assert details.facts.val_psnr == config["val_psnr"]
    assert (details.precision, details.versions, details.revision) == (
        "float32", config["versions"], config["revision"]
    )  # fmt: skip
    assert details.changed.keys() >= {"data.image_height", "model.latent_channels", "training.epochs"}
    assert "training.seed" not in details.changed
    assert [(one.step, one.state) for one in details.states] == sorted(
        (int(path.name[5:13]), path.name) for path in run.glob("step-*")
    )
    tags = {tag: one.state for one in details.states for tag in one.tags}
    assert tags == {link.name: str(link.readlink()) for link in run.iterdir() if link.is_symlink()}
    assert {"best", "last", "epoch-0002"} <= tags.keys()
    assert all(one.bytes == sum(path.stat().st_size for path in (run / one.state).iterdir()) for one in details.states)
    assert [(row["checkpoint"], row["psnr"]) for row in details.evaluations] == [("first", evaluated.psnr)]
    assert [(row["checkpoint"], row["rows"]) for row in details.embeddings] == [("first/last", 40)]
    embedded = sum(path.stat().st_size for path in (workspace.inference / "first").rglob("*") if path.is_file())
    assert details.others == {"embeddings": embedded}


def test_the_summary_holds_what_was_set_and_told(
    workspace: Workspace, records: Records, small: Small, trained: str
) -> None:
    evaluated = evaluate(small(), workspace, records, CollectedReport(), checkpoint="first")
    other = small(training__schedule="hold_decay", training__hold_steps=3, data__validation_fraction=0)
    _train(workspace, records, other, "second")
    several = [checkpoint_details(workspace, records, name) for name in ("first", "second")]
    assert differing(several) == {
        "data.validation_fraction": (0.2, 0.0),
        "training.schedule": ("cosine", "hold_decay"),
        "training.hold_steps": (1000, 3),
        "training.checkpoint_every": (1, 0),
    }
    first, second = (summary_of(records, one) for one in several)
    curve = records.curve(records.existing_run("first")["id"], "validation/psnr")
    assert first["val_psnr"] == pytest.approx(max(row["value"] for row in curve))
    assert first["cosine"] == pytest.approx(evaluated.cosine)
    wanted = {"train_images": 32, "validation_images": 8, "batch_size": 8, "image_height": 32, "seed": 42,
              "image_channels": 3, "hold_steps": None, "sample_fraction": 1.0, "augmentation": False}  # fmt: skip
    assert {key: first[key] for key in wanted} == wanted
    assert (second["validation_images"], second["val_psnr"], second["val_loss"], second["cosine"]) == (
        0, None, None, None
    )  # fmt: skip
    assert (second["hold_steps"], second["steps"], second["epochs"]) == (3, 10, 2)
    assert second["train_loss"] == records.curve(records.existing_run("second")["id"], "train/loss")[-1]["value"]
    rows = list(csv.DictReader(io.StringIO(summary_csv([first, second]).decode())))
    assert [row["checkpoint"] for row in rows] == ["first", "second"]
    assert rows[0].keys() == first.keys()
    assert float(rows[0]["val_psnr"]) == first["val_psnr"]
    assert rows[1]["val_psnr"] == ""


def test_what_is_told_later_than_the_state_does_not_count(workspace: Workspace, records: Records, trained: str) -> None:
    details = checkpoint_details(workspace, records, "first")
    before = summary_of(records, details)
    records.add_metrics(1, [(details.facts.step + 1, 9.0, 0.0, {"train/loss": 77.0, "validation/loss": 77.0})])
    assert summary_of(records, details) == before


def test_a_checkpoint_that_the_records_do_not_know_is_told_as_well(
    workspace: Workspace, records: Records, trained: str
) -> None:
    records.delete_everything()
    row = summary_of(records, checkpoint_details(workspace, records, "first"))
    assert row["val_psnr"] > 0
    assert (row["train_loss"], row["cosine"]) == (None, None)


def _cut_listing(run: Path) -> None:
    (run / "images.csv").write_text("nothing\n1\n")


def _take_config(run: Path) -> None:
    (run / "best" / "config.json").unlink()


@pytest.mark.parametrize("harm", [_cut_listing, _take_config])
def test_damage_is_told(workspace: Workspace, records: Records, trained: str, harm: Callable[[Path], Any]) -> None:
    harm(workspace.checkpoints / "first")
    with pytest.raises(FextError):
        checkpoint_details(workspace, records, "first")


def test_an_unknown_one_is_told(workspace: Workspace, records: Records, trained: str) -> None:
    with pytest.raises(UsageError, match="no checkpoint 'fist'"):
        checkpoint_details(workspace, records, "fist")
