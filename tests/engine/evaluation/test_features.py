"""The latent view and the worth of features in the report: drawn, told, and by the split of the run where asked."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from engine.analysis import analyze
from engine.encoding import encode
from engine.errors import UsageError
from engine.evaluation import EvaluationResult, evaluate
from engine.records import Records
from engine.report import CollectedReport
from engine.settings import Settings
from engine.training import train
from engine.workspace import Workspace

Small = Callable[..., Settings]


class Bench:
    """A network trained on pictures in two folders, which are their labels."""

    def __init__(self, workspace: Workspace, records: Records, small: Small) -> None:
        self.workspace, self.records, self.small = workspace, records, small
        train(small(), workspace, records, CollectedReport(), run=records.add_run("judged", "redux"))

    def settings(self, **values: Any) -> Settings:
        return self.small(**{"evaluation__baseline_images": 0, "evaluation__feature_images": 100} | values)

    def evaluate(self, subset: str = "all", **values: Any) -> EvaluationResult:
        settings = self.settings(**values)
        return evaluate(settings, self.workspace, self.records, CollectedReport(), checkpoint="judged", subset=subset)

    def facts(self, result: EvaluationResult) -> dict[str, Any]:
        return dict(json.loads((Path(result.report) / "evaluation.json").read_text()))


@pytest.fixture
def bench(workspace: Workspace, records: Records, small: Small, pictures: Path, draw_pictures: Any) -> Bench:
    for number, path in enumerate(sorted(pictures.iterdir())):
        folder = pictures / ("even" if number % 2 == 0 else "odd")
        folder.mkdir(exist_ok=True)
        path.rename(folder / path.name)
    return Bench(workspace, records, small)


def test_k_nn_on_the_runs_own_split_equals_scikit_learn(bench: Bench, pictures: Path) -> None:
    result = bench.evaluate()
    facts = bench.facts(result)["worth"]
    encoded = encode(
        bench.small(), bench.workspace, bench.records, CollectedReport(), checkpoint="judged", folder=str(pictures)
    )
    vectors = np.load(encoded.embeddings, allow_pickle=False)
    with (Path(encoded.embeddings).parent / "index.csv").open(newline="") as file:
        paths = [row["path"] for row in csv.DictReader(file)]
    with (bench.workspace.checkpoints / "judged" / "images.csv").open(newline="") as file:
        trained = {row["path"] for row in csv.DictReader(file) if row["subset"] == "train"}
    labels = np.array([path.partition("/")[0] for path in paths])
    side = np.array([path in trained for path in paths])
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    reference = KNeighborsClassifier(1).fit(unit[side], labels[side]).score(unit[~side], labels[~side])
    assert facts["by_split"]
    assert (facts["tested"], facts["learned"]) == (8, 32)
    assert result.worth["judged"]["knn_1"] == pytest.approx(reference)
    assert {"judged", "raw pixels", "color histogram", "HOG", "PCA of pixels"} == result.worth.keys()
    told = bench.records.evaluations("judged")[0]
    assert told["summary"]["worth"] == json.loads(json.dumps(result.worth))


def test_the_latent_is_drawn_and_told(bench: Bench) -> None:
    result = bench.evaluate("validation")
    report = Path(result.report)
    names = {path.name for path in report.glob("*.png")}
    assert {"latent-label.png", "latent-psnr.png", "latent-3d.png", "latent-spectrum.png", "worth.png"} <= names
    facts = bench.facts(result)
    assert facts["latent"]["images"] == 8
    assert 1 <= facts["latent"]["effective_rank"] <= 7
    assert not facts["worth"]["by_split"]
    page = (report / "report.html").read_text()
    assert "Effective rank" in page
    assert "The worth of the features" in page


@pytest.mark.parametrize("color", ["label", "ssim", "mean_gray"])
def test_points_are_colored_as_asked(bench: Bench, pictures: Path, color: str) -> None:
    bench.evaluate("validation")
    if color == "mean_gray":
        with pytest.raises(UsageError, match="mean_gray is not known"):
            bench.evaluate("validation", evaluation__color_by=color)
        analyze(bench.small(), bench.workspace, bench.records, CollectedReport(), folder=str(pictures))
    report = Path(bench.evaluate("validation", evaluation__color_by=color).report)
    assert {path.name for path in report.glob("latent-*.png")} == {
        f"latent-{color}.png", "latent-3d.png", "latent-spectrum.png",
    }  # fmt: skip


def test_unknown_colors_and_labels_are_refused(bench: Bench, pictures: Path) -> None:
    with pytest.raises(UsageError, match="no figure of images"):
        bench.evaluate("validation", evaluation__color_by="nonsense")
    for path in list(pictures.glob("*/*.png")):
        path.rename(pictures / path.name)
    settings = bench.settings(evaluation__color_by="label")
    with pytest.raises(UsageError, match="no labels"):
        evaluate(settings, bench.workspace, bench.records, CollectedReport(), checkpoint="judged", folder=str(pictures))


def test_one_image_and_none_asked_for(bench: Bench, pictures: Path, draw_pictures: Any, tmp_path: Path) -> None:
    alone = draw_pictures(tmp_path / "alone", 1)
    settings = bench.settings()
    result = evaluate(
        settings, bench.workspace, bench.records, CollectedReport(), checkpoint="judged", folder=str(alone)
    )
    assert bench.facts(result)["latent"]["images"] == 1
    assert result.worth == {}
    result = bench.evaluate("validation", evaluation__feature_images=0)
    assert "latent" not in bench.facts(result)
    assert not list(Path(result.report).glob("latent-*.png"))
