"""Learning rates and plans."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.settings import TrainingSettings
from engine.training.schedule import Plan, learning_rate


def _rates(training: TrainingSettings, steps: int) -> list[float]:
    plan = Plan("steps", 0, steps)
    return [learning_rate(training, step, plan.share(step, 0)) for step in range(steps + 1)]


@pytest.mark.parametrize("schedule", ["cosine", "linear"])
def test_rates_rise_then_fall_to_the_final_rate(schedule: str) -> None:
    training = TrainingSettings(schedule=schedule, learning_rate=0.01, final_learning_rate=0.001, warmup_steps=20)
    rates = _rates(training, 1000)
    top = rates.index(max(rates))
    assert rates[0] == pytest.approx(0.01 / 21)
    assert 10 <= top <= 30
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert rates[-1] == pytest.approx(0.001)


def test_onecycle_is_that_of_pytorch() -> None:
    training = TrainingSettings(schedule="onecycle", learning_rate=0.01, final_learning_rate=1e-6, warmup_steps=500)
    rates = _rates(training, 1000)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    reference = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.01, total_steps=1001, final_div_factor=400)
    expected = []
    for _ in rates:
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        reference.step() if len(expected) < 1001 else None
    assert rates == pytest.approx(expected, abs=1e-4)
    assert (rates[0], rates[300], rates[1000]) == pytest.approx((0.0004, 0.01, 1e-6))


def test_linear_is_half_way_in_the_middle() -> None:
    training = TrainingSettings(schedule="linear", learning_rate=0.02, final_learning_rate=0.0, warmup_steps=0)
    assert _rates(training, 100)[50] == pytest.approx(0.01)


def test_hold_decay_is_that_of_the_original() -> None:
    training = TrainingSettings(
        schedule="hold_decay",
        learning_rate=0.001,
        final_learning_rate=0.0001,
        hold_steps=1000,
        decay_steps=500,
        warmup_steps=0,
    )
    rates = _rates(training, 2000)
    assert set(rates[:1001]) == {0.001}
    assert rates[1250] == pytest.approx(0.00055)
    assert rates[1500] == pytest.approx(0.0001)
    assert rates[2000] == pytest.approx(0.0001)


def test_constant_is_constant() -> None:
    assert set(_rates(TrainingSettings(schedule="constant", learning_rate=0.003), 50)) == {0.003}


def test_the_warm_up_takes_at_most_a_tenth_of_a_short_run() -> None:
    rates = _rates(TrainingSettings(warmup_steps=500, learning_rate=0.01), 40)
    assert max(rates) > 0.0095
    assert rates.index(max(rates)) <= 4


@given(start=st.floats(0, 1e6), length=st.floats(1, 1e6), done=st.floats(-1e6, 3e6))
def test_the_share_stays_between_0_and_1(start: float, length: float, done: float) -> None:
    plan = Plan("s", start, start + length)
    assert 0 <= plan.share(0, done) <= 1
    assert plan.share(0, start) == 0
    assert plan.share(0, start + length) == pytest.approx(1)
