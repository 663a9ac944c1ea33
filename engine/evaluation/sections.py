"""What a report is made of: sections, which are values that any writer can write."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Table:
    """A table of texts under a caption; units stand in the header, which a list of facts does without."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""


@dataclass(frozen=True)
class Figure:
    """A PNG file, and in words what it shows."""

    path: Path
    caption: str


@dataclass(frozen=True)
class Section:
    """A part of a report.

    Attributes:
        title: its heading.
        text: what a reader must know of it.
        tables: for a reader.
        figures: for a reader.
        facts: for a program: what it adds to the JSON document, by key; no two sections have the same key.

    """

    title: str
    text: str = ""
    tables: tuple[Table, ...] = ()
    figures: tuple[Figure, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
