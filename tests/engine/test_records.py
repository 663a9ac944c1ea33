"""The records: opening them in every condition, and what is remembered."""

import csv
import json
import math
import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.errors import FextError, UsageError
from engine.records import Finding, Records, opening
from engine.records.schema import METRIC_TABLES, SCHEMA_VERSION, TABLES, columns_of
from engine.workspace import Workspace


def add_job(records: Records, lane: str = "cpu", kind: str = "sample", run: int | None = None) -> int:
    return records.add_job(kind, lane, {"a": {"b": 1}}, {"folder": "x"}, run)


def plain(workspace: Workspace) -> sqlite3.Connection:
    """Return a connection of another program."""
    return sqlite3.connect(workspace.database, timeout=0)


def schema_in(connection: sqlite3.Connection) -> dict[str, set[tuple[str, ...]]]:
    """Return of each table and index the columns: name, type, whether it may be null, place in the key or index."""
    found = {}
    for kind, name in connection.execute("SELECT type, name FROM sqlite_master WHERE name NOT LIKE 'sqlite%'"):
        rows = connection.execute(f"PRAGMA {kind}_info({name})")
        found[name] = {row if kind == "index" else (row[1], row[2], row[3], row[5]) for row in rows}
    return found


def as_of_the_fourth_schema(connection: sqlite3.Connection) -> None:
    """Undo what the fifth schema added."""
    added = {
        "evaluation": ("rmse", "ms_ssim", "fingerprint", "seconds", "report", "summary"),
        "imageerror": ("ms_ssim",),
        "embeddingfile": ("fingerprint", "pooling", "dtype"),
    }
    for table, names in added.items():
        for name in names:
            connection.execute(f"ALTER TABLE {table} DROP COLUMN {name}")
    connection.execute("PRAGMA user_version = 4")


def as_of_the_third_schema(connection: sqlite3.Connection) -> None:
    """Undo what the fourth and the fifth schema added."""
    as_of_the_fourth_schema(connection)
    for name in ("mode", "bits", "alpha", "gray"):
        connection.execute(f"ALTER TABLE image DROP COLUMN {name}")
    for name in ("value", "other"):
        connection.execute(f"ALTER TABLE finding DROP COLUMN {name}")
    for statement in (
        "DROP TABLE fingerprint",
        "DROP TABLE exclusion",
        "DROP INDEX finding_dataset_id_kind_path",
        "CREATE INDEX finding_dataset_id ON finding (dataset_id)",
        "PRAGMA user_version = 3",
    ):
        connection.execute(statement)


class TestOpening:
    def test_a_new_file_has_the_tables_wal_foreign_keys_and_the_version(self, workspace: Workspace) -> None:
        with Records(workspace), closing(plain(workspace)) as other:
            assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
            assert other.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
            names = {name for (name,) in other.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            assert {table._meta.table_name for table in TABLES} <= names

    def test_what_was_recorded_is_there_when_opened_again(self, workspace: Workspace) -> None:
        with Records(workspace) as records:
            job = add_job(records)
        with Records(workspace) as records:
            assert records.job(job).settings == {"a": {"b": 1}}

    def test_many_processes_that_open_a_new_file_at_once_all_succeed(self, workspace: Workspace) -> None:
        code = (
            "import sys; from pathlib import Path; from engine.records import Records; from engine.workspace import *\n"
            "sys.stdin.readline()\n"
            "with Records(Workspace(Path(sys.argv[1]))) as records: print(records.add_job('sample', 'cpu', {}, {}))"
        )
        openers = [
            subprocess.Popen([sys.executable, "-c", code, workspace.root], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, text=True)
            for _ in range(4)
        ]  # fmt: skip
        told = [opener.communicate("go\n")[0] for opener in openers]
        assert sorted(map(int, told)) == [1, 2, 3, 4]

    def test_a_newer_schema_is_refused_and_left_alone(self, workspace: Workspace) -> None:
        Records(workspace).close()
        with closing(plain(workspace)) as other:
            other.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
        with pytest.raises(FextError, match="newer version") as caught:
            Records(workspace)
        assert "Update" in caught.value.remedy
        with closing(plain(workspace)) as other:
            assert other.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION + 1,)

    def test_an_older_schema_is_brought_up_and_keeps_its_rows(
        self, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with Records(workspace) as records:
            run = records.add_run("a", "redux")
        monkeypatch.setattr(opening, "SCHEMA_VERSION", SCHEMA_VERSION + 1)
        monkeypatch.setitem(
            opening.MIGRATIONS, SCHEMA_VERSION, ("ALTER TABLE run ADD COLUMN extra TEXT DEFAULT 'new'",)
        )
        with Records(workspace) as records:
            assert records.run(run)["name"] == "a"
        with Records(workspace), closing(plain(workspace)) as other:
            assert other.execute("SELECT extra FROM run").fetchall() == [("new",)]
            assert other.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION + 1,)

    def test_records_of_the_first_schema_are_brought_up(self, workspace: Workspace) -> None:
        with Records(workspace) as records:
            job, run = add_job(records), records.add_run("a", "redux")
            records.add_metrics(run, [(step, 0.0, 0.0, {"train/loss": step}) for step in range(50_000)])
            curve = records.curve(run, "train/loss", points=100)
        with closing(plain(workspace)) as other:
            as_of_the_third_schema(other)
            other.execute("DROP TABLE metricbin")
            other.execute("ALTER TABLE job DROP COLUMN held")
            other.execute("ALTER TABLE run DROP COLUMN tags")
            other.execute("PRAGMA user_version = 1")
            other.commit()
        with Records(workspace) as records:
            assert records.job(job).held is False
            assert records.run(run)["tags"] == ""
            assert records.curve(run, "train/loss", points=100) == curve
        with closing(plain(workspace)) as other:
            migrated = schema_in(other)
        workspace.database.unlink()
        Records(workspace).close()
        with closing(plain(workspace)) as other:
            assert migrated == schema_in(other)

    def test_records_of_the_third_schema_keep_their_images_and_findings(self, workspace: Workspace) -> None:
        with Records(workspace) as records:
            dataset = records.dataset(Path("/one"))
            numbers = records.put_images(dataset, [image(path, subset="train") for path in ("a.jpg", "caf\udce9.jpg")])
            records.put_image_metrics("entropy", [entropy(number, 3.0) for number in numbers.values()])
            records.put_findings(dataset, ["unreadable"], [Finding("b.jpg", "unreadable", "truncated")])
        with closing(plain(workspace)) as other:
            as_of_the_third_schema(other)
            other.commit()
        with Records(workspace) as records:
            rows = records.image_metrics(dataset, ["entropy"])
            assert {row["path"]: row["id"] for row in rows} == numbers
            assert {(row["mode"], row["bits"], row["alpha"], row["entropy_bits"]) for row in rows} == {
                ("", None, None, 3.0)
            }
            [finding] = records.findings(dataset)
            assert (finding["path"], finding["detail"]) == ("b.jpg", "truncated")
            assert (finding["value"], finding["other"], finding["excluded"]) == (None, "", False)
            assert not records.known_images(dataset, [("a.jpg", 10, 2**60)], ["entropy"], "32x32x3")
            records.exclude(dataset, ["a.jpg"])
            records.put_fingerprints([{"image": numbers["a.jpg"], "layout": "x", "content": b"", "perceptual": 1,
                                       "thumbnail": b"", "pixels": b"", "levels": b""}])  # fmt: skip
            records.delete_images_but(dataset, [])
            assert records.count_images(dataset) == 0
        with closing(plain(workspace)) as other:
            assert other.execute("SELECT COUNT(*) FROM fingerprint").fetchone() == (0,)
            assert other.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)

    def test_records_of_the_fourth_schema_keep_their_results(self, workspace: Workspace) -> None:
        facts = {"checkpoint": "a", "folder": "x", "subset": "folder", "images": 2, "skipped": 0, **FIGURES}
        with Records(workspace) as records:
            number = records.add_evaluation(facts, [{"path": "caf\udce9.jpg", **FIGURES}])
            records.add_embeddings(checkpoint="a", folder="f", path="p", rows=1, dim=2, skipped=0)
        with closing(plain(workspace)) as other:
            as_of_the_fourth_schema(other)
            other.commit()
        with Records(workspace) as records:
            [row] = records.evaluations()
            assert row["id"] == number
            assert {name: row[name] for name in facts} == facts
            added = ("rmse", "ms_ssim", "fingerprint", "seconds", "report", "summary")
            assert [row[name] for name in added] == [None, None, "", None, "", {}]
            [image_row] = records.image_errors(number, order_by="ms_ssim")
            assert (image_row["path"], image_row["psnr"], image_row["ms_ssim"]) == ("caf\udce9.jpg", 20.0, None)
            [embedding] = records.embeddings()
            assert [embedding[name] for name in ("fingerprint", "pooling", "dtype")] == ["", "", "float32"]

    def test_a_migration_that_fails_changes_nothing(
        self, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        Records(workspace).close()
        monkeypatch.setattr(opening, "SCHEMA_VERSION", SCHEMA_VERSION + 1)
        broken = ("ALTER TABLE run ADD COLUMN extra TEXT", "ALTER TABLE nonsense ADD COLUMN x")
        monkeypatch.setitem(opening.MIGRATIONS, SCHEMA_VERSION, broken)
        with pytest.raises(FextError, match="nonsense"):
            Records(workspace)
        with closing(plain(workspace)) as other:
            assert "extra" not in {row[1] for row in other.execute("PRAGMA table_info(run)")}
            assert other.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)

    @pytest.mark.parametrize("content", [b"this is no database, but long enough to look at" * 50, b"SQLite format 3\0"])
    def test_a_damaged_file_is_refused_with_a_remedy_and_left_alone(self, workspace: Workspace, content: bytes) -> None:
        workspace.database.write_bytes(content)
        with pytest.raises(FextError, match=r"damaged|cannot be used") as caught:
            Records(workspace)
        assert "Move the file away" in caught.value.remedy
        assert workspace.database.read_bytes() == content

    def test_a_file_damaged_inside_is_said_to_be_damaged(self, workspace: Workspace) -> None:
        with Records(workspace) as records:
            for _ in range(200):
                add_job(records)
        content = bytearray(workspace.database.read_bytes())
        content[8192:] = b"\xff" * (len(content) - 8192)
        workspace.database.write_bytes(content)
        with pytest.raises(FextError, match="damaged"), Records(workspace) as records:
            records.jobs()

    def test_a_folder_that_is_missing_is_said_so(self, tmp_path: Path) -> None:
        with pytest.raises(FextError, match="unable to open"):
            Records(Workspace(tmp_path / "nowhere"))

    def test_read_only_records_can_be_read_and_refuse_changes(self, workspace: Workspace) -> None:
        """As a user without the rights of root, who may write everywhere."""
        with Records(workspace) as records:
            add_job(records)
        for folder in [workspace.root.parent, *workspace.root.parents[:-2]]:
            if folder.owner() == Path.home().owner():
                folder.chmod(0o755)
        workspace.database.chmod(0o444)
        workspace.database.parent.chmod(0o555)
        code = (
            "import os, sys; from pathlib import Path; from engine.records import Records\n"
            "from engine.workspace import Workspace\n"
            "if os.getuid() == 0: os.setuid(65534)\n"
            "with Records(Workspace(Path(sys.argv[1]))) as records:\n"
            "    print(len(records.jobs()))\n"
            "    try: records.add_job('sample', 'cpu', {}, {})\n"
            "    except Exception as error: print(type(error).__name__, error)"
        )
        done = subprocess.run([sys.executable, "-c", code, workspace.root], capture_output=True, text=True, check=False)
        workspace.database.parent.chmod(0o755)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("1\nFextError")
        assert "writable" in done.stdout


class TestSharing:
    def test_a_lock_held_for_a_while_is_waited_for(self, workspace: Workspace, records: Records) -> None:
        other = sqlite3.connect(workspace.database, timeout=0, isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
        release = threading.Timer(0.3, other.rollback)
        release.start()
        job = add_job(records)
        release.join()
        other.close()
        assert records.job(job).state == "queued"

    def test_a_lock_that_stays_is_told_with_a_remedy(
        self, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(opening, "_BUSY_MS", 10)
        with Records(workspace) as records, closing(plain(workspace)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(FextError, match="locked") as caught:
                add_job(records)
            assert "Another program" in caught.value.remedy
            assert records.jobs() == []

    def test_readers_see_nothing_of_a_transaction_until_it_is_done(self, workspace: Workspace) -> None:
        with Records(workspace) as writer, Records(workspace) as reader:
            with writer.transaction():
                add_job(writer)
                assert reader.jobs() == []
            assert len(reader.jobs()) == 1

    def test_a_transaction_that_fails_leaves_nothing(self, records: Records) -> None:
        def fail() -> None:
            with records.transaction():
                run = records.add_run("a", "redux")
                with records.transaction():
                    records.add_metrics(run, [(1, 0.0, 0.0, {"train/loss": 1.0})])
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fail()
        assert records.runs() == []

    def test_a_refused_row_within_a_transaction_does_not_take_the_rest(self, records: Records) -> None:
        records.add_run("a", "redux")
        with records.transaction():
            with pytest.raises(UsageError):
                records.add_run("a", "redux")
            add_job(records)
        assert len(records.jobs()) == 1

    def test_a_change_by_another_connection_is_noticed(self, workspace: Workspace) -> None:
        with Records(workspace) as one, Records(workspace) as two:
            before = one.data_version()
            assert one.data_version() == before
            add_job(two)
            assert one.data_version() != before

    def test_a_full_disk_is_told_with_a_remedy_and_nothing_recorded_is_lost(self, workspace: Workspace) -> None:
        code = (
            "import resource, sys; from pathlib import Path; from engine.records import Records\n"
            "from engine.workspace import Workspace\n"
            "with Records(Workspace(Path(sys.argv[1]))) as records:\n"
            "    job = records.add_job('sample', 'cpu', {}, {})\n"
            "    full = Path(sys.argv[1], 'database/FEXT_database.db-wal').stat().st_size + 100\n"
            "    resource.setrlimit(resource.RLIMIT_FSIZE, (full, resource.RLIM_INFINITY))\n"
            "    lines = [(0.0, 'info', 'x' * 1000)] * 1000\n"
            "    try: records.add_log_lines(job, lines)\n"
            "    except Exception as error: print(type(error).__name__, error)\n"
            "    try:\n"
            "        with records.transaction(): records.add_log_lines(job, lines)\n"
            "    except Exception as error: print(type(error).__name__, error)\n"
            "    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))\n"
            "    records.add_log_lines(job, [(0.0, 'info', 'y')])\n"
            "    print(len(records.jobs()), [line['text'] for line in records.log_lines(job)])"
        )
        done = subprocess.run([sys.executable, "-c", code, workspace.root], capture_output=True, text=True, check=True)
        assert done.stdout.count("FextError") == done.stdout.count("Make space") == 2
        assert done.stdout.endswith("1 ['y']\n")


class TestJobs:
    def test_a_job_comes_back_as_it_was_added(self, records: Records) -> None:
        run = records.add_run("a", "redux")
        job = records.job(add_job(records, "gpu:0", "train", run))
        assert (job.kind, job.state, job.lane, job.run, job.stop) == ("train", "queued", "gpu:0", run, 0)
        assert (job.arguments, job.result, job.error, job.has_ended) == ({"folder": "x"}, None, None, False)

    def test_results_and_errors_are_json(self, records: Records) -> None:
        job = add_job(records)
        values = {"psnr": 21.5, "name": "caf\udce9\n\x1b[2J", "none": None, "list": [1, 2]}
        records.change_job(job, state="done", result=values, error={"cause": "x"})
        assert records.job(job).result == values
        assert records.job(job).error == {"cause": "x"}
        assert records.job(job).has_ended

    def test_of_two_conditional_changes_one_wins(self, workspace: Workspace) -> None:
        with Records(workspace) as records:
            jobs = [add_job(records) for _ in range(30)]
        start = threading.Barrier(4)
        won: list[tuple[int, str]] = []

        def end_all(state: str) -> None:
            with Records(workspace) as own:
                start.wait()
                won.extend((job, state) for job in jobs if own.change_job(job, only_if=("queued",), state=state))

        enders = [threading.Thread(target=end_all, args=(state,)) for state in ("done", "stopped", "killed", "lost")]
        for ender in enders:
            ender.start()
        for ender in enders:
            ender.join()
        assert sorted(job for job, _ in won) == jobs
        with Records(workspace) as records:
            assert {(job.id, job.state) for job in records.jobs()} == set(won)

    def test_the_first_in_line_among_free_lanes_is_next(self, records: Records) -> None:
        first, second, third = add_job(records), add_job(records, "gpu:0"), add_job(records)
        assert [one.id for one in [records.next_queued([])] if one] == [first]
        assert [one.id for one in [records.next_queued(["cpu"])] if one] == [second]
        assert records.next_queued(["cpu", "gpu:0"]) is None
        records.change_job(first, state="running")
        records.change_job(second, state="done")
        assert [one.id for one in [records.next_queued([])] if one] == [third]

    def test_jobs_are_listed_newest_first_by_state(self, records: Records) -> None:
        jobs = [add_job(records) for _ in range(3)]
        records.change_job(jobs[1], state="running")
        assert [job.id for job in records.jobs()] == jobs[::-1]
        assert [job.id for job in records.jobs("queued")] == [jobs[2], jobs[0]]
        assert [job.id for job in records.jobs("queued", "running", limit=1)] == [jobs[2]]

    def test_numbers_are_never_given_again(self, records: Records) -> None:
        first = add_job(records)
        records.delete_job(first)
        second = add_job(records)
        assert second > first
        records.change_job(second, state="done")
        records.delete_everything()
        assert add_job(records) > second

    def test_an_unknown_job_or_run_is_refused(self, records: Records) -> None:
        with pytest.raises(UsageError, match="no job 7"):
            records.job(7)
        with pytest.raises(UsageError, match="no run 7"):
            records.run(7)

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
    @given(st.text(st.characters(exclude_categories=[])))
    def test_any_text_is_kept_as_it_is(self, records: Records, text: str) -> None:
        job = add_job(records)
        records.add_log_lines(job, [(1.5, "info", text)])
        assert [(line["time"], line["level"], line["text"]) for line in records.log_lines(job)] == [(1.5, "info", text)]

    def test_log_lines_are_given_from_a_number_on(self, records: Records) -> None:
        job, other = add_job(records), add_job(records)
        records.add_log_lines(job, [(0.0, "info", str(number)) for number in range(1200)])
        records.add_log_lines(other, [(0.0, "info", "other")])
        first = records.log_lines(job, limit=1000)
        rest = records.log_lines(job, after=first[-1]["id"])
        assert [int(line["text"]) for line in first + rest] == list(range(1200))

    def test_artifacts_are_stored_relative_to_the_workspace(self, records: Records) -> None:
        job = add_job(records)
        made = records.workspace.images / os.fsdecode(b"caf\xe9\n")
        records.add_artifact(job, "image", made)
        [row] = records.artifacts(job)
        assert row["path"] == os.fsdecode(b"database/images/caf\xe9\n")
        assert records.workspace.actual_path(row["path"]) == made

    def test_a_deleted_job_takes_its_lines_along(self, records: Records) -> None:
        job = add_job(records)
        records.add_log_lines(job, [(0.0, "info", "x")])
        records.add_artifact(job, "image", records.workspace.images)
        records.delete_job(job)
        assert records.log_lines(job) == records.artifacts(job) == []


class TestRuns:
    @staticmethod
    def add_curve(records: Records, run: int, steps: range, name: str = "train/loss") -> None:
        records.add_metrics(run, ((step, step / 10, float(step), {name: step * 2.0}) for step in steps))

    def test_a_name_is_given_once(self, records: Records) -> None:
        run = records.add_run("a", "redux")
        with pytest.raises(UsageError, match="run named 'a'"):
            records.add_run("a", "large")
        assert records.run(run)["variant"] == "redux"
        named = records.run_named("a")
        assert named
        assert named["id"] == run
        assert records.run_named("b") is None

    def test_thousands_of_values_are_one_transaction(self, workspace: Workspace, records: Records) -> None:
        run = records.add_run("a", "redux")
        with Records(workspace) as reader:
            version = reader.data_version()
            self.add_curve(records, run, range(3000))
            assert len(reader.metrics_after(run)) == 3000
            assert reader.data_version() == version + 1

    def test_the_later_of_two_values_of_a_step_stands_and_is_new(self, records: Records) -> None:
        run = records.add_run("a", "redux")
        self.add_curve(records, run, range(1, 4))
        last = records.metrics_after(run)[-1]["id"]
        records.add_metrics(run, [(2, 0.2, 0.0, {"train/loss": -1.0})])
        assert [row["value"] for row in records.curve(run, "train/loss")] == [2.0, -1.0, 6.0]
        assert [row["value"] for row in records.metrics_after(run, last)] == [-1.0]

    def test_a_resume_goes_on_with_one_curve_and_whoever_follows_misses_nothing(self, records: Records) -> None:
        run, other = records.add_run("a", "redux"), records.add_run("b", "redux")
        self.add_curve(records, other, range(10))
        self.add_curve(records, run, range(10))
        last = records.metrics_after(run)[-1]["id"]
        records.delete_metrics_after(run, 5)
        assert [row["step"] for row in records.curve(run, "train/loss")] == [0, 1, 2, 3, 4, 5]
        records.add_metrics(run, [(step, 0.0, 0.0, {"train/loss": -1.0}) for step in (6, 7, 8)])
        assert [row["step"] for row in records.metrics_after(run, last)] == [6, 7, 8]
        assert [row["value"] for row in records.curve(run, "train/loss")][5:] == [10.0, -1.0, -1.0, -1.0]
        assert len(records.curve(other, "train/loss")) == 10

    def test_infinite_and_missing_values_do_not_hurt(self, records: Records) -> None:
        run = records.add_run("a", "redux")
        records.add_metrics(run, [(1, 0.0, 0.0, {"nan": math.nan, "inf": math.inf})])
        assert {row["name"]: row["value"] for row in records.metrics_after(run)} == {"nan": None, "inf": math.inf}

    def test_the_newest_value_of_each_metric(self, records: Records) -> None:
        run = records.add_run("a", "redux")
        self.add_curve(records, run, range(5))
        self.add_curve(records, run, range(3), "validation/psnr")
        assert records.last_metrics(run) == {"train/loss": 8.0, "validation/psnr": 4.0}

    def test_runs_are_listed_with_job_psnr_and_epoch(self, records: Records) -> None:
        run, empty = records.add_run("a", "redux"), records.add_run("b", "large")
        self.add_curve(records, run, range(5))
        records.add_metrics(run, [(1, 0, 0, {"validation/psnr": 25.0}), (2, 0, 0, {"validation/psnr": 24.0})])
        add_job(records, kind="train", run=run)
        job = add_job(records, kind="resume", run=run)
        rows = {row["name"]: row for row in records.runs()}
        assert (rows["a"]["job"], rows["a"]["state"]) == (job, "queued")
        assert (rows["a"]["psnr"], rows["a"]["epoch"]) == (25.0, 0.4)
        assert (rows["b"]["id"], rows["b"]["job"], rows["b"]["psnr"]) == (empty, None, None)

    def test_a_deleted_run_takes_its_curve_and_leaves_its_jobs(self, records: Records) -> None:
        run = records.add_run("a", "redux")
        job = add_job(records, kind="train", run=run)
        self.add_curve(records, run, range(5))
        records.put_checkpoint(run, "best", 3, 0.3, 20.0)
        records.delete_run(run)
        assert records.metrics_after(run) == records.checkpoints(run) == []
        assert records.job(job).run is None

    def test_a_tag_stands_for_its_newest_state(self, records: Records) -> None:
        run = records.add_run("a", "redux")
        records.put_checkpoint(run, "best", 3, 0.3, 20.0)
        records.put_checkpoint(run, "last", 4, 0.4, None)
        records.put_checkpoint(run, "best", 5, 0.5, 21.0)
        assert [(row["tag"], row["step"]) for row in records.checkpoints(run)] == [("last", 4), ("best", 5)]


def image(path: str, **values: object) -> dict[str, object]:
    return {"path": path, "bytes": 10, "modified_ns": 2**60, "format": "JPEG", "width": 5, "height": 4, **values}


class TestDatasets:
    def test_a_dataset_is_known_by_its_folder(self, records: Records) -> None:
        images = records.workspace.images
        dataset = records.dataset(images)
        assert records.dataset(images / ".." / "images") == dataset
        assert records.dataset(Path("/elsewhere")) != dataset
        records.put_images(dataset, [image("a.jpg", subset="train")])
        listed = {row["folder"]: row["images"] for row in records.datasets()}
        assert listed == {"database/images": 1, "/elsewhere": 0}

    def test_equal_file_names_in_two_folders_and_datasets_are_different_images(self, records: Records) -> None:
        one, two = records.dataset(Path("/one")), records.dataset(Path("/two"))
        rows = [image(path, subset="") for path in ("a/x.jpg", "b/x.jpg", "x.jpg", os.fsdecode(b"\xe9/x.jpg"))]
        numbers = records.put_images(one, rows) | {f"two/{p}": n for p, n in records.put_images(two, rows).items()}
        assert len(set(numbers.values())) == 8
        for position, number in enumerate(numbers.values()):
            records.put_image_metrics("entropy", [entropy(number, float(position))])
        found = records.image_metrics(one, ["entropy"], order_by="entropy_bits")
        assert [(row["path"], row["entropy_bits"]) for row in found] == [
            (row["path"], float(position)) for position, row in enumerate(rows)
        ]

    def test_an_image_that_is_put_again_keeps_its_number_and_metrics(self, records: Records) -> None:
        dataset = records.dataset(Path("/one"))
        number = records.put_images(dataset, [image("a.jpg", subset="train")])["a.jpg"]
        records.put_image_metrics("entropy", [entropy(number, 3.0)])
        again = records.put_images(dataset, [image("a.jpg", subset="validation", width=7)])
        assert again == {"a.jpg": number}
        [row] = records.image_metrics(dataset, ["entropy"])
        assert (row["width"], row["subset"], row["entropy_bits"]) == (7, "validation", 3.0)

    def test_every_column_of_every_group_comes_back(self, records: Records) -> None:
        dataset = records.dataset(Path("/one"))
        number = records.put_images(dataset, [image("a.jpg", subset="")])["a.jpg"]
        written = {}
        for group in METRIC_TABLES:
            values = {name: float(len(written) + position) for position, name in enumerate(columns_of(group))}
            written |= values
            records.put_image_metrics(group, [{"image": number, **values}])
        [row] = records.image_metrics(dataset, list(METRIC_TABLES))
        own = {"width": 5, "height": 4}
        assert {name: row[name] for name in written} == written | own

    def test_pages_order_and_search(self, records: Records) -> None:
        dataset = records.dataset(Path("/one"))
        numbers = records.put_images(dataset, [image(f"{n:04d}_50%.jpg", subset="") for n in range(1200)])
        records.put_image_metrics("entropy", [entropy(number, -float(number)) for number in list(numbers.values())[:3]])
        page = records.image_metrics(dataset, ["entropy"], limit=3, offset=2)
        assert [row["path"] for row in page] == ["0002_50%.jpg", "0003_50%.jpg", "0004_50%.jpg"]
        lowest = records.image_metrics(dataset, ["entropy"], order_by="entropy_bits", limit=4)
        assert [row["path"][:4] for row in lowest] == ["0002", "0001", "0000"]
        highest = records.image_metrics(dataset, [], order_by="entropy_bits", descending=True)
        assert [row["path"][:4] for row in highest] == ["0000", "0001", "0002"]
        assert records.count_images(dataset) == 1200
        assert records.count_images(dataset, order_by="entropy_bits") == 3
        found = [row["path"] for row in records.image_metrics(dataset, [], contains="11")]
        assert found == [name for name in numbers if "11" in name]
        assert records.count_images(dataset, "11") == len(found)
        assert records.count_images(dataset, "%.jpg") == 1200
        assert records.count_images(dataset, "%0") == 0

    def test_images_that_are_gone_are_deleted_with_their_metrics(self, records: Records) -> None:
        dataset, other = records.dataset(Path("/one")), records.dataset(Path("/two"))
        kept = records.put_images(other, [image("a.jpg", subset="")])
        numbers = records.put_images(dataset, [image(f"{n}.jpg", subset="") for n in range(1000)])
        records.put_image_metrics("entropy", [entropy(number, 1.0) for number in numbers.values()])
        records.delete_images_but(dataset, [numbers["7.jpg"]])
        assert [row["path"] for row in records.image_metrics(dataset, [])] == ["7.jpg"]
        assert records.count_images(other) == len(kept)
        with closing(plain(records.workspace)) as look:
            assert look.execute("SELECT COUNT(*) FROM entropy").fetchone() == (1,)

    def test_histograms_and_findings_are_replaced(self, records: Records) -> None:
        dataset = records.dataset(Path("/one"))
        records.put_histogram(dataset, "all", "gray", 1, [1] * 256)
        records.put_histogram(dataset, "all", "gray", 2, [2**40] * 256)
        [histogram] = records.histograms(dataset)
        assert (histogram["images"], histogram["counts"]) == (2, [2**40] * 256)
        odd = os.fsdecode(b"\xe9.jpg")
        records.put_findings(
            dataset, ["dark", "unreadable"], [Finding("b", "unreadable", "x"), Finding("b", "dark", "")]
        )
        records.put_findings(dataset, ["unreadable"], [Finding(odd, "unreadable", "truncated", 0.5, odd)])
        records.put_findings(dataset + 1, ["dark", "unreadable"], [])
        found = [tuple(row[name] for name in ("kind", "path", "value", "other")) for row in records.findings(dataset)]
        assert found == [("dark", "b", None, ""), ("unreadable", odd, 0.5, odd)]
        records.delete_histograms(dataset)
        assert records.histograms(dataset) == []

    def test_a_split_is_kept_once(self, records: Records) -> None:
        dataset = records.dataset(Path("/one"))
        for _ in range(2):
            records.put_split(
                dataset, "key", seed=1, fraction=0.2, train_images=8, validation_images=2, file="metadata/x.csv"
            )
        with closing(plain(records.workspace)) as look:
            assert look.execute("SELECT COUNT(*) FROM split").fetchone() == (1,)


def entropy(number: int, bits: float) -> dict[str, object]:
    return {"image": number, "entropy_bits": bits, "normalized_entropy": bits / 8}


FIGURES = {"mae": 0.1, "mse": 0.2, "psnr": 20.0, "ssim": 0.5, "cosine": 0.9}


class TestResults:
    def test_evaluations_with_their_images_worst_first(self, records: Records) -> None:
        facts = {"checkpoint": "a", "folder": "x", "subset": "folder", "images": 2, "skipped": 0, **FIGURES}
        images = [{"path": f"{psnr}.jpg", **FIGURES, "psnr": float(psnr)} for psnr in range(1200, 0, -1)]
        number = records.add_evaluation({"job": add_job(records), **facts}, images)
        records.add_evaluation({**facts, "checkpoint": "b"}, [])
        assert [row["path"] for row in records.image_errors(number)][:2] == ["1.jpg", "2.jpg"]
        assert [row["checkpoint"] for row in records.evaluations()] == ["b", "a"]
        assert [row["id"] for row in records.evaluations("a")] == [number]

    def test_an_evaluation_with_all_that_is_known_of_it(self, records: Records) -> None:
        facts = {"checkpoint": "a/last", "folder": "x", "subset": "training", "images": 2, "skipped": 0, **FIGURES}
        facts |= {"rmse": 0.3, "ms_ssim": 0.8, "fingerprint": "ab", "seconds": 1.5, "report": "database/validation/a"}
        summary = {"summary": {"psnr": {"mean": 20.0}}, "baselines": {}}
        number = records.add_evaluation(facts | {"summary": json.dumps(summary)}, [])
        [row] = records.evaluations()
        assert row["id"] == number
        assert {name: row[name] for name in facts} == facts
        assert row["summary"] == summary

    @pytest.mark.parametrize("column", ["path", "mae", "mse", "psnr", "ssim", "ms_ssim", "cosine"])
    @pytest.mark.parametrize("descending", [False, True])
    def test_images_by_any_figure_a_page_at_a_time(self, records: Records, column: str, descending: bool) -> None:
        facts = {"checkpoint": "a", "folder": "x", "subset": "folder", "images": 9, "skipped": 0, **FIGURES}
        figures = ("mae", "mse", "psnr", "ssim", "ms_ssim", "cosine")
        images = [
            {"path": f"{n}.jpg"} | {name: float((n * (2 + place)) % 11) for place, name in enumerate(figures)}
            for n in range(1, 10)
        ]
        images[4]["ms_ssim"] = None
        number = records.add_evaluation(facts, images)
        records.add_evaluation(facts, images)
        known = [image for image in images if image[column] is not None]
        expected = sorted(known, key=lambda image: image[column], reverse=descending)
        expected += [image for image in images if image[column] is None]
        pages = [
            row
            for offset in (0, 4, 8)
            for row in records.image_errors(number, order_by=column, descending=descending, limit=4, offset=offset)
        ]
        assert [row["path"] for row in pages] == [image["path"] for image in expected]
        assert {row["evaluation"] for row in pages} == {number}
        pairs = list(records.ordered_errors(number, column, descending=descending))
        assert pairs == [(image["path"], image[column]) for image in expected[: len(known)]]

    def test_images_by_what_is_no_figure(self, records: Records) -> None:
        with pytest.raises(KeyError):
            records.image_errors(1, order_by="evaluation")

    def test_embeddings_newest_first(self, records: Records) -> None:
        for name in ("a", "b"):
            records.add_embeddings(checkpoint=name, folder="f", path="p", rows=1, dim=2, skipped=0)
        assert [row["checkpoint"] for row in records.embeddings()] == ["b", "a"]


class TestUpkeep:
    def test_every_table_is_exported_whatever_its_texts(self, records: Records, tmp_path: Path) -> None:
        job = add_job(records)
        text = 'comma, "quote"\nnewline \x1b caf\udce9'
        records.add_log_lines(job, [(0.0, "info", text)])
        paths = records.export_csv(tmp_path / "deep" / "csv")
        assert {path.stem for path in paths} == {table._meta.table_name for table in TABLES}
        with (tmp_path / "deep/csv/logline.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        assert [row["text"] for row in rows] == [text.replace("\udce9", "\\udce9")]
        with (tmp_path / "deep/csv/job.csv").open(newline="", encoding="utf-8") as file:
            assert json.loads(next(csv.DictReader(file))["arguments"]) == {"folder": "x"}

    def test_bytes_are_exported_as_hexadecimal_digits(self, records: Records, tmp_path: Path) -> None:
        odd = os.fsdecode(b"\xe9.jpg")
        dataset = records.dataset(Path("/one"))
        number = records.put_images(dataset, [image(odd)])[odd]
        blobs = {"content": b"\0\xff", "thumbnail": b"", "pixels": b'\n,"', "levels": bytes(range(256))}
        records.put_fingerprints([{"image": number, "layout": "x", "perceptual": -(2**63), **blobs}])
        records.export_csv(tmp_path)
        with (tmp_path / "fingerprint.csv").open(newline="", encoding="utf-8") as file:
            [row] = list(csv.DictReader(file))
        assert {name: bytes.fromhex(row[name]) for name in blobs} == blobs
        assert row["perceptual"] == str(-(2**63))
        with (tmp_path / "image.csv").open(newline="", encoding="utf-8") as file:
            assert [row["path"] for row in csv.DictReader(file)] == ["\\udce9.jpg"]

    def test_an_export_that_cannot_be_written_is_said_so(self, records: Records, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(FextError, match="cannot be written"):
            records.export_csv(tmp_path / "file")

    @pytest.mark.parametrize("state", ["queued", "running"])
    def test_records_are_not_deleted_while_a_job_runs_or_waits(self, records: Records, state: str) -> None:
        job = add_job(records)
        records.change_job(job, state=state)
        with pytest.raises(UsageError, match="running or waiting") as caught:
            records.delete_everything()
        assert caught.value.exit_code == 2
        assert records.job(job)

    def test_deleting_leaves_nothing_and_shrinks_the_file(self, records: Records) -> None:
        run = records.add_run("a", "redux")
        job = add_job(records, run=run)
        records.add_log_lines(job, [(0.0, "info", "x" * 1000)] * 2000)
        dataset = records.dataset(Path("/one"))
        number = records.put_images(dataset, [image("a.jpg", subset="")])["a.jpg"]
        records.put_image_metrics("entropy", [entropy(number, 1.0)])
        records.change_job(job, state="done")
        records.delete_everything()
        with closing(plain(records.workspace)) as look:
            for table in TABLES:
                assert not look.execute(f"SELECT 1 FROM {table._meta.table_name}").fetchall()  # noqa: S608 - our names
            assert look.execute("PRAGMA page_count").fetchone()[0] < 200
