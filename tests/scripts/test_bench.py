"""`scripts/bench`: what it gives, measured with pictures small enough for a test (`scripts/test -m bench`)."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

CHECKOUT = Path(__file__).parents[2]
BENCH = CHECKOUT / "scripts/benchmarks/bench_train.py"

pytestmark = pytest.mark.bench


def test_training_is_measured_against_peak_eager_and_naive(tmp_path: Path) -> None:
    options = ("--quick", "--json", "--variant", "redux", "--image-size", "32", "--batch-size", "4")
    command = [sys.executable, BENCH, *options]
    ended = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert ended.stdout.count("\n") == 1
    account = json.loads(ended.stdout)
    assert (account["image_size"], account["batch_size"]) == (32, 4)
    figures = account["redux"]
    assert {"img_s", "gflop_s", "share_of_peak", "vs_naive", "vs_eager"} <= figures.keys()
    assert figures["gflop_s"] == pytest.approx(figures["img_s"] * figures["gflop_an_image"])
    assert figures["share_of_peak"] == pytest.approx(figures["gflop_s"] / figures["peak_gflop_s"])
    assert 0 < figures["share_of_peak"] < 1


def test_an_unknown_benchmark_is_refused() -> None:
    ended = subprocess.run([CHECKOUT / "scripts/bench", "nothing"], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "There are: analyze, distributed, encode, features, models, pack, scale, train, ui." in ended.stderr


def test_packing_is_measured_against_decoding(tmp_path: Path) -> None:
    options = ("--json", "--images", "12", "--image-size", "32", "--rounds", "1")
    command = [sys.executable, CHECKOUT / "scripts/benchmarks/bench_pack.py", *options]
    ended = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    account = json.loads(ended.stdout)
    assert account["images"] == 12
    assert account["share_of_decode"] == pytest.approx(account["img_s"] / account["decode_img_s"])


def test_what_grows_is_measured_an_image(tmp_path: Path) -> None:
    options = ("--json", "--images", "200", "--image-size", "16", "--wanted", "1000")
    command = [sys.executable, CHECKOUT / "scripts/benchmarks/bench_scale.py", *options]
    ended = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    account = json.loads(ended.stdout)
    assert account["phases"].keys() == {"list", "analyze", "pack", "begin"}
    assert account["phases"]["pack"]["bytes_an_image"] > 16 * 16 * 3
    for name, phase in account["phases"].items():
        assert account["calculated"][name]["bytes"] == pytest.approx(1000 * phase["bytes_an_image"])
    assert account["networks"]["large"]["gradient_mb"] > account["networks"]["redux"]["gradient_mb"]


def test_several_processes_are_measured_beside_one(tmp_path: Path) -> None:
    options = ("--json", "--processes", "2", "--image-size", "16", "--batch-size", "4", "--rounds", "1")
    command = [sys.executable, CHECKOUT / "scripts/benchmarks/bench_distributed.py", "--device", "cpu", *options]
    ended = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    account = json.loads(ended.stdout)
    assert account["processes"] == 2
    assert account["vs_one_process"] == pytest.approx(account["img_s"] / account["one_process_img_s"])
    assert account["launch_s"] > account["agree_ms"] / 1000 > 0


def test_models_are_compared_on_images_held_out(tmp_path: Path) -> None:
    generator = np.random.default_rng(1)
    for name, count in (("train", 24), ("held-out", 8)):
        (tmp_path / name).mkdir()
        for number in range(count):
            coarse = Image.fromarray(generator.integers(0, 256, (5, 5, 3), dtype=np.uint8))
            coarse.resize((48, 48), Image.Resampling.BICUBIC).save(tmp_path / name / f"{number}.png")
    folders = ("--folder", tmp_path / "train", "--validation", tmp_path / "held-out")
    command = [sys.executable, CHECKOUT / "scripts/benchmarks/bench_models.py", "--json", "--minutes", "0.01", *folders]
    ended = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    account = json.loads(ended.stdout)
    assert account["redux-0"]["psnr"] >= account["pca of patches"]["psnr"] - 0.5
    assert account["pca of whole images"]["components"] == 23
    assert 0 < account["textbook"]["psnr"] < account["pca of patches"]["psnr"]
