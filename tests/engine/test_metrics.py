"""The picture metrics against scikit-image, torchmetrics and NumPy."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torchmetrics.functional import cosine_similarity
from torchmetrics.functional.image import multiscale_structural_similarity_index_measure
from torchmetrics.functional.image import peak_signal_noise_ratio as peak_signal_noise_ratio_of_batch

from engine.metrics import MS_SSIM_SIDE, PSNR_LIMIT, image_errors, multi_scale_structural_similarity
from engine.tensors import to_float, to_uint8


def _pair(seed: int, height: int, width: int, channels: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    original = generator.integers(0, 256, (height, width, channels), dtype=np.uint8)
    noise = generator.normal(0, generator.uniform(1, 60), original.shape)
    return original, np.clip(original + noise, 0, 255).astype(np.uint8)


@settings(max_examples=25)
@given(
    seed=st.integers(0, 10_000), height=st.integers(16, 70), width=st.integers(16, 70), channels=st.sampled_from([1, 3])
)
def test_errors_equal_the_references(seed: int, height: int, width: int, channels: int) -> None:
    original, other = _pair(seed, height, width, channels)
    errors = image_errors(torch.from_numpy(original)[None], torch.from_numpy(other)[None])
    a, b = original / 255, other / 255
    assert errors["mae"].item() == pytest.approx(np.abs(a - b).mean(), rel=1e-5)
    assert errors["mse"].item() == pytest.approx(((a - b) ** 2).mean(), rel=1e-5)
    assert errors["rmse"].item() == pytest.approx(math.sqrt(((a - b) ** 2).mean()), rel=1e-5)
    assert errors["psnr"].item() == pytest.approx(peak_signal_noise_ratio(a, b, data_range=1), abs=1e-3)
    reference = structural_similarity(
        a, b, data_range=1, channel_axis=2, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    assert errors["ssim"].item() == pytest.approx(reference, abs=2e-5)
    cosine = (a * b).sum() / math.sqrt((a * a).sum() * (b * b).sum())
    assert errors["cosine"].item() == pytest.approx(cosine, abs=1e-5)


def test_psnr_and_cosine_equal_torchmetrics_over_a_batch() -> None:
    a, b = to_uint8(torch.rand(4, 3, 48, 40)), to_uint8(torch.rand(4, 3, 48, 40))
    ours = image_errors(a, b)
    a1, b1 = to_float(a), to_float(b)
    psnr = peak_signal_noise_ratio_of_batch(b1, a1, data_range=1.0, dim=(1, 2, 3), reduction="none")
    assert torch.allclose(ours["psnr"], psnr, atol=1e-4)
    assert torch.allclose(ours["cosine"], cosine_similarity(a1.flatten(1), b1.flatten(1), "none"), atol=1e-5)


@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    height=st.integers(176, 230),
    width=st.integers(176, 230),
    channels=st.sampled_from([1, 3]),
    noise=st.sampled_from([0.02, 0.2, 1.0]),
)
def test_similarity_over_scales_equals_torchmetrics(
    seed: int, height: int, width: int, channels: int, noise: float
) -> None:
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(3, channels, height // 8, width // 8, generator=generator)
    a = torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear")
    b = (a + noise * torch.randn(a.shape, generator=generator)).clamp(0, 1)
    b[2] = 1 - a[2]  # contrast is negative: limited to 0
    first, second = to_uint8(a), to_uint8(b)
    ours = image_errors(first, second)
    pair = to_float(second).contiguous(), to_float(first).contiguous()
    # torchmetrics averages the last scale over a border that it makes up; its four contrasts are of the picture alone.
    contrasts = multiscale_structural_similarity_index_measure(
        *pair, data_range=1.0, reduction="none", normalize="relu", betas=(0.0448, 0.2856, 0.3001, 0.2363, 0.0)
    )
    last = [[_pooled(one.permute(1, 2, 0).numpy(), 16) for one in images] for images in pair]
    similarity = [
        structural_similarity(
            x, y, data_range=1, channel_axis=2, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        )
        for x, y in zip(*last, strict=True)
    ]
    expected = contrasts.numpy() * np.clip(similarity, 0, None) ** 0.1333
    assert ours["ms_ssim"].numpy() == pytest.approx(expected, abs=1e-4)
    assert ours["ms_ssim"][2] == 0


def _pooled(picture: np.ndarray, side: int) -> np.ndarray:
    """Return the means of cells of ``side`` × ``side`` pixels of a picture (H, W, C)."""
    height, width = (length // side for length in picture.shape[:2])
    return picture[: height * side, : width * side].reshape(height, side, width, side, -1).mean((1, 3))


@pytest.mark.parametrize(("height", "width", "there"), [(176, 176, True), (175, 400, False), (400, 175, False)])
def test_similarity_over_scales_is_told_where_the_last_scale_holds_a_window(
    height: int, width: int, there: bool
) -> None:
    picture = torch.randint(0, 256, (1, height, width, 3), dtype=torch.uint8)
    errors = image_errors(picture, picture)
    assert ("ms_ssim" in errors) == there
    if there:
        assert errors["ms_ssim"].item() == pytest.approx(1, abs=1e-5)
        assert height == MS_SSIM_SIDE
    else:
        with pytest.raises(RuntimeError):
            multi_scale_structural_similarity(to_float(picture), to_float(picture))


def test_equal_and_black_pictures_have_sound_figures() -> None:
    picture = torch.randint(0, 256, (2, 20, 30, 3), dtype=torch.uint8)
    picture[1] = 0
    errors = image_errors(picture, picture)
    assert errors["psnr"].tolist() == [PSNR_LIMIT, PSNR_LIMIT]
    assert errors["ssim"].tolist() == pytest.approx([1, 1], abs=1e-6)
    assert errors["cosine"].tolist() == pytest.approx([1, 1], abs=1e-6)
    assert errors["mse"].tolist() == [0, 0]


def test_what_lies_outside_is_clamped_and_rounded() -> None:
    images = torch.tensor([-0.2, 0.0, 0.5, 0.999, 1.7]).view(1, 1, 1, 5)
    assert to_uint8(images).flatten().tolist() == [0, 0, 128, 255, 255]
