"""Probe images: at which epochs they are drawn, what the pictures hold, and what a resume makes of them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from engine.checkpoints import find_checkpoint
from engine.device import choose_device
from engine.images.dataset import prepare
from engine.models.loading import load_weights
from engine.records import Records
from engine.report import CollectedReport
from engine.settings import Settings
from engine.tensors import to_float, to_uint8
from engine.training.probes import Probes
from engine.workspace import Workspace
from tests.engine.training.bench import Bench, Small, StoppingReport


def _epochs(workspace: Workspace, name: str = "run") -> list[float]:
    folder = workspace.validation / name / "probes"
    return sorted(float(path.stem.removeprefix("epoch-")) for path in folder.iterdir())


def test_they_are_drawn_before_the_first_step_and_after_epochs_1_2_5_and_the_last(bench: Bench, small: Small) -> None:
    report = CollectedReport()
    bench.train("run", small(training__epochs=7, training__probe_images=3), report)
    assert _epochs(bench.workspace) == [0, 1, 2, 5, 7]
    figure = bench.workspace.validation / "run" / "learning.png"
    assert ("figure", figure) in report.artifacts
    with Image.open(figure) as picture:
        assert picture.width >= 600


@pytest.mark.parametrize("grayscale", [False, True])
def test_a_picture_holds_originals_over_reconstructions(bench: Bench, small: Small, *, grayscale: bool) -> None:
    settings: Settings = small(training__epochs=1, training__probe_images=4, data__grayscale=grayscale)
    bench.train("run", settings)
    data = prepare(settings, bench.workspace, bench.records, CollectedReport())
    numbers = np.linspace(0, len(data.validation) - 1, 4).round().astype(np.int64)
    originals = data.validation.batch(numbers)
    model, _ = load_weights(find_checkpoint(bench.workspace, "run/last"))
    with torch.inference_mode():
        shown = to_uint8(model(to_float(torch.from_numpy(originals)))).numpy()
    with Image.open(bench.workspace.validation / "run" / "probes" / "epoch-000001.000.png") as picture:
        assert picture.mode == ("L" if grayscale else "RGB")
        pixels = np.asarray(picture).reshape(64, 4 * 32, -1)
    for number in range(4):
        columns = slice(number * 32, number * 32 + 32)
        assert np.array_equal(pixels[:32, columns], originals[number])
        assert np.array_equal(pixels[32:, columns], shown[number])


def test_a_resume_draws_on_from_where_it_stands(bench: Bench, small: Small) -> None:
    settings = small(
        training__epochs=4, training__probe_images=3, training__probe_every=1, training__checkpoint_every=1
    )
    bench.train("run", settings)
    assert _epochs(bench.workspace) == [0, 1, 2, 3, 4]
    bench.resume("run/epoch-0002", settings, StoppingReport(after=13))
    assert _epochs(bench.workspace)[:3] == [0, 1, 2]
    assert _epochs(bench.workspace) == [0, 1, 2, 3]


def test_without_images_held_out_those_trained_on_are_drawn(bench: Bench, small: Small) -> None:
    bench.train("run", small(training__epochs=2, training__probe_images=3, data__validation_fraction=0.0))
    assert _epochs(bench.workspace) == [1, 2]


def test_none_are_drawn_where_none_are_asked_for(bench: Bench, small: Small) -> None:
    bench.train("run", small(training__probe_images=0))
    assert not (bench.workspace.validation / "run").exists()


def test_a_run_goes_on_where_they_cannot_be_drawn(bench: Bench, small: Small) -> None:
    (bench.workspace.validation / "run").write_text("no folder")
    report = CollectedReport()
    assert bench.train("run", small(training__probe_images=2), report).state == "done"
    assert any(level == "warning" and "probe images are not drawn" in line for level, line in report.lines)


def test_the_epochs_that_are_kept(
    tmp_path: Path, workspace: Workspace, records: Records, small: Callable[..., Settings]
) -> None:
    settings = small()
    data = prepare(settings, workspace, records, CollectedReport())
    device = choose_device(settings.device)

    def due(every: int) -> list[int]:
        training = settings.training.model_copy(update={"probe_every": every})
        probes = Probes(data, tmp_path, training, device=device, report=CollectedReport(), epoch=0)
        return [epoch for epoch in range(101) if probes.is_due(epoch)]

    assert due(0) == [0, 1, 2, 5, 10, 20, 50, 100]
    assert due(30) == [0, 30, 60, 90]
