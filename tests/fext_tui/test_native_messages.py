"""What libraries in C say of damaged pictures does not reach the screen of the app."""

import io
import os
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from engine.images.decode import decode
from engine.workspace import Workspace
from fext_tui.native_messages import kept_off_screen

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.fext_tui.conftest import Terminal


def damaged_jpeg() -> bytes:
    """Return a JPEG file whose coded data miss a part, of which libjpeg makes a picture and complains."""
    file = io.BytesIO()
    noise = np.random.default_rng(1).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(file, "JPEG")
    data = file.getvalue()
    return data[: len(data) // 2] + b"\xff\xd9"


def test_only_python_reaches_standard_error(tmp_path: "Path", capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "damaged.jpg").write_bytes(damaged_jpeg())
    decode(tmp_path / "damaged.jpg", gray=False)
    assert "Corrupt JPEG data" in capfd.readouterr().err, "libjpeg is quiet by itself: this module is not needed"
    streams = sys.stderr, sys.__stderr__
    with kept_off_screen():
        decode(tmp_path / "damaged.jpg", gray=False)
        os.write(2, b"of a library")
        sys.stderr.write("\x1b[2Jof the app é\n")
    os.write(2, b"afterwards")
    assert capfd.readouterr().err == "\x1b[2Jof the app é\nafterwards"
    assert (sys.stderr, sys.__stderr__) == streams


def test_the_screen_stays_whole(in_terminal: "Callable[..., Terminal]", workspace: Workspace) -> None:
    for number in range(3):
        (workspace.images / f"damaged_{number}.jpg").write_bytes(damaged_jpeg())
    terminal = in_terminal({"TERM": "xterm-256color"}, pixels=False)
    terminal.wait(b"Dataset")
    terminal.press("3")
    terminal.wait(b"48;2;128;128;128m")  # the gray of what is missing
    terminal.press("q")
    assert terminal.end() == 0
    assert b"Corrupt" not in terminal.told
