"""Exported networks: what other runtimes make of them, what they say of themselves, and what is not kept."""

import hashlib
import json
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from engine import encode_images, load_model
from engine.checkpoints import find_checkpoint
from engine.errors import FextError, Stopped, UsageError
from engine.export import ExportResult, export
from engine.export.checking import TOLERANCE, Agreement, compare
from engine.export.networks import Encoder, Reconstructor
from engine.images.decode import load_image
from engine.models.loading import load_weights
from engine.records import Records
from engine.report import CollectedReport
from engine.settings import Settings, from_layers
from engine.training import train
from engine.workspace import Workspace
from tests.engine.conftest import Draw

DOCUMENT = Path(__file__).parents[2] / "docs" / "export.md"


def _train(workspace: Workspace, settings: Settings, name: str) -> None:
    with Records(workspace) as records:
        train(settings, workspace, records, CollectedReport(), run=records.add_run(name, "redux"))


def _export(workspace: Workspace, name: str, report: CollectedReport | None = None, **wanted: Any) -> ExportResult:
    pooling = wanted.pop("pooling", "auto")
    with Records(workspace) as records:
        settings = from_layers(("", {"encoding.pooling": pooling}))
        return export(settings, workspace, records, report or CollectedReport(), checkpoint=name, **wanted)


@pytest.fixture(scope="module")
def pictures_32(tmp_path_factory: pytest.TempPathFactory, draw_pictures: Draw) -> Path:
    return draw_pictures(tmp_path_factory.mktemp("pictures"), 24)


@pytest.fixture(scope="module")
def exported(
    tmp_path_factory: pytest.TempPathFactory, small_values: dict[str, Any], pictures_32: Path
) -> tuple[Workspace, ExportResult]:
    """Return a workspace with the color checkpoint ``first`` and its export in all formats."""
    workspace = Workspace(tmp_path_factory.mktemp("exported") / "resources").create()
    _train(workspace, from_layers(("", small_values | {"data.folder": str(pictures_32)})), "first")
    return workspace, _export(workspace, "first")


@pytest.fixture
def copied(exported: tuple[Workspace, ExportResult], tmp_path: Path) -> Workspace:
    """Return a copy of the workspace, without what was exported."""
    root = tmp_path / "copy"
    shutil.copytree(exported[0].root, root, symlinks=True, ignore=shutil.ignore_patterns("export"))
    return Workspace(root)


def _images(folder: Path, count: int) -> torch.Tensor:
    paths = sorted(folder.iterdir())[-count:]
    return torch.from_numpy(np.stack([load_image(path, 32, 32, False) for path in paths])).permute(0, 3, 1, 2) / 255


def _outputs(path: Path, images: torch.Tensor) -> list[np.ndarray]:
    if path.suffix == ".onnx":
        return [np.asarray(one) for one in onnxruntime.InferenceSession(path).run(None, {"images": images.numpy()})]
    return [one.numpy() for one in torch.export.load(path).module()(images)]


@pytest.mark.parametrize("suffix", [".onnx", ".pt2"])
def test_other_runtimes_give_what_the_checkpoint_gives(
    exported: tuple[Workspace, ExportResult], pictures_32: Path, suffix: str
) -> None:
    workspace, _ = exported
    count = 7  # none of the sizes that were tried
    images = _images(pictures_32, count)
    model, _ = load_weights(find_checkpoint(workspace, "first"))
    with torch.inference_mode():
        latent, reconstruction = model.encode(images).numpy(), model(images).numpy()
        embedded = model.embed(images, "auto").numpy()
    ours = encode_images(load_model("first", resources=str(workspace.root), device="cpu"), pictures_32).vectors[-count:]
    folder = workspace.root / "database" / "export" / "first"
    vectors, encoded = _outputs(folder / f"encoder{suffix}", images)
    assert vectors.shape == (count, 28 * 8)
    for one, other in ((vectors, embedded), (vectors, ours), (encoded, latent)):
        assert np.abs(one - other).max() < 1e-4
    restored, encoded = _outputs(folder / f"autoencoder{suffix}", images)
    assert np.abs(restored - reconstruction).max() < 1e-4
    assert np.abs(encoded - latent).max() < 1e-4


def test_files_say_what_goes_in_and_comes_out(exported: tuple[Workspace, ExportResult]) -> None:
    workspace, result = exported
    folder = Path(result.folder)
    assert {path.name for path in folder.iterdir()} == {
        f"{network}{suffix}{more}"
        for network in ("encoder", "autoencoder") for suffix in (".onnx", ".pt2") for more in ("", ".json")
    }  # fmt: skip
    assert sorted(result.files) == sorted(str(path) for path in folder.iterdir() if path.suffix != ".json")
    assert 0 <= result.difference <= TOLERANCE
    assert result.images == 5, "those held out"
    mark = json.loads((find_checkpoint(workspace, "first") / "complete.json").read_text())
    for path in map(Path, result.files):
        told = json.loads(path.with_name(f"{path.name}.json").read_text())
        assert told["blake2b"] == hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()
        assert told["fingerprint"] == mark["files"]["model.safetensors"]["blake2b"]
        assert (told["checkpoint"], told["pooling"], told["file"]) == ("first", "whitened", path.name)
        assert told["input"] == {
            "name": "images", "dtype": "float32", "shape": ["batch", 3, 32, 32], "range": [0, 1]
        }  # fmt: skip
        assert (told["image_height"], told["image_width"], told["channel_order"]) == (32, 32, "RGB")
        assert any("white" in rule for rule in told["preprocessing"])
        assert any("area" in rule and "32 rows" in rule for rule in told["preprocessing"])
        first = ["vectors", [28 * 8]] if told["network"] == "encoder" else ["reconstruction", [3, 32, 32]]
        shapes = [[one["name"], one["shape"][1:]] for one in told["outputs"]]
        assert shapes == [first, ["latent", [8, 4, 4]]]
        if path.suffix == ".onnx":
            network = onnx.load(path)
            inside: dict[str, Any] = {entry.key: entry.value for entry in network.metadata_props}
            inside = {key: _read(value) for key, value in inside.items()}
            onnx.checker.check_model(network, full_check=True)
            session = onnxruntime.InferenceSession(path)
            assert session.get_inputs()[0].shape == ["batch", 3, 32, 32]
            assert [one.name for one in session.get_outputs()] == [name for name, _ in shapes]
        else:
            extra = {"description.json": ""}
            torch.export.load(path, extra_files=extra)
            inside = json.loads(extra["description.json"])
        assert {key: inside[key] for key in inside.keys() & told.keys()} == {key: told[key] for key in inside}


def _read(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value


def test_the_encoder_leaves_out_the_decoder(exported: tuple[Workspace, ExportResult]) -> None:
    sizes = {Path(path).name: Path(path).stat().st_size for path in exported[1].files}
    assert sizes["encoder.pt2"] < 0.7 * sizes["autoencoder.pt2"]
    assert sizes["encoder.onnx"] < 0.7 * sizes["autoencoder.onnx"]


def test_the_document_can_be_followed(
    exported: tuple[Workspace, ExportResult], pictures_32: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace, _ = exported
    picture = sorted(pictures_32.iterdir())[0]
    shutil.copy(picture, tmp_path / "photo.png")
    (tmp_path / "resources").symlink_to(workspace.root)
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert len(blocks) == 2
    scope: dict[str, Any] = {}
    for block in blocks:
        exec(block, scope)  # noqa: S102 - our own document
    ours = encode_images(load_model("first", resources=str(workspace.root), device="cpu"), [picture]).vectors
    assert np.abs(scope["vectors"] - ours).max() < 1e-3
    assert (
        np.abs(load_image(tmp_path / "restored.png", 32, 32, False) - load_image(picture, 32, 32, False) * 1.0).mean()
        < 40
    )


def test_a_gray_checkpoint_without_shortcut_gives_whitened_vectors(
    workspace: Workspace, pictures_32: Path, small_values: dict[str, Any], tmp_path: Path
) -> None:
    own = {"data.grayscale": True, "model.shortcut": False, "model.whitening": True, "training.epochs": 1}
    _train(workspace, from_layers(("", small_values | {"data.folder": str(pictures_32)} | own)), "gray")
    one = tmp_path / "one"
    one.mkdir()
    shutil.copy(sorted(pictures_32.iterdir())[0], one)
    result = _export(workspace, "gray", folder=str(one), formats="torch")
    assert result.images == 1
    assert {Path(path).name for path in result.files} == {"encoder.pt2", "autoencoder.pt2"}
    told = json.loads(Path(f"{result.files[0]}.json").read_text())
    assert (told["pooling"], told["channel_order"], told["input"]["shape"][1]) == ("whitened", "gray", 1)
    images = torch.from_numpy(np.stack([load_image(path, 32, 32, True) for path in sorted(pictures_32.iterdir())[:3]]))
    vectors, _ = _outputs(Path(result.files[0]), images.permute(0, 3, 1, 2) / 255)
    ours = encode_images(load_model("gray", resources=str(workspace.root), device="cpu"), pictures_32).vectors[:3]
    assert np.abs(vectors - ours).max() < 1e-4


def _spoil_first(first: Any, latent: Any) -> None:
    first[0, 0] += 2 * TOLERANCE * max(1, float(abs(first).max()))


def _spoil_latent(first: Any, latent: Any) -> None:
    latent[0, 0, 0, 0] += 2 * TOLERANCE * max(1, float(abs(latent).max()))


def _spoil_kinds(first: Any, latent: Any) -> None:
    latent[:, -1, 0] += 0.05


def _spoil_all(first: Any, latent: Any) -> None:
    first[-1, 0] = float("nan")


@pytest.mark.parametrize("network", [Encoder, Reconstructor])
def test_what_differs_is_seen(
    exported: tuple[Workspace, ExportResult], pictures_32: Path, network: type[Encoder | Reconstructor]
) -> None:
    model, _ = load_weights(find_checkpoint(exported[0], "first"))
    built, images = network(model, "flatten"), _images(pictures_32, 8)

    def agreement(spoil: Callable[[Any, Any], None]) -> Agreement:
        def run(given: torch.Tensor) -> list[torch.Tensor]:
            first, latent = (one.clone() for one in built(given))
            spoil(first, latent)
            return [first, latent]

        return compare(built, run, images)

    assert agreement(lambda first, latent: None) == Agreement(0.0, TOLERANCE, 0, 8 * 4 * 4)
    for spoil in (_spoil_first, _spoil_latent, _spoil_kinds, _spoil_all):
        assert not agreement(spoil).is_good
    assert agreement(_spoil_kinds).others == 8 * 4
    assert not compare(built, lambda given: [one[:1] for one in built(given)], images).is_good


def test_one_patch_that_two_kinds_fit_is_let_pass(exported: tuple[Workspace, ExportResult], pictures_32: Path) -> None:
    model, _ = load_weights(find_checkpoint(exported[0], "first"))
    network = Reconstructor(model, "flatten")

    def run(images: torch.Tensor) -> list[torch.Tensor]:
        latent = model.encode(images)
        codes = latent[0, -1, 0]
        codes[0] = codes[0] + 0.05 if codes[0] < 0 else codes[0] - 0.05
        return [network.from_latent(latent, images.shape), latent]

    found = compare(network, run, _images(pictures_32, 8))
    assert (found.others, found.positions) == (3, 128)
    assert found.is_good


def test_what_gives_something_else_is_not_kept(copied: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    load = torch.export.load

    def wrong(file: Any) -> torch.export.ExportedProgram:
        """Read a file back with another color of the pictures' ground."""
        program = load(file)
        for name, tensor in program.state_dict.items():
            tensor.add_(0.001 if name == "model.head.1.bias" else 0)
        return program

    monkeypatch.setattr(torch.export, "load", wrong)
    target = copied.exports / "first"
    target.mkdir(parents=True)
    (target / "encoder.pt2").write_text("older")
    with pytest.raises(FextError, match=r"autoencoder.pt2 does not give .* off by .*Nothing is kept"):
        _export(copied, "first", formats="torch")
    assert [path.name for path in target.iterdir()] == ["encoder.pt2"]
    assert (target / "encoder.pt2").read_text() == "older"


def test_a_network_that_gives_nothing_finite_is_refused(
    exported: tuple[Workspace, ExportResult], pictures_32: Path
) -> None:
    model, _ = load_weights(find_checkpoint(exported[0], "first"))
    network, images = Encoder(model, "flatten"), _images(pictures_32, 8)
    with torch.no_grad():
        model.stem.weight.fill_(3e38)
    with pytest.raises(FextError, match="The network gives values that are not finite"):
        compare(network, network, images)


def test_onnx_says_which_packages_it_needs(copied: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(UsageError, match="not installed: onnxscript") as caught:
        _export(copied, "first")
    assert "pip install 'fext-tui[export]'" in caught.value.remedy
    assert not copied.exports.exists()


def test_images_that_are_gone_and_other_wishes_are_told(copied: Workspace, pictures_32: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no format 'tflite'"):
        _export(copied, "first", formats="tflite")
    with pytest.raises(UsageError, match="no checkpoint 'none'"):
        _export(copied, "none")
    with pytest.raises(Stopped):
        _export(copied, "first", CollectedReport(stop=True))
    with pytest.raises(FextError, match="None of the 1 images"):
        _export(copied, "first", folder=str(_broken(tmp_path)))
    away = pictures_32.rename(pictures_32.with_name("away"))
    try:
        with pytest.raises(UsageError, match="are gone"):
            _export(copied, "first")
    finally:
        away.rename(pictures_32)
    assert not copied.exports.exists()


def _broken(tmp_path: Path) -> Path:
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / "a.png").write_bytes(b"")
    return folder
