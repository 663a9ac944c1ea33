"""How the child lives and dies: every end of it is told, and the next question finds another.

A question about a checkpoint that is not there is answered before PyTorch is loaded, a second or two earlier.
"""

import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from engine.errors import FextError
from engine.images.decode import load_image
from engine.inference import Inference, client
from engine.workspace import Workspace

ChildOf = Callable[[Workspace], psutil.Process]
ChildrenOf = Callable[[Workspace], list[psutil.Process]]
WaitFor = Callable[..., object]


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as threads:
        yield threads


def answers(inference: Inference, picture: Path) -> None:
    """Ask what needs no network, and see that a child answers."""
    with pytest.raises(FextError, match="no checkpoint 'none'"):
        inference.reconstruct("none", picture)


@pytest.fixture
def child(inference: Inference, trained: Workspace, picture: Path, child_of: ChildOf) -> psutil.Process:
    """Return the child of `inference`, which has answered."""
    answers(inference, picture)
    return child_of(trained)


class Patience:
    """Wants an answer until it is ended; ``waits`` once the question is asked and the answer awaited."""

    def __init__(self) -> None:
        self.waits = threading.Event()
        self.ended = threading.Event()
        self._looks = 0

    def __call__(self) -> bool:
        self._looks += 1
        if self._looks > 2:  # before asking, at the first look for an answer, and then while it is awaited
            self.waits.set()
        return not self.ended.is_set()


def test_a_child_that_is_killed_while_it_is_asked(
    inference: Inference, trained: Workspace, picture: Path, child: psutil.Process, pool: ThreadPoolExecutor
) -> None:
    child.suspend()
    patience = Patience()
    asked = pool.submit(inference.reconstruct, "color", picture, patience)
    assert patience.waits.wait(60)
    child.kill()
    with pytest.raises(FextError, match=r"killed from outside \(signal SIGKILL\)") as told:
        asked.result(60)
    assert told.value.remedy
    answers(inference, picture)


def test_a_crash_in_native_code_is_told_with_what_was_printed(
    inference: Inference, picture: Path, child: psutil.Process, pool: ThreadPoolExecutor
) -> None:
    child.suspend()
    patience = Patience()
    asked = pool.submit(inference.reconstruct, "color", picture, patience)
    assert patience.waits.wait(60)
    child.send_signal(signal.SIGSEGV)
    child.resume()
    with pytest.raises(FextError, match=r"crashed in native code \(signal SIGSEGV\)") as told:
        asked.result(60)
    assert any("Fatal Python error: Segmentation fault" in note for note in told.value.__notes__)


def test_a_child_that_died_or_rests_while_nobody_asks_is_not_told(
    inference: Inference,
    trained: Workspace,
    picture: Path,
    child: psutil.Process,
    children_of: ChildrenOf,
    monkeypatch: pytest.MonkeyPatch,
    wait_for: WaitFor,
) -> None:
    child.kill()
    wait_for(lambda: not child.is_running())
    with monkeypatch.context() as patched:
        patched.setattr(client, "IDLE_SECONDS", 0.5)
        answers(inference, picture)
    wait_for(lambda: not children_of(trained))
    answers(inference, picture)


def test_a_child_that_does_not_answer_is_ended(
    inference: Inference, picture: Path, child: psutil.Process, monkeypatch: pytest.MonkeyPatch, wait_for: WaitFor
) -> None:
    child.suspend()
    with monkeypatch.context() as patched:
        patched.setattr(client, "ANSWER_SECONDS", 0.2)
        with pytest.raises(FextError, match=r"no answer about the picture in 0\.2 s"):
            inference.reconstruct("color", picture)
    wait_for(lambda: not child.is_running())
    answers(inference, picture)


def test_nobody_waits_for_one_that_is_closed(
    trained: Workspace,
    picture: Path,
    tmp_path: Path,
    children_of: ChildrenOf,
    pool: ThreadPoolExecutor,
    wait_for: WaitFor,
) -> None:
    same = _same(trained, tmp_path)
    own = Inference(same)
    assert own.reconstruct("color", picture, lambda: False) is None
    own.close()
    own = Inference(same)
    patience = Patience()
    asked = pool.submit(own.reconstruct, "color", picture, patience)
    assert patience.waits.wait(60)
    own.close()
    assert asked.result(60) is None
    wait_for(lambda: not children_of(same))
    assert own.reconstruct("color", picture) is None
    assert not children_of(same)


def test_it_dies_with_the_app_but_not_of_its_ctrl_c(trained: Workspace, picture: Path, wait_for: WaitFor) -> None:
    code = (
        "import sys; from pathlib import Path; from engine.errors import FextError; "
        "from engine.inference import Inference; from engine.workspace import Workspace\n"
        "try: Inference(Workspace(Path(sys.argv[1]))).reconstruct('none', Path(sys.argv[2]))\n"
        "except FextError as error: print(error.cause, flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-P", "-c", code, str(trained.root), str(picture)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as app:
        assert app.stdout is not None
        assert app.stdout.readline().startswith(b"There is no checkpoint 'none'")
        [child] = psutil.Process(app.pid).children()
        assert os.getsid(child.pid) == child.pid
        app.kill()
        wait_for(lambda: not child.is_running())


# --- With a network: one child for all, and for the tests of what it answers ------------------------------------------


def test_two_threads_at_once(
    inference: Inference, trained: Workspace, child: psutil.Process, child_of: ChildOf, pool: ThreadPoolExecutor
) -> None:
    paths = sorted((trained.root / "pictures").iterdir()) * 2
    found = pool.map(lambda path: inference.reconstruct("color", path), paths)
    for path, one in zip(paths, found, strict=True):
        assert one is not None
        assert np.array_equal(one.original, load_image(path, 32, 32, False))
    assert child_of(trained) == child


def test_who_wants_no_answer_any_more_does_not_wait(
    inference: Inference, trained: Workspace, picture: Path, child: psutil.Process, pool: ThreadPoolExecutor
) -> None:
    other = picture.with_name("picture_007.png")
    child.suspend()
    patience = Patience()
    asked = pool.submit(inference.reconstruct, "color", picture, patience)
    assert patience.waits.wait(60)
    assert inference.reconstruct("color", other, lambda: False) is None
    patience.ended.set()
    assert asked.result(60) is None
    later = Patience()
    asked = pool.submit(inference.reconstruct, "color", other, later)
    assert later.waits.wait(60)
    child.resume()
    found = asked.result(60)
    assert found is not None
    assert np.array_equal(found.original, load_image(other, 32, 32, False))


def test_memory_that_runs_out_is_told_and_the_child_goes_on(
    inference: Inference, trained: Workspace, picture: Path, tmp_path: Path, child_of: ChildOf
) -> None:
    huge = tmp_path / "huge.png"
    Image.new("L", (12_000, 12_000)).save(huge, compress_level=1)
    assert inference.reconstruct("color", picture)
    child = child_of(trained)
    before = resource.prlimit(child.pid, resource.RLIMIT_AS)
    resource.prlimit(child.pid, resource.RLIMIT_AS, (child.memory_info().vms + 2**27, before[1]))
    with pytest.raises(FextError, match=r"^Out of memory\.") as told:
        inference.reconstruct("color", huge)
    resource.prlimit(child.pid, resource.RLIMIT_AS, before)
    assert "lighter checkpoint" in told.value.remedy
    assert inference.reconstruct("color", picture)
    assert child_of(trained) == child


def _same(workspace: Workspace, folder: Path) -> Workspace:
    """Return the same workspace under another path, whose children can be told apart."""
    (folder / "same").symlink_to(workspace.root)
    return Workspace(folder / "same")
