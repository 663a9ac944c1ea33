"""Finding the batch size: the quickest that memory holds, told and kept."""

import re

import pytest
import torch

from engine.checkpoints import find_checkpoint, read_config
from engine.device import choose_device
from engine.errors import FextError
from engine.images.dataset import prepare
from engine.models import Autoencoder
from engine.report import CollectedReport
from engine.training.batch_probe import find_batch_size
from engine.training.loss import step_loss
from tests.engine.training.bench import Bench, Small


def test_a_run_goes_on_with_the_size_that_was_found(bench: Bench, small: Small) -> None:
    report = CollectedReport()
    result = bench.train("run", small(training__find_batch=True, training__epochs=1), report)
    told = "\n".join(line for _, line in report.lines)
    pairs = re.findall(r"A batch of (\d+): ([\d.,]+) images", told)
    rates = {int(size): float(rate.replace(",", "")) for size, rate in pairs}
    found = int(re.findall(r"The batch size is (\d+)", told)[0])
    assert list(rates) == [2**n for n in range(len(rates))]
    assert found in rates
    assert all(rates[size] >= rates[size // 2] * 1.04 for size in rates if 1 < size <= found)
    settings = read_config(find_checkpoint(bench.workspace, "run")).settings
    assert settings.training.batch_size == found
    assert not settings.training.find_batch
    assert result.steps == -(-32 // found)


@pytest.mark.parametrize("fits", [0, 2])
def test_memory_sets_the_limit_and_weights_stay(bench: Bench, small: Small, fits: int) -> None:
    settings = small()
    data = prepare(settings, bench.workspace, bench.records, CollectedReport())
    device = choose_device(settings.device)
    model = Autoencoder(settings.model, 3)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    plain = step_loss(model, settings, device)

    def loss(stored: torch.Tensor, keys: torch.Tensor) -> torch.Tensor:
        if len(stored) > fits:
            raise torch.OutOfMemoryError
        return plain(stored, keys)

    def find() -> int:
        images = data.train
        return find_batch_size(
            loss, model.parameters(), images=images, settings=settings, device=device, report=CollectedReport()
        )

    if fits:
        assert find() in (1, 2)
    else:
        with pytest.raises(FextError, match="not fit even for one image"):
            find()
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
