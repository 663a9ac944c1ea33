"""The view and the health of a latent, against NumPy's own decompositions and matrices of known rank."""

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray
from scipy.linalg import hadamard

from engine.errors import UsageError
from engine.evaluation.latent import MOST_IMAGES, health_of, project

FINITE = st.floats(-(2.0**100), 2.0**100, width=32)


@pytest.fixture(autouse=True)
def _no_warnings() -> None:
    warnings.simplefilter("error")


def vectors(count: int, dim: int, seed: int = 0) -> NDArray[np.float32]:
    """Return vectors whose units are mixed and of different spread, about a mean that is not zero."""
    random = np.random.default_rng(seed)
    mixed = random.normal(size=(count, dim)) * 0.7 ** np.arange(dim) @ random.normal(size=(dim, dim))
    return (mixed + random.normal(size=dim) * 5).astype(np.float32)


def with_singular_values(*values: float) -> NDArray[np.float32]:
    """Return centered vectors (16, n) with these singular values."""
    columns = hadamard(16)[:, 1 : 1 + len(values)] / 4
    return (columns * values).astype(np.float32)


@pytest.mark.parametrize(("count", "dim"), [(200, 12), (20, 50), (700, 900), (5, 3)])
def test_scores_are_those_of_the_singular_value_decomposition(count: int, dim: int) -> None:
    values = vectors(count, dim)
    centered = values.astype(np.float64) - values.mean(axis=0, dtype=np.float64)
    left, singular, right = np.linalg.svd(centered, full_matrices=False)
    signs = np.sign(right[np.arange(3), np.abs(right[:3]).argmax(axis=1)])
    found = project(values)
    assert found.images == count
    np.testing.assert_allclose(found.scores, left[:, :3] * singular[:3] * signs, atol=1e-3 * singular[0])
    np.testing.assert_allclose(found.shares, (singular**2 / (singular**2).sum())[:3], rtol=1e-3)
    again = project(values)
    assert (again.scores == found.scores).all()


def test_components_are_fitted_to_the_images_of_a_mask() -> None:
    values = vectors(60, 6)
    fitted_on = np.arange(60) < 40
    found = project(values, 2, fitted_on)
    changed = values.copy()
    changed[50] += 1000
    moved = project(changed, 2, fitted_on)
    assert found.images == 40
    assert (np.delete(found.scores, 50, 0) == np.delete(moved.scores, 50, 0)).all()
    np.testing.assert_allclose(found.scores[:40], project(values[:40], 2).scores, rtol=1e-5, atol=1e-5)
    with pytest.raises(UsageError, match="no image to fit"):
        project(values, 2, np.zeros(60, np.bool_))


@pytest.mark.parametrize("values", [np.ones((1, 9)), np.full((7, 9), 0.1), np.zeros((2, 1))])
def test_where_nothing_varies_all_scores_are_zero(values: NDArray[Any]) -> None:
    found = project(values.astype(np.float32))
    assert found.scores.shape == (len(values), 3)
    assert not found.scores.any()
    assert not found.shares.any()


def test_two_images_lie_on_a_line() -> None:
    found = project(np.array([[0, 0, 0], [3, 4, 0]], np.float32))
    np.testing.assert_allclose(found.scores, [[-2.5, 0, 0], [2.5, 0, 0]], atol=1e-6)
    np.testing.assert_allclose(found.shares, [1, 0, 0], atol=1e-12)


def test_many_vectors_are_all_projected() -> None:
    values = vectors(2 * MOST_IMAGES + 5, 4)
    found = project(values)
    assert found.images == MOST_IMAGES
    exact = np.linalg.svd(values - values.mean(axis=0), full_matrices=False)[2][0]
    assert abs(np.corrcoef(found.scores[:, 0], values @ exact)[0, 1]) > 0.999
    health = health_of(values)
    assert health.images == MOST_IMAGES
    assert project(values.astype(np.float16)).scores[:, 0] == pytest.approx(found.scores[:, 0], abs=0.2)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [0, 3000])
def test_values_that_are_not_finite_are_refused(bad: float, place: int) -> None:
    values = vectors(3001, 3)
    values[place, 1] = bad
    for function in (project, health_of):
        with pytest.raises(UsageError, match=f"image {place + 1:,} "):
            function(values)


@pytest.mark.parametrize("shape", [(0, 4), (3, 0), (0, 0)])
def test_no_vectors_are_refused(shape: tuple[int, int]) -> None:
    for function in (project, health_of):
        with pytest.raises(UsageError, match="There are"):
            function(np.zeros(shape, np.float32))


def test_the_health_of_one_image_is_refused() -> None:
    with pytest.raises(UsageError, match="1 vectors"):
        health_of(np.ones((1, 4), np.float32))


@pytest.mark.parametrize(
    ("singular", "rank", "participation"),
    [
        ((1,), 1, 1),
        ((2, 2, 2, 2), 4, 4),
        ((3, 1), np.exp(-0.75 * np.log(0.75) - 0.25 * np.log(0.25)), 100 / 82),
        ((5, 5, 0, 0, 0), 2, 2),
    ],
)
def test_ranks_of_known_matrices(singular: tuple[float, ...], rank: float, participation: float) -> None:
    for values in (with_singular_values(*singular), with_singular_values(*singular) + 7):
        health = health_of(values)
        assert health.effective_rank == pytest.approx(rank, rel=1e-6)
        assert health.participation_ratio == pytest.approx(participation, rel=1e-6)


@pytest.mark.parametrize(("count", "dim"), [(300, 10), (12, 40)])
def test_health_equals_the_references(count: int, dim: int) -> None:
    values = vectors(count, dim)
    health = health_of(values)
    centered = values - values.mean(axis=0, dtype=np.float64)
    singular = np.linalg.svd(centered, compute_uv=False)[: min(count - 1, dim)]
    shares = singular**2 / (singular**2).sum()
    np.testing.assert_allclose(health.explained, shares, atol=1e-9)
    assert health.components == {level: int((np.cumsum(shares) < level / 100).sum()) + 1 for level in (90, 95, 99)}
    entropy = -(singular / singular.sum() * np.log(singular / singular.sum())).sum()
    assert health.effective_rank == pytest.approx(np.exp(entropy), rel=1e-5)
    correlations = np.corrcoef(values.astype(np.float64).T)
    upper = np.abs(correlations[np.triu_indices(dim, 1)])
    assert health.mean_correlation == pytest.approx(upper.mean(), rel=1e-6)
    assert [abs(pair.correlation) for pair in health.most_correlated] == pytest.approx(np.sort(upper)[::-1][:10])
    for pair in health.most_correlated:
        assert pair.one < pair.other
        assert pair.correlation == pytest.approx(correlations[pair.one, pair.other])
    assert (health.images, health.dim, health.correlated_units) == (count, dim, dim)


def test_dead_and_nearly_constant_units_are_found() -> None:
    values = np.random.default_rng(0).normal(size=(500, 10)).astype(np.float32)
    values[:, 2] = 0.1
    values[:, 5] *= 1e-8
    values[:, 7] *= 1e-4
    health = health_of(values)
    assert health.dead == (2, 5)
    assert health.nearly_constant == pytest.approx(0.3)
    assert health.correlated_units == 8
    assert health.effective_rank < 8


def test_units_are_numbered_in_the_whole_vector_where_some_are_dead() -> None:
    values = vectors(100, 5)
    values[:, 0] = 1
    values[:, 4] = -2 * values[:, 2]
    first = health_of(values).most_correlated[0]
    assert (first.one, first.other) == (2, 4)
    assert first.correlation == pytest.approx(-1)


def test_identical_images_have_no_live_unit() -> None:
    health = health_of(np.full((6, 4), 0.3, np.float32))
    assert health.dead == (0, 1, 2, 3)
    assert health.nearly_constant == 1
    assert health.effective_rank == health.participation_ratio == 0
    assert health.components == {90: 0, 95: 0, 99: 0}
    assert health.mean_correlation is None
    assert health.most_correlated == ()
    assert health.explained.tolist() == [0, 0, 0, 0]


@settings(max_examples=60, deadline=None)
@given(arrays(np.float32, array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=9), elements=FINITE))
def test_figures_stay_in_their_ranges(values: NDArray[np.float32]) -> None:
    health = health_of(values)
    count, dim = values.shape
    varies = bool((values != values[0]).any())
    assert len(health.explained) == min(count - 1, dim)
    assert health.explained.sum() == pytest.approx(1 if varies else 0)
    assert (np.diff(health.explained) <= 1e-9).all()
    assert (1 - 1e-9 <= health.effective_rank <= dim + 1e-9) == varies
    assert health.participation_ratio <= health.effective_rank * (1 + 1e-6)
    assert 0 <= health.nearly_constant <= 1
    assert len(health.dead) <= round(health.nearly_constant * dim)
    assert all(-1 <= pair.correlation <= 1 for pair in health.most_correlated)
    found = project(values, 2)
    assert np.isfinite(found.scores).all()
    assert 0 <= found.shares.sum() <= 1 + 1e-6
