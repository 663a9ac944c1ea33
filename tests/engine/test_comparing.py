"""Runs side by side: figures from the records, settings from the checkpoint or the job."""

import pytest

from engine.comparing import differing, run_facts
from engine.errors import UsageError
from engine.records import Records
from engine.settings import Settings, from_layers


def _run(records: Records, name: str, settings: Settings | None = None, **values: float) -> int:
    run = records.add_run(name, "redux")
    job = records.add_job("train", "cpu", (settings or Settings()).model_dump(), {"name": name}, run)
    records.change_job(job, state="done", started=100.0, ended=160.0)
    for step, psnr in enumerate((30.0, 33.5, 32.0)):
        records.add_metrics(run, [(step, step / 2, 0.0, {"validation/psnr": psnr, "train/loss": 0.1, "img_s": 40.0})])
    return run


def test_figures_are_those_of_the_run_over_all_its_jobs(records: Records) -> None:
    run = _run(records, "mine")
    again = records.add_job("resume", "cpu", {}, {}, run)
    records.change_job(again, state="running", started=200.0)
    records.change_run(run, note="colder", tags="night small")
    facts = run_facts(records, "mine", now=230.0)
    assert (facts.psnr, facts.epoch, facts.step, facts.img_s) == (33.5, 1.0, 2, 40.0)
    assert (facts.seconds, facts.state, facts.note, facts.tags) == (90.0, "running", "colder", ("night", "small"))


def test_a_run_that_told_nothing_has_no_figures(records: Records) -> None:
    records.add_run("empty", "large")
    facts = run_facts(records, "empty", now=1.0)
    assert (facts.psnr, facts.epoch, facts.step, facts.img_s, facts.seconds) == (None, None, None, None, 0)
    assert facts.settings == {}


def test_only_settings_that_differ_are_told(records: Records) -> None:
    quick = from_layers(("", {"training.learning_rate": 0.002, "model.variant": "medium"}))
    for name, settings in (("a", Settings()), ("b", quick), ("c", Settings())):
        _run(records, name, settings)
    runs = [run_facts(records, name, now=1.0) for name in "abc"]
    assert differing(runs) == {
        "model.variant": ("redux", "medium", "redux"),
        "training.learning_rate": (0.001, 0.002, 0.001),
    }
    assert differing(runs[:1]) == {}


def test_settings_that_no_longer_validate_are_left_out(records: Records) -> None:
    run = records.add_run("old", "redux")
    records.add_job("train", "cpu", {"training": {"gone": 1}}, {}, run)
    assert run_facts(records, "old", now=1.0).settings == {}


def test_an_unknown_run_is_told_with_the_known_ones(records: Records) -> None:
    _run(records, "mine")
    with pytest.raises(UsageError, match="no run 'yours'") as caught:
        run_facts(records, "yours", now=1.0)
    assert "mine" in caught.value.remedy
