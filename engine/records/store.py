"""The records of a workspace: opening them, and every question and change the product makes of them."""

import csv
import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self, cast

import peewee

from engine.errors import FextError, UsageError
from engine.records.opening import open_database, told
from engine.records.schema import (
    METRIC_TABLES,
    TABLES,
    Artifact,
    Checkpoint,
    Dataset,
    EmbeddingFile,
    Evaluation,
    Finding,
    Histogram,
    Image,
    ImageError,
    Job,
    LogLine,
    Metric,
    Run,
    Split,
    Table,
    columns_of,
)
from engine.workspace import Workspace

JobState = Literal["queued", "running", "done", "stopped", "failed", "killed", "lost"]
ENDED: frozenset[str] = frozenset({"done", "stopped", "failed", "killed", "lost"})

Row = dict[str, Any]

_BATCH = 500


@dataclass(frozen=True)
class JobRow:
    """A job as the records hold it; times in seconds since the epoch."""

    id: int
    kind: str
    state: JobState
    lane: str
    settings: Mapping[str, Any]
    arguments: Mapping[str, Any]
    run: int | None
    host: str | None
    boot: str | None
    pid: int | None
    pid_started: float | None
    created: float
    started: float | None
    ended: float | None
    heartbeat: float | None
    stop: int
    phase: str
    done: float
    total: float
    unit: str
    phase_started: float | None
    result: Mapping[str, Any] | None
    error: Mapping[str, Any] | None
    held: bool = False

    @property
    def has_ended(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in ENDED


class Records:
    """A connection to the records of one workspace, for the process and thread that opened it.

    Raises:
        FextError: the records cannot be opened, are damaged, or were written by a newer version.

    """

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.path = workspace.database
        self._database = open_database(self.path)

    def close(self) -> None:
        """Close the connection."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make all changes of the body at once, or none of them."""
        with told(self.path), self._database.atomic("IMMEDIATE"):
            yield

    def _run(self, query: Any) -> Any:
        with told(self.path):
            return query.execute(self._database)

    def _rows(self, query: Any) -> list[Row]:
        with told(self.path):
            return list(query.dicts().execute(self._database))

    def _row(self, query: Any) -> Row | None:
        rows = self._rows(query.limit(1))
        return rows[0] if rows else None

    def _insert(self, table: type[Table], rows: Iterable[Mapping[str, Any]]) -> None:
        with self.transaction():
            for batch in peewee.chunked(rows, _BATCH):
                table.insert_many(batch).execute(self._database)

    def _upsert(self, table: type[Table], rows: Iterable[Mapping[str, Any]]) -> None:
        """Insert rows; where a unique key is there already, put the new values over the old."""
        with self.transaction():
            for batch in peewee.chunked(rows, _BATCH):
                table.replace_many(batch).execute(self._database)

    def data_version(self) -> int:
        """Return a number that changes when another connection has changed the records: a look that costs nothing."""
        with told(self.path):
            return int(cast("tuple[int]", self._database.execute_sql("PRAGMA data_version").fetchone())[0])

    # --- Jobs ---------------------------------------------------------------------------------------------

    def add_job(
        self,
        kind: str,
        lane: str,
        settings: Mapping[str, Any],
        arguments: Mapping[str, Any],
        run: int | None = None,
    ) -> int:
        """Add a queued job behind all others, and return its number."""
        with self.transaction():
            greatest = self._row(Job.select(peewee.fn.MAX(Job.position).alias("position")))
            position = ((greatest or {}).get("position") or 0.0) + 1.0
            row = {
                "kind": kind, "state": "queued", "lane": lane, "position": position, "created": time.time(),
                "run": run, "settings": json.dumps(settings), "arguments": json.dumps(arguments),
            }  # fmt: skip
            return int(self._run(Job.insert(row)))

    def job(self, job: int) -> JobRow:
        """Return a job.

        Raises:
            UsageError: there is no job of that number.

        """
        row = self._row(Job.select().where(Job.id == job))
        if row is None:
            raise UsageError(f"There is no job {job}.", "`fext jobs` lists the jobs.")
        return _job_row(row)

    def jobs(self, *states: JobState, limit: int = 500) -> list[JobRow]:
        """Return the newest jobs (of the given states), newest first."""
        query = Job.select().order_by(Job.id.desc()).limit(limit)
        return [_job_row(row) for row in self._rows(query.where(Job.state << states) if states else query)]

    def jobs_numbered(self, jobs: Iterable[int]) -> list[JobRow]:
        """Return the jobs of these numbers that are there, oldest first."""
        return [_job_row(row) for row in self._rows(Job.select().where(Job.id << list(jobs)).order_by(Job.id))]

    def jobs_of_run(self, run: int) -> list[JobRow]:
        """Return the jobs that trained a run, oldest first."""
        return [_job_row(row) for row in self._rows(Job.select().where(Job.run == run).order_by(Job.id))]

    def queue(self) -> list[JobRow]:
        """Return the jobs that wait, held ones too, in the order of the queue."""
        query = Job.select().where(Job.state == "queued").order_by(Job.position, Job.id)
        return [_job_row(row) for row in self._rows(query)]

    def put_queue(self, jobs: Sequence[int]) -> None:
        """Let the jobs that wait stand in this order: all of their numbers; who joins the queue later stands behind."""
        with self.transaction():
            rows = self._rows(Job.select(Job.position).where(Job.id << list(jobs)).order_by(Job.position))
            for job, row in zip(jobs, rows, strict=True):
                Job.update(position=row["position"]).where(Job.id == job).execute(self._database)

    def next_queued(self, busy_lanes: Iterable[str] = ()) -> JobRow | None:
        """Return the queued job that is first in line among the lanes that are free; held ones are passed over."""
        waits = (Job.state == "queued") & ~Job.held
        query = Job.select().where(waits & (Job.lane.not_in(list(busy_lanes))))
        row = self._row(query.order_by(Job.position, Job.id))
        return _job_row(row) if row else None

    def change_job(self, job: int, *, only_if: Iterable[JobState] | None = None, **values: Any) -> bool:
        """Change columns of a job (``result`` and ``error`` as mappings); return whether it was changed.

        With ``only_if``, nothing is changed where the job's state is none of those: of two processes that
        try to end a job, one wins.
        """
        for name in ("result", "error", "arguments"):
            if values.get(name) is not None:
                values[name] = json.dumps(values[name])
        query = Job.update(values).where(Job.id == job)
        return bool(self._run(query.where(Job.state << list(only_if)) if only_if is not None else query))

    def delete_job(self, job: int) -> None:
        """Delete a job with its log lines and artifacts' records."""
        self._run(Job.delete().where(Job.id == job))

    def add_log_lines(self, job: int, lines: Iterable[tuple[float, str, str]]) -> None:
        """Add log lines as (time, level, text)."""
        self._insert(LogLine, ({"job": job, "time": at, "level": level, "text": text} for at, level, text in lines))

    def log_lines(self, job: int, after: int = 0, limit: int = 1000) -> list[Row]:
        """Return up to ``limit`` of a job's lines with an id above ``after``: the first ones, in order."""
        query = LogLine.select().where((LogLine.job == job) & (LogLine.id > after))
        return self._rows(query.order_by(LogLine.id).limit(limit))

    def log_tail(self, job: int, limit: int = 20) -> list[Row]:
        """Return a job's last lines, in order."""
        query = LogLine.select().where(LogLine.job == job).order_by(LogLine.id.desc())
        return self._rows(query.limit(limit))[::-1]

    def add_artifact(self, job: int, kind: str, path: Path) -> None:
        """Remember a file or folder that a job made."""
        stored = self.workspace.stored_path(path)
        self._run(Artifact.insert(job=job, kind=kind, path=stored, time=time.time()))

    def artifacts(self, job: int) -> list[Row]:
        """Return what a job made, in order."""
        return self._rows(Artifact.select().where(Artifact.job == job).order_by(Artifact.id))

    # --- Runs and their curves ------------------------------------------------------------------------------

    def add_run(self, name: str, variant: str, note: str = "") -> int:
        """Add a run, and return its number.

        Raises:
            UsageError: there is a run of that name.

        """
        try:
            return int(self._run(Run.insert(name=name, variant=variant, created=time.time(), note=note)))
        except peewee.IntegrityError:
            raise UsageError(f"There is a run named {name!r} already.", "Choose another name.") from None

    def run(self, run: int) -> Row:
        """Return a run: ``id name variant created note tags``.

        Raises:
            UsageError: there is no run of that number.

        """
        row = self._row(Run.select().where(Run.id == run))
        if row is None:
            raise UsageError(f"There is no run {run}.", "`fext jobs` lists jobs and their runs.")
        return row

    def run_of(self, name: str, variant: str) -> int:
        """Return the number of the run of that name; it is added where it is new."""
        row = self.run_named(name)
        return int(row["id"]) if row else self.add_run(name, variant)

    def run_named(self, name: str) -> Row | None:
        """Return the run of that name, if there is one."""
        return self._row(Run.select().where(Run.name == name))

    def existing_run(self, name: str) -> Row:
        """Return the run of that name.

        Raises:
            UsageError: there is none.

        """
        run = self.run_named(name)
        if run is None:
            known = ", ".join(row["name"] for row in self.runs(limit=8)) or "none yet: `fext train FOLDER` makes one"
            raise UsageError(f"There is no run {name!r}.", f"There are: {known}.")
        return run

    def runs(self, limit: int = 500) -> list[Row]:
        """Return the newest runs with the newest job's number and state, best PSNR, last epoch and step."""
        best = Metric.select(peewee.fn.MAX(Metric.value)).where(
            (Metric.run == Run.id) & (Metric.name == "validation/psnr")
        )
        last = (
            Metric.select(Metric.epoch)
            .where((Metric.run == Run.id) & (Metric.name == "train/loss"))
            .order_by(Metric.step.desc())
            .limit(1)
        )
        newest = Job.select(peewee.fn.MAX(Job.id)).where(Job.run == Run.id)
        query = (
            Run.select(
                Run,
                Job.id.alias("job"),
                Job.state,
                Job.started,
                Job.ended,
                best.alias("psnr"),
                last.alias("epoch"),
            )
            .join(Job, peewee.JOIN.LEFT_OUTER, on=(Job.id == newest))
            .order_by(Run.id.desc())
            .limit(limit)
        )
        return self._rows(query)

    def run_figures(self, run: int) -> dict[str, Any]:
        """Return ``psnr`` (the best), ``epoch`` and ``step`` (the last) and ``img_s`` of a run; None where not told."""
        of_run = Metric.run == run
        best = self._row(Metric.select(peewee.fn.MAX(Metric.value)).where(of_run & (Metric.name == "validation/psnr")))
        last = self._row(
            Metric.select(Metric.epoch, Metric.step)
            .where(of_run & (Metric.name == "train/loss"))
            .order_by(Metric.step.desc())
        )
        pace = self._row(
            Metric.select(Metric.value).where(of_run & (Metric.name == "img_s")).order_by(Metric.step.desc())
        )
        figures = {"psnr": next(iter((best or {}).values()), None), "img_s": (pace or {}).get("value")}
        return figures | {name: (last or {}).get(name) for name in ("epoch", "step")}

    def change_run(self, run: int, **values: str) -> None:
        """Change ``note`` or ``tags`` (words separated by spaces) of a run."""
        self._run(Run.update(values).where(Run.id == run))

    def delete_run(self, run: int) -> None:
        """Delete a run with its curve and its checkpoints' records; its jobs stay."""
        self._run(Run.delete().where(Run.id == run))

    def add_metrics(self, run: int, rows: Iterable[tuple[int, float, float, Mapping[str, float]]]) -> None:
        """Add values as (step, epoch, time, values by name); where one was told before, the new one stands."""
        statement = "REPLACE INTO metric (run_id, step, name, value, epoch, time) VALUES (?, ?, ?, ?, ?, ?)"
        values = (
            (run, step, name, value, epoch, at) for step, epoch, at, named in rows for name, value in named.items()
        )
        with self.transaction():  # 2 µs a value; through Peewee's query builder, 20
            self._database.connection().executemany(statement, values)

    def delete_metrics_after(self, run: int, step: int) -> None:
        """Delete the values beyond a step, so that a resume goes on with one curve."""
        self._run(Metric.delete().where((Metric.run == run) & (Metric.step > step)))

    def metrics_after(self, run: int, after: int = 0, limit: int = 20_000) -> list[Row]:
        """Return up to ``limit`` values above an id, in order: ``id step name value epoch time``."""
        columns = (Metric.id, Metric.step, Metric.name, Metric.value, Metric.epoch, Metric.time)
        query = Metric.select(*columns).where((Metric.run == run) & (Metric.id > after))
        return self._rows(query.order_by(Metric.id).limit(limit))

    def curve(self, run: int, name: str, points: int = 2000) -> list[Row]:
        """Return one metric in order of step, ``step value epoch time``, thinned evenly to about ``points``."""
        this = (Metric.run == run) & (Metric.name == name)
        counted = self._row(Metric.select(peewee.fn.COUNT().alias("n")).where(this))
        stride = -(-(counted["n"] if counted else 0) // points) or 1
        number = peewee.fn.ROW_NUMBER().over(order_by=[Metric.step])
        inner = Metric.select(Metric.step, Metric.value, Metric.epoch, Metric.time, number.alias("n")).where(this)
        query = (
            inner if stride == 1 else peewee.Select([inner], [inner.c.step, inner.c.value, inner.c.epoch, inner.c.time])
        )
        if stride > 1:
            query = query.where(peewee.Expression(inner.c.n - 1, peewee.OP.MOD, stride) == 0)
        return self._rows(query.order_by(peewee.SQL("step")))

    def last_metrics(self, run: int) -> dict[str, float]:
        """Return the newest value of each metric of a run."""
        newest = Metric.select(peewee.fn.MAX(Metric.id)).where(Metric.run == run).group_by(Metric.name)
        return {row["name"]: row["value"] for row in self._rows(Metric.select().where(Metric.id << newest))}

    def put_checkpoint(self, run: int, tag: str, step: int, epoch: float, val_psnr: float | None) -> None:
        """Remember a saved state, over an older one of that tag."""
        row = {
            "run": run,
            "tag": tag,
            "step": step,
            "epoch": epoch,
            "val_psnr": val_psnr,
            "created": time.time(),
        }
        self._upsert(Checkpoint, [row])

    def forget_checkpoints(self, run: int, tags: Iterable[str]) -> None:
        """Forget the saved states of these tags."""
        self._run(Checkpoint.delete().where((Checkpoint.run == run) & Checkpoint.tag.in_(list(tags))))

    def checkpoints(self, run: int) -> list[Row]:
        """Return the saved states of a run, newest step last."""
        return self._rows(Checkpoint.select().where(Checkpoint.run == run).order_by(Checkpoint.step))

    # --- Datasets -------------------------------------------------------------------------------------------

    def dataset(self, folder: Path) -> int:
        """Return the number of the dataset that stands for a folder; it is added where it is new."""
        stored = self.workspace.stored_path(folder)
        self._run(Dataset.insert(folder=stored, created=time.time()).on_conflict_ignore())
        row = self._row(Dataset.select().where(Dataset.folder == stored))
        assert row is not None
        return int(row["id"])

    def datasets(self) -> list[Row]:
        """Return the datasets with their number of images: ``id folder created images``, newest first."""
        counted = Image.select(peewee.fn.COUNT(Image.id)).where(Image.dataset == Dataset.id)
        return self._rows(Dataset.select(Dataset, counted.alias("images")).order_by(Dataset.id.desc()))

    def find_dataset(self, folder: Path) -> int | None:
        """Return the number of the dataset that stands for a folder; None where it was never analyzed or trained on."""
        row = self._row(Dataset.select(Dataset.id).where(Dataset.folder == self.workspace.stored_path(folder)))
        return int(row["id"]) if row else None

    def put_images(self, dataset: int, rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
        """Add or renew images (columns of `Image` but ``dataset``), and return their numbers by path.

        A renewed image keeps its number; metrics that were measured on it stay until they are measured again.
        """
        names = ("bytes", "modified_ns", "format", "width", "height", "subset")
        numbers: dict[str, int] = {}
        with self.transaction():
            for batch in peewee.chunked(rows, _BATCH):
                query = Image.insert_many([{**row, "dataset": dataset} for row in batch]).on_conflict(
                    conflict_target=[Image.dataset, Image.path],
                    preserve=[getattr(Image, name) for name in names],
                )
                query.execute(self._database)
                here = Image.select(Image.id, Image.path).where(
                    (Image.dataset == dataset) & (Image.path << [row["path"] for row in batch])
                )
                numbers |= {row["path"]: row["id"] for row in self._rows(here)}
        return numbers

    def delete_images_but(self, dataset: int, kept: Iterable[int]) -> None:
        """Delete the images of a dataset whose number is not among ``kept``, with their metrics."""
        keep = set(kept)
        gone = [
            row["id"]
            for row in self._rows(Image.select(Image.id).where(Image.dataset == dataset))
            if row["id"] not in keep
        ]
        with self.transaction():
            for batch in peewee.chunked(gone, _BATCH):
                Image.delete().where(Image.id << batch).execute(self._database)

    def put_image_metrics(self, group: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Add or renew one metric group of images: rows of ``image`` and the group's columns."""
        table = METRIC_TABLES[group]._meta.table_name
        names = columns_of(group)
        values = ", ".join(f":{name}" for name in names)
        statement = f"REPLACE INTO {table} (image_id, {', '.join(names)}) VALUES (:image, {values})"  # noqa: S608 - own names
        with self.transaction():  # 0.1 ms an image less than through Peewee's query builder
            self._database.connection().executemany(statement, rows)

    def put_subset(self, subset: str, images: Iterable[int]) -> None:
        """Say of images, by their numbers, that they are for ``train`` or ``validation``, or neither (empty)."""
        with self.transaction():
            for batch in peewee.chunked(images, _BATCH):
                Image.update(subset=subset).where(Image.id << batch).execute(self._database)

    def image_metrics(
        self,
        dataset: int,
        groups: Sequence[str],
        *,
        order_by: str = "path",
        descending: bool = False,
        contains: str = "",
        limit: int = -1,
        offset: int = 0,
    ) -> list[Row]:
        """Return images with the columns of the metric groups (None where not measured), a page at a time.

        Args:
            dataset: number of the dataset.
            groups: metric groups whose columns are wanted.
            order_by: ``path``, another column of `Image`, or a metric of ``groups``.
            descending: largest first.
            contains: only images whose path holds this text.
            limit: rows at most; -1: all.
            offset: rows left out at the start.

        """
        tables = [METRIC_TABLES[group] for group in groups]
        own = {name: getattr(Image, name) for name in ("path", "bytes", "format", "width", "height", "subset")}
        metrics = {
            name: getattr(METRIC_TABLES[group], name)
            for group in groups
            for name in columns_of(group)
            if name not in own
        }
        query = Image.select(Image.id, *(own | metrics).values()).where(Image.dataset == dataset)
        for table in tables:
            query = query.join(table, peewee.JOIN.LEFT_OUTER, on=(table.image == Image.id)).switch(Image)
        if contains:
            query = query.where(_path_contains(contains))
        column = (own | metrics)[order_by]
        order = column.desc(nulls="last") if descending else column.asc(nulls="last")
        return self._rows(query.order_by(order, Image.path).limit(limit).offset(offset))

    def image(self, dataset: int, path: str) -> Row | None:
        """Return one image with all its metrics (None where not measured); None where it is not in the records."""
        tables = METRIC_TABLES.items()
        measured = [getattr(table, name) for group, table in tables for name in columns_of(group)]
        columns = [column for column in measured if column.name not in Image._meta.fields]
        query = Image.select(Image, *columns).where((Image.dataset == dataset) & (Image.path == path))
        for _, table in tables:
            query = query.join(table, peewee.JOIN.LEFT_OUTER, on=(table.image == Image.id)).switch(Image)
        return self._row(query)

    def count_images(self, dataset: int, contains: str = "") -> int:
        """Return the number of images of a dataset (whose path holds a text)."""
        query = Image.select(peewee.fn.COUNT(Image.id).alias("n")).where(Image.dataset == dataset)
        row = self._row(query.where(_path_contains(contains)) if contains else query)
        return int(row["n"]) if row else 0

    def dataset_summary(self, dataset: int) -> Row:
        """Return ``images bytes`` and least and largest ``width height`` (None for no image) of a dataset.

        ``formats`` and ``subsets`` are the numbers of images by format and by subset, most frequent first.
        """
        number, sides = peewee.fn.COUNT(Image.id), (Image.width, Image.height)
        extremes = [
            function(side).alias(f"{name}_{side.name}")
            for name, function in (("min", peewee.fn.MIN), ("max", peewee.fn.MAX))
            for side in sides
        ]
        query = Image.select(
            Image.format, Image.subset, number.alias("n"), peewee.fn.SUM(Image.bytes).alias("bytes"), *extremes
        )
        kinds = self._rows(
            query.where(Image.dataset == dataset)
            .group_by(Image.format, Image.subset)
            .order_by(number.desc(), Image.format, Image.subset)
        )
        summary: Row = {"images": sum(kind["n"] for kind in kinds), "bytes": sum(kind["bytes"] for kind in kinds)}
        for name, best in (("min", min), ("max", max)):
            for side in sides:
                known = [kind[f"{name}_{side.name}"] for kind in kinds if kind[f"{name}_{side.name}"] is not None]
                summary[f"{name}_{side.name}"] = best(known, default=None)
        return summary | {"formats": _summed(kinds, "format"), "subsets": _summed(kinds, "subset")}

    def put_histogram(self, dataset: int, subset: str, channel: str, images: int, counts: Sequence[int]) -> None:
        """Remember a summed histogram, over an older one of that dataset, subset and channel."""
        row = {
            "dataset": dataset,
            "subset": subset,
            "channel": channel,
            "images": images,
            "counts": json.dumps(list(counts)),
        }
        self._upsert(Histogram, [row])

    def histograms(self, dataset: int) -> list[Row]:
        """Return the histograms of a dataset: ``subset channel images counts``, counts a list."""
        rows = self._rows(Histogram.select().where(Histogram.dataset == dataset).order_by(Histogram.subset))
        return [{**row, "counts": json.loads(row["counts"])} for row in rows]

    def delete_histograms(self, dataset: int) -> None:
        """Delete the histograms of a dataset."""
        self._run(Histogram.delete().where(Histogram.dataset == dataset))

    def put_findings(self, dataset: int, findings: Iterable[tuple[str, str, str]]) -> None:
        """Replace the findings of a dataset by these: (path, kind, detail)."""
        with self.transaction():
            Finding.delete().where(Finding.dataset == dataset).execute(self._database)
            rows = (
                {"dataset": dataset, "path": path, "kind": kind, "detail": detail} for path, kind, detail in findings
            )
            for batch in peewee.chunked(rows, _BATCH):
                Finding.insert_many(batch).execute(self._database)

    def findings(self, dataset: int, limit: int = -1) -> list[Row]:
        """Return the findings of a dataset (up to ``limit``): ``path kind detail``, by kind and path."""
        query = Finding.select().where(Finding.dataset == dataset).order_by(Finding.kind, Finding.path)
        return self._rows(query.limit(limit))

    def count_findings(self, dataset: int) -> int:
        """Return the number of findings of a dataset."""
        row = self._row(Finding.select(peewee.fn.COUNT(Finding.id).alias("n")).where(Finding.dataset == dataset))
        return int(row["n"]) if row else 0

    def put_split(self, dataset: int, key: str, **values: Any) -> None:
        """Remember a split (columns of `Split`) by its key."""
        self._run(Split.insert(dataset=dataset, key=key, created=time.time(), **values).on_conflict_ignore())

    # --- Results --------------------------------------------------------------------------------------------

    def add_evaluation(self, values: Mapping[str, Any], images: Iterable[Mapping[str, Any]]) -> int:
        """Add an evaluation (columns of `Evaluation`) with its images (of `ImageError`), and return its number."""
        with self.transaction():
            evaluation = int(self._run(Evaluation.insert({**values, "created": time.time()})))
            for batch in peewee.chunked(images, _BATCH):
                ImageError.insert_many([{**row, "evaluation": evaluation} for row in batch]).execute(self._database)
        return evaluation

    def evaluations(self, checkpoint: str | None = None) -> list[Row]:
        """Return the evaluations (of a checkpoint), newest first."""
        query = Evaluation.select().order_by(Evaluation.id.desc())
        return self._rows(query.where(Evaluation.checkpoint == checkpoint) if checkpoint else query)

    def image_errors(self, evaluation: int) -> list[Row]:
        """Return the images of an evaluation, worst PSNR first."""
        return self._rows(ImageError.select().where(ImageError.evaluation == evaluation).order_by(ImageError.psnr))

    def add_embeddings(self, **values: Any) -> None:
        """Remember a set of embeddings (columns of `EmbeddingFile`)."""
        self._run(EmbeddingFile.insert({**values, "created": time.time()}))

    def embeddings(self) -> list[Row]:
        """Return the sets of embeddings, newest first."""
        return self._rows(EmbeddingFile.select().order_by(EmbeddingFile.id.desc()))

    # --- Upkeep ---------------------------------------------------------------------------------------------

    def export_csv(self, folder: Path) -> list[Path]:
        """Write every table as ``folder/TABLE.csv``, and return the paths.

        Raises:
            FextError: the folder cannot be written.

        """
        paths = []
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for table in TABLES:
                path = folder / f"{table._meta.table_name}.csv"
                names = [field.column_name for field in table._meta.sorted_fields]
                with path.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
                    writer = csv.writer(file)
                    writer.writerow(names)
                    with told(self.path):
                        writer.writerows(table.select().tuples().iterator(self._database))
                paths.append(path)
        except OSError as error:
            raise FextError(
                f"{folder} cannot be written: {error.strerror or error}.", "Choose another folder."
            ) from error
        return paths

    def delete_everything(self) -> None:
        """Empty every table.

        Raises:
            UsageError: a job is running or waiting.

        """
        with self.transaction():
            if self.jobs("queued", "running"):
                raise UsageError("A job is running or waiting.", "Stop it first, then delete the records.")
            for table in reversed(TABLES):
                table.delete().execute(self._database)
        with told(self.path):
            self._database.execute_sql("VACUUM")


def _summed(kinds: Sequence[Row], column: str) -> dict[str, int]:
    """Return the sums of ``n`` by the values of a column, largest first."""
    sums: dict[str, int] = {}
    for kind in kinds:
        sums[kind[column]] = sums.get(kind[column], 0) + kind["n"]
    return dict(sorted(sums.items(), key=lambda item: -item[1]))


def _path_contains(text: str) -> Any:
    """Return the condition, which also meets paths that are no UTF-8 and therefore stored as bytes."""
    return Image.path.cast("TEXT").contains(text)


def _job_row(row: Row) -> JobRow:
    loaded = {
        name: json.loads(row[name]) if row[name] else None for name in ("settings", "arguments", "result", "error")
    }
    kept = {name: value for name, value in row.items() if name != "position"}
    return JobRow(**(kept | loaded))
