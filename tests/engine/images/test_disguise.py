"""What the network is shown in place of a training image: noise, hidden patches, views."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.images.disguise import disguise, view
from engine.randomness import keys
from engine.settings import ObjectiveSettings

PLAIN_VIEW = {"view_area": 1.0, "view_color": 0.0, "view_rotation": 0.0}


def test_plain_reconstruction_shows_the_image_itself() -> None:
    images = torch.rand(3, 3, 32, 24)
    assert torch.equal(disguise(images, keys(1, 1, torch.arange(3)), ObjectiveSettings()), images)


def test_noise_is_gaussian_of_the_deviation_asked_for() -> None:
    images = torch.full((20, 3, 32, 32), 0.5)
    noise = (disguise(images, keys(1, 2, torch.arange(20)), ObjectiveSettings(noise=0.2)) - images) / 0.2
    assert torch.isfinite(noise).all()
    assert abs(noise.mean().item()) < 0.02
    assert abs(noise.std().item() - 1) < 0.02
    assert abs((noise.abs() < 1).float().mean().item() - 0.6827) < 0.01
    assert abs(np.corrcoef(noise.flatten(1).numpy())[np.triu_indices(20, 1)]).max() < 0.1


@settings(max_examples=30)
@given(
    share=st.floats(0.01, 0.95),
    size=st.integers(1, 40),
    height=st.integers(16, 40),
    width=st.integers(16, 40),
)
def test_the_share_asked_for_is_hidden_under_the_mean_color(share: float, size: int, height: int, width: int) -> None:
    images = torch.rand(4, 3, height, width, generator=torch.Generator().manual_seed(3))
    masked = disguise(images, keys(1, 2, torch.arange(4)), ObjectiveSettings(masked=share, mask_size=size))
    mean = images.mean((2, 3), keepdim=True).expand_as(images)
    hidden = (masked == mean).all(1)
    rows, columns = -(-height // size), -(-width // size)
    for image in range(4):
        patches = [
            hidden[image, row * size : (row + 1) * size, column * size : (column + 1) * size]
            for row in range(rows)
            for column in range(columns)
        ]
        assert all(patch.all() or not patch.any() for patch in patches)
        assert sum(bool(patch.all()) for patch in patches) == round(share * rows * columns)
    assert torch.equal(masked[~hidden[:, None].expand_as(images)], images[~hidden[:, None].expand_as(images)])


def test_which_patches_are_hidden_changes_by_image_and_epoch_and_not_by_batch() -> None:
    images = torch.rand(1, 3, 64, 64).expand(6, -1, -1, -1)
    asked = ObjectiveSettings(masked=0.5, mask_size=8, noise=0.1)
    together = disguise(images, keys(1, 2, torch.arange(6)), asked)
    alone = disguise(images[:1], keys(1, 2, torch.tensor([4])), asked)
    assert torch.equal(together[4:5], alone)
    assert not torch.equal(together[0], together[1])
    assert not torch.equal(disguise(images, keys(1, 3, torch.arange(6)), asked), together)


def test_a_view_without_changes_is_the_picture_or_its_mirror_image() -> None:
    images = torch.rand(40, 3, 16, 24)
    seen = view(images, keys(1, 1, torch.arange(40)), 0, ObjectiveSettings(**PLAIN_VIEW))
    same = (seen - images).abs().amax((1, 2, 3)) < 1e-4
    mirrored = (seen - images.flip(3)).abs().amax((1, 2, 3)) < 1e-4
    assert (same ^ mirrored).all()
    assert 0.25 < mirrored.float().mean() < 0.75


@pytest.mark.parametrize("area", [0.2, 0.6])
def test_a_view_is_a_part_of_the_picture(area: float) -> None:
    ramp = torch.linspace(1 / 64, 1 - 1 / 64, 32).expand(300, 1, 32, 32)
    asked = ObjectiveSettings(**{**PLAIN_VIEW, "view_area": area})
    seen = view(ramp, keys(1, 1, torch.arange(300)), 1, asked)
    inner = seen[:, 0, 16, 4:-4]
    shown = (inner[:, -1] - inner[:, 0]).abs() * 32 / 23
    slopes = inner.diff(dim=1)
    clear = (inner.amin(1) > 1 / 32) & (inner.amax(1) < 1 - 1 / 32)
    assert (slopes[clear] - slopes[clear].mean(1, keepdim=True)).abs().max() < 1e-4
    assert shown.max() <= 1 + 1e-4
    assert np.sqrt(area) * np.exp(-0.26) < shown.min() < np.sqrt(area) + 0.05
    assert abs(seen.mean().item() - 0.5) < 0.05


def test_a_view_turns_at_most_as_far_as_asked() -> None:
    ramp = torch.linspace(0, 1, 33).expand(200, 1, 33, 33)
    turned = view(ramp, keys(1, 1, torch.arange(200)), 0, ObjectiveSettings(**{**PLAIN_VIEW, "view_rotation": 20.0}))
    middle = turned[:, 0, 12:21, 12:21]
    angle = torch.atan2(middle.diff(dim=1).mean((1, 2)).abs(), middle.diff(dim=2).mean((1, 2)).abs()).rad2deg()
    assert 15 < angle.max() < 20.5


def test_views_of_an_image_differ_and_stay_in_range() -> None:
    images = torch.rand(8, 3, 32, 32)
    image_keys = keys(1, 1, torch.arange(8))
    asked = ObjectiveSettings(view_color=1.0)
    first, second = (view(images, image_keys, number, asked) for number in (0, 1))
    assert ((first - second).abs().amax((1, 2, 3)) > 0.05).all()
    assert min(first.min(), second.min()) >= 0
    assert max(first.max(), second.max()) <= 1
    assert torch.equal(view(images, image_keys, 0, asked), first)


def test_gray_pictures_have_views() -> None:
    seen = view(torch.rand(4, 1, 16, 16), keys(1, 1, torch.arange(4)), 0, ObjectiveSettings())
    assert seen.shape == (4, 1, 16, 16)
