"""Records that are damaged, incomplete, something else altogether, or written by many at once."""

import io
import random
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from engine.errors import FextError, UsageError
from engine.records import Finding, Records
from engine.records.schema import TABLES
from engine.workspace import Workspace
from fext_tui.cli.entry import run as fext

PAGE = 4096
FILES = 25
"""How many damaged files are tried."""


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return the file of records in which most tables hold something."""
    workspace = Workspace(tmp_path_factory.mktemp("sound")).create()
    with Records(workspace) as records:
        run = records.add_run("run", "redux")
        job = records.add_job("train", "cpu", {"training": {}}, {}, run)
        records.change_job(job, state="done", result={"psnr": 20.0})
        records.add_log_lines(job, [(1.0, "info", f"line {number}") for number in range(300)])
        records.add_metrics(run, [(step, 0.0, 1.0, {"train/loss": 1.0}) for step in range(400)])
        records.put_checkpoint(run, "best", 1, 1.0, 20.0)
        dataset = records.dataset(Path("/pictures"))
        records.put_findings(dataset, ["dark"], [Finding(f"{number}.png", "dark", "x") for number in range(50)])
        figures = {"mae": 1.0, "mse": 1.0, "psnr": 1.0, "ssim": 1.0, "cosine": 1.0}
        about = {"checkpoint": "run", "folder": "x", "subset": "all", "images": 50, "skipped": 0, "created": 1.0}
        records.add_evaluation(about | figures, [{"path": f"{number}.png", **figures} for number in range(50)])
        records.compact()
    return workspace.database.read_bytes()


def looked_at(records: Records) -> None:
    """Ask for what the app's screens show."""
    for listing in (records.jobs, records.runs, records.queue, records.datasets, records.evaluations):
        listing()
    records.job(1)
    records.run_figures(1)
    records.log_lines(1)
    records.metrics_after(1)
    records.last_metrics(1)
    records.curve(1, "train/loss", points=20)
    records.checkpoints(1)
    records.dataset_summary(1)
    records.findings(1)
    records.image_errors(1)
    records.problems()


def changed(records: Records) -> None:
    """Write what a job writes, and delete."""
    job, run = records.add_job("train", "cpu", {}, {}), records.add_run("another", "redux")
    records.add_log_lines(job, [(1.0, "info", "x")] * 50)
    records.add_metrics(run, [(step, 0.0, 1.0, {"train/loss": 1.0}) for step in range(100)])
    records.change_job(job, state="done")
    records.delete_run(1)
    records.compact()


def damaged(content: bytes, chance: random.Random) -> bytes:
    """Return a file some of whose pages are noise, empty, others, have wrong bytes, or are missing."""
    spoiled = bytearray(content)
    for _ in range(chance.choice([1, 1, 2, 5])):
        start, other = (chance.randrange(len(content) // PAGE) * PAGE for _ in range(2))
        way = chance.randrange(5)
        if way == 0:
            spoiled[start : start + PAGE] = chance.randbytes(PAGE)
        elif way == 1:
            spoiled[start : start + PAGE] = bytes(PAGE)
        elif way == 2:
            spoiled[start : start + PAGE] = content[other : other + PAGE]
        elif way == 3:
            for _ in range(chance.choice([1, 8, 64])):
                spoiled[start + chance.randrange(PAGE)] = chance.randrange(256)
        else:
            return bytes(spoiled[: start + chance.randrange(1, PAGE)])
    return bytes(spoiled)


def ending_of(workspace: Workspace, use: Callable[[Records], object]) -> str:
    """Use records, and return how that ended: with ``sound``, or in the words of a refusal that names the file."""
    try:
        with Records(workspace) as records:
            use(records)
    except FextError as error:
        assert str(workspace.database) in error.cause or isinstance(error, UsageError), error
        assert error.remedy
        return error.cause.removeprefix(f"The records {workspace.database} ")
    return "sound"


def endings_of_damage(workspace: Workspace, sound: bytes, seed: int) -> Iterator[str]:
    """Damage a file as a seed says, and yield how it ended to look at it, and to change it."""
    content = damaged(sound, random.Random(seed))
    for use in (looked_at, changed):
        workspace.database.write_bytes(content)
        yield ending_of(workspace, use)


def test_damaged_pages_are_told_whatever_is_asked(workspace: Workspace, sound: bytes) -> None:
    endings = {ending for seed in range(FILES) for ending in endings_of_damage(workspace, sound, seed)}
    assert "sound" in endings
    assert "are damaged: database disk image is malformed." in endings


@pytest.mark.parametrize("table", [table._meta.table_name for table in TABLES])
def test_a_missing_table_is_named(workspace: Workspace, sound: bytes, table: str) -> None:
    workspace.database.write_bytes(sound)
    with closing(sqlite3.connect(workspace.database)) as other:
        other.execute(f"DROP TABLE {table}")
    told = ending_of(workspace, lambda records: records.export_csv(workspace.root / "tables"))
    assert told == f"cannot be used: no such table: {table}."


def as_folder(database: Path) -> None:
    database.mkdir()


def as_pipe(database: Path) -> None:
    database.symlink_to("/dev/null")


def as_circle(database: Path) -> None:
    database.symlink_to(database.name)


def as_picture(database: Path) -> None:
    database.write_bytes(b"\x89PNG\r\n\x1a\n" * 999)


def as_another_database(database: Path) -> None:
    with closing(sqlite3.connect(database)) as other:
        other.execute("CREATE TABLE job (shopping TEXT)")


@pytest.mark.parametrize("make", [as_folder, as_pipe, as_circle, as_picture, as_another_database])
def test_what_is_no_records_is_refused(
    workspace: Workspace, make: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    make(workspace.database)
    assert fext(["--resources", str(workspace.root), "jobs"]) == 1
    told = capsys.readouterr().err
    assert str(workspace.database) in told
    assert "the file" in told


def test_an_empty_file_becomes_records(workspace: Workspace) -> None:
    workspace.database.touch()
    with Records(workspace) as records:
        assert records.jobs() == []


def test_what_was_written_last_is_lost_alone_where_the_journal_is_damaged(workspace: Workspace, sound: bytes) -> None:
    """The write-ahead journal of a killed process, cut or with wrong bytes: the records before it stay readable."""
    first = workspace.database
    first.write_bytes(sound)
    journal = first.with_name(f"{first.name}-wal")
    with Records(workspace) as records:
        for number in range(40):
            records.add_run(f"late-{number}", "redux")
        written = journal.read_bytes()
    assert len(written) > 10 * PAGE
    for seed in range(FILES):
        chance = random.Random(seed)
        spoiled = bytearray(written[: chance.randrange(len(written))])
        if seed % 2:
            spoiled = bytearray(written)
            spoiled[chance.randrange(len(written))] ^= 0xFF
        first.write_bytes(sound)
        journal.write_bytes(spoiled)
        with Records(workspace) as records:
            names = [row["name"] for row in records.runs()][::-1]
            assert records.problems() == []
            assert names == ["run", *(f"late-{number}" for number in range(len(names) - 1))]
            records.add_run("after", "redux")


WRITER = """
import sys
from pathlib import Path
from engine.jobs.recording import RecordingReport
from engine.jobs.requests import StopRequests
from engine.workspace import Workspace

job, run, steps = map(int, sys.argv[2:])
with RecordingReport(Workspace(Path(sys.argv[1])), job, run, StopRequests(), sys.stdout) as report:
    for step in range(steps):
        report.metrics(step, step / 10, {"train/loss": 1.0})
        report.progress("training", step, steps, "steps")
        if step % 10 == 0:
            report.log(f"step {step}")
        if step % 100 == 0:
            report.flush()
"""


def test_many_write_and_read_at_once_and_no_row_is_lost(workspace: Workspace, records: Records) -> None:
    """Three jobs that write as fast as they can, while what two apps ask for is asked again and again."""
    told = io.StringIO()
    check_many(workspace, records, steps=1_000, told=told)
    assert "locked" not in told.getvalue()


def check_many(workspace: Workspace, records: Records, steps: int, told: io.StringIO) -> int:
    """Let three jobs write so many steps; return how often all was read meanwhile."""
    runs = [records.add_run(f"{steps}-{number}", "redux") for number in range(3)]
    jobs = [records.add_job("train", "cpu", {}, {}, run) for run in runs]
    for job in jobs:
        records.change_job(job, state="running")
    command = [sys.executable, "-c", WRITER, str(workspace.root)]
    writers = [
        subprocess.Popen([*command, str(job), str(run), str(steps)], stdout=subprocess.PIPE, text=True)
        for job, run in zip(jobs, runs, strict=True)
    ]
    followed, seen, looks = dict.fromkeys(runs, 0), dict.fromkeys(runs, 0), 0
    with Records(workspace) as other:
        while any(writer.poll() is None for writer in writers) or looks == 0:
            for run in runs:
                rows = other.metrics_after(run, followed[run])
                followed[run] = max([followed[run], *(row["id"] for row in rows)])
                seen[run] += len(rows)
            for app in (records, other):
                app.jobs()
                app.runs()
                app.curve(runs[0], "train/loss", points=200)
            other.change_job(jobs[looks % 3], stop=0)
            looks += 1
        for run in runs:
            seen[run] += len(other.metrics_after(run, followed[run]))
    for writer in writers:
        told.write(writer.communicate()[0])
        assert writer.returncode == 0
    assert set(seen.values()) == {steps}
    for job, run in zip(jobs, runs, strict=True):
        assert [row["step"] for row in records.metrics_after(run, limit=steps + 1)] == list(range(steps))
        assert len(records.log_lines(job, limit=steps)) == steps // 10
        records.change_job(job, state="done")
    assert records.problems() == []
    return looks
