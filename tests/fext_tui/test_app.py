"""The shell: modes, help, palette, leaving, errors, sizes."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.app import App
from textual.pilot import Pilot

from engine.errors import FextError
from engine.records import Records
from engine.settings import Settings
from engine.workspace import Workspace
from fext_tui.app import FextApp

TEXTUALS_OWN = {"app.focus_next", "app.focus_previous", "screen.copy_text", "help_quit", "command_palette"}
Shown = Callable[[Pilot[None]], str]
Settle = Callable[[Pilot[None]], Any]


async def test_digits_switch_the_screens(opened: Any, shown: Shown) -> None:
    async with opened() as pilot:
        for key, mode in (("2", "model"), ("3", "viewer"), ("4", "runs"), ("1", "data")):
            await pilot.press(key)
            await pilot.pause()
            assert pilot.app.current_mode == mode
        assert "~/workspace" in shown(pilot)


async def test_the_key_line_tells_what_keys_do_here(opened: Any, shown: Shown) -> None:
    async with opened(keys="2") as pilot:
        lines = "\n".join(shown(pilot).splitlines()[-2:])
        assert "t Train" in lines
        assert "q Quit" in lines
        assert "Resume" not in lines, "there is no checkpoint to resume"
        assert "Stop" not in lines, "nothing runs"


async def test_help_lists_the_keys_of_the_screen(opened: Any, shown: Shown) -> None:
    async with opened(size=(120, 50), keys="2 question_mark") as pilot:
        text = shown(pilot)
        for told in ("Train with these settings", "Save these settings by name", "All keys of this screen"):
            assert told in text
        await pilot.press("escape")
        await pilot.pause()
        assert "All keys of this screen" not in shown(pilot)


async def test_every_action_has_a_key_a_name_and_a_help(opened: Any) -> None:
    async with opened() as pilot:
        for digit in "24":
            await pilot.press(digit)
            await pilot.pause()
            for key, binding in [*pilot.app.screen._bindings, *pilot.app._bindings]:
                if key != "ctrl+q" and binding.action not in TEXTUALS_OWN:
                    assert binding.description, binding
                    assert binding.tooltip, binding
                    assert binding.id, binding


async def test_the_palette_runs_an_action(opened: Any, until: Any) -> None:
    async with opened(keys="2 ctrl+p") as pilot:
        await pilot.press(*"checkpoints")
        await pilot.pause(0.3)
        await pilot.press("enter")
        await until(pilot, lambda: pilot.app.screen.query("#pane-checkpoints.-current"))


async def test_the_theme_can_be_light(opened: Any) -> None:
    async with opened() as pilot:
        await pilot.app.run_action("toggle_light")
        await pilot.pause()
        assert pilot.app.theme == "fext-light"


async def test_a_tiny_terminal_is_told_so(opened: Any, shown: Shown) -> None:
    async with opened(size=(59, 20)) as pilot:
        assert "60 columns and 20 rows" in shown(pilot)
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        assert "60 columns and 20 rows" not in shown(pilot)


async def test_quit_leaves_where_nothing_runs(opened: Any) -> None:
    async with opened() as pilot:
        await pilot.press("q")
        await pilot.pause()
        assert not pilot.app.is_running or pilot.app._exit


async def test_quit_asks_while_a_job_runs(
    opened: Any, furniture: Any, no_runner: None, until: Any, shown: Shown, records: Records
) -> None:
    job = furniture.training("redux-now", 1.0, "running")
    async with opened() as pilot:
        await until(pilot, lambda: pilot.app.current_job is not None)
        await pilot.press("q")
        await pilot.pause()
        assert "Leave it running" in shown(pilot)
        await pilot.press("escape")
        await pilot.pause()
        assert not pilot.app._exit
        await pilot.press("q", "enter")
        await until(pilot, lambda: pilot.app._exit)
    assert records.job(job).state == "running"
    assert records.job(job).stop == 0


async def test_quit_can_stop_the_job(
    opened: Any, furniture: Any, no_runner: None, until: Any, records: Records
) -> None:
    job = furniture.training("redux-now", 1.0, "running")
    async with opened() as pilot:
        await until(pilot, lambda: pilot.app.current_job is not None)
        await pilot.press("q", "down", "enter")
        await until(pilot, lambda: pilot.app._exit)
    assert records.job(job).stop == 1


@pytest.mark.parametrize("state", ["killed", "lost", "done"])
async def test_a_training_that_died_is_resumed_with_one_key(
    opened: Any, furniture: Any, no_runner: None, until: Any, shown: Shown, records: Records, state: str
) -> None:
    job = furniture.training("redux-now", 1.0, "done")
    furniture.checkpoint("redux-now", 1.0)
    records.change_job(job, state=state)
    async with opened() as pilot:
        await until(pilot, lambda: pilot.app.current_job is not None)
        await pilot.pause()
        assert ("Resume" in shown(pilot).splitlines()[-1]) == (state != "done")
        await pilot.press("R")
        if state != "done":
            await until(pilot, lambda: records.jobs("queued") or "redux-now" in str(pilot.app._notifications))
    asked = [job.arguments["checkpoint"] for job in records.jobs("queued")]
    assert asked == ([] if state == "done" else ["redux-now"])


async def test_stop_asks_the_job_and_then_the_person(
    opened: Any, furniture: Any, no_runner: None, until: Any, shown: Shown, records: Records
) -> None:
    job = furniture.training("redux-now", 1.0, "running")
    async with opened(keys="2") as pilot:
        await until(pilot, lambda: pilot.app.current_job is not None)
        await pilot.press("s")
        await until(pilot, lambda: pilot.app.current_job.stop == 1)
        await until(pilot, lambda: "stopping" in shown(pilot))
        await pilot.press("s")
        await pilot.pause()
        assert "Kill job" in shown(pilot)
        await pilot.press("enter")
        await pilot.pause()
        assert records.job(job).stop == 1, "No is where the cursor stands"
        await pilot.press("s", "y")
        await until(pilot, lambda: records.job(job).stop == 2)


async def test_the_bar_shows_progress_and_then_the_error(
    opened: Any, furniture: Any, no_runner: None, until: Any, shown: Shown, records: Records, hostile: str
) -> None:
    job = furniture.training("redux-now", 1.0, "running", steps=430)
    async with opened(size=(120, 30)) as pilot:
        await until(pilot, lambda: "430/1,000 steps" in shown(pilot))
        assert " 43 %" in shown(pilot)
        error = {
            "cause": f"Bad {hostile}",
            "remedy": "Mend [b]it[/b].",
            "exit_code": 1,
            "traceback": "line one\nline two",
        }
        records.change_job(job, state="failed", ended=2.0, error=error)
        await until(pilot, lambda: "failed  job" in shown(pilot))
        text = shown(pilot)
        assert "Bad [bold red]x[/] \\x1b[31m\\u202egpj." in text
        assert "Mend [b]it[/b]." in text
        await pilot.press("exclamation_mark")
        await pilot.pause()
        assert "line two" in shown(pilot)
        await pilot.press("escape", "escape")
        await pilot.pause()
        assert "No job runs." in shown(pilot)


def test_records_that_cannot_be_read_are_told_before_the_app_begins(
    make_app: Callable[[], FextApp], workspace: Workspace
) -> None:
    workspace.database.write_bytes(b"this is no database, however long it is" * 100)
    with pytest.raises(FextError, match="damaged") as caught:
        make_app()
    assert "Move the file away" in caught.value.remedy


async def test_a_refused_job_is_told(opened: Any, until: Any, shown: Shown) -> None:
    async with opened(size=(120, 30)) as pilot:
        pilot.app.start_job("resume", {"checkpoint": "nothing"})
        await until(pilot, lambda: "There is no checkpoint" in shown(pilot))


async def test_a_real_job_is_started_followed_and_ends(
    opened: Any, until: Any, settle: Settle, workspace: Workspace
) -> None:
    async with opened() as pilot:
        ended = []
        pilot.app.job_ended.subscribe(pilot.app, ended.append)
        pilot.app.start_job("sample", {"folder": str(workspace.images), "count": 3, "seed": 1})
        await until(pilot, lambda: ended)
        assert ended[0].state == "done", ended[0].error
        assert ended[0].result["images"] == 3
        await settle(pilot)


def test_the_app_loads_no_torch(tmp_path: Path) -> None:
    import subprocess

    code = "import sys, fext_tui.app, fext_tui.screens.model, fext_tui.screens.runs; print('torch' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert result.stdout.strip() == "False"


@pytest.mark.parametrize("ignored", [False, True])
def test_a_hang_up_ends_the_app_promptly(ignored: bool, workspace: Workspace, wait_for: Callable[..., Any]) -> None:
    """The terminal is closed by force; also where the signal of it is ignored, as under nohup."""
    import pty
    import signal

    child, terminal = pty.fork()
    if child == 0:
        if ignored:
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
        os.environ["TERM"] = "xterm-256color"
        code = (
            "import sys; from pathlib import Path; from engine.settings import Settings;"
            "from engine.workspace import Workspace; from fext_tui.app import FextApp;"
            "FextApp(Workspace(Path(sys.argv[1])), Settings()).run()"
        )
        os.execv(sys.executable, [sys.executable, "-c", code, str(workspace.root)])  # noqa: S606 - Python itself
    seen = b""
    while b"FeXT" not in seen:
        seen += os.read(terminal, 65536)
    os.close(terminal)
    wait_for(lambda: os.waitpid(child, os.WNOHANG)[0] == child, seconds=10, what="the end of the app")


def test_settings_are_shared(workspace: Workspace) -> None:
    app = FextApp(workspace, Settings())
    assert isinstance(app, App)
    app.settings = app.settings.with_values({"training.epochs": 3})
    assert app.settings.training.epochs == 3


async def test_the_mouse_reaches_screens_and_keys(opened: Any, shown: Shown) -> None:
    async with opened(size=(120, 36)) as pilot:
        await pilot.click("#top-bar", offset=(shown(pilot).index("4 Runs"), 0))
        await pilot.pause()
        assert pilot.app.current_mode == "runs"
        keys = shown(pilot).splitlines()[-1]
        await pilot.click("#key-line", offset=(keys.index("? Keys"), 0))
        await pilot.pause()
        assert "All keys of this screen" in shown(pilot)


async def test_a_row_is_changed_by_mouse(opened: Any, shown: Shown) -> None:
    async with opened(keys="2") as pilot:
        row = next(row for row in pilot.app.screen.query("SettingRow") if row.field.key == "model.downsampling")
        await pilot.click(row)
        await pilot.click(row)
        await pilot.pause()
        assert pilot.app.settings.model.downsampling == 32
