"""Two ranks agree, and their gradients are those of one process."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from engine.distributed.launch import launch
from engine.distributed.ranks import ALONE
from tests.engine.distributed.checks import NAMES

CHECKOUT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> list[Mapping[str, str]]:
    """Return what each of two ranks tells of its checks."""
    folder, errors = tmp_path_factory.mktemp("ranks"), tmp_path_factory.mktemp("launcher")
    command = [sys.executable, "-m", "tests.engine.distributed.checks", str(folder)]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(CHECKOUT)
        launch(
            command, 2, errors, stopping=lambda: False, has_ended=lambda: any(folder.glob("checks-*.json")), grace=20
        )
    return [json.loads(path.read_text()) for path in sorted(folder.glob("checks-*.json"))]


@pytest.mark.parametrize("name", NAMES)
def test_in_two_ranks(told: list[Mapping[str, str]], name: str) -> None:
    assert [one.get(name, "not reached") for one in told] == ["passed", "passed"], "\n".join(
        text for one in told for text in one.values() if text != "passed"
    )


def test_one_process_agrees_with_itself() -> None:
    assert ALONE.agree([1, 2.5]) == [1, 2.5]
    assert ALONE.most(3) == 3
    with ALONE.first_works() as works, ALONE.first_ahead():
        assert works
