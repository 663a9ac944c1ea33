"""Functions in machine code: nothing waits for the compiler in vain, and none needs a cache."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import engine

WITHOUT_CACHE = """
import sys
from concurrent.futures import ThreadPoolExecutor
import numpy as np
from engine import native
from engine.images.resizing import resize
assert native.__file__.startswith(sys.argv[1]), native.__file__
pixels = np.arange(60 * 90 * 3, dtype=np.uint8).reshape(60, 90, 3)
with ThreadPoolExecutor(4) as pool:
    first, *others = pool.map(lambda _: resize(pixels, 20, 30), range(4))
assert all(np.array_equal(first, other) for other in others)
assert np.abs(first - pixels.reshape(20, 3, 30, 3, 3).mean((1, 3))).max() <= 0.51
"""


def test_no_cache_folder_is_needed(tmp_path: Path) -> None:
    """Files stand where the folders would be made, which stops root too."""
    package = tmp_path / "lib" / "engine"
    shutil.copytree(Path(engine.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    for folder in [package, *filter(Path.is_dir, package.rglob("*"))]:
        (folder / "__pycache__").touch()
    (tmp_path / "file").touch()
    blocked = str(tmp_path / "file" / "folder")
    environment = os.environ | dict.fromkeys(("HOME", "XDG_CACHE_HOME", "NUMBA_CACHE_DIR"), blocked)
    environment["PYTHONPATH"] = str(package.parent)
    command = [sys.executable, "-B", "-c", WITHOUT_CACHE, str(package)]
    ended = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert not list(tmp_path.rglob("*.nb[ci]"))


@pytest.mark.parametrize("module", ["engine.analysis", "engine.images.dataset", "engine.jobs.tasks"])
def test_numba_is_not_imported_before_a_function_is_called(module: str) -> None:
    code = f"import sys, {module}; assert not {{'numba', 'llvmlite'}} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=240)
