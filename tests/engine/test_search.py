"""Search by example: the stored vector where there is one, else the set's own encoder, else a reason."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import ArrayLike
from PIL import Image

from engine.checkpoints import find_checkpoint, fingerprint, tags_of
from engine.embeddings import read_embeddings
from engine.encoding import encode
from engine.errors import FextError, UsageError
from engine.records import Records
from engine.report import CollectedReport
from engine.search import Similar, find_similar, find_stored
from engine.settings import Settings
from engine.training import train
from engine.workspace import Workspace
from tests.embedding_sets import write_set

Small = Callable[..., Settings]
Draw = Callable[..., Path]
Put = Callable[..., Path]

AXES = ((1, 0, 0), (0, 1, 0), (1, 1, 0), (1, 0.1, 0))


@pytest.fixture
def put(workspace: Workspace, records: Records) -> Put:
    """Return a function that writes the vectors of a folder's images as those of a checkpoint."""

    def write(folder: Path, name: str, vectors: ArrayLike = AXES) -> Path:
        return write_set(workspace, records, folder, name, vectors)

    return write


@pytest.fixture
def ask(workspace: Workspace, records: Records, small: Small) -> Callable[..., Similar]:
    """Return `find_similar` on `workspace`."""

    def find(image: Path, k: int = 10, **asked: str) -> Similar:
        return find_similar(workspace, records, image, k=k, settings=small(), **asked)

    return find


def names(found: Similar) -> list[str]:
    return [one.path.name for one in found.neighbors]


def test_a_stored_vector_needs_no_checkpoint(
    ask: Callable[..., Similar], put: Put, tmp_path: Path, draw_pictures: Draw, workspace: Workspace
) -> None:
    folder = draw_pictures(tmp_path / "four", 4)
    put(folder, "gone")
    found = ask(folder / "picture_000.png")
    assert names(found) == ["picture_003.png", "picture_002.png", "picture_001.png"]
    assert [one.path.parent for one in found.neighbors] == [folder] * 3
    assert np.allclose([one.similarity for one in found.neighbors], [1 / np.sqrt(1.01), np.sqrt(0.5), 0])
    assert (found.is_stored, found.recall, found.checkpoint, found.folder, found.images) == (True, 1, "gone", folder, 4)
    assert found.embeddings == workspace.inference / "gone"
    assert names(ask(folder / "picture_000.png", 1)) == ["picture_003.png"]
    (folder / "picture_003.png").unlink()
    assert [one.is_there for one in ask(folder / "picture_000.png").neighbors] == [False, True, True]


def test_the_set_that_holds_the_image_is_searched_unless_another_is_named(
    ask: Callable[..., Similar], put: Put, tmp_path: Path, draw_pictures: Draw
) -> None:
    one, other = draw_pictures(tmp_path / "one", 4), draw_pictures(tmp_path / "other", 4, seed=1)
    for name, folder in (("old", one), ("new", one), ("last", other)):
        put(folder, name)
    image = one / "picture_001.png"
    assert ask(image).checkpoint == "new"
    assert ask(image, checkpoint="old").checkpoint == "old"
    assert ask(image, folder=str(one)).checkpoint == "new"
    assert ask(image, folder=str(one), checkpoint="old").checkpoint == "old"
    with pytest.raises(UsageError, match="not among these embeddings as it is now, and cannot be encoded"):
        ask(image, folder=str(other))


def test_folders_reached_by_links_lists_and_the_workspace(
    ask: Callable[..., Similar], put: Put, tmp_path: Path, draw_pictures: Draw, workspace: Workspace
) -> None:
    inside = draw_pictures(workspace.root / "database" / "mine", 4)
    put(inside, "inside")
    (tmp_path / "link").symlink_to(inside)
    assert ask(tmp_path / "link" / "picture_000.png").is_stored
    assert ask(inside / "picture_000.png", folder="database/mine").is_stored
    outside = draw_pictures(tmp_path / "outside", 2)
    (tmp_path / "list.txt").write_text(f"{inside}/picture_000.png\n{inside}/picture_001.png\noutside/picture_000.png\n")
    put(tmp_path / "list.txt", "listed", AXES[:3])
    found = ask(outside / "picture_000.png")
    assert (found.checkpoint, found.is_stored) == ("listed", True)
    assert {one.path for one in found.neighbors} == {inside / "picture_000.png", inside / "picture_001.png"}


def test_sets_that_are_gone_or_taken_over_are_passed_by(
    ask: Callable[..., Similar], put: Put, tmp_path: Path, draw_pictures: Draw, workspace: Workspace
) -> None:
    one, other = draw_pictures(tmp_path / "one", 4), draw_pictures(tmp_path / "other", 4)
    put(one, "stays")
    put(one, "goes")
    shutil.rmtree(workspace.inference / "goes")
    assert ask(one / "picture_000.png").checkpoint == "stays"
    put(one, "taken")
    put(other, "taken")
    assert ask(one / "picture_000.png").checkpoint == "stays"


def test_hostile_names(ask: Callable[..., Similar], put: Put, tmp_path: Path, draw_pictures: Draw) -> None:
    folder = draw_pictures(tmp_path / "strange", 3)
    name = os.fsdecode(b'a"\n\xff\x1b[31m,.png')
    (folder / "picture_000.png").rename(folder / name)
    put(folder, "strange", AXES[:3])
    assert name in names(ask(folder / "picture_001.png"))
    assert ask(folder / name).is_stored
    (folder / name).write_bytes((folder / "picture_001.png").read_bytes())
    with pytest.raises(UsageError) as refused:
        ask(folder / name)
    assert refused.value.cause.isprintable()


def test_only_stored_vectors(
    put: Put, workspace: Workspace, records: Records, tmp_path: Path, draw_pictures: Draw
) -> None:
    folder = draw_pictures(tmp_path / "four", 4)
    assert find_stored(workspace, records, folder / "picture_000.png", k=2) is None
    put(folder, "made")
    found = find_stored(workspace, records, folder / "picture_000.png", k=2)
    assert found
    assert names(found) == ["picture_003.png", "picture_002.png"]
    os.utime(folder / "picture_000.png", ns=(1, 1))
    assert find_stored(workspace, records, folder / "picture_000.png", k=2) is None
    assert find_stored(workspace, records, tmp_path / "nothing.png", k=2) is None


def test_without_embeddings_the_remedy_makes_them(ask: Callable[..., Similar], pictures: Path) -> None:
    image = pictures / "picture_000.png"
    with pytest.raises(UsageError, match=r"no embeddings to search.\nMake them first: `fext encode CHECKPOINT FOLDER`"):
        ask(image)
    with pytest.raises(UsageError, match=r"no embeddings of here by mine .*\n.*`fext encode mine here`"):
        ask(image, checkpoint="mine", folder="here")
    with pytest.raises(UsageError, match="There is no file"):
        ask(pictures / "nothing.png")


def test_damaged_embeddings_are_told_where_there_are_no_others(
    ask: Callable[..., Similar], put: Put, tmp_path: Path, draw_pictures: Draw
) -> None:
    folder = draw_pictures(tmp_path / "four", 4)
    image = folder / "picture_000.png"
    put(folder, "sound")
    bundle = put(folder, "broken") / "bundle.json"
    bundle.write_text(bundle.read_text().replace('"float32"', '"O"'))
    assert ask(image).checkpoint == "sound"
    with pytest.raises(FextError, match=r"broken are damaged: .* dtype: 'O' is none of"):
        ask(image, checkpoint="broken")


def test_records_lead_nowhere_out_of_the_workspace(
    put: Put, workspace: Workspace, records: Records, tmp_path: Path, draw_pictures: Draw
) -> None:
    folder = draw_pictures(tmp_path / "four", 4)
    place = put(folder, "made")
    place.rename(tmp_path / "elsewhere")
    for path in (str(tmp_path / "elsewhere"), "database/inference/../../../elsewhere"):
        records.add_embeddings(job=None, checkpoint="made", folder=workspace.stored_path(folder), path=path,
                               rows=4, dim=8, skipped=0)  # fmt: skip
    assert find_stored(workspace, records, folder / "picture_000.png", k=2) is None


def test_names_that_no_file_can_have(
    ask: Callable[..., Similar], put: Put, tmp_path: Path, draw_pictures: Draw
) -> None:
    folder = draw_pictures(tmp_path / "four", 4)
    index = put(folder, "strange") / "index.csv"
    index.write_text(index.read_text().replace("picture_003", "x" * 5000).replace("picture_002", "a\0b"))
    found = ask(folder / "picture_000.png", 10_000)
    assert [one.is_there for one in found.neighbors] == [False, False, True]


def test_no_torch_is_loaded_for_a_stored_vector(
    put: Put, workspace: Workspace, tmp_path: Path, draw_pictures: Draw
) -> None:
    folder = draw_pictures(tmp_path / "four", 4)
    put(folder, "made")
    code = """
import sys
from pathlib import Path
from engine.records import Records
from engine.search import find_similar, find_stored
from engine.settings import Settings
from engine.workspace import Workspace
workspace = Workspace(Path(sys.argv[1]))
with Records(workspace) as records:
    assert find_similar(workspace, records, Path(sys.argv[2]), k=3, settings=Settings()).is_stored
    assert find_stored(workspace, records, Path(sys.argv[2]), k=3).is_stored  # as the app does, in its own process
    assert find_stored(workspace, records, Path(sys.argv[3]), k=3) is None
print(*{"torch", "cv2", "usearch", "textual"} & {name.partition(".")[0] for name in sys.modules})
"""
    images = [str(folder / "picture_000.png"), str(draw_pictures(tmp_path / "more", 1) / "picture_000.png")]
    command = [sys.executable, "-P", "-c", code, str(workspace.root), *images]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


# --- With a network -----------------------------------------------------------------------------------------------


@pytest.fixture
def encoded(workspace: Workspace, records: Records, small: Small, pictures: Path) -> str:
    """Return the name of a checkpoint with which `pictures` are encoded, pooled in a way that is not the default."""
    train(small(training__epochs=1), workspace, records, CollectedReport(), run=records.add_run("encoder", "redux"))
    settings = small(encoding__pooling="mean_std")
    encode(settings, workspace, records, CollectedReport(), checkpoint="encoder", folder=str(pictures))
    return "encoder"


def test_another_image_is_encoded_as_the_set_was(
    ask: Callable[..., Similar], encoded: str, pictures: Path, tmp_path: Path, workspace: Workspace
) -> None:
    copy = tmp_path / "copy.png"
    copy.write_bytes((pictures / "picture_017.png").read_bytes())
    found, stored = ask(copy, 6), ask(pictures / "picture_017.png", 5)
    assert (found.is_stored, stored.is_stored) == (False, True)
    assert found.neighbors[0].path == pictures / "picture_017.png"
    assert found.neighbors[0].similarity == pytest.approx(1, abs=1e-5)
    assert names(found)[1:] == names(stored)
    assert np.allclose([one.similarity for one in found.neighbors[1:]], [one.similarity for one in stored.neighbors])
    assert read_embeddings(workspace.inference / "encoder").origin.fingerprint == fingerprint(
        find_checkpoint(workspace, encoded)
    )
    copy.write_bytes(copy.read_bytes()[:300])
    with pytest.raises(FextError, match=r"copy.png cannot be read: .*truncated"):
        ask(copy)
    changed = pictures / "picture_003.png"
    Image.open(changed).transpose(Image.Transpose.FLIP_TOP_BOTTOM).save(changed)
    assert not ask(changed).is_stored


def test_weights_that_are_gone_or_others_are_refused(
    ask: Callable[..., Similar], encoded: str, pictures: Path, tmp_path: Path, workspace: Workspace
) -> None:
    copy = tmp_path / "copy.png"
    copy.write_bytes((pictures / "picture_017.png").read_bytes())
    bundle = workspace.inference / "encoder" / "bundle.json"
    real = fingerprint(find_checkpoint(workspace, encoded))
    bundle.write_text(bundle.read_text().replace(real, "0" * 32))
    with pytest.raises(UsageError) as refused:
        ask(copy)
    assert "they were made by other weights of encoder than those that are there now" in refused.value.cause
    assert refused.value.remedy == f"Encode the folder again: `fext encode encoder {pictures}`."
    for old, new in (('"image_height": 32', '"image_height": 64'), ('"mean_std"', '"mean"')):
        bundle.write_text(bundle.read_text().replace("0" * 32, real).replace(old, new))
        with pytest.raises(FextError, match=r"damaged: encoder gives \d+ values for pictures of 32 × 32 × 3"):
            ask(copy)
        bundle.write_text(bundle.read_text().replace(new, old))
    assert tags_of(workspace.checkpoints / encoded)
    shutil.rmtree(workspace.checkpoints / encoded)
    with pytest.raises(UsageError, match=r"copy.png is not among .*: There is no checkpoint 'encoder'"):
        ask(copy)
    assert ask(pictures / "picture_017.png").is_stored
