"""What is remembered: Peewee models on SQLite, and the queries."""

from engine.records.store import ENDED, JobRow, JobState, Records, Row

__all__ = ["ENDED", "JobRow", "JobState", "Records", "Row"]
