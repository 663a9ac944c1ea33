"""How sizes, times, ages and hostile names are written."""

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from engine.errors import FextError
from fext_tui import text

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=60)


@given(ANY_TEXT)
def test_safe_text_holds_nothing_that_steers_a_terminal(name: str) -> None:
    shown = text.safe(name)
    assert all(unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Zl", "Zp"} for character in shown)
    shown.encode("utf-8")


@given(st.text("abc [](){}/\\äöü漢字", max_size=40))
def test_safe_leaves_what_can_be_printed(name: str) -> None:
    assert text.safe(name) == name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a\nb\tc\rd", r"a\nb\tc\rd"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("\u202egpj.exe", r"\u202egpj.exe"),
        ("caf\udce9.jpg", r"caf\xe9.jpg"),
        ("[bold]x[/]", "[bold]x[/]"),
        ("zero\u200bwidth", r"zero\u200bwidth"),
        ("\U000e0041", r"\U000e0041"),
    ],
)
def test_safe_escapes(name: str, expected: str) -> None:
    assert text.safe(name) == expected


def test_safe_cuts_what_is_endless() -> None:
    assert text.safe("x" * 5000, limit=100) == "x" * 100 + "…"


def test_safe_lines_keep_their_breaks() -> None:
    assert text.safe_lines("one\ntwo\x1b[0m") == "one\ntwo\\x1b[0m"


@given(ANY_TEXT, st.integers(0, 80))
def test_shortened_fits(name: str, width: int) -> None:
    shown = text.shortened(name, width)
    assert cell_len(shown) <= width
    assert shown == name or cell_len(name) > width


@pytest.mark.parametrize(
    ("name", "width", "expected"),
    [("abcdef.png", 7, "abc…png"), ("日本語の写真.png", 11, "日本….png"), ("日本語", 4, "…語"), ("e\u0301" * 4, 3,
     "e\u0301…e\u0301")],
)  # fmt: skip
def test_shortened_counts_columns(name: str, width: int, expected: str) -> None:
    assert text.shortened(name, width) == expected


@pytest.mark.parametrize(
    ("count", "expected"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (12_400, "12.4 kB"), (999_600, "1.0 MB"), (3.2e12, "3.2 TB")],
)
def test_size(count: float, expected: str) -> None:
    assert text.size(count) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(None, "–"), (0, "0:00"), (42.4, "0:42"), (725, "12:05"), (11_220, "3:07:00"), (2 * 86_400 + 10_800, "2 d 03:00")],
)
def test_duration(seconds: float | None, expected: str) -> None:
    assert text.duration(seconds) == expected


@pytest.mark.parametrize(
    ("ago", "expected"),
    [(-5, "just now"), (59, "just now"), (60, "1 min"), (3599, "59 min"), (3600, "1 h"), (86_400, "1 d"),
     (400 * 86_400, "1 y")],
)  # fmt: skip
def test_age(ago: float, expected: str) -> None:
    assert text.age(1e9, 1e9 - ago) == expected


def test_numbers() -> None:
    assert text.number(None) == "–"
    assert text.number(12_345) == "12,345"
    assert text.number(1234.567) == "1,234.57"
    assert text.rate(61.34) == "61.3 img/s"
    assert text.rate(12_400.4) == "12,400 img/s"
    assert text.decibel(25.314) == "25.31 dB"


def test_home_is_shown_short(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert text.folder_name(tmp_path / "photos") == "~/photos"
    assert text.folder_name(Path("/elsewhere")) == "/elsewhere"


def test_cause_of_errors() -> None:
    assert text.cause_of(FextError("bad \x1b", "mend it")) == ("bad \\x1b", "mend it")
    assert text.cause_of(OSError("no space")) == ("OSError: no space", "")


def test_one_thing_is_told_without_an_s() -> None:
    assert [text.counted(count, "run") for count in (0, 1, 1204)] == ["0 runs", "1 run", "1,204 runs"]
