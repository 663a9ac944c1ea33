"""The notice at the end of a job: what each terminal gets, and what a hostile name cannot do."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from engine.records import JobRow, Records
from fext_tui.notice import notice


@pytest.fixture
def job(records: Records) -> JobRow:
    """Return a job that is done."""
    number = records.add_job("train", "cpu", {}, {})
    records.change_job(number, state="done")
    return records.job(number)


@pytest.mark.parametrize(
    ("environ", "sequence"),
    [
        ({"TERM": "xterm-kitty"}, "\x1b]9;FeXT: Job 1 (train) done\x1b\\"),
        ({"TERM": "xterm-256color", "VTE_VERSION": "7600"}, "\x1b]777;notify;FeXT;Job 1 (train) done\x1b\\"),
        ({"TERM": "foot"}, "\x1b]777;notify;FeXT;Job 1 (train) done\x1b\\"),
        ({"TERM": "tmux-256color", "TMUX": "/run/tmux"},
         "\x1bPtmux;\x1b\x1b]9;FeXT: Job 1 (train) done\x1b\x1b\\\x1b\\"),
        ({"TERM": "linux"}, ""),
        ({}, ""),
    ],
)  # fmt: skip
def test_each_terminal_gets_a_bell_and_what_it_understands(
    job: JobRow, environ: Mapping[str, str], sequence: str
) -> None:
    assert notice(job, environ) == "\a" + sequence


def test_names_cannot_end_the_sequence(job: JobRow) -> None:
    told = notice(replace(job, kind="a\x1b\\\a;b"), {"TERM": "foot"})
    assert told.count("\x1b") == 2
    assert told.count("\a") == 1
    assert told.count(";") == 3
