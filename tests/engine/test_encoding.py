"""Encoding: files that NumPy reads, equal to the library's own vectors, and honest about what was skipped."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from engine import encode_images, load_model
from engine.checkpoints import find_checkpoint
from engine.encoding import encode
from engine.errors import FextError, Stopped
from engine.models.loading import load_weights
from engine.records import Records
from engine.report import CollectedReport
from engine.settings import Settings
from engine.training import train
from engine.workspace import Workspace

Small = Callable[..., Settings]


@pytest.fixture
def trained(workspace: Workspace, records: Records, small: Small) -> str:
    settings = small(training__epochs=1)
    train(settings, workspace, records, CollectedReport(), run=records.add_run("encoder", "redux"))
    return "encoder"


def test_files_load_and_equal_the_library(
    workspace: Workspace, records: Records, small: Small, pictures: Path, trained: str
) -> None:
    (pictures / "broken.jpg").write_bytes(b"not an image")
    result = encode(small(), workspace, records, CollectedReport(), checkpoint=trained, folder=str(pictures))
    vectors = np.load(result.embeddings, allow_pickle=False)
    assert vectors.shape == (40, 8 * 4 * 4) == (result.rows, result.dim)
    assert vectors.dtype == np.float32
    assert result.skipped == 1
    ours = encode_images(load_model(trained, resources=str(workspace.root), device="cpu"), pictures, batch_size=7)
    assert np.abs(ours.vectors - vectors).max() < 1e-4
    assert [path.name for path in ours.paths] == sorted(path.name for path in pictures.glob("*.png"))
    assert [path.name for path, _ in ours.skipped] == ["broken.jpg"]
    with (Path(result.embeddings).parent / "index.csv").open(newline="") as file:
        index = list(csv.DictReader(file))
    assert [row["path"] for row in index if row["row"]] == [path.name for path in ours.paths]
    assert [int(row["row"]) for row in index if row["row"]] == list(range(40))
    skipped = next(row for row in index if not row["row"])
    assert skipped["path"] == "broken.jpg"
    assert skipped["status"]


def test_the_encoder_sees_what_training_saw(
    workspace: Workspace, records: Records, small: Small, pictures: Path, trained: str
) -> None:
    result = encode(small(), workspace, records, CollectedReport(), checkpoint=trained, folder=str(pictures))
    model, _ = load_weights(find_checkpoint(workspace, trained))
    picture = cv2.imread(str(pictures / "picture_000.png"))[:, :, ::-1]
    picture = cv2.resize(picture.copy(), (32, 32), interpolation=cv2.INTER_AREA)
    image = torch.from_numpy(picture).permute(2, 0, 1)[None] / 255
    with torch.inference_mode():
        expected = model.encode(image).flatten().numpy()
    assert np.abs(np.load(result.embeddings)[0] - expected).max() < 1e-3


def test_the_bundle_ties_vectors_to_weights(
    workspace: Workspace, records: Records, small: Small, pictures: Path, trained: str
) -> None:
    result = encode(
        small(encoding__pooling="mean_std"),
        workspace,
        records,
        CollectedReport(),
        checkpoint=trained,
        folder=str(pictures),
    )
    bundle = json.loads((Path(result.embeddings).parent / "bundle.json").read_text())
    mark = json.loads((find_checkpoint(workspace, trained) / "complete.json").read_text())
    assert bundle["fingerprint"] == mark["files"]["model.safetensors"]["blake2b"]
    assert (bundle["rows"], bundle["dim"], bundle["pooling"]) == (40, 16, "mean_std")
    assert records.embeddings()[0]["dim"] == 16


def test_another_folder_does_not_overwrite(
    workspace: Workspace, records: Records, small: Small, pictures: Path, trained: str
) -> None:
    first = encode(small(), workspace, records, CollectedReport(), checkpoint=trained, folder=str(pictures))
    before = Path(first.embeddings).read_bytes()
    other = workspace.inference_images
    Image.new("RGB", (50, 50), "red").save(other / "red.png")
    second = encode(small(), workspace, records, CollectedReport(), checkpoint=trained)
    assert second.rows == 1
    assert second.embeddings != first.embeddings
    assert Path(first.embeddings).read_bytes() == before
    again = encode(small(), workspace, records, CollectedReport(), checkpoint=trained, folder=str(pictures))
    assert again.embeddings == first.embeddings


def test_nothing_readable_and_stops_leave_no_file(
    workspace: Workspace, records: Records, small: Small, pictures: Path, trained: str
) -> None:
    bad = pictures / "bad"
    bad.mkdir()
    (bad / "a.png").write_bytes(b"")
    with pytest.raises(FextError, match="None of the 1 images"):
        encode(small(), workspace, records, CollectedReport(), checkpoint=trained, folder=str(bad))
    with pytest.raises(Stopped):
        encode(small(), workspace, records, CollectedReport(stop=True), checkpoint=trained, folder=str(pictures))
    assert not [path for path in workspace.inference.rglob("*") if path.is_file()]
    assert records.embeddings() == []
