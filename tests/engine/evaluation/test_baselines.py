"""The baselines against scikit-learn's principal components."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from engine.checkpoints import find_checkpoint
from engine.evaluation.baselines import Baseline, fit_baselines
from engine.images.decode import load_image
from engine.images.scan import scan
from engine.models.loading import LoadedModel, load_for_use
from engine.records import Records
from engine.report import CollectedReport
from engine.settings import Settings
from engine.training import train
from engine.workspace import Workspace

Load = Callable[..., LoadedModel]
Pixels = NDArray[np.uint8]


@pytest.fixture
def load(workspace: Workspace, records: Records) -> Load:
    """Return a function that trains with settings for an instant and returns the network."""

    def trained(settings: Settings) -> LoadedModel:
        run = records.add_run("judged", "redux")
        train(settings, workspace, records, CollectedReport(), run=run)
        return load_for_use(find_checkpoint(workspace, "judged"), settings.device)

    return trained


def _read(folder: Path, height: int, width: int, gray: bool = False) -> Pixels:
    return np.stack([load_image(path, height, width, gray) for path in sorted(folder.iterdir())])


def _eight_bits(values: NDArray[Any]) -> Pixels:
    return np.round(values.clip(0, 1) * 255).astype(np.uint8)


def _by_scikit_learn(train: Pixels, test: Pixels, components: int) -> Pixels:
    """Return the reconstructions by components of whole images."""
    fitted = PCA(components, svd_solver="full").fit(train.reshape(len(train), -1) / 255)
    back = fitted.inverse_transform(fitted.transform(test.reshape(len(test), -1) / 255))
    return _eight_bits(back.reshape(test.shape))


def _in_patches(images: Pixels, side: int) -> NDArray[np.float64]:
    """Return patches (B, h, w, side² · C) of images, which are continued by their last row and column."""
    _, height, width, channels = images.shape
    wider = np.pad(images, ((0, 0), (0, -height % side), (0, -width % side), (0, 0)), mode="edge") / 255
    h, w = wider.shape[1] // side, wider.shape[2] // side
    cut = wider.reshape(len(images), h, side, w, side, channels).transpose(0, 1, 3, 2, 4, 5)
    return cut.reshape(len(images), h, w, -1)


def _by_patches(train: Pixels, test: Pixels, side: int, components: int) -> Pixels:
    known, new = _in_patches(train, side), _in_patches(test, side)
    fitted = PCA(components, svd_solver="full").fit(known.reshape(-1, known.shape[-1]))
    back = fitted.inverse_transform(fitted.transform(new.reshape(-1, new.shape[-1])))
    count, height, width, channels = test.shape
    grid = back.reshape(*new.shape[:3], side, side, channels).transpose(0, 1, 3, 2, 4, 5)
    return _eight_bits(grid.reshape(count, new.shape[1] * side, new.shape[2] * side, channels)[:, :height, :width])


def _reconstructed(baseline: Baseline, images: Pixels) -> Pixels:
    return np.asarray(baseline.reconstruct(torch.from_numpy(images)).numpy())


def _nearly_equal(ours: Pixels, reference: Pixels, share: float = 0.002) -> bool:
    """Return whether pictures differ by rounding alone, by one level in at most a share of the values."""
    apart = np.abs(ours.astype(int) - reference)
    return bool(apart.max() <= 1 and (apart > 0).mean() < share)


@pytest.mark.parametrize(
    ("values", "gray"),
    [({}, False), ({"data__image_height": 20, "data__image_width": 28}, False), ({"data__grayscale": True}, True)],
    ids=["square", "odd sides", "gray"],
)
def test_baselines_equal_scikit_learn(
    load: Load, small: Callable[..., Settings], pictures: Path, draw_pictures: Callable[..., Path], tmp_path: Path,
    values: dict[str, Any], gray: bool,
) -> None:  # fmt: skip
    settings = small(training__epochs=1, **values)
    model = load(settings)
    data = settings.data
    known = _read(pictures, data.image_height, data.image_width, gray)
    unseen = _read(draw_pictures(tmp_path / "unseen", 6, seed=9), data.image_height, data.image_width, gray)
    mean, whole, patch = fit_baselines(settings, model, scan(pictures, CollectedReport()), CollectedReport())
    assert [one.name for one in (mean, whole, patch)] == ["mean_image", "pca", "patch_pca"]
    assert (mean.components, whole.components, patch.components, patch.patch) == (0, 39, 8, 8)
    assert {one.images for one in (mean, whole, patch)} == {40}
    average = np.repeat(_eight_bits((known / 255).mean(0, keepdims=True)), len(unseen), 0)
    assert _nearly_equal(_reconstructed(mean, unseen), average, 0.05), "of 40 images, a 40th of the means is a half"
    assert _nearly_equal(_reconstructed(whole, unseen), _by_scikit_learn(known, unseen, 39))
    assert _nearly_equal(_reconstructed(patch, unseen), _by_patches(known, unseen, 8, 8))
    assert _nearly_equal(_reconstructed(whole, known), known), "as many components as images: exact"


def test_components_are_as_many_as_the_latent_has_values(
    load: Load, small: Callable[..., Settings], pictures: Path
) -> None:
    settings = small(training__epochs=1, model__latent_channels=1, model__downsampling=16)
    model = load(settings)
    assert model.config.latent == (1, 2, 2)
    _, whole, patch = fit_baselines(settings, model, scan(pictures, CollectedReport()), CollectedReport())
    assert (whole.components, patch.components) == (4, 1)
    basis = whole.basis.double()
    assert torch.allclose(basis @ basis.T, torch.eye(4, dtype=torch.float64), atol=1e-5)
    known = _read(pictures, 32, 32)
    assert _nearly_equal(_reconstructed(whole, known), _by_scikit_learn(known, known, 4))


def test_equal_images_need_no_component(load: Load, small: Callable[..., Settings], pictures: Path) -> None:
    settings = small(training__epochs=1)
    model = load(settings)
    first, *rest = sorted(pictures.iterdir())
    for path in rest:
        path.write_bytes(first.read_bytes())
    manifest = scan(pictures, CollectedReport())
    for one in fit_baselines(settings, model, manifest, CollectedReport())[:2]:
        assert one.components == 0
        assert _nearly_equal(_reconstructed(one, _read(pictures, 32, 32)[:2]), _read(pictures, 32, 32)[:2])


def test_a_sample_depends_on_the_seed_and_leaves_out_what_cannot_be_read(
    load: Load, small: Callable[..., Settings], pictures: Path
) -> None:
    model = load(small(training__epochs=1))
    (pictures / "picture_000.png").write_bytes(b"broken")
    manifest = scan(pictures, CollectedReport())

    def mean(**values: Any) -> Baseline:
        return fit_baselines(small(**values), model, manifest, CollectedReport())[0]

    assert mean().images == 39
    few = mean(evaluation__baseline_images=7)
    assert few.images in {6, 7}
    assert torch.equal(few.mean, mean(evaluation__baseline_images=7).mean)
    assert not torch.equal(few.mean, mean(evaluation__baseline_images=7, evaluation__seed=1).mean)


def test_without_a_readable_image_there_is_no_baseline(
    load: Load, small: Callable[..., Settings], pictures: Path
) -> None:
    model = load(small(training__epochs=1))
    for path in pictures.iterdir():
        path.write_bytes(b"broken")
    report = CollectedReport()
    assert fit_baselines(small(), model, scan(pictures, report), report) == []
    assert any("No baselines" in line for level, line in report.lines if level == "warning")
