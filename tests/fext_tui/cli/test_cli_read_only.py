"""A workspace on a file system that can only be read: what is there can be looked at, and nothing can be begun."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.records import Records
from engine.workspace import Workspace

COMMAND = Path(sys.executable).parent / "fext"
SCRIPT = """
set -e
mount -t tmpfs none "$2"
cp -r "$1" "$2/workspace"
mount -o remount,ro "$2"
fext=$3
workspace=$2/workspace
shift 3
exec "$fext" --resources "$workspace" "$@"
"""


@pytest.fixture
def frozen(workspace: Workspace, records: Records, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return what calls ``fext`` on a copy of `workspace`, one run in it, that lies on a read-only file system."""
    unshare = shutil.which("unshare")
    probe = ["unshare", "-m", "sh", "-c", f"mount -t tmpfs none {tmp_path}"]
    if unshare is None or subprocess.run(probe, capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    run = records.add_run("kept", "redux")
    records.change_job(records.add_job("train", "cpu", {}, {}, run), state="done", started=0.0, ended=60.0)
    records.add_metrics(run, [(1, 1.0, 0.0, {"train/loss": 0.5, "validation/psnr": 30.0})])
    records.close()
    mounted = tmp_path / "mounted"
    mounted.mkdir()

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [
            "unshare",
            "-m",
            "sh",
            "-c",
            SCRIPT,
            "sh",
            str(workspace.root),
            str(mounted),
            str(COMMAND),
            *arguments,
        ]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)

    return call


def test_what_is_there_can_be_looked_at(frozen: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    assert "kept" in frozen("jobs").stdout
    assert "30.00 dB" in frozen("compare", "kept").stdout
    assert "No job waits." in frozen("queue").stdout


@pytest.mark.parametrize("arguments", [("train", "."), ("note", "kept", "cold"), ("rename", "kept", "other")])
def test_nothing_can_be_changed_and_the_reason_is_told(
    frozen: Callable[..., subprocess.CompletedProcess[str]], arguments: tuple[str, ...]
) -> None:
    ended = frozen(*arguments)
    assert ended.returncode == 1
    assert "readonly" in ended.stderr or "Read-only" in ended.stderr
    assert "writable" in ended.stderr or "permissions" in ended.stderr
    assert "Traceback" not in ended.stderr
