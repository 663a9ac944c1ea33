"""``fext anomalies``: the most unusual images as a table and as JSON, and what is refused before a job begins."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.checkpoints import CONFIG_FILE
from engine.records import Records
from engine.report import CollectedReport
from engine.settings import from_layers
from engine.training import train
from engine.workspace import Workspace
from tests.fext_tui.cli.conftest import Ended

Process = Callable[..., Ended]
SCORES = ["error", "local_error", "distance"]


@pytest.fixture
def checkpoint(workspace: Workspace, records: Records, pictures: Path) -> str:
    values = {
        "data.folder": str(pictures), "data.image_height": 32, "data.image_width": 32, "model.latent_channels": 8,
        "model.downsampling": 8, "training.epochs": 1, "device.kind": "cpu", "training.probe_images": 0,
    }  # fmt: skip
    train(from_layers(("", values)), workspace, records, CollectedReport(), run=records.add_run("mine", "redux"))
    assert next(workspace.checkpoints.glob(f"mine/*/{CONFIG_FILE}"))
    return "mine"


def test_the_oddest_are_listed(process: Process, checkpoint: str, pictures: Path, tmp_path: Path) -> None:
    test = tmp_path / "test"
    (test / "good").mkdir(parents=True)
    (test / "bad").mkdir()
    for path in sorted(pictures.iterdir())[:4]:
        (test / "good" / path.name).symlink_to(path)
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    Image.fromarray(noise).save(test / "bad" / "noise\x1b[31m.png")
    done = process("anomalies", checkpoint, "test", "--normal", "good", "-n", "3", "--device", "cpu")
    assert done.code == 0, done.err
    lines = [line.split() for line in done.out.splitlines()]
    first = next(line for line in lines if line[:1] == ["1"])
    assert first[1] == "bad/noise\\x1b[31m.png"
    assert first[-2:] == ["▲", "anomalous"]
    assert [line[0] for line in lines if line and line[0] in {"1", "2", "3", "4"}] == ["1", "2", "3"]
    assert any(line[:1] == ["threshold"] for line in lines)
    assert "AUROC" in done.out

    again = process("anomalies", checkpoint, "test", "--reference", "test/good", "-n", "2", "--json", "--device", "cpu")
    assert again.code == 0, again.err
    values = again.json
    assert (values["images"], values["reference"], values["reference_images"]) == (5, "folder", 4)
    assert list(values["thresholds"]) == SCORES
    assert values["worst"][0]["path"] == "bad/noise\x1b[31m.png"
    assert [one["rank"] for one in values["worst"]] == [1, 2]
    assert values["worst"][0]["is_anomaly"] is True
    assert values["worst"][0]["label"] is None
    assert values["auroc"] == {}
    assert Path(values["table"]).is_file()


def test_what_is_refused_at_once(process: Process, checkpoint: str, pictures: Path, records: Records) -> None:
    for arguments, cause in (
        (("none", "pictures"), "no checkpoint 'none'"),
        (("mine", "nowhere"), "nowhere"),
        (("mine", "pictures", "--reference", "nowhere"), "nowhere"),
        (("mine", "pictures", "--labels", "nowhere.csv"), "nowhere.csv"),
        (("mine", "pictures", "--percentile", "101"), "anomalies.percentile"),
    ):
        ended = process("anomalies", *arguments)
        assert ended.code == 2
        assert cause in ended.err
    assert records.jobs() == []
