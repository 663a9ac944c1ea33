"""Search by example on the command line."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from engine.records import Records
from engine.workspace import Workspace
from tests.embedding_sets import write_set
from tests.fext_tui.cli.conftest import Ended

Fext = Callable[..., Ended]


@pytest.fixture
def embeddings(pictures: Path, workspace: Workspace, records: Records) -> Path:
    """Return where the vectors of `pictures` lie: directions of which each is a little further from the first."""
    angles = np.radians(np.arange(24))
    return write_set(workspace, records, pictures, "mine", np.stack([np.cos(angles), np.sin(angles)], 1))


@pytest.fixture
def order(pictures: Path) -> list[str]:
    """Return the pictures as the set has them."""
    return sorted(path.name for path in pictures.iterdir())


def test_the_nearest_are_listed(fext: Fext, embeddings: Path, pictures: Path, order: list[str]) -> None:
    ended = fext("similar", f"pictures/{order[0]}", "-k", 3, "--json")
    assert ended.code == 0
    neighbors = ended.json.pop("neighbors")
    assert {**ended.json, "neighbors": 0} == {
        "image": str(pictures / order[0]), "checkpoint": "mine", "folder": str(pictures), "images": 24,
        "embeddings": str(embeddings), "is_stored": True, "recall": 1.0, "neighbors": 0,
    }  # fmt: skip
    assert [(one["rank"], one["path"], one["exists"]) for one in neighbors] == [
        (rank, str(pictures / order[rank]), True) for rank in (1, 2, 3)
    ]
    assert [one["similarity"] for one in neighbors] == pytest.approx(np.cos(np.radians([1, 2, 3])))
    assert len(fext("similar", f"pictures/{order[0]}", "--json").json["neighbors"]) == 20
    assert len(fext("similar", f"pictures/{order[0]}", "-k", 99, "--json").json["neighbors"]) == 23


def test_a_person_reads_a_table(fext: Fext, embeddings: Path, pictures: Path, order: list[str]) -> None:
    (pictures / order[1]).unlink()
    ended = fext("similar", pictures / order[0], "--count", 2, "--checkpoint", "mine", "--folder", "pictures")
    assert (ended.code, ended.err) == (0, "")
    lines = ended.out.splitlines()
    assert lines[0].split() == ["image", f"pictures/{order[0]},", "as", "stored"]
    assert lines[1].endswith("24 of pictures by mine, each compared")
    assert lines[4].split() == ["1", "0.9998", f"pictures/{order[1]}", "the", "file", "is", "gone"]
    assert lines[5].split() == ["2", "0.9994", f"pictures/{order[2]}"]


def test_names_are_text(fext: Fext, pictures: Path, workspace: Workspace, records: Records) -> None:
    strange = pictures / os.fsdecode(b"[red]\x1b[31m\n\xff.png")
    (pictures / "0.png").rename(strange)
    write_set(workspace, records, pictures, "mine", np.eye(24) + 0.1)
    told = fext("similar", strange).out
    assert "[red]\\x1b[31m\\n\\xff.png, as stored" in told
    listed = fext("similar", "pictures/1.png", "-k", 23)
    assert "\x1b" not in listed.out
    assert str(strange) in [
        one["path"] for one in fext("similar", "pictures/1.png", "-k", 23, "--json").json["neighbors"]
    ]


def test_what_cannot_be_searched_is_said(fext: Fext, pictures: Path) -> None:
    ended = fext("similar", "pictures/0.png", "--json")
    assert ended.code == 2
    assert ended.json["error"]["remedy"] == "Make them first: `fext encode CHECKPOINT FOLDER`."
    missing = fext("similar", "pictures/none.png")
    assert (missing.code, f"There is no file {pictures / 'none.png'}." in missing.err) == (2, True)
    assert fext("similar", "pictures/0.png", "-k", 0).code == 2


def test_the_installed_command_has_it(process: Fext, embeddings: Path) -> None:
    assert process("similar", "pictures/0.png", "-k", 2, "--json").json["checkpoint"] == "mine"
