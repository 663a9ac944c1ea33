"""What the long tests count, told in the end as a table; `scripts/soak` runs them."""

import os
from collections import Counter

import pytest

from tests.engine.conftest import draw_pictures, pictures, small, small_values

__all__ = ["draw_pictures", "pictures", "small", "small_values"]

_TALLY = pytest.StashKey[Counter[tuple[str, str]]]()
_LONGEST = 80


@pytest.fixture(scope="session")
def tally(pytestconfig: pytest.Config) -> Counter[tuple[str, str]]:
    """Return the counter of faults and how each ended, by (fault, ending); it is printed when all tests are done."""
    return pytestconfig.stash.setdefault(_TALLY, Counter())


@pytest.fixture(scope="session")
def soak_seconds() -> float:
    """Return how long a test that can go on and on should: ``SOAK_MINUTES``, or a minute."""
    return 60 * float(os.environ.get("SOAK_MINUTES", "1"))


@pytest.fixture(scope="session")
def soak_seed() -> int:
    """Return what is drawn from: ``SOAK_SEED``, or 0."""
    return int(os.environ.get("SOAK_SEED", "0"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the table: fault, how often it was injected, and how it ended."""
    counts = config.stash.get(_TALLY, Counter())
    if not counts:
        return
    terminalreporter.section("faults, and how they ended")
    for fault in dict.fromkeys(fault for fault, _ in sorted(counts)):
        endings = {ending: count for (of, ending), count in counts.items() if of == fault}
        terminalreporter.write_line(f"{fault:<28} {sum(endings.values()):>8,}")
        for ending, count in sorted(endings.items(), key=lambda item: -item[1]):
            terminalreporter.write_line(f"    {count:>8,}  {ending[:_LONGEST]}")
