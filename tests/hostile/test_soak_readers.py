"""Readers of files that another may have written, given mutations of sound ones for as long as is told.

Run by ``./scripts/soak readers``. What is found is printed with the number that draws it again.
"""

import time
from collections import Counter
from itertools import count
from pathlib import Path
from random import Random

import pytest

from tests.hostile.readers import targets
from tests.hostile.test_readers import NAMES

pytestmark = [
    pytest.mark.soak,
    pytest.mark.timeout(0),
    pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning"),
]

SECONDS = 30.0
"""How long reading a mutated file may take."""


@pytest.mark.parametrize("name", NAMES)
def test_mutations_are_read_or_refused(
    tmp_path: Path, tally: Counter[tuple[str, str]], soak_seconds: float, soak_seed: int, name: str
) -> None:
    target = targets(tmp_path)[name]
    wrong: list[str] = []
    began = time.monotonic()
    for number in count(soak_seed * 1_000_000):
        at = time.monotonic()
        if at - began > soak_seconds / len(NAMES):
            break
        try:
            ending = target.strike(Random(number))
        except Exception as error:  # noqa: BLE001  what else is raised is what is looked for
            ending = f"{type(error).__name__}: {error}"
            wrong.append(f"{number}: {ending}")
        if time.monotonic() - at > SECONDS:
            wrong.append(f"{number}: it took {time.monotonic() - at:.0f} s")
        tally[name, ending] += 1
    assert wrong == []
