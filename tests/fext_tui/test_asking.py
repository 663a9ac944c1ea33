"""Answers of the terminal among what is typed."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fext_tui.asking import Answer, AnswerFilter, FilteringParser
from fext_tui.graphics import Cell, detect


def heard(*pieces: str) -> tuple[str, list[Answer]]:
    """Return what is passed on of pieces of input, and what is told."""
    told: list[Answer] = []
    answers = AnswerFilter(told.append)
    return "".join(map(answers.pass_on, pieces)), told


def test_answers_are_told_and_taken_out() -> None:
    typed, told = heard("a\x1b[6;18;9tb\x1b[?62;4;22cc")
    assert typed == "abc"
    assert told == [Answer(sixel=False, cell=Cell(9, 18)), Answer(sixel=True, cell=Cell(9, 18))]


@pytest.mark.parametrize(("attributes", "sixel"), [("62;22", False), ("4", False), ("62;4", True), ("65;1;4;9", True)])
def test_the_first_attribute_is_the_kind_of_the_terminal(attributes: str, sixel: bool) -> None:
    assert heard(f"\x1b[?{attributes}c") == ("", [Answer(sixel=sixel)])


def test_an_absurd_size_is_none() -> None:
    assert heard("\x1b[6;0;9t")[1] == heard("\x1b[6;999;9t")[1] == [Answer()]


@given(st.sets(st.integers(4, 23)))
def test_an_answer_in_pieces_is_whole(cuts: set[int]) -> None:
    text = "x\x1b[?62;4;22cy\x1b[6;20;10tz"
    ends = [cut for cut in sorted(cuts) if text[cut - 1] not in "\x1b["]  # what could still be a key is let through
    pieces = [text[start:end] for start, end in pairwise([0, *ends, len(text)])]
    typed, told = heard(*pieces)
    assert typed == "xyz"
    assert told[-1] == Answer(sixel=True, cell=Cell(10, 20))


KEYS = [
    "\x1b",
    "\x1b[A",
    "\x1b[6~",
    "\x1b[6;5~",
    "\x1b[<0;10;10M",
    "\x1b[?2026;2$y",
    "\x1b[200~paste\x1b[201~",
    "é",
    "c",
    "[?6",
]


@given(st.lists(st.sampled_from(KEYS)))
def test_keys_pass_as_they_are(keys: list[str]) -> None:
    assert heard(*keys) == ("".join(keys), [])


def test_the_parser_makes_keys_of_the_rest() -> None:
    parser = FilteringParser(AnswerFilter(lambda _: None))
    made = [event.key for event in parser.feed("j\x1b[?62;4c3") if hasattr(event, "key")]
    assert made == ["j", "3"]
    assert list(parser.feed("\x1b[?62;4")) == []
    assert [event.key for event in parser.feed(";22ck") if hasattr(event, "key")] == ["k"]


@pytest.mark.parametrize(
    ("environ", "kind"),
    [({"TERM": "xterm-256color"}, "sixel"), ({"TERM": "tmux-256color", "TMUX": "tmux,1,0"}, "sixel"),
     ({"TERM": "linux"}, "halves"), ({"TERM": "xterm-kitty"}, "kitty")],
)  # fmt: skip
def test_the_answer_counts_where_the_terminal_is_not_known(environ: dict[str, str], kind: str) -> None:
    assert detect(environ, sixel=True) == kind
