"""The autoencoders: shapes for any size, gradients everywhere, full-resolution detail, dropout by key."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from engine.errors import UsageError
from engine.models import VARIANTS, Autoencoder
from engine.models.autoencoder import pooled
from engine.models.blocks import local_contrast, local_detail
from engine.randomness import keys
from engine.settings import ModelSettings


@pytest.mark.parametrize("variant", list(VARIANTS))
def test_every_variant_has_4096_latent_values_at_128_pixels(variant: str) -> None:
    model = Autoencoder(ModelSettings(variant=variant), 3)
    with torch.inference_mode():
        latent = model.encode(torch.rand(1, 3, 128, 128))
    assert latent.shape == (1, *model.latent_shape(128, 128)) == (1, 64, 8, 8)


def test_variants_grow() -> None:
    sizes = [sum(p.numel() for p in Autoencoder(ModelSettings(variant=v), 3).parameters()) for v in VARIANTS]
    assert sizes == sorted(sizes)
    assert sizes[2] > 2 * sizes[1] > 4 * sizes[0]


@settings(max_examples=20)
@given(
    height=st.integers(16, 75),
    width=st.integers(16, 75),
    channels=st.sampled_from([1, 3]),
    downsampling=st.sampled_from([8, 16, 32]),
)
def test_any_size_comes_back(height: int, width: int, channels: int, downsampling: int) -> None:
    model = Autoencoder(ModelSettings(downsampling=downsampling, latent_channels=5), channels)
    images = torch.rand(2, channels, height, width)
    with torch.inference_mode():
        assert model(images).shape == images.shape
        assert model.encode(images).shape == (2, *model.latent_shape(height, width))
        assert model.latent_shape(height, width) == (5, -(-height // downsampling), -(-width // downsampling))


def _settled(model: Autoencoder) -> Autoencoder:
    """Move the weights that start at zero, as training does in its first step."""
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.02)
    return model


def test_gradients_reach_every_weight_and_never_vanish_outside_the_range() -> None:
    model = _settled(Autoencoder(ModelSettings(), 3))
    with torch.no_grad():
        model.head[1].bias.fill_(12.0)
    images = torch.rand(2, 3, 64, 48)
    output = model(images)
    assert output.mean() > 1.5
    (output - images).abs().mean().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("shortcut", [True, False])
def test_reconstructions_are_not_made_of_blocks(shortcut: bool) -> None:
    output = _settled(Autoencoder(ModelSettings(shortcut=shortcut), 1))(torch.rand(1, 1, 64, 64))[0, 0]
    blocks = output.unfold(0, 2, 2).unfold(1, 2, 2)
    assert blocks.flatten(2).std(2).min() > 0


def test_the_correction_scales_with_the_picture() -> None:
    """A picture of a tenth of the contrast is corrected by a tenth, where that is above half an 8-bit level."""
    model = _settled(Autoencoder(ModelSettings(), 3))
    linear = 0.5 + 0.4 * torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    faint = (linear - 0.5) / 10 + 0.5
    for cell in (4, 16):
        detail, contrast = local_detail(linear, cell)
        faint_detail, faint_contrast = local_detail(faint, cell)
        assert torch.allclose(faint_detail, detail, atol=1e-3)
        assert torch.allclose(faint_contrast * 10, contrast, rtol=1e-3)
    flat = torch.full((1, 3, 32, 32), 0.25)
    assert local_contrast(flat, 4)[1].max() < 0.5 / 255 + 1e-6
    model.fit_shortcut(flat)
    with torch.inference_mode():
        assert (model(flat) - flat).abs().max() < 0.02


def test_local_contrast_is_the_deviation_about_the_mean_color_of_nine_cells() -> None:
    image = torch.rand(1, 3, 24, 20, generator=torch.Generator().manual_seed(2))
    detail, contrast = local_detail(image, 4)
    window = image[0, :, 4:16, 8:20]
    color = window.mean((1, 2), keepdim=True)
    assert contrast[0, 0, 2, 3].item() == pytest.approx((window - color).square().mean().sqrt().item(), rel=1e-4)
    expected = F.pixel_unshuffle((image[0, :, 8:12, 12:16] - color) / contrast[0, 0, 2, 3], 4)
    assert torch.allclose(detail[0, :, 2, 3], expected.flatten(), atol=1e-4)


def test_a_deviation_of_nothing_has_a_finite_gradient() -> None:
    latent = torch.ones(2, 3, 1, 1, requires_grad=True)
    pooled(latent, "mean_std").sum().backward()
    assert latent.grad is not None
    assert latent.grad.isfinite().all()


def test_a_projection_stands_before_the_comparison_and_not_before_the_vectors() -> None:
    with_head = Autoencoder(ModelSettings(projection=32), 3)
    without = Autoencoder(ModelSettings(), 3)
    images = torch.rand(4, 3, 32, 32)
    with torch.inference_mode():
        assert torch.equal(with_head.embed(images, "mean_std"), without.embed(images, "mean_std"))
        assert with_head.project(with_head.encode(images)).shape == (4, 128)
        assert torch.equal(without.project(without.encode(images)), without.embed(images, "mean_std"))


def test_weights_are_a_function_of_the_seed() -> None:
    first, again, other = (Autoencoder(ModelSettings(), 3, seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["stem.weight"], other["stem.weight"])


def test_dropout_follows_the_keys_and_only_them() -> None:
    model = Autoencoder(ModelSettings(dropout=0.25), 3)
    images = torch.rand(6, 3, 64, 64)
    image_keys = keys(42, 1, torch.arange(6))
    with torch.inference_mode():
        plain = model.encode(images)
        dropped = model.encode(images, image_keys)
        reordered = model.encode(images.flip(0), image_keys.flip(0)).flip(0)
    assert torch.equal(dropped[:, -1], plain[:, -1]), "the code of the basis is kept"
    plain, dropped, reordered = (latent[:, :-1] for latent in (plain, dropped, reordered))
    kept = dropped != 0
    assert 0.7 < kept.float().mean() < 0.8
    assert torch.allclose(dropped[kept], plain[kept] / 0.75, rtol=1e-4, atol=1e-5)
    assert torch.equal(kept, reordered != 0)


@pytest.mark.parametrize(("pooling", "dim"), [("flatten", 64 * 4 * 3), ("mean", 64), ("mean_std", 128)])
def test_vectors_are_the_pooled_latent(pooling: str, dim: int) -> None:
    model = Autoencoder(ModelSettings(), 3)
    images = torch.rand(3, 3, 64, 48)
    with torch.inference_mode():
        latent, vectors = model.encode(images).flatten(2).numpy(), model.embed(images, pooling).numpy()
    assert vectors.shape == (3, dim) == (3, model.dimension(64, 48, pooling))
    expected = {"flatten": latent.reshape(3, -1), "mean": latent.mean(2)}.get(pooling)
    if expected is None:
        expected = torch.cat([torch.from_numpy(latent.mean(2)), torch.from_numpy(latent.std(2))], 1).numpy()
    assert abs(vectors - expected).max() < 1e-5


@settings(max_examples=20, deadline=None)
@given(rows=st.integers(1, 9), columns=st.integers(1, 9), seed=st.integers(0, 2**31 - 1))
def test_a_pyramid_is_means_and_deviations_in_cells_of_unit_positions(rows: int, columns: int, seed: int) -> None:
    latent = torch.randn(2, 5, rows, columns, generator=torch.Generator().manual_seed(seed))
    unit = (latent / latent.square().sum(1, keepdim=True).sqrt()).double()
    expected = []
    for side in (1, 2, 3):
        mean, square = (F.adaptive_avg_pool2d(values, side) for values in (unit, unit.square()))
        deviation = (square - mean.square()).clamp_min(0).sqrt()
        expected.append(torch.stack([mean, deviation]).permute(1, 3, 4, 0, 2).flatten(1))
    found = pooled(latent, "pyramid")
    assert found.shape == (2, 28 * 5)
    assert torch.allclose(found.double(), torch.cat(expected, 1), atol=1e-5)
    assert torch.allclose(pooled(latent * 7, "pyramid"), found, atol=1e-5)


def test_a_pyramid_of_an_empty_latent_is_finite() -> None:
    assert pooled(torch.zeros(1, 3, 4, 4), "pyramid").isfinite().all()


def _fitted(count: int = 200) -> tuple[Autoencoder, torch.Tensor]:
    """Return a network of 84 values a pyramid with the statistics of so many images, and these."""
    model = _settled(Autoencoder(ModelSettings(latent_channels=3, downsampling=8), 3))
    images = torch.rand(count, 3, 32, 32, generator=torch.Generator().manual_seed(4))
    images = images * torch.rand(count, 3, 1, 1, generator=torch.Generator().manual_seed(5))
    model.fit_whitening(images.split(64))
    return model, images


def test_whitened_vectors_are_components_divided_by_the_root_of_their_deviation() -> None:
    model, images = _fitted()
    with torch.inference_mode():
        vectors, plain = (model.embed(images, kind).double().numpy() for kind in ("auto", "pyramid"))
    moments, components = np.linalg.eigh(np.cov(plain.T, bias=True))
    deviations = np.sqrt(moments.clip(0))[::-1]
    expected = (plain - plain.mean(0)) @ components[:, ::-1]
    assert vectors.shape == (200, model.dimension(32, 32, "auto")) == (200, 84)
    assert vectors.mean(0) == pytest.approx(0, abs=1e-4)
    assert np.cov(vectors.T, bias=True) == pytest.approx(np.diag(deviations), abs=1e-3)
    sure = deviations > 0.01 * deviations[0]
    assert sure.sum() > 20
    expected = expected[:, sure] / np.sqrt(deviations[sure])
    assert np.abs(vectors[:, sure]) == pytest.approx(np.abs(expected), abs=2e-3)


def test_components_that_few_images_do_not_have_are_zero() -> None:
    model, images = _fitted(9)
    others = torch.rand(5, 3, 32, 32, generator=torch.Generator().manual_seed(6))
    with torch.inference_mode():
        vectors = model.embed(torch.cat([images, others]), "auto")
    assert vectors.isfinite().all()
    assert (vectors[:, 8:] == 0).all()
    assert vectors[:, :8].std(0).min() > 0


def test_a_long_pyramid_becomes_256_values() -> None:
    model = Autoencoder(ModelSettings(), 3)
    model.fit_whitening([torch.rand(6, 3, 32, 32)])
    assert model.dimension(32, 32, "auto") == 256
    assert model.embed(torch.rand(2, 3, 32, 32), "auto").shape == (2, 256)


def test_vectors_are_a_function_of_the_weights_that_are_kept() -> None:
    model, images = _fitted()
    again = Autoencoder(ModelSettings(latent_channels=3, downsampling=8), 3, seed=1)
    again.load_state_dict(model.state_dict())
    with torch.inference_mode():
        assert torch.equal(again.embed(images[:5], "auto"), model.embed(images[:5], "auto"))


@pytest.mark.parametrize("whitening", [True, False])
def test_without_statistics_there_is_nothing_to_whiten_by(whitening: bool) -> None:
    model = Autoencoder(ModelSettings(whitening=whitening), 3)
    assert model.pooling("auto") == "flatten"
    with pytest.raises(UsageError, match="no statistics"):
        model.pooling("whitened")


@pytest.mark.parametrize("former", [{}, {"whitening.mean": torch.zeros(6), "whitening.map": torch.eye(6)}])
def test_weights_without_statistics_or_with_those_of_other_vectors_load(former: dict[str, torch.Tensor]) -> None:
    model, images = _fitted()
    state = {name: tensor for name, tensor in model.state_dict().items() if not name.startswith("whitening.")}
    again = Autoencoder(ModelSettings(latent_channels=3, downsampling=8), 3, seed=1)
    again.load_state_dict(state | former)
    assert again.pooling("auto") == "flatten"
    with torch.inference_mode():
        assert torch.equal(again.embed(images[:5], "auto"), model.embed(images[:5], "flatten"))
    again.fit_whitening(images.split(64))
    assert again.pooling("auto") == "whitened"


def test_vectors_of_equal_images_are_finite_when_whitened() -> None:
    model = Autoencoder(ModelSettings(), 3)
    model.fit_whitening([torch.full((3, 3, 32, 32), 0.5)])
    with torch.inference_mode():
        assert model.embed(torch.rand(2, 3, 32, 32), "auto").isfinite().all()
