"""Decoding: what OpenCV and Pillow give where the file is sound, and a reason where it is not."""

import io
import os
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageOps

from engine.images.decode import UnreadableImage, content_hash, decode, load_image, read_bgr
from engine.images.resizing import resize

Pixels = NDArray[np.uint8]

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")

PHOTO = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "BMP": ".bmp", "TIFF": ".tif"}
MODES = [(kind, mode) for kind in PHOTO for mode in ("1", "L", "P", "RGB", "RGBA")]


def scene(height: int = 60, width: int = 84) -> Image.Image:
    """Return a picture with slopes, edges and some noise."""
    y, x = np.mgrid[0:height, 0:width]
    levels = np.stack([x * 255 // width, y * 255 // height, (x // 8 + y // 8) % 2 * 160 + 30], 2).astype(np.uint8)
    return Image.fromarray(levels + np.random.default_rng(2).integers(0, 20, levels.shape, dtype=np.uint8) // 2)


def reason(path: Path) -> str:
    with pytest.raises(UnreadableImage) as caught:
        decode(path, gray=False)
    with pytest.raises(UnreadableImage):
        load_image(path, 16, 16, True)
    with pytest.raises(UnreadableImage):
        read_bgr(path)
    return caught.value.cause


def psnr(one: Pixels, other: Pixels) -> float:
    error = np.mean((one.astype(float) - other) ** 2)
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


# --- Like OpenCV ------------------------------------------------------------------------------------------------


def test_golden_images_are_read_as_opencv_reads_them(golden: Path) -> None:
    paths = sorted((golden / "images").iterdir())
    assert len(paths) == 24
    for path in paths:
        np.testing.assert_array_equal(read_bgr(path), cv2.imread(str(path), cv2.IMREAD_COLOR), err_msg=path.name)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_in_every_format_is_applied(tmp_path: Path, kind: str, orientation: int) -> None:
    path = tmp_path / f"picture{PHOTO[kind]}"
    exif = Image.Exif()
    exif[0x0112] = orientation
    scene().save(path, kind, exif=exif, **({"lossless": True} if kind == "WEBP" else {}))
    upright = np.asarray(ImageOps.exif_transpose(Image.open(path)).convert("RGB"))
    np.testing.assert_array_equal(decode(path, gray=False), upright)
    if kind != "TIFF":
        np.testing.assert_array_equal(read_bgr(path), cv2.imread(str(path), cv2.IMREAD_COLOR))


@pytest.mark.parametrize(("kind", "mode"), [pair for pair in MODES if pair[0] != "JPEG" or pair[1] in {"L", "RGB"}])
def test_modes_are_read_as_opencv_reads_them(tmp_path: Path, kind: str, mode: str) -> None:
    path = tmp_path / f"picture{PHOTO[kind]}"
    picture = scene().convert("RGBA")
    picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    picture.convert(mode).save(path, kind)
    reference = cv2.imread(str(path), cv2.IMREAD_COLOR)
    assert reference is not None
    if (kind, mode) == ("TIFF", "RGBA"):
        reference = np.asarray(Image.open(path).convert("RGB"))[..., ::-1]
    np.testing.assert_array_equal(read_bgr(path), reference)


def test_sixteen_bits_keep_their_upper_eight(tmp_path: Path) -> None:
    deep = np.random.default_rng(3).integers(0, 65536, (20, 30, 3), dtype=np.uint16)
    for name, values in (("color.png", deep), ("gray.png", deep[..., 0]), ("gray.tif", deep[..., 0])):
        path = tmp_path / name
        cv2.imwrite(str(path), values)
        expected = np.broadcast_to((values >> 8).reshape(20, 30, -1), (20, 30, 3))
        np.testing.assert_array_equal(read_bgr(path), expected, err_msg=name)


def test_floats_and_long_numbers_come_down_to_eight_bits(tmp_path: Path) -> None:
    ramp = np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16)
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    for name, values in (("share", ramp), ("level", ramp * 255), ("long", (levels[..., 0].astype(np.int32) << 8))):
        path = tmp_path / f"{name}.tif"
        Image.fromarray(values).save(path)
        np.testing.assert_array_equal(decode(path, gray=True), levels, err_msg=name)


def test_floats_that_are_no_numbers_are_black(tmp_path: Path) -> None:
    path = tmp_path / "holes.tif"
    Image.fromarray(np.array([[np.nan, 0.5], [-np.inf, 1.0]], dtype=np.float32)).save(path)
    assert decode(path, gray=True).ravel().tolist() == [0, 128, 0, 255]


def test_cmyk_is_read_in_its_colors(tmp_path: Path) -> None:
    path = tmp_path / "print.jpg"
    colors = Image.new("RGB", (32, 32), (200, 60, 30))
    colors.convert("CMYK").save(path, quality=98)
    assert np.abs(decode(path, gray=False).astype(int) - (200, 60, 30)).max() <= 4


# --- Transparency -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_lies_over_white(tmp_path: Path, mode: str) -> None:
    alpha = np.tile(np.linspace(0, 255, 40).round().astype(np.uint8), (20, 1))
    if mode == "P":
        alpha = np.where(alpha > 127, 255, 0).astype(np.uint8)
    color = np.full((20, 40, 3), (90, 90, 90) if mode == "LA" else (200, 40, 90), dtype=np.uint8)
    picture = Image.fromarray(np.dstack([color, alpha]))
    path = tmp_path / "glass.png"
    if mode == "P":
        palette = Image.fromarray((alpha == 0).astype(np.uint8)).convert("P")
        palette.putpalette([200, 40, 90, 0, 255, 0])
        palette.save(path, transparency=1)
    else:
        picture.convert(mode).save(path)
    expected = color + (255.0 - color) * (255 - alpha[..., None]) / 255
    assert np.abs(decode(path, gray=False) - expected).max() <= 1
    assert np.abs(read_bgr(path)[:, -1].astype(int) - color[:, -1, ::-1]).max() <= 1


def test_a_transparent_color_counts_too(tmp_path: Path) -> None:
    path = tmp_path / "key.png"
    picture = Image.new("RGB", (8, 8), (10, 20, 30))
    picture.paste((200, 100, 50), (4, 0, 8, 8))
    picture.save(path, transparency=(10, 20, 30))
    assert decode(path, gray=False)[0, 0].tolist() == [255, 255, 255]
    assert decode(path, gray=False)[0, 7].tolist() == [200, 100, 50]
    assert read_bgr(path)[0, 0].tolist() == [30, 20, 10]


# --- Shapes -----------------------------------------------------------------------------------------------------


def test_height_and_width_are_not_swapped(tmp_path: Path) -> None:
    path = tmp_path / "wide.png"
    scene(30, 90).save(path)
    assert decode(path, gray=False).shape == (30, 90, 3)
    assert decode(path, gray=True).shape == (30, 90, 1)
    assert load_image(path, 20, 50, False).shape == (20, 50, 3)
    assert load_image(path, 20, 50, True).shape == (20, 50, 1)


def test_gray_is_that_of_opencv(tmp_path: Path) -> None:
    path = tmp_path / "color.png"
    scene().save(path)
    expected = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2GRAY)
    np.testing.assert_array_equal(decode(path, gray=True)[..., 0], expected)


def test_the_first_picture_of_an_animation_is_read(tmp_path: Path) -> None:
    first, second = scene(), ImageOps.invert(scene())
    first.save(tmp_path / "moving.webp", save_all=True, append_images=[second], lossless=True)
    first.save(tmp_path / "moving.png", save_all=True, append_images=[second])
    first.save(tmp_path / "pages.tif", save_all=True, append_images=[second])
    for name in ("moving.webp", "moving.png", "pages.tif"):
        np.testing.assert_array_equal(decode(tmp_path / name, gray=False), np.asarray(first), err_msg=name)


@pytest.mark.parametrize("name", ["PHOTO.JPG", "photo.jpeg", "photo.Jpg"])
def test_extensions_in_any_case(tmp_path: Path, name: str) -> None:
    scene().save(tmp_path / name, "JPEG")
    assert decode(tmp_path / name, gray=False).shape == (60, 84, 3)


# --- Resizing ---------------------------------------------------------------------------------------------------


@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    to_height=st.integers(1, 50),
    to_width=st.integers(1, 50),
    channels=st.sampled_from([1, 3]),
)
@settings(max_examples=60)
def test_resizing_keeps_flat_pictures_and_gives_the_size(
    height: int, width: int, to_height: int, to_width: int, channels: int
) -> None:
    resized = resize(np.full((height, width, channels), 77, dtype=np.uint8), to_height, to_width)
    assert resized.shape == (to_height, to_width, channels)
    assert (resized == 77).all()


def test_shrinking_is_the_mean_over_areas() -> None:
    pixels = np.random.default_rng(4).integers(0, 256, (60, 90, 3), dtype=np.uint8)
    means = pixels.reshape(20, 3, 30, 3, 3).mean((1, 3))
    assert np.abs(resize(pixels, 20, 30) - means).max() <= 0.51


def test_each_axis_has_its_own_filter() -> None:
    """Shrunk upward and enlarged sideways: means over areas of rows, then linear steps along columns."""
    pixels = np.random.default_rng(5).integers(0, 256, (40, 4, 1), dtype=np.uint8)
    means = pixels.reshape(10, 4, 4).mean(1)
    places = np.clip((np.arange(8) + 0.5) / 2 - 0.5, 0, 3)
    expected = np.stack([np.interp(places, np.arange(4), row) for row in means])
    assert np.abs(resize(pixels, 10, 8)[..., 0] - expected).max() <= 1.01


def test_reduced_decoding_is_as_good_as_full(photos: Path) -> None:
    paths = sorted(photos.rglob("*.jpg"))[::7]
    for height, width in ((48, 48), (24, 32)):
        worst = min(psnr(load_image(path, height, width, False), resize(decode(path, gray=False), height, width))
                    for path in paths)  # fmt: skip
        assert worst > 40


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_large_turned_jpeg_is_reduced_and_upright(tmp_path: Path, orientation: int) -> None:
    path = tmp_path / "large.jpg"
    y, x = np.mgrid[0:900, 0:1400]
    smooth = np.stack([x * 255 / 1400, y * 255 / 900, 128 + 100 * np.sin(x / 90)], 2).astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(smooth).save(path, quality=95, exif=exif)
    loaded = load_image(path, 60, 30, False)
    assert psnr(loaded, resize(decode(path, gray=False), 60, 30)) > 40


# --- Bad files --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", PHOTO)
@pytest.mark.parametrize("missing", [1, 12, 200, 0.5, 0.95])
def test_a_truncated_file_is_refused(tmp_path: Path, kind: str, missing: float) -> None:
    path = tmp_path / f"cut{PHOTO[kind]}"
    scene().save(path, kind)
    whole = path.read_bytes()
    kept = len(whole) - (missing if missing >= 1 else round(missing * len(whole)))
    path.write_bytes(whole[: int(kept)])
    assert reason(path) == "truncated"


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"])
def test_a_truncated_compressed_tiff_is_refused(tmp_path: Path, compression: str) -> None:
    path = tmp_path / "cut.tif"
    scene().save(path, compression=compression)
    path.write_bytes(path.read_bytes()[:-30])
    assert reason(path)


def test_a_jpeg_whose_end_was_never_written_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "download.jpg"
    scene().save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] + bytes(len(whole) - len(whole) // 2))
    assert reason(path) == "truncated"


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "empty.jpg"
    path.touch()
    assert reason(path) == "empty (0 bytes)"


def test_a_wrong_extension_is_refused(tmp_path: Path) -> None:
    for kind, name in (("PNG", "a.jpg"), ("JPEG", "b.png"), ("GIF", "c.jpg"), ("BMP", "d.tiff")):
        scene().save(tmp_path / name, kind)
        assert reason(tmp_path / name) == f"a {kind} image named {Path(name).suffix}"
    (tmp_path / "text.jpg").write_text("This is no picture.\n" * 20)
    assert reason(tmp_path / "text.jpg") == "not a JPEG image"
    scene().save(tmp_path / "moving.gif", "GIF")
    assert "not read" in reason(tmp_path / "moving.gif")


def test_a_missing_or_special_file_is_refused(tmp_path: Path) -> None:
    assert reason(tmp_path / "gone.png") == "no such file or directory"
    (tmp_path / "folder.png").mkdir()
    assert reason(tmp_path / "folder.png") == "not a regular file"
    os.mkfifo(tmp_path / "pipe.png")
    assert reason(tmp_path / "pipe.png") == "not a regular file"


def bomb_png(width: int, height: int) -> bytes:
    """Return a PNG file that says it is this large."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")


def test_bombs_are_refused_before_they_are_unpacked(tmp_path: Path) -> None:
    (tmp_path / "bomb.png").write_bytes(bomb_png(60_000, 60_000))
    assert reason(tmp_path / "bomb.png").startswith("too large")
    scene().save(tmp_path / "bomb.jpg")
    data = bytearray((tmp_path / "bomb.jpg").read_bytes())
    frame = data.index(b"\xff\xc0") + 5
    data[frame : frame + 4] = struct.pack(">HH", 60_000, 60_000)
    (tmp_path / "bomb.jpg").write_bytes(data)
    assert reason(tmp_path / "bomb.jpg").startswith("too large: 60,000 × 60,000 pixels")


@given(data=st.data())
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damaged_files_give_pixels_or_a_reason(tmp_path: Path, data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(sorted(PHOTO)))
    file = io.BytesIO()
    scene(20, 24).save(file, kind)
    damaged = bytearray(file.getvalue())
    for _ in range(data.draw(st.integers(1, 6))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / f"damaged{PHOTO[kind]}"
    path.write_bytes(damaged)
    try:
        assert decode(path, gray=False).dtype == np.uint8
    except UnreadableImage as error:
        assert 0 < len(error.cause) < 100


def test_names_that_are_no_utf8_are_opened(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9\n.png")
    scene().save(tmp_path / "plain.png")
    (tmp_path / "plain.png").rename(path)
    assert decode(path, gray=False).shape == (60, 84, 3)


# --- Hashes -----------------------------------------------------------------------------------------------------


def test_content_hash_is_of_pixels_and_shape() -> None:
    pixels = np.random.default_rng(6).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    assert content_hash(pixels) == content_hash(np.asfortranarray(pixels))
    assert content_hash(pixels) != content_hash(pixels.reshape(8, 6, 3))
    changed = pixels.copy()
    changed[3, 3, 1] ^= 1
    assert content_hash(pixels) != content_hash(changed)
