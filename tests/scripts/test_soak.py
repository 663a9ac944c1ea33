"""`scripts/soak`: what it refuses, and that what it runs stays out of the other tests."""

import subprocess
import tomllib
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "There are: "),
        (("nothing",), "There are: "),
        (("../images",), "There are: "),
        (("images", "--hours", "3"), "Give --minutes N"),
        (("images", "--minutes"), "Give --minutes N"),
        (("images", "--minutes", "$(touch owned)"), "Give --minutes N"),
    ],
)
def test_what_it_does_not_know_is_refused(tmp_path: Path, arguments: tuple[str, ...], told: str) -> None:
    command = [CHECKOUT / "scripts/soak", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert ended.returncode == 1
    assert told in ended.stderr
    assert {"images", "readers"} <= set(ended.stderr.replace(",", " ").replace(".", " ").split()) or "Give" in told
    assert list(tmp_path.iterdir()) == []


def test_all_that_it_runs_is_marked_and_left_out_elsewhere() -> None:
    options = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    assert "-m 'not soak and not bench'" in options["addopts"]
    for path in (CHECKOUT / "tests/hostile").glob("test_soak_*.py"):
        assert "pytest.mark.soak" in path.read_text(), path
