"""Roll-ups of curves: bins of steps with the mean, the least and the greatest of their values.

They are SQL of their own, not Peewee's: they are made several times a second while a job records, and its query
builder would take longer than SQLite.
"""

from typing import Any, Protocol

SMALL_BIN, LARGE_BIN = 16, 1024
"""Steps of a bin of level 1 and of level 2."""

_COLUMNS = "run_id, name, level, bin, step, epoch, time, value, low, high, number"
_LAST = "MAX(step), MAX(epoch), MAX(time)"
_FROM_VALUES = f"""
    REPLACE INTO metricbin ({_COLUMNS})
    SELECT run_id, name, 1, step / {SMALL_BIN}, {_LAST}, AVG(value), MIN(value), MAX(value), COUNT(value)
    FROM metric {{where}} GROUP BY run_id, name, step / {SMALL_BIN}
"""  # noqa: S608 - own words
_FROM_SMALL_BINS = f"""
    REPLACE INTO metricbin ({_COLUMNS})
    SELECT run_id, name, 2, bin / {LARGE_BIN // SMALL_BIN}, {_LAST},
        SUM(value * number) / SUM(number), MIN(low), MAX(high), SUM(number)
    FROM metricbin WHERE level = 1 {{where}} GROUP BY run_id, name, bin / {LARGE_BIN // SMALL_BIN}
"""  # noqa: S608 - own words
_SOME_VALUES = _FROM_VALUES.format(where="WHERE run_id = ? AND name = ? AND step >= ? AND step < ?")
_SOME_SMALL_BINS = _FROM_SMALL_BINS.format(where="AND run_id = ? AND name = ? AND bin >= ? AND bin < ?")

ROLL_UP_ALL = (_FROM_VALUES.format(where=""), _FROM_SMALL_BINS.format(where=""))
"""The SQL that makes the bins of every curve."""


class Connection(Protocol):
    """Executes SQL."""

    def execute(self, sql: str, parameters: tuple[Any, ...], /) -> object:
        """Execute it."""


def roll_up(connection: Connection, run: int, name: str, first: int, last: int) -> None:
    """Make the bins of a curve anew that hold the steps from ``first`` to ``last``, both included."""
    for statement, width, unit in ((_SOME_VALUES, SMALL_BIN, 1), (_SOME_SMALL_BINS, LARGE_BIN, SMALL_BIN)):
        bounds = (first // width * width // unit, (last // width + 1) * width // unit)
        connection.execute(statement, (run, name, *bounds))
