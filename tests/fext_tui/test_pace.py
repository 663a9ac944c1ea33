"""How quickly a job goes on, in figures and words."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.records import JobRow
from fext_tui.pace import Pace, count_text, metric_texts, pace_texts


def job(done: float, total: float = 600, unit: str = "steps", phase: str = "training") -> JobRow:
    nothing: dict[str, Any] = dict.fromkeys(JobRow.__dataclass_fields__)
    return JobRow(**nothing | {"id": 1, "phase": phase, "done": done, "total": total, "unit": unit})


@given(st.floats(0.5, 500), st.integers(0, 400))
def test_the_rate_is_that_of_what_was_seen(rate: float, start: int) -> None:
    """A resume begins in the middle: what was done before it must not count as speed."""
    pace = Pace()
    for second in range(8):
        pace.see(job(start + rate * second, total=10_000), 100.0 + second)
    assert pace.rate == pytest.approx(rate)
    left = (10_000 - (start + rate * 7)) / rate
    assert pace.left(job(start + rate * 7, total=10_000)) == pytest.approx(left)


def test_the_rate_forgets_what_is_long_ago() -> None:
    pace = Pace()
    for second in range(30):
        pace.see(job(second), float(second))
    for second in range(30, 60):
        pace.see(job(30 + 10 * (second - 30)), float(second))
    assert pace.rate == pytest.approx(10)


def test_a_new_phase_begins_anew() -> None:
    pace = Pace()
    for second in range(5):
        pace.see(job(10 * second), float(second))
    pace.see(job(0, phase="validating"), 6.0)
    assert pace.rate is None
    assert pace.left(job(0, phase="validating")) is None


def test_a_time_budget_tells_what_is_left_and_no_rate() -> None:
    pace = Pace()
    for second in range(5):
        pace.see(job(second, 72, "s"), float(second))
    assert pace_texts(job(12, 72, "s"), pace) == ["0:12 of 1:12", "1:00 left"]


@pytest.mark.parametrize(
    ("row", "text"),
    [
        (job(120), "120/600 steps"),
        (job(1200, 0, "images"), "1,200 images"),
        (job(0, 0, ""), ""),
        (job(12, 0, "s"), "0:12"),
    ],
)
def test_counts_in_words(row: JobRow, text: str) -> None:
    assert count_text(row) == text


def test_metrics_in_words() -> None:
    values = {"train/loss": 0.04125, "validation/loss": 0.0455, "validation/psnr": 23.456, "img_s": 61.34}
    assert metric_texts(values, 3.2) == ["epoch 3.20", "loss 0.0413", "held out 0.0455", "23.46 dB", "61.3 img/s"]
    assert metric_texts({}, 0) == ["epoch 0.00"]


def test_a_clock_that_is_set_back_begins_anew() -> None:
    pace = Pace()
    for second in range(8):
        pace.see(job(2.0 * second), 5_000.0 + second)
    for second in range(8):
        pace.see(job(16 + 4.0 * second), 100.0 + second)
    assert pace.rate == pytest.approx(4.0)
