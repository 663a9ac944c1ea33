"""Readers of files that another may have written, given mutations of sound ones: errors for a person come out.

`test_soak_readers.py` does the same for as long as it is told to.
"""

import json
import sqlite3
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from engine.checkpoints import find_checkpoint, list_checkpoints
from engine.errors import FextError, UsageError
from engine.images.index import read_index
from engine.images.layout import Layout
from engine.images.packfile import read_pack
from engine.records import Records
from engine.training.checkpoint import Standing, load_standing, load_training_tensors
from engine.workspace import Workspace, check_name
from tests.hostile import readers
from tests.hostile.readers import Target, targets

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")

NAMES = (
    "checkpoint", "embeddings", "configuration", "environment", "keys", "command at the end", "ranking", "pack",
    "list of images", "latent", "records",
)  # fmt: skip
SLOW = {"checkpoint": 12, "records": 40, "keys": 25}


@pytest.fixture(scope="module")
def every_target(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Target]:
    return targets(tmp_path_factory.mktemp("readers"))


def test_each_reader_is_fuzzed(every_target: dict[str, Target]) -> None:
    assert tuple(every_target) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_sound_files_are_read(every_target: dict[str, Target], name: str) -> None:
    every_target[name].read()


@pytest.mark.parametrize("name", NAMES)
def test_a_mutated_file_is_read_or_refused(every_target: dict[str, Target], name: str) -> None:
    target = every_target[name]

    @settings(max_examples=SLOW.get(name, 60), suppress_health_check=list(HealthCheck), database=None)
    @given(st.randoms(use_true_random=False))
    def strike(drawn: Random) -> None:
        assert target.strike(drawn) in {"read", "refused"}

    strike()


# --- What the fuzzing has found ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["configuration", "keys", "command at the end"])
def test_nesting_too_deep_for_the_parser_is_told(every_target: dict[str, Target], name: str) -> None:
    target = every_target[name]
    [(path, sound)] = target.files.items()
    path.write_bytes(b"x = " + b"[" * 3_000)
    with pytest.raises(FextError, match="cannot be read"):
        target.read()
    path.write_bytes(sound)


def test_a_hash_beyond_its_bits_makes_a_pack_none(every_target: dict[str, Target]) -> None:
    [(path, sound)] = [(path, data) for path, data in every_target["pack"].files.items() if path.name == "index.csv"]
    known = f"{read_index(path).perceptual_hashes[0]:016x}".encode()
    for other in (b"f" * 17, b"-1", b"none"):
        path.write_bytes(sound.replace(known, other))
        assert read_pack(path.parent, Layout(16, 16, gray=False)) is None
    path.write_bytes(sound)
    assert read_pack(path.parent, Layout(16, 16, gray=False))


@pytest.mark.parametrize(
    "values",
    [
        {"step": "3"},
        {"step": -1},
        {"seconds": float("nan")},
        {"validation_due": 1},
        {"best_psnr": "high"},
        {"stretch_unit": 5},
        {"unknown": 1},
    ],
)
def test_a_standing_that_cannot_be_is_told(tmp_path: Path, values: dict[str, Any]) -> None:
    (tmp_path / "training_state.json").write_text(json.dumps(asdict(Standing()) | values))
    with pytest.raises(FextError, match="cannot be understood") as told:
        load_standing(tmp_path)
    assert "train again" in told.value.remedy


@pytest.mark.parametrize(
    ("name", "tensor"),
    [
        ("exp_avg.none", torch.zeros(4)),
        ("exp_avg.weight", torch.zeros(3)),
        ("raw.weight", torch.zeros(())),
        ("extra.account", torch.zeros(1_000)),
        ("", torch.zeros(4)),
    ],
)
def test_training_tensors_of_another_network_are_told(tmp_path: Path, name: str, tensor: torch.Tensor) -> None:
    model = torch.nn.ParameterDict({"weight": torch.zeros(4)})
    sound = {"exp_avg.weight": torch.zeros(4), "step.weight": torch.zeros(()), "extra.scale": torch.ones(())}
    save_file(sound, tmp_path / "training_state.safetensors")
    assert load_training_tensors(tmp_path, model).keys() == sound.keys()
    save_file({**sound, name: tensor}, tmp_path / "training_state.safetensors")
    with pytest.raises(FextError, match="does not fit its network"):
        load_training_tensors(tmp_path, model)


@pytest.fixture
def filled(workspace: Workspace) -> Workspace:
    with Records(workspace) as records:
        readers.fill(records)
    return workspace


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("UPDATE job SET settings = '[' || hex(zeroblob(9))", "settings holds no JSON"),
        ("UPDATE job SET result = '[1]'", "result holds no dict"),
        ("UPDATE job SET error = '1'", "error holds no dict"),
        ("UPDATE job SET created = 1e999", "is no time"),
        ("UPDATE job SET ended = 'yesterday'", "is no time"),
        ("UPDATE job SET done = x'ff'", "is no number"),
        ("UPDATE evaluation SET summary = replace(hex(zeroblob(9000)), '0', '[')", "summary holds no JSON"),
        ("UPDATE histogram SET counts = '[1, \"2\"]'", "counts holds something else than whole numbers"),
        ("UPDATE metric SET step = 'last' WHERE step = 39", "is no number"),
        ("UPDATE metric SET name = x'ff'", "out of order"),
        ("UPDATE run SET created = 'x'", "is no time"),
    ],
)
def test_a_column_that_holds_something_else_is_told(filled: Workspace, change: str, reason: str) -> None:
    with closing(sqlite3.connect(filled.database)) as database, database:
        database.execute(change)
    with Records(filled) as records, pytest.raises(FextError, match=f"are damaged: .*{reason}") as told:
        readers.ask(records)
    assert "restore a copy" in told.value.remedy


@pytest.mark.parametrize(
    "name",
    ["../x", "..", "/etc/passwd", "a/../../b", "a\0b", "", ".", "a\n", "-rf", "x" * 200, "é", "\x1b[31m", "images"],
)
def test_a_name_never_leads_elsewhere(workspace: Workspace, name: str) -> None:
    for what in (lambda: check_name(name, "checkpoint"), lambda: find_checkpoint(workspace, name)):
        with pytest.raises(UsageError):
            what()


def test_a_tag_that_leads_out_of_its_run_is_none(workspace: Workspace, tmp_path: Path) -> None:
    outside = tmp_path / "step-00000003"
    outside.mkdir()
    run = workspace.checkpoints / "first"
    run.mkdir()
    for tag, target in {
        "last": outside,
        "best": "../../../step-00000003",
        "epoch-0001": "/etc",
        "kept-1": "..",
    }.items():
        (run / tag).symlink_to(target)
    assert list_checkpoints(workspace) == []
    with pytest.raises(UsageError, match="no checkpoint 'first'"):
        find_checkpoint(workspace, "first")
