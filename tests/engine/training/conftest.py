"""The bench that training is tested on."""

import pytest

from engine.records import Records
from engine.workspace import Workspace
from tests.engine.training.bench import Bench


@pytest.fixture
def bench(workspace: Workspace, records: Records) -> Bench:
    """Return a bench in a workspace of its own."""
    return Bench(workspace, records)
