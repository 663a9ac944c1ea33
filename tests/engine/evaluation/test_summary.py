"""The distribution of figures over images, against Python's statistics and SciPy."""

import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import scoreatpercentile

from engine.evaluation.summary import METRICS, distribution, summarize, worst_and_best

Values = st.lists(st.floats(0, 100, width=32), min_size=1, max_size=60)


@given(Values)
def test_a_distribution_equals_the_references(values: list[float]) -> None:
    spread = distribution(np.array(values, np.float32))
    assert spread.mean == pytest.approx(statistics.fmean(values), abs=1e-9)
    assert spread.std == pytest.approx(statistics.pstdev(values), abs=1e-6)
    assert (spread.min, spread.max) == (min(values), max(values))
    for name, percent in {"p5": 5, "p25": 25, "p50": 50, "p75": 75, "p95": 95}.items():
        assert getattr(spread, name) == pytest.approx(scoreatpercentile(values, percent), abs=1e-6)
    assert spread.p50 == pytest.approx(statistics.median(values), abs=1e-6)


def test_the_mean_of_many_is_summed_in_double_precision() -> None:
    assert distribution(np.full(1_000_000, 0.1, np.float32)).mean == pytest.approx(float(np.float32(0.1)), rel=1e-12)


def test_metrics_are_told_in_one_order_and_only_those_measured() -> None:
    errors = {"mae": [0.1], "psnr": [20.0], "ssim": [0.5]}
    assert list(summarize(errors)) == ["psnr", "ssim", "mae"]
    assert {metric.key: metric.written(0.00012) for metric in METRICS}["mse"] == "1.20e-04"


@given(st.lists(st.integers(0, 5).map(float), min_size=1, max_size=30), st.integers(1, 40))
def test_worst_and_best_equal_a_plain_sort(psnr: list[float], count: int) -> None:
    worst, best = worst_and_best(psnr, count)
    numbers = range(len(psnr))
    assert worst.tolist() == sorted(numbers, key=lambda number: psnr[number])[:count]
    assert best.tolist() == sorted(numbers, key=lambda number: -psnr[number])[:count]
