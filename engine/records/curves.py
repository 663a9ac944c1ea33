"""Curves in the records: what runs told by step, and how a long one is opened at once."""

from collections.abc import Iterable, Mapping
from typing import Any

import peewee

from engine.records.checking import damaged
from engine.records.connection import Connection, Row
from engine.records.roll_ups import LARGE_BIN, SMALL_BIN, roll_up
from engine.records.schema import Metric, MetricBin


class CurveRecords(Connection):
    """Values by run, name and step, and bins of them, which are renewed whenever a value of theirs is written."""

    def add_metrics(self, run: int, rows: Iterable[tuple[int, float, float, Mapping[str, float]]]) -> None:
        """Add values as (step, epoch, time, values by name); where one was told before, the new one stands."""
        statement = "REPLACE INTO metric (run_id, step, name, value, epoch, time) VALUES (?, ?, ?, ?, ?, ?)"
        values = [
            (run, step, name, value, epoch, at) for step, epoch, at, named in rows for name, value in named.items()
        ]
        steps: dict[str, tuple[int, int]] = {}
        for _, step, name, *_ in values:
            first, last = steps.get(name, (step, step))
            steps[name] = min(first, step), max(last, step)
        with self.transaction():  # 2 µs a value; through Peewee's query builder, 20
            connection = self._database.connection()
            connection.executemany(statement, values)
            for name, (first, last) in steps.items():
                roll_up(connection, run, name, first, last)

    def delete_metrics_after(self, run: int, step: int) -> None:
        """Delete the values beyond a step, so that a resume goes on with one curve."""
        with self.transaction():
            Metric.delete().where((Metric.run == run) & (Metric.step > step)).execute(self._database)
            for level, width in ((1, SMALL_BIN), (2, LARGE_BIN)):
                changed = (MetricBin.level == level) & (MetricBin.bin >= step // width)
                MetricBin.delete().where((MetricBin.run == run) & changed).execute(self._database)
            for name in self.metric_names(run):
                roll_up(self._database.connection(), run, name, step, step)

    def newest_metric(self) -> int:
        """Return the id of the newest value of all runs; 0 where there is none."""
        row = self._row(Metric.select(peewee.fn.MAX(Metric.id).alias("id")))
        return (row or {}).get("id") or 0

    def metrics_after(self, run: int, after: int = 0, limit: int = 20_000) -> list[Row]:
        """Return up to ``limit`` values above an id, in order: ``id step name value epoch time``."""
        columns = (Metric.id, Metric.step, Metric.name, Metric.value, Metric.epoch, Metric.time)
        query = Metric.select(*columns).where((Metric.run == run) & (Metric.id > after))
        return self._rows(query.order_by(Metric.id).limit(limit))

    def metric_names(self, run: int) -> list[str]:
        """Return the names of what a run told, in order."""
        names: list[str] = []
        while True:  # one search of the index a name; DISTINCT would read every value
            after = (Metric.run == run) & (Metric.name > (names[-1] if names else ""))
            row = self._row(Metric.select(peewee.fn.MIN(Metric.name).alias("name")).where(after))
            if row is None or row["name"] is None:
                return names
            if row["name"] in names:
                raise damaged(self.path, "the index of metrics is out of order")
            names.append(row["name"])

    def last_metrics(self, run: int) -> dict[str, float]:
        """Return the newest value of each metric of a run."""
        last: dict[str, float] = {}
        for name in self.metric_names(run):
            of_name = (Metric.run == run) & (Metric.name == name)
            row = self._row(Metric.select(Metric.value).where(of_name).order_by(Metric.step.desc()))
            last |= {name: row["value"]} if row else {}
        return last

    def curve(self, run: int, name: str, points: int = 2000) -> list[Row]:
        """Return one metric in order of step, ``step value epoch time low high``, in about ``points`` rows at most.

        Of more values than that, each row stands for those of as many steps: ``value`` is their mean, ``low`` and
        ``high`` the least and the greatest; ``step``, ``epoch`` and ``time`` are those of the last.
        """
        values = (Metric.run == run) & (Metric.name == name)
        row = (Metric.step, Metric.value, Metric.epoch, Metric.time)
        extremes = (Metric.value.alias("low"), Metric.value.alias("high"))
        few = self._rows(Metric.select(*row, *extremes).where(values).order_by(Metric.step).limit(points + 1))
        if len(few) <= points:
            return few
        last = self._row(Metric.select(Metric.step).where(values).order_by(Metric.step.desc()))
        if last is None or last["step"] is None or few[0]["step"] is None:
            raise damaged(self.path, "a step is missing")
        width = -(-(last["step"] - few[0]["step"] + 1) // points)
        if width <= SMALL_BIN:
            mean, group = peewee.fn.AVG(Metric.value), Metric.step / width
            return self._rows(_summarized(Metric, mean, Metric.value, Metric.value, group).where(values))
        level, steps = (1, SMALL_BIN) if width <= LARGE_BIN else (2, LARGE_BIN)
        bins = (MetricBin.run == run) & (MetricBin.name == name) & (MetricBin.level == level)
        mean = peewee.fn.SUM(MetricBin.value * MetricBin.number) / peewee.fn.SUM(MetricBin.number)
        group = MetricBin.bin / -(-width // steps)
        return self._rows(_summarized(MetricBin, mean, MetricBin.low, MetricBin.high, group).where(bins))

    def value_at(self, run: int, name: str, step: int) -> float | None:
        """Return the value of a metric that was told last up to a step; None where none was, or it was no number."""
        told = (Metric.run == run) & (Metric.name == name) & (Metric.step <= step)
        row = self._row(Metric.select(Metric.value).where(told).order_by(Metric.step.desc()))
        return None if row is None else row["value"]


def _summarized(table: type[Metric | MetricBin], mean: Any, low: Any, high: Any, group: Any) -> Any:
    """Return the query for one row a group: ``step value epoch time low high``."""
    last = (peewee.fn.MAX(column).alias(column.name) for column in (table.step, table.epoch, table.time))
    extremes = (peewee.fn.MIN(low).alias("low"), peewee.fn.MAX(high).alias("high"))
    return table.select(*last, mean.alias("value"), *extremes).group_by(group).order_by(group)
