"""Runs in the records: their names and notes, figures, and saved states."""

import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import peewee

from engine.errors import UsageError
from engine.records.checking import document
from engine.records.connection import Connection, Row, lies_in
from engine.records.schema import Artifact, Checkpoint, EmbeddingFile, Evaluation, Job, Metric, Run


class RunRecords(Connection):
    """Runs and their saved states."""

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
        """Return the newest runs with the newest job's number and state, best PSNR, last epoch and pace."""
        best = Metric.select(peewee.fn.MAX(Metric.value)).where(
            (Metric.run == Run.id) & (Metric.name == "validation/psnr")
        )
        last = (
            Metric.select(Metric.epoch)
            .where((Metric.run == Run.id) & (Metric.name == "train/loss"))
            .order_by(Metric.step.desc())
            .limit(1)
        )
        pace = (
            Metric.select(Metric.value)
            .where((Metric.run == Run.id) & (Metric.name == "img_s"))
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
                pace.alias("img_s"),
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

    def rename_run(self, run: int, wanted: str, folders: Iterable[tuple[Path, Path]]) -> None:
        """Give a run another name wherever it is told: as a checkpoint's, and in paths, whose folders moved."""
        with self.transaction():
            name = str(self.run(run)["name"])
            self._run(Run.update(name=wanted).where(Run.id == run))
            for table in (Evaluation, EmbeddingFile):
                self._replace_beginning(table.checkpoint, name, wanted)
            for old, new in folders:
                stored = (self.workspace.stored_path(old), self.workspace.stored_path(new))
                for column in (Artifact.path, EmbeddingFile.path, Evaluation.report):
                    self._replace_beginning(column, *stored)
            for row in self._rows(Job.select(Job.id, Job.arguments)):
                arguments = document(self.path, "arguments", row["arguments"], dict)
                told = str(arguments.get("checkpoint", ""))
                if told.partition("/")[0] == name:
                    renamed = json.dumps(arguments | {"checkpoint": wanted + told.removeprefix(name)})
                    self._run(Job.update(arguments=renamed).where(Job.id == row["id"]))

    def _replace_beginning(self, column: Any, old: str, new: str) -> None:
        """Put another first part, before a slash or the end, into a column where it stands."""
        rest = peewee.fn.SUBSTR(column, len(old) + 1)
        self._run(column.model.update({column: peewee.Value(new).concat(rest)}).where(lies_in(column, old)))

    def delete_run(self, run: int) -> None:
        """Delete a run with its curve and its checkpoints' records; its jobs stay."""
        self._run(Run.delete().where(Run.id == run))

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
