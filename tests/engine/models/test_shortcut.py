"""The shortcut: principal components of patches, by kind of patch, and the code that tells the kind."""

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.architecture import bases_of
from engine.errors import Stopped
from engine.models import VARIANTS, Autoencoder
from engine.models.shortcut import PatchShortcut
from engine.settings import ModelSettings


def _fitted(images: Tensor, *, values: int, bases: int, size: int = 8) -> PatchShortcut:
    shortcut = PatchShortcut(images.shape[1], values + (bases > 1), size, bases)
    shortcut.initialize(torch.Generator().manual_seed(0))
    shortcut.fit(images)
    return shortcut


@torch.inference_mode()
def _restored(shortcut: PatchShortcut, images: Tensor) -> Tensor:
    return shortcut.decode(torch.cat(shortcut.encode(images), 1))


def _of_subspaces(kinds: int, values: int, images: int = 4000) -> Tensor:
    """Images (N, 1, 8, 8), each of which lies in one of some subspaces of few dimensions."""
    generator = torch.Generator().manual_seed(5)
    spaces = torch.linalg.qr(torch.randn(kinds, 64, values, generator=generator))[0]
    chosen = torch.randint(kinds, (images,), generator=generator)
    drawn = torch.einsum("nvz,nz->nv", spaces[chosen], torch.randn(images, values, generator=generator))
    return 0.5 + 0.05 * drawn.view(images, 1, 8, 8)


def test_one_basis_is_the_best_linear_map_where_each_image_counts_by_its_error() -> None:
    generator = torch.Generator().manual_seed(3)
    images = torch.rand(400, 3, 8, 8, generator=generator).cumsum(3).cumsum(2) / 64
    images = images * torch.rand(400, 1, 1, 1, generator=generator)
    shortcut = _fitted(images, values=12, bases=1)
    errors = (_restored(shortcut, images) - images).square().flatten(1).mean(1).double().numpy()
    patches = (images - images.mean((0, 2, 3), keepdim=True)).flatten(1).double().numpy()
    u, s, v = np.linalg.svd(patches, full_matrices=False)
    plain = ((patches - (u[:, :12] * s[:12]) @ v[:12]) ** 2).mean(1)
    weights = 1 / (errors + 0.05 * errors.mean())
    _, vectors = np.linalg.eigh((patches * weights[:, None]).T @ patches)
    best = ((patches - patches @ vectors[:, -12:] @ vectors[:, -12:].T) ** 2).mean(1)
    assert (errors * weights).mean() == pytest.approx((best * weights).mean(), rel=0.01)
    assert np.log(errors).mean() < np.log(plain).mean()
    values, codes = shortcut.encode(images)
    assert values.square().mean((0, 2, 3)).detach().numpy() == pytest.approx(np.ones(12), rel=1e-3)
    assert codes.shape == (400, 0, 1, 1)


def test_patches_of_several_kinds_each_find_their_own_components() -> None:
    images = _of_subspaces(kinds=4, values=5)
    one, many = (_fitted(images, values=5, bases=bases) for bases in (1, 8))
    error, error_of_one = ((_restored(which, images) - images).square().mean() for which in (many, one))
    assert error < error_of_one / 50


def test_kinds_are_told_by_the_code_alone_also_in_half_precision() -> None:
    images = _of_subspaces(kinds=8, values=5)
    shortcut = _fitted(images, values=5, bases=64)
    with torch.inference_mode():
        values, codes = shortcut.encode(images)
        latent = torch.cat([values, codes], 1)
        exact = shortcut.decode(latent)
        for kind, tolerance in ((torch.float16, 2e-4), (torch.bfloat16, 2e-3)):
            assert (shortcut.decode(latent.to(kind)) - exact).abs().max() < tolerance
        assert codes.unique().numel() >= 4
        moved = shortcut.decode(torch.cat([values, codes.flip(0)], 1))
    assert (moved - exact).abs().max() > 0.01


def test_a_code_beyond_the_kinds_is_taken_for_the_nearest() -> None:
    shortcut = _fitted(_of_subspaces(kinds=3, values=5), values=5, bases=3)
    values = torch.randn(1, 5, 1, 1)
    with torch.inference_mode():
        far, last = (shortcut.decode(torch.cat([values, torch.full((1, 1, 1, 1), c)], 1)) for c in (9.0, 0.05))
    assert torch.equal(far, last)


def test_kinds_go_from_smooth_to_busy_and_their_values_mean_much_the_same() -> None:
    generator = torch.Generator().manual_seed(6)
    strength = torch.rand(600, 1, 1, 1, generator=generator) ** 3
    images = (0.5 + strength * (torch.rand(600, 1, 8, 8, generator=generator).cumsum(3) / 8 - 0.25)).clamp(0, 1)
    shortcut = _fitted(images, values=6, bases=4)
    with torch.inference_mode():
        _, codes = shortcut.encode(images)
        patches = torch.nn.functional.pixel_unshuffle(images, 8).permute(0, 2, 3, 1).flatten(0, 2) - shortcut.color
        by_basis = [patches @ shortcut.frame @ basis for basis in shortcut.bases]
    contrasts = [patches[codes.flatten() == code].square().mean().item() for code in codes.unique()]
    assert len(contrasts) == 4
    assert contrasts == sorted(contrasts)
    for values in by_basis[1:]:
        assert torch.nn.functional.cosine_similarity(values, by_basis[0], dim=1).mean() > 0.8


def test_equal_images_few_images_and_a_latent_larger_than_the_patch_fit() -> None:
    for images, channels in (
        (torch.full((3, 1, 16, 16), 0.25), 5),
        (torch.rand(30, 1, 16, 16), 100),
        (torch.full((1, 1, 16, 16), 1.0), 9),
    ):
        for bases in (0, 1, 16):
            model = Autoencoder(ModelSettings(latent_channels=channels, downsampling=8, bases=bases), 1)
            model.fit_shortcut(images)
            with torch.inference_mode():
                assert torch.allclose(model(images), images, atol=1e-3)


def test_bases_are_those_asked_for_else_the_variants_own_where_the_latent_has_room_for_a_code() -> None:
    own = [bases_of(ModelSettings(variant=variant)) for variant in VARIANTS]
    assert own == sorted(set(own))
    assert bases_of(ModelSettings(latent_channels=4)) == 1
    assert bases_of(ModelSettings(latent_channels=4, bases=3)) == 3
    assert bases_of(ModelSettings(bases=1)) == 1


def test_the_search_for_bases_can_be_stopped() -> None:
    def stop(done: int, total: int) -> None:
        rounds.append((done, total))
        if done == 2:
            raise Stopped

    rounds: list[tuple[int, int]] = []

    with pytest.raises(Stopped):
        Autoencoder(ModelSettings(), 3).fit_shortcut(torch.rand(4, 3, 32, 32), stop)
    assert rounds == [(0, 16), (1, 16), (2, 16)]
