"""What the inference answers: the same as evaluation and encoding, for any picture; and what it cannot answer."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from engine.checkpoints import COMPLETE_FILE, MODEL_FILE, find_checkpoint, mark_complete
from engine.encoding import encode
from engine.errors import FextError
from engine.evaluation import evaluate
from engine.images.decode import load_image
from engine.images.scan import scan
from engine.inference import Inference, Reconstruction, error_map
from engine.inference.networks import Networks
from engine.inference.protocol import Request
from engine.jobs.process import this_process
from engine.records import Records
from engine.report import CollectedReport
from engine.settings import DeviceSettings, Settings
from engine.workspace import Workspace

ChildOf = Callable[[Workspace], psutil.Process]
SettingsOf = Callable[..., Settings]


def reconstructed(inference: Inference, checkpoint: str, path: Path) -> Reconstruction:
    found = inference.reconstruct(checkpoint, path)
    assert found is not None
    return found


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """Return a folder of pictures that are turned, transparent, gray and not square, under names that are hostile."""
    folder = tmp_path / "odd"
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (30, 50, 4), dtype=np.uint8)
    smooth = Image.fromarray(pixels).resize((100, 60), Image.Resampling.BICUBIC)
    turned = Image.Exif()
    turned[0x0112] = 6
    smooth.convert("RGB").save(folder / "turned\n.jpg", exif=turned)
    smooth.save(folder / os.fsdecode(b"\xff\x1b[31m.png"))
    smooth.convert("L").save(folder / 'quote"{.webp', lossless=True)
    return folder


@pytest.mark.parametrize("name", ["color", "gray"])
def test_the_figures_are_those_of_an_evaluation(
    inference: Inference, trained: Workspace, settings_of: SettingsOf, odd: Path, name: str
) -> None:
    with Records(trained) as records:
        evaluate(settings_of(), trained, records, CollectedReport(), checkpoint=name, folder=str(odd))
        rows = records.image_errors(records.evaluations()[0]["id"])
    assert len(rows) == 3
    for row in rows:
        found = reconstructed(inference, name, odd / row["path"])
        assert (found.mae, found.psnr, found.ssim) == pytest.approx((row["mae"], row["psnr"], row["ssim"]), rel=1e-5)
        assert np.array_equal(found.original, load_image(odd / row["path"], 32, 32, name == "gray"))
        assert found.restored.shape == found.original.shape == (32, 32, 1 if name == "gray" else 3)
        assert found.restored.dtype == found.original.dtype == np.uint8
        error = np.abs(found.restored.astype(float) - found.original).mean() / 255
        assert found.mae == pytest.approx(error, rel=1e-5)
        assert (found.checkpoint, found.device[:4]) == (name, "CPU,")
        assert error_map(found).shape == (32, 32, 3)


@pytest.mark.parametrize("pooling", ["auto", "mean_std"])
def test_vectors_are_those_of_an_encoding(
    inference: Inference, trained: Workspace, settings_of: SettingsOf, odd: Path, pooling: str
) -> None:
    settings = settings_of(encoding__pooling=pooling)
    with Records(trained) as records:
        done = encode(settings, trained, records, CollectedReport(), checkpoint="color/last", folder=str(odd))
    vectors = np.load(done.embeddings, allow_pickle=False)
    for file, expected in zip(scan(odd, CollectedReport()).files, vectors, strict=True):
        vector = inference.vector("color/last", odd / file.path, pooling=settings.encoding.pooling)
        assert vector is not None
        assert vector.dtype == np.float32
        assert np.abs(vector - expected).max() < 1e-5


def test_other_weights_under_the_same_name_are_taken(
    inference: Inference, trained: Workspace, picture: Path, child_of: ChildOf
) -> None:
    run = shutil.copytree(trained.checkpoints / "color", trained.checkpoints / "changing", symlinks=True)
    before = reconstructed(inference, "changing", picture)
    assert np.array_equal(before.restored, reconstructed(inference, "color", picture).restored)
    child = child_of(trained)
    shutil.rmtree(run)
    shutil.copytree(trained.checkpoints / "gray", run, symlinks=True)
    assert reconstructed(inference, "changing", picture).restored.shape == (32, 32, 1)
    assert child_of(trained) == child


def _without_weights(state: Path) -> None:
    (state / MODEL_FILE).unlink()


def _cut(state: Path) -> None:
    os.truncate(state / MODEL_FILE, 1000)


def _not_finite(state: Path) -> None:
    weights = load_file(state / MODEL_FILE)
    next(iter(weights.values())).fill_(torch.nan)
    save_file(weights, state / MODEL_FILE)
    (state / COMPLETE_FILE).unlink()
    mark_complete(state)


@pytest.mark.parametrize(
    ("harm", "cause"), [(_without_weights, "missing"), (_cut, "bytes in place of"), (_not_finite, "not finite")]
)
def test_a_checkpoint_that_is_damaged(
    inference: Inference, trained: Workspace, picture: Path, harm: Callable[[Path], None], cause: str
) -> None:
    name = f"harmed{harm.__name__}"
    shutil.copytree(trained.checkpoints / "color", trained.checkpoints / name, symlinks=True)
    reconstructed(inference, name, picture)
    harm(find_checkpoint(trained, name))
    inference.reconstruct("color", picture)
    with pytest.raises(FextError, match=cause) as refused:
        inference.reconstruct(name, picture)
    assert refused.value.remedy
    reconstructed(inference, "color", picture)


def test_what_is_not_there_and_what_is_no_picture(
    inference: Inference, trained: Workspace, picture: Path, tmp_path: Path, child_of: ChildOf
) -> None:
    reconstructed(inference, "color", picture)
    child = child_of(trained)
    (tmp_path / "text\n.png").write_bytes(b"no picture")
    (tmp_path / "cut.png").write_bytes(picture.read_bytes()[:-30])
    asked = {
        ("colour", picture): "no checkpoint 'colour'",
        ("../color", picture): "cannot name a checkpoint",
        ("color/epoch-0099", picture): "has no 'epoch-0099'",
        ("color", tmp_path / "gone.png"): "gone.png cannot be read: no such file",
        ("color", tmp_path): "not a regular file",
        ("color", tmp_path / "text\n.png"): r"text\\n.png cannot be read: not a PNG image",
        ("color", tmp_path / "cut.png"): "cut.png cannot be read",
    }
    for (checkpoint, path), cause in asked.items():
        with pytest.raises(FextError, match=cause) as refused:
            inference.reconstruct(checkpoint, path)
        assert refused.value.remedy
    reconstructed(inference, "color", picture)
    assert child_of(trained) == child


def test_a_relative_path_is_of_the_apps_folder(
    inference: Inference, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(picture.parent)
    assert reconstructed(inference, "color", Path(picture.name)).mae > 0


def test_a_job_is_left_its_gpu_and_half_the_cores(
    trained: Workspace, picture: Path, tmp_path: Path, child_of: ChildOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    same = Workspace(tmp_path / "same")
    same.root.symlink_to(trained.root)
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    device = DeviceSettings(kind="gpu", id=63, precision="float16")
    own = Inference(same, lambda: device)
    me = this_process()
    with Records(trained) as records:
        job = records.add_job("train", "gpu:63", {}, {})
        records.change_job(job, state="running", host=me.host, boot=me.boot, pid=me.pid, pid_started=me.started)
        assert reconstructed(own, "color", picture).device == "CPU, 1 thread"
        records.change_job(job, pid_started=me.started - 1)  # its process is gone, and it is no job any more
        device = DeviceSettings(kind="cpu")
        assert reconstructed(own, "color", picture).device == f"CPU, {min(2, psutil.cpu_count())} threads"
        device = DeviceSettings(kind="gpu", id=63)
        with pytest.raises(FextError, match="GPU 63 is not there"):
            own.reconstruct("color", picture)
        child = child_of(same)
        records.change_job(job, pid_started=me.started)
        with pytest.raises(FextError, match="no checkpoint 'none'"):
            own.reconstruct("none", picture)
        assert child_of(same) != child, "it may have held memory of the GPU"
        records.delete_job(job)
    own.close()


def test_where_a_gpu_is_full_the_cpu_computes(
    trained: Workspace, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = torch.nn.Module.to
    asked: list[object] = []

    def full_at_first(self: torch.nn.Module, *device: object, **how: object) -> torch.nn.Module:
        asked.extend(device)
        if device and len(asked) == 1:
            raise torch.OutOfMemoryError
        return whole(self, *device, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(torch.nn.Module, "to", full_at_first)
    request = Request("reconstruct", "color", str(picture), DeviceSettings(), is_beside_job=False)
    answer = Networks().answer(request, find_checkpoint(trained, "color"))
    assert answer.facts["device"].startswith("CPU")
    assert len(asked) == 2


def test_the_apps_side_loads_no_heavy_library() -> None:
    code = "import sys, engine.inference; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "numpy", "cv2", "PIL", "matplotlib", "numba", "textual"} & set(done.stdout.split())
