"""Jobs in processes that get less memory than they need, from hardly any to enough."""

import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from engine.jobs.death import explain_exit
from engine.records import Records
from engine.settings import Settings
from engine.workspace import Workspace

pytestmark = pytest.mark.soak

LIMITS_MB = (100, 200, 400, 600, 800, 1200, 1600, 2000, 2400, 2800, 3200, 4000, 6000, 64_000)
KINDS: dict[str, dict[str, Any]] = {
    "train": {"name": "limited"},
    "analyze": {},
    "sample": {"folder": "s", "count": 3, "seed": 1},
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_job_with_little_memory_says_so(
    kind: str, workspace: Workspace, records: Records, small: Callable[..., Settings],
    tally: Counter[tuple[str, str]],
) -> None:  # fmt: skip
    """Each limit ends in a result or a reason; it is the worker that tells it, or else its parent from how it died."""
    for limit in LIMITS_MB:
        run = records.add_run(f"limited-{limit}", "redux") if kind == "train" else None
        job = records.add_job(kind, "cpu", small().model_dump(mode="json"), KINDS[kind], run)
        worker = f"{sys.executable} -m engine.jobs.worker --resources {workspace.root} --job {job}"
        command = ["bash", "-c", f"ulimit -v {limit * 1024}; exec {worker}"]
        log = workspace.log_of_job(job)
        with log.open("wb") as output:
            code = subprocess.run(command, stdout=output, stderr=output, check=False, timeout=300).returncode
        row = records.job(job)
        if row.has_ended:
            reason = "done" if row.state == "done" else str((row.error or {})["cause"]).split(".")[0]
        else:
            _, error = explain_exit(code, log, "start it again", out_of_memory=False)
            assert "Use less memory" in error["remedy"], error
            reason = "died, and the log told the parent that memory ran out"
            records.change_job(job, state="killed")
        assert reason
        tally[f"memory limited while: {kind}", reason] += 1
    assert reason == "done"
