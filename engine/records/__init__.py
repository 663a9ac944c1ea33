"""What is remembered: Peewee models on SQLite, and the queries."""

from engine.records.connection import Row
from engine.records.findings import Finding
from engine.records.images import Condition, MeasuredImage
from engine.records.jobs import ENDED, JobRow, JobState
from engine.records.store import Records

__all__ = ["ENDED", "Condition", "Finding", "JobRow", "JobState", "MeasuredImage", "Records", "Row"]
