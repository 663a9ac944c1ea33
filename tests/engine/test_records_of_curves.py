"""Curves in the records: what comes back of a long one, and that its roll-ups are always true."""

import math
import time
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.records import Records
from engine.records.roll_ups import LARGE_BIN, SMALL_BIN
from engine.records.schema import MetricBin

Bin = tuple[float | None, float | None, float | None, int, int]


def bins_by_hand(values: Mapping[int, float | None], width: int) -> dict[int, Bin]:
    """Return mean, least, greatest, number and last step of the values of each so many steps."""
    bins = {}
    for number in {step // width for step in values}:
        inside = {step: value for step, value in values.items() if step // width == number}
        known = [value for value in inside.values() if value is not None]
        mean = math.fsum(known) / len(known) if known else None
        bins[number] = (mean, min(known, default=None), max(known, default=None), len(known), max(inside))
    return bins


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 5_000, 150_000])
def test_a_long_curve_comes_as_means_and_extremes(records: Records, count: int) -> None:
    run = records.add_run("a", "redux")
    told = np.random.default_rng(count).normal(size=count).round(3).tolist()
    records.add_metrics(run, ((step, step / 10, step / 100, {"loss": told[step]}) for step in range(count)))
    records.add_metrics(run, ((step, 0.0, 0.0, {"other": 1.0}) for step in range(count)))
    curve = records.curve(run, "loss", points=100)
    assert len(curve) <= 100
    assert len(curve) >= min(count, 45)
    begin = 0
    for row in curve:
        part = told[begin : row["step"] + 1]
        assert (row["low"], row["high"]) == (min(part), max(part))
        assert row["value"] == pytest.approx(np.mean(part), abs=1e-9)
        assert (row["epoch"], row["time"]) == (row["step"] / 10, row["step"] / 100)
        begin = row["step"] + 1
    assert begin == count


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_roll_ups_are_true_whatever_was_written_over_or_deleted(records: Records, data: st.DataObject) -> None:
    run = records.add_run(f"run {time.monotonic_ns()}", "redux")
    stands: dict[int, float | None] = {}
    value = st.one_of(st.integers(-1000, 1000).map(float), st.just(math.nan))
    for _ in range(data.draw(st.integers(1, 4))):
        told = data.draw(st.dictionaries(st.integers(0, 5_000), value, max_size=60))
        records.add_metrics(run, [(step, 0.0, 0.0, {"loss": one}) for step, one in told.items()])
        stands |= {step: None if math.isnan(one) else one for step, one in told.items()}
        if data.draw(st.booleans()):
            last = data.draw(st.integers(0, 5_000))
            records.delete_metrics_after(run, last)
            stands = {step: one for step, one in stands.items() if step <= last}
    rows = records._rows(MetricBin.select().where(MetricBin.run == run).order_by(MetricBin.level, MetricBin.bin))
    for level, width in ((1, SMALL_BIN), (2, LARGE_BIN)):
        expected = bins_by_hand(stands, width)
        made = {row["bin"]: row for row in rows if row["level"] == level}
        assert made.keys() == expected.keys()
        for number, (mean, *others) in expected.items():
            assert made[number]["value"] == (mean if mean is None else pytest.approx(mean, abs=1e-9))
            assert [made[number][name] for name in ("low", "high", "number", "step")] == others


def test_the_value_at_a_step_is_that_told_last_however_many_there_are(records: Records) -> None:
    run = records.add_run("long", "redux")
    records.add_metrics(run, ((step, 1.0, 1.0, {"loss": float(step)}) for step in range(10, 50_010, 10)))
    records.add_metrics(run, [(60_000, 1.0, 1.0, {"loss": float("nan")})])
    asked = {10: 10.0, 19: 10.0, 20: 20.0, 33_333: 33_330.0, 50_000: 50_000.0, 9: None, 70_000: None}
    assert {step: records.value_at(run, "loss", step) for step in asked} == asked
    assert records.value_at(run, "other", 100) is None
