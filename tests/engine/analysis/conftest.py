"""A folder of many kinds of files, and a bench to analyze it on."""

import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from engine.records import Records
from engine.workspace import Workspace
from tests.engine.analysis.bench import STRANGE, Bench, Draw


@pytest.fixture
def folder(tmp_path: Path, draw_pictures: Draw) -> Path:
    """Return a folder of 27 images of many kinds, four of them bad."""
    folder = draw_pictures(tmp_path / "images", 14)
    draw_pictures(folder / "b", 4, seed=1)
    random = np.random.default_rng(5)
    big = cv2.resize(random.integers(0, 256, (12, 16, 3), np.uint8), (400, 300), interpolation=cv2.INTER_CUBIC)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(big).save(folder / "turned.JPG", exif=exif, quality=92)
    Image.fromarray(big[:199, :251, 0]).save(folder / "gray.tif")
    Image.fromarray(np.dstack([big[:90, :80], big[:90, :80, 0]])).save(folder / "b" / "clear.png")
    Image.fromarray(big[::-1, ::2]).save(folder / "b" / "wide.bmp")
    shutil.copy(folder / "picture_000.png", os.fsencode(folder / STRANGE))
    whole = (folder / "turned.JPG").read_bytes()
    (folder / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "b" / "empty.png").touch()
    (folder / "b" / "words.webp").write_text("no picture")
    shutil.copy(folder / "picture_001.png", folder / "mislabeled.jpg")
    return folder


@pytest.fixture
def bench(workspace: Workspace, records: Records, folder: Path) -> Bench:
    return Bench(workspace, records, folder)
