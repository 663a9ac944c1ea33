"""Records damaged in thousands of ways, and written by many for a long time."""

import io
import time
from collections import Counter

import pytest

from engine.records import Records
from engine.workspace import Workspace
from tests.hostile.test_records import check_many, endings_of_damage, sound

__all__ = ["sound"]

pytestmark = pytest.mark.soak

Tally = Counter[tuple[str, str]]


def test_damaged_pages(workspace: Workspace, sound: bytes, soak_seconds: float, soak_seed: int, tally: Tally) -> None:
    began, seed = time.monotonic(), 1_000_000 * soak_seed
    while time.monotonic() - began < soak_seconds:
        for ending in endings_of_damage(workspace, sound, seed):
            tally["records: damaged pages", ending if ending == "sound" else "told, with the file's name"] += 1
        seed += 1


def test_many_at_once(workspace: Workspace, records: Records, soak_seconds: float, tally: Tally) -> None:
    began, steps, told = time.monotonic(), 1_000, io.StringIO()
    while time.monotonic() - began < soak_seconds or steps == 1_000:
        looks = check_many(workspace, records, steps, told)
        tally["records: three writers, two readers", "every row there, none twice"] += 3 * steps
        tally["records: three writers, two readers", "whole looks meanwhile"] += looks
        steps += 1_000
    assert "locked" not in told.getvalue()
