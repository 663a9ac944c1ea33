"""Training for vectors: views agree, and what vectors are whitened by goes with the weights."""

import numpy as np
import pytest
import torch

from engine.checkpoints import find_checkpoint
from engine.device import choose_device
from engine.images.augment import augment
from engine.images.dataset import prepare
from engine.images.disguise import view
from engine.models import Autoencoder
from engine.models.loading import load_weights
from engine.report import CollectedReport
from engine.tensors import to_float
from engine.training.loss import contrastive_loss, image_keys, reconstruction_loss, step_loss
from tests.engine.training.bench import Bench, Small, StoppingReport

FEATURES = {
    "model__shortcut": False,
    "model__projection": 16,
    "objective__agreement": 1.0,
    "objective__noise": 0.1,
}


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_statistics_are_those_of_the_training_images(bench: Bench, small: Small, ema: float) -> None:
    settings = small(**FEATURES, training__ema=ema)
    bench.train("run", settings)
    data = prepare(settings, bench.workspace, bench.records, CollectedReport())
    images = to_float(torch.from_numpy(data.train.batch(np.arange(len(data.train)))))
    model, _ = load_weights(find_checkpoint(bench.workspace, "run/last"))
    with torch.inference_mode():
        vectors, plain = (model.embed(images, kind).double() for kind in ("auto", "pyramid"))
    assert vectors.shape == (32, 224)
    assert model.whitening is not None
    assert torch.allclose(model.whitening.mean.double(), plain.mean(0), atol=1e-5)
    deviations = torch.linalg.svdvals(plain - plain.mean(0)) / 32**0.5
    covariance = vectors.T @ vectors / 32
    assert torch.allclose(covariance[:31, :31], deviations[:31].diag(), atol=1e-3)


def test_the_loss_is_that_of_both_views_and_of_some_first_views_restored(bench: Bench, small: Small) -> None:
    settings = small(**FEATURES | {"objective__noise": 0.0, "augmentation__enabled": True})
    data = prepare(settings, bench.workspace, bench.records, CollectedReport())
    device = choose_device(settings.device)
    model = Autoencoder(settings.model, 3).train()
    stored = torch.from_numpy(data.train.batch(np.arange(8)))
    keys = image_keys(settings, 3, torch.arange(8))
    found = step_loss(model, settings, device)(stored, keys)
    images = augment(to_float(stored), keys, settings.augmentation)
    views = [view(images, keys, number, settings.objective) for number in (0, 1)]
    latent = model.encode(torch.cat(views))
    expected = contrastive_loss(model.project(latent), settings.objective.temperature)
    expected = expected + reconstruction_loss(settings.training.loss, model.decode(latent[:2]), views[0][:2])
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)


def test_views_come_to_agree(bench: Bench, small: Small) -> None:
    settings = small(**FEATURES, training__epochs=12, training__learning_rate=0.003)
    data = prepare(settings, bench.workspace, bench.records, CollectedReport())
    stored = torch.from_numpy(data.train.batch(np.arange(32)))
    keys = image_keys(settings, 99, torch.arange(32))
    bench.train("run", settings)
    after, _ = load_weights(find_checkpoint(bench.workspace, "run/last"))

    def disagreement(model: Autoencoder) -> float:
        images = to_float(stored)
        views = torch.cat([view(images, keys, number, settings.objective) for number in (0, 1)])
        with torch.no_grad():
            return contrastive_loss(model.train().project(model.encode(views)), 0.1).item()

    assert disagreement(after) < 0.7 * disagreement(Autoencoder(settings.model, 3))


def test_a_stopped_run_goes_on_to_the_bit(bench: Bench, small: Small) -> None:
    settings = small(**FEATURES, training__epochs=3)
    bench.train("whole", settings)
    bench.train("stopped", settings, StoppingReport(after=5))
    bench.resume("stopped", settings)
    bench.assert_equal("whole", "stopped")
    assert {"projection.0.weight", "whitening.map"} <= bench.weights("stopped").keys()
