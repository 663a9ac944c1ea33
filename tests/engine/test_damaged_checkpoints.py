"""Checkpoints that are damaged, foreign or hostile: one clear error each, and nothing else of them is believed."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from engine.checkpoint_details import checkpoint_details
from engine.checkpoints import find_checkpoint, is_whole, list_checkpoints, mark_complete, read_config
from engine.encoding import encode
from engine.errors import FextError
from engine.evaluation import evaluate
from engine.models import Autoencoder
from engine.models.flops import flops_by, flops_of
from engine.models.loading import load_weights
from engine.records import Records
from engine.report import CollectedReport
from engine.settings import Settings, from_layers
from engine.training.checkpoint import Snapshot, Standing, copied, describe, point, save_state
from engine.workspace import Workspace
from tests.engine.conftest import Draw

Harm = Callable[[Path], object]
TINY = {
    "data.image_height": 16, "data.image_width": 24, "model.latent_channels": 8, "model.downsampling": 8,
    "device.kind": "cpu", "evaluation.feature_images": 0, "evaluation.baseline_images": 0,
}  # fmt: skip


@pytest.fixture(scope="module")
def network() -> Autoencoder:
    return Autoencoder(from_layers(("", TINY)).model, 3)


@pytest.fixture
def settings() -> Settings:
    return from_layers(("", TINY))


@pytest.fixture
def state(workspace: Workspace, settings: Settings, network: Autoencoder) -> Path:
    """Return the state of a checkpoint ``first``, which nobody has trained."""
    run = workspace.checkpoints / "first"
    run.mkdir()
    (run / "images.csv").write_text("subset,path,content_hash\r\ntrain,a.png,00\r\nvalidation,b.png,01\r\n")
    facts = {"device": "CPU", "precision": "float32", "flops": 1234}
    config = describe(settings, network, Standing(step=3), "first", facts)
    saved = save_state(run, Snapshot(copied(network.state_dict()), {}, Standing(step=3), config))
    point(run, "last", saved)
    return saved


def change(name: str, /, **values: Any) -> Harm:
    """Return what puts values into a JSON file of a state."""

    def harm(state: Path) -> None:
        document = json.loads((state / name).read_text())
        for key, value in values.items():
            *groups, last = key.split("__")
            place = document
            for group in groups:
                place = place[group]
            place[last] = value
        (state / name).write_text(json.dumps(document))
        mark_complete_again(state)

    return harm


def mark_complete_again(state: Path) -> None:
    (state / "complete.json").unlink()
    mark_complete(state)


def config(**values: Any) -> Harm:
    return change("config.json", **values)


def standing(**values: Any) -> Harm:
    return change("training_state.json", **values)


def test_what_is_sound_is_told(workspace: Workspace, records: Records, state: Path) -> None:
    details = checkpoint_details(workspace, records, "first")
    assert (details.train_images, details.validation_images, details.facts.flops) == (1, 1, 1234)
    assert load_weights(state)[1].latent == (8, 2, 3)


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (config(image_channels=1), "image_channels"),
        (config(image_channels=float("inf")), "image_channels"),
        (config(settings__data__grayscale=True), "image_channels"),
        (config(settings__data__image_height=64), "latent"),
        (config(settings__data__image_height="high"), "data.image_height"),
        (config(settings__model__variant="huge"), "model.variant"),
        (config(settings=[]), "settings"),
        (config(latent=[0, 0, 0]), "latent"),
        (config(latent="abc"), "latent"),
        (config(parameters=10**300), "parameters"),
        (config(step=-1), "step"),
        (config(step=1.5), "step"),
        (config(epoch=10**300), "epoch"),
        (config(epoch=float("nan")), "epoch"),
        (config(created=float("inf")), "created"),
        (config(created=1e300), "created"),
        (config(val_psnr="high"), "val_psnr"),
        (config(flops=-1), "flops"),
        (config(name=7), "name"),
        (config(versions=["1"]), "versions"),
        (config(versions={"torch": {}}), "versions"),
        (config(revision=7), "revision"),
        (config(precision=["float32"]), "precision"),
        (standing(seconds="long"), "seconds"),
        (standing(seconds=float("nan")), "seconds"),
        (standing(images=[]), "images"),
    ],
)
def test_fields_that_cannot_be_are_named(
    workspace: Workspace, records: Records, state: Path, harm: Harm, reason: str
) -> None:
    harm(state)
    with pytest.raises(FextError, match=f"Checkpoint first/step-00000003 cannot be understood: .*{reason}"):
        checkpoint_details(workspace, records, "first")
    list_checkpoints(workspace)


def test_a_psnr_that_was_no_number_is_unknown(state: Path) -> None:
    for value in (float("nan"), float("inf"), None):
        config(val_psnr=value)(state)
        assert read_config(state).val_psnr is None


def mark(files: object) -> Harm:
    return lambda state: (state / "complete.json").write_text(json.dumps({"files": files}))


ONE = {"bytes": 1, "blake2b": "x"}


@pytest.mark.parametrize(
    "harm",
    [
        mark({"model.safetensors": ONE, "../../../secret": ONE}),
        mark({"model.safetensors": ONE, "/etc/passwd": ONE}),
        mark({"model.safetensors": {"bytes": "1", "blake2b": "x"}}),
        mark({"model.safetensors": {"bytes": 1, "blake2b": ["x"]}}),
        mark({"model.safetensors": 1}),
        mark(["model.safetensors"]),
        lambda state: (state / "complete.json").write_text("[]"),
        lambda state: (state / "complete.json").write_text("[" * 100_000),
        lambda state: os.truncate(state / "complete.json", 2**34),
        lambda state: ((state / "complete.json").unlink(), os.mkfifo(state / "complete.json")),
    ],
)
def test_a_mark_that_is_none_is_refused(workspace: Workspace, state: Path, harm: Harm) -> None:
    harm(state)
    with pytest.raises(FextError, match=r"is damaged: complete.json"):
        find_checkpoint(workspace, "first")
    assert not is_whole(state)
    assert list_checkpoints(workspace) == []


def test_a_list_reads_no_contents(workspace: Workspace, state: Path) -> None:
    """Beside a damaged state lies a whole one of a terabyte, all of it a hole, whose digest would take an hour."""
    huge = state.with_name("step-00000002")
    huge.mkdir()
    (huge / "model.safetensors").touch()
    os.truncate(huge / "model.safetensors", 2**40)
    mark({"model.safetensors": {"bytes": 2**40, "blake2b": "x"}})(huge)
    point(state.parent, "epoch-0001", huge)
    (state / "model.safetensors").unlink()
    assert list_checkpoints(workspace) == []


def test_an_escape_code_in_a_mark_is_shown_as_text(workspace: Workspace, state: Path) -> None:
    mark({"\x1b[31m": ONE, "model.safetensors": ONE})(state)
    with pytest.raises(FextError, match=r"is damaged: \\x1b\[31m is missing"):
        find_checkpoint(workspace, "first")


@pytest.mark.parametrize(
    "harm",
    [
        lambda path: path.unlink(),
        lambda path: path.write_text(""),
        lambda path: path.write_bytes(b"\0" * 500),
        lambda path: path.write_text("subset,path\ntrain,a.png\n"),
        lambda path: path.write_text('subset,path,content_hash\n"' + "x" * 200_000),
    ],
)
def test_a_listing_that_is_none_is_refused(workspace: Workspace, records: Records, state: Path, harm: Harm) -> None:
    harm(state.parent / "images.csv")
    with pytest.raises(FextError, match=r"images.csv cannot be read"):
        checkpoint_details(workspace, records, "first")
    with pytest.raises(FextError, match=r"images.csv cannot be read"):
        evaluate(from_layers(("", TINY)), workspace, records, CollectedReport(), checkpoint="first")


Tensors = dict[str, Tensor]


def weights(alter: Callable[[Tensors], object]) -> Harm:
    """Return what alters the tensors of a state."""

    def harm(state: Path) -> None:
        tensors = load_file(state / "model.safetensors")
        alter(tensors)
        save_file(tensors, state / "model.safetensors")
        mark_complete_again(state)

    return harm


def huge(state: Path) -> None:
    """Let the weights be a terabyte, all of it a hole."""
    os.truncate(state / "model.safetensors", 2**40)
    mark({"model.safetensors": {"bytes": 2**40, "blake2b": "x"}})(state)


def content(data: bytes) -> Harm:
    def harm(state: Path) -> None:
        (state / "model.safetensors").write_bytes(data)
        mark_complete_again(state)

    return harm


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (content(b""), "cannot be read"),
        (content(os.urandom(1000)), "cannot be read"),
        (content((2**62).to_bytes(8, "little") + b"{}"), "cannot be read"),
        (weights(lambda tensors: tensors.clear()), 'do not fit .*Missing .*"stem.weight"'),
        (weights(lambda tensors: tensors.pop("stem.bias")), 'do not fit .*Missing .*"stem.bias"'),
        (weights(lambda tensors: tensors.update(more=torch.zeros(2))), 'do not fit .*Unexpected .*"more"'),
        (weights(lambda tensors: tensors.update({"stem.bias": torch.zeros(2)})), r"do not fit .*stem.bias.*\[2\]"),
        (
            weights(lambda tensors: tensors.update({"stem.bias": torch.zeros(64, dtype=torch.int32)})),
            "do not fit .*stem.bias holds torch.int32",
        ),
        (weights(lambda tensors: tensors["stem.bias"].fill_(float("nan"))), "of first hold values that are not finite"),
        (
            weights(lambda tensors: tensors.update({"stem.bias": torch.full((64,), 1e300, dtype=torch.float64)})),
            "of first hold values that are not finite",
        ),
        (
            weights(lambda tensors: tensors.update({"stem.bias": torch.full((64,), torch.nan).to(torch.float8_e5m2)})),
            "of first hold values that are not finite",
        ),
        (huge, "do not fit .*has 1,099,511,627,776 bytes"),
    ],
)
def test_weights_that_do_not_fit_are_refused(state: Path, harm: Harm, reason: str) -> None:
    harm(state)
    with pytest.raises(FextError, match=reason):
        load_weights(state)


def test_weights_that_give_nothing_finite_are_told_by_all_tasks(
    workspace: Workspace, records: Records, settings: Settings, state: Path, tmp_path: Path, draw_pictures: Draw
) -> None:
    weights(lambda tensors: tensors["stem.weight"].fill_(3e38))(state)
    folder = str(draw_pictures(tmp_path / "two", 2))
    with pytest.raises(FextError, match="The network gives values that are not finite"):
        evaluate(settings, workspace, records, CollectedReport(), checkpoint="first", folder=folder)
    with pytest.raises(FextError, match=r"picture_000.png holds values that are not finite"):
        encode(settings, workspace, records, CollectedReport(), checkpoint="first", folder=folder)
    assert not (workspace.inference / "first").exists()


def test_operations_are_those_that_are_done(settings: Settings, network: Autoencoder) -> None:
    before = torch.random.get_rng_state()
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        network(torch.zeros(1, 3, 16, 24))
    assert flops_of(network, 16, 24) == flops_by(settings) == counter.get_total_flops() > 0
    assert torch.equal(torch.random.get_rng_state(), before)
