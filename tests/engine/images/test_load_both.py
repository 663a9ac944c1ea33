"""One decode gives what `read_bgr` and `load_image` give."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.images.decode import UnreadableImage, load_both, load_image, read_bgr

SIZES = [(32, 48), (16, 16), (300, 500)]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return a JPEG file that is decoded at a reduced size for small pictures, one that is not, and others."""
    folder = tmp_path_factory.mktemp("files")
    random = np.random.default_rng(4)
    noise = random.integers(0, 256, (40, 60, 4), np.uint8)
    color = Image.fromarray(noise[..., :3]).resize((900, 600), Image.Resampling.BICUBIC)
    exif = Image.Exif()
    exif[0x0112] = 8
    color.save(folder / "large.jpg", exif=exif)
    color.resize((90, 61)).save(folder / "small.jpeg")
    color.convert("CMYK").save(folder / "inks.jpg")
    color.convert("L").save(folder / "gray.jpg")
    Image.fromarray(noise).save(folder / "clear.png")
    Image.fromarray(noise).save(folder / "clear.webp", lossless=True)
    return sorted(folder.iterdir())


@pytest.mark.parametrize("gray", [False, True])
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_both_are_what_the_single_functions_give(files: list[Path], height: int, width: int, gray: bool) -> None:
    assert len(files) == 6
    for file in files:
        bgr, sized, _ = load_both(file, height, width, gray)
        assert np.array_equal(bgr, read_bgr(file)), file
        assert np.array_equal(sized, load_image(file, height, width, gray)), file


def test_what_cannot_be_read_says_so(tmp_path: Path) -> None:
    file = tmp_path / "cut.png"
    Image.new("RGB", (30, 30)).save(file)
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(UnreadableImage, match="truncated"):
        load_both(file, 16, 16, gray=False)
