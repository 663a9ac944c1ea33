"""The lines of a screen that must fit any width."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.records import JobRow
from fext_tui.following import History
from fext_tui.pace import Pace
from fext_tui.widgets.figures import figures
from fext_tui.widgets.job_bar import job_line, progress_bar
from fext_tui.widgets.job_facts import result_words
from fext_tui.widgets.key_line import Key, flow


def a_job(**values: object) -> JobRow:
    columns = {
        "id": 12, "kind": "train", "state": "running", "lane": "cpu", "settings": {}, "arguments": {}, "run": 1,
        "host": None, "boot": None, "pid": None, "pid_started": None, "created": 0.0, "started": 0.0, "ended": None,
        "heartbeat": None, "stop": 0, "phase": "training", "done": 210.0, "total": 480.0, "unit": "steps",
        "phase_started": 0.0, "result": None, "error": None,
    }  # fmt: skip
    return JobRow(**(columns | values))  # type: ignore[arg-type]  # a row as the database gives it


def a_pace(*jobs: tuple[float, JobRow]) -> Pace:
    pace = Pace()
    for now, job in jobs:
        pace.see(job, now)
    return pace


@given(st.integers(30, 240), st.text("abcdef-漢", max_size=60), st.floats(0, 1e7), st.sampled_from([0.0, 480.0, 1e7]))
def test_the_job_line_fits(width: int, name: str, done: float, total: float) -> None:
    job = a_job(done=done, total=total)
    assert job_line(job, name, Pace(), width, img_s=61.3).cell_length <= width


def test_the_job_line_tells_what_is_needed_most() -> None:
    job = a_job()
    pace = a_pace((0.0, a_job(done=10.0)), (10.0, job))
    wide = job_line(job, "redux-one", pace, 160).plain
    for told in (
        "running",
        "job 12 train",
        "redux-one",
        "training",
        " 44 %",
        "210/480 steps",
        "20 steps/s",
        "0:14 left",
    ):
        assert told in wide
    narrow = job_line(job, "redux-one", pace, 60).plain
    assert "0:14 left" in narrow
    assert "redux-one" not in narrow


def test_a_job_that_was_asked_to_stop_is_stopping() -> None:
    assert job_line(a_job(stop=1), "", Pace(), 80).plain.startswith("stopping")
    assert job_line(a_job(stop=1, state="stopped"), "", Pace(), 80).plain.startswith("stopped")


@pytest.mark.parametrize(
    ("share", "drawn"), [(0.0, "────"), (0.5, "━━──"), (0.6, "━━╸─"), (1.0, "━━━━"), (7.0, "━━━━")]
)
def test_the_progress_bar_counts_half_columns(share: float, drawn: str) -> None:
    assert progress_bar(share, 4).plain == drawn


def test_keys_flow_into_lines() -> None:
    keys = [Key((letter,), (letter,), "A label") for letter in "abcdefgh"]
    rows = flow(keys, 24)
    assert [[key.keys[0] for key in row] for row in rows] == [["a", "b"], ["c", "d"]]
    assert [key for row in flow(keys, 200) for key in row] == keys


def test_results_in_words() -> None:
    assert result_words({"images": 1204, "skipped": 0, "seconds": 8.41, "folder": "/x"}) == "1,204 images · 8.4 s"
    assert result_words({"run": "a", "val_psnr": 25.4, "img_s": 61.31}) == "25.40 dB · 61.3 img/s"
    assert result_words(None) == ""


def test_figures_tell_what_was_measured() -> None:
    history = History(last={"img_s": 61.5, "validation/ssim": 0.91234, "memory_gb": 1.26, "learning_rate": 0.0005})
    shown = dict(figures(history))
    assert (shown["SSIM"], shown["memory"], shown["learning rate"]) == ("0.912", "1.3 GB", "0.0005")
    assert not {"SSIM", "memory"} & dict(figures(History(last={"img_s": 61.5}))).keys()
