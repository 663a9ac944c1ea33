"""`scripts/bench features`: vectors of the same latents are told apart by what they are worth."""

import json
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

BENCH = Path(__file__).parents[2] / "scripts/benchmarks/bench_features.py"


Measure = Callable[..., dict[str, Any]]


@pytest.fixture
def measure(pictures: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Measure:
    """Return a function that runs the benchmark on `pictures` in this process, which has its libraries already."""

    def run(*options: str) -> dict[str, Any]:
        monkeypatch.setattr("sys.argv", [str(BENCH), "--json", "--folder", str(pictures), *options])
        monkeypatch.syspath_prepend(BENCH.parent)
        runpy.run_path(str(BENCH), run_name="__main__")
        printed = capsys.readouterr().out
        assert printed.count("\n") == 1
        account: dict[str, Any] = json.loads(printed)
        return account

    return run


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Give stripes, 17 upright and 17 lying ones, of random colors."""
    generator = np.random.default_rng(1)
    for number in range(34):
        label = ("upright", "lying")[number % 2]
        stripes = np.kron(generator.integers(0, 256, (1, 8, 3)), np.ones((64, 8, 1)))
        picture = stripes if label == "upright" else stripes.transpose(1, 0, 2)
        (tmp_path / "pictures" / label).mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture.astype(np.uint8)).save(tmp_path / "pictures" / label / f"{number}.png")
    return tmp_path / "pictures"


def test_poolings_and_normalizations_are_compared_on_the_latents_of_a_network(measure: Measure) -> None:
    account = measure("--preset", "quick", "--minutes", "0.001", "--pooling", "mean", "--pooling", "pyramid")
    assert (account["images"], account["labels"]) == (34, 2)
    vectors = account["vectors"]
    assert vectors["HOG"]["raw"]["knn_1"] == 1
    assert vectors["auto"].keys() == {"whitened"}
    assert vectors["mean"]["raw"]["dim"] == 64
    assert vectors["pyramid"]["raw"]["dim"] == 1792
    assert vectors["pyramid"]["half whitened, 32"]["dim"] == 32
    assert vectors["pyramid"]["raw"]["knn_5"] > 0.8
    for variations in vectors.values():
        assert all(0 <= found[key] <= 1 for found in variations.values() for key in ("knn_1", "knn_5", "probe"))
