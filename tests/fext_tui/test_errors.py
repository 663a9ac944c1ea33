"""What went wrong can be read in full later, and copied."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from engine.errors import FextError
from engine.workspace import Workspace
from fext_tui import guides
from fext_tui.told_errors import in_passing, told_error

Shown = Callable[[Pilot[None]], str]


def raised(cause: str, remedy: str = "") -> FextError:
    try:
        raise FextError(cause, remedy)
    except FextError as error:
        return error


def test_a_short_error_is_told_whole_and_a_long_one_is_cut() -> None:
    short = told_error(raised("No room.", "Make some."), 1.0)
    assert in_passing(short, "!") == ("No room.", "Make some.")
    assert "FextError: No room." in short.trace
    cause, remedy = in_passing(told_error(raised("No room. " * 100, "Make some."), 1.0), "!")
    assert len(cause) == 240
    assert remedy == "Make some.  ! shows it in full."


async def test_an_error_told_in_passing_is_read_in_full_and_copied(
    opened: Any, settle: Any, shown: Shown, workspace: Workspace, hostile: str
) -> None:
    end = "the very end"
    async with opened(size=(120, 36)) as pilot:
        assert "Error" not in shown(pilot).splitlines()[-1]
        pilot.app.tell_error(raised(f"{hostile} {'x' * 400} {end}", "Mend [b]it[/b]."))
        await settle(pilot)
        assert end not in shown(pilot)
        assert "! Error" in shown(pilot).splitlines()[-1]
        await pilot.press("exclamation_mark")
        await settle(pilot)
        text = shown(pilot)
        assert end in " ".join(text.split())
        assert "[bold red]x[/] \\x1b[31m\\u202egpj." in text
        assert "Mend [b]it[/b]." in text
        await pilot.press("y")
        await settle(pilot)
        written = (workspace.logs / "errors.txt").read_text(encoding="utf-8")
        assert "\x1b" not in written
        assert end in written
        assert pilot.app.clipboard == written.removesuffix("\n")
        assert "logs/errors.txt" in shown(pilot)
        await pilot.press("exclamation_mark")
        await settle(pilot)
        assert len(pilot.app.screen_stack) == 1


async def test_errors_of_the_job_and_of_the_app_are_told_last_first(
    furnished: Workspace, furniture: Any, opened: Any, settle: Any, until: Any, shown: Shown
) -> None:
    furniture.records.change_job(5, state="failed", error={"cause": "The disk is full.", "remedy": "Make room."})
    async with opened(size=(120, 40)) as pilot:
        await until(pilot, lambda: pilot.app.current_job is not None)
        pilot.app.tell_error(raised("There is no checkpoint 'x'.", "Did you mean 'y'?"))
        await pilot.press("exclamation_mark")
        await settle(pilot)
        text = shown(pilot)
        assert text.index("There is no checkpoint") < text.index("Job 5 (train) failed")
        assert "The disk is full." in text


async def test_an_error_in_a_dialog_is_read_there(opened: Any, settle: Any, shown: Shown) -> None:
    async with opened(size=(100, 36), keys="U") as pilot:
        pilot.app.tell_error(raised("Something that happened."))
        await pilot.press("exclamation_mark")
        await settle(pilot)
        assert "What went wrong" in shown(pilot)
        await pilot.press("escape")
        await settle(pilot)
        assert "Look for a newer release" in shown(pilot)


async def test_copying_where_nothing_can_be_written_is_told(
    opened: Any, settle: Any, until: Any, shown: Shown, workspace: Workspace
) -> None:
    async with opened(size=(120, 36)) as pilot:
        (workspace.logs / "errors.txt").mkdir()
        pilot.app.tell_error(raised("Something."))
        await pilot.press("exclamation_mark")
        await settle(pilot)
        await pilot.press("y")
        await until(pilot, lambda: "written:" in shown(pilot))  # the path before it is wrapped anywhere


async def test_guides_that_are_not_installed_are_told(
    opened: Any, until: Any, shown: Shown, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(guides, "PAGES", tmp_path)
    async with opened(size=(120, 36), keys="ctrl+g") as pilot:
        await until(pilot, lambda: "The guides are missing" in shown(pilot))
