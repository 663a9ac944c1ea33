"""``fext anomalies``: the most unusual images as JSON and as a table, and what is refused before a job begins."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.records import Records
from engine.workspace import Workspace
from fext_tui.cli.anomalies import tell
from fext_tui.cli.invocation import Invocation
from tests.fext_tui.cli.conftest import Ended

Process = Callable[..., Ended]
SCORES = ["error", "local_error", "distance"]


@pytest.fixture
def workspace(trained: Path, tmp_path: Path) -> Workspace:
    """Return a copy of the workspace with the checkpoint ``first``."""
    shutil.copytree(trained, tmp_path / "workspace", symlinks=True)
    return Workspace(tmp_path / "workspace")


def test_the_oddest_are_listed(
    process: Process, workspace: Workspace, records: Records, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    test = tmp_path / "test"
    (test / "good").mkdir(parents=True)
    (test / "bad").mkdir()
    for path in sorted(workspace.images.iterdir())[:4]:
        (test / "good" / path.name).symlink_to(path)
    noise = 255 * np.random.default_rng(0).integers(0, 2, (16, 16, 3), dtype=np.uint8)
    Image.fromarray(noise).save(test / "bad" / "noise\x1b[31m.png")
    done = process("anomalies", "first", "test", "--normal", "good", "-n", "2", "--json", "--device", "cpu")
    assert done.code == 0, done.err
    values = done.json
    assert (values["images"], values["reference"], values["labeled"]) == (5, "training", 5)
    assert list(values["thresholds"]) == SCORES
    assert values["worst"][0]["path"] == "bad/noise\x1b[31m.png"
    assert [one["rank"] for one in values["worst"]] == [1, 2]
    assert (values["worst"][0]["is_anomaly"], values["worst"][0]["label"]) == (True, 1)
    assert values["auroc"].keys() == {*SCORES, "combined"}
    assert Path(values["table"]).is_file()

    capsys.readouterr()
    job = records.job(values["job"])
    assert tell(3, Invocation(resources=str(workspace.root)), records, job) == 0
    shown = capsys.readouterr().out
    lines = [line.split() for line in shown.splitlines()]
    first = next(line for line in lines if line[:1] == ["1"])
    assert first[1] == "bad/noise\\x1b[31m.png"
    assert first[-2:] == ["▲", "anomalous"]
    assert [line[0] for line in lines if line and line[0] in {"1", "2", "3", "4"}] == ["1", "2", "3"]
    assert any(line[:1] == ["threshold"] for line in lines)
    assert "AUROC" in shown


def test_a_folder_of_usual_images_is_handed_on(fext: Process, idle: Records, tmp_path: Path) -> None:
    (tmp_path / "test").mkdir()
    (tmp_path / "usual").mkdir()
    job = fext("anomalies", "first", "test", "--reference", "usual", "--detach", "--json").json["job"]
    wanted = {"checkpoint": "first", "folder": str(tmp_path / "test"), "reference": str(tmp_path / "usual")}
    assert idle.job(job).arguments == wanted | {"labels": "", "normal": []}


def test_what_is_refused_at_once(fext: Process, records: Records, pictures: Path) -> None:
    for arguments, cause in (
        (("none", "pictures"), "no checkpoint 'none'"),
        (("first", "nowhere"), "nowhere"),
        (("first", "pictures", "--reference", "nowhere"), "nowhere"),
        (("first", "pictures", "--labels", "nowhere.csv"), "nowhere.csv"),
        (("first", "pictures", "--percentile", "101"), "anomalies.percentile"),
    ):
        ended = fext("anomalies", *arguments)
        assert ended.code == 2
        assert cause in ended.err
    assert records.jobs() == []
