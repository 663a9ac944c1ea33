"""`scripts/bench features`: vectors of the same latents are told apart by what they are worth."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

BENCH = Path(__file__).parents[2] / "scripts/benchmarks/bench_features.py"


def measure(folder: Path, *options: str | Path) -> dict[str, Any]:
    command = [sys.executable, BENCH, "--json", "--folder", folder, *options]
    ended = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder.parent)
    assert ended.stdout.count("\n") == 1
    account: dict[str, Any] = json.loads(ended.stdout)
    return account


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Give stripes, 18 upright and 18 lying ones, of random colors."""
    generator = np.random.default_rng(1)
    for number in range(36):
        label = ("upright", "lying")[number % 2]
        stripes = np.kron(generator.integers(0, 256, (1, 8, 3)), np.ones((64, 8, 1)))
        picture = stripes if label == "upright" else stripes.transpose(1, 0, 2)
        (tmp_path / "pictures" / label).mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture.astype(np.uint8)).save(tmp_path / "pictures" / label / f"{number}.png")
    return tmp_path / "pictures"


def test_poolings_and_normalizations_are_compared_on_the_latents_of_a_network(pictures: Path) -> None:
    account = measure(pictures, "--preset", "quick", "--minutes", "0.001", "--pooling", "mean", "--pooling", "pyramid")
    assert (account["images"], account["labels"]) == (36, 2)
    vectors = account["vectors"]
    assert vectors["HOG"]["raw"]["knn_1"] == 1
    assert vectors["auto"].keys() == {"whitened"}
    assert vectors["mean"]["raw"]["dim"] == 64
    assert vectors["pyramid"]["raw"]["dim"] == 1792
    assert vectors["pyramid"]["half whitened, 32"]["dim"] == 32
    assert vectors["pyramid"]["raw"]["knn_5"] > 0.8
    for variations in vectors.values():
        assert all(0 <= found[key] <= 1 for found in variations.values() for key in ("knn_1", "knn_5", "probe"))
