"""What a terminal waits for: the app's and the runner's side load no heavy library."""

import subprocess
import sys

import pytest

HEAVY = {"torch", "torchvision", "textual", "matplotlib", "cv2", "PIL", "numpy", "rich"}


@pytest.mark.parametrize(
    "module",
    ["engine", "engine.records", "engine.configurations", "engine.checkpoints", "engine.jobs.submit",
     "engine.jobs.stop", "engine.jobs.follow", "engine.jobs.care", "engine.jobs.runner", "engine.jobs.worker",
     "engine.jobs.rank"],
)  # fmt: skip
def test_no_heavy_library_is_loaded(module: str) -> None:
    code = f"import sys, {module}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert not HEAVY & set(done.stdout.split())


def test_an_evaluation_without_features_needs_no_scikit_learn() -> None:
    code = "import sys, engine.evaluation, engine.anomalies; assert 'sklearn' not in sys.modules"
    subprocess.run([sys.executable, "-P", "-c", code], check=True)
