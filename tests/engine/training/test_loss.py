"""What training lowers, against NumPy."""

import numpy as np
import pytest
import torch

from engine.training.loss import contrastive_loss, reconstruction_loss


@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_the_contrastive_loss_is_the_cross_entropy_of_finding_the_partner(temperature: float) -> None:
    vectors = np.random.default_rng(1).normal(size=(10, 7))
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    losses = []
    for row in range(10):
        odds = np.exp(unit @ unit[row] / temperature)
        losses.append(-np.log(odds[(row + 5) % 10] / (odds.sum() - odds[row])))
    found = contrastive_loss(torch.from_numpy(vectors), temperature).item()
    assert found == pytest.approx(np.mean(losses), rel=1e-5)


def test_reconstruction_losses_are_their_definitions() -> None:
    generator = np.random.default_rng(2)
    a, b = generator.random((2, 4, 3, 8, 8))
    expected = {
        "rmse": np.mean([np.sqrt(((one - other) ** 2).mean() + 1e-7) for one, other in zip(a, b, strict=True)]),
        "mae": np.abs(a - b).mean(),
        "mse": ((a - b) ** 2).mean(),
        "charbonnier": np.sqrt((a - b) ** 2 + 1e-6).mean(),
    }
    for kind, value in expected.items():
        assert reconstruction_loss(kind, torch.from_numpy(a), torch.from_numpy(b)).item() == pytest.approx(value)
