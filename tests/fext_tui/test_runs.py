"""The Runs screen, by keys: jobs, details, curves, upkeep."""

import csv
from collections.abc import Callable
from typing import Any

from PIL import Image
from textual.pilot import Pilot

from engine.records import Records
from engine.workspace import Workspace
from fext_tui.screens.runs import JobsRead, RunsScreen
from fext_tui.widgets.job_table import JobTable

Shown = Callable[[Pilot[None]], str]


async def test_jobs_are_listed_newest_first(furnished: Workspace, opened: Any, shown: Shown) -> None:
    async with opened(size=(160, 48), keys="4") as pilot:
        lines = shown(pilot).splitlines()
        newest = next(index for index, line in enumerate(lines) if "5  train     stopped  medium-wide" in line)
        assert "27.08   17.3     62  2:10" in lines[newest]
        assert "4  train     failed   large-first" in lines[newest + 1]
        assert "2  evaluate  done     redux-photos" in lines[newest + 3]


async def test_details_show_what_differs_and_what_went_wrong(furnished: Workspace, opened: Any, shown: Shown) -> None:
    async with opened(size=(160, 48), keys="4") as pilot:
        text = shown(pilot)
        assert "model.variant" in text
        assert "default redux" in text
        await pilot.press("down")
        await pilot.pause(0.2)
        text = shown(pilot)
        assert "There is no image in /photos/[bold]empty[/bold]." in text
        assert "Choose a folder with jpg" in text
        assert "error: No image was found." in text
        assert "This job has no curve." in text


async def test_details_open_and_close_in_a_narrow_terminal(furnished: Workspace, opened: Any, shown: Shown) -> None:
    async with opened(keys="4 enter") as pilot:
        assert "Settings that differ from the defaults" in shown(pilot)
        await pilot.press("v")
        await pilot.pause()
        assert "loss ─ train" in shown(pilot)
        await pilot.press("escape")
        await pilot.pause()
        assert pilot.app.screen.query_one(JobTable).has_focus


async def test_an_empty_workspace_says_what_fills_it(opened: Any, shown: Shown) -> None:
    async with opened(keys="4") as pilot:
        assert "No job yet." in shown(pilot)
        assert "Export" not in shown(pilot).splitlines()[-1]


async def test_jobs_of_others_appear_by_themselves(
    furniture: Any, no_runner: None, opened: Any, until: Any, shown: Shown
) -> None:
    async with opened(keys="4") as pilot:
        furniture.job("evaluate", 5.0, "done", {"checkpoint": "elsewhere"})
        await until(pilot, lambda: "elsewhere" in shown(pilot))


async def test_names_are_data(furniture: Any, hostile: str, opened: Any, shown: Shown) -> None:
    furniture.job("encode", 5.0, "done", {"checkpoint": hostile.replace("\udcff", "")})
    async with opened(size=(160, 48), keys="4") as pilot:
        assert "[bold red]x[/] \\x1b" in shown(pilot)


async def test_records_are_exported(furnished: Workspace, opened: Any, settle: Any, shown: Shown) -> None:
    async with opened(size=(120, 30), keys="4 x") as pilot:
        await settle(pilot)
        assert "export-" in shown(pilot)
    [folder] = furnished.metadata.glob("export-*")
    with (folder / "job.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["kind"] for row in rows] == ["train", "evaluate", "analyze", "train", "train"]


async def test_deleting_records_asks_with_no_first(
    furnished: Workspace, opened: Any, until: Any, settle: Any, records: Records, shown: Shown
) -> None:
    async with opened(keys="4 D") as pilot:
        assert "Delete all records?" in shown(pilot)
        await pilot.press("enter")
        await settle(pilot)
        assert len(records.jobs()) == 5
        await pilot.press("D", "y")
        await until(pilot, lambda: "No job yet." in shown(pilot))
        assert "No job runs." in shown(pilot)
        await pilot.press("2", "v")
        await until(pilot, lambda: "No curve yet." in shown(pilot))
    assert records.jobs() == []
    assert records.runs() == []
    assert (furnished.checkpoints / "redux-photos").is_dir()


async def test_records_are_not_deleted_while_a_job_runs(
    furniture: Any, no_runner: None, opened: Any, until: Any, records: Records, shown: Shown
) -> None:
    furniture.training("redux-now", 1.0, "running")
    async with opened(size=(120, 30), keys="4 D y") as pilot:
        await until(pilot, lambda: "A job is running or waiting." in shown(pilot))
    assert len(records.jobs()) == 1


async def test_logs_are_removed_after_asking(
    furnished: Workspace, opened: Any, until: Any, settle: Any, shown: Shown
) -> None:
    log = furnished.log_of_job(1)
    log.write_text("much\n", encoding="utf-8")
    async with opened(size=(120, 30), keys="4 g enter") as pilot:
        await settle(pilot)
        assert log.exists()
        await pilot.press("g", "y")
        await until(pilot, lambda: "log files are removed" in shown(pilot))
    assert not log.exists()


async def test_a_waiting_job_is_stopped(
    furniture: Any, no_runner: None, opened: Any, until: Any, records: Records
) -> None:
    furniture.training("redux-now", 1.0, "running")
    waiting = records.add_job("sample", "cpu", {}, {"folder": "x"})
    async with opened(keys="4") as pilot:
        assert pilot.app.screen.query_one(JobTable).selected_job == waiting
        await pilot.press("s")
        await until(pilot, lambda: records.job(waiting).state == "stopped")
    assert records.job(1).stop == 0


async def test_attaching_shows_the_curve_of_an_old_job(furnished: Workspace, opened: Any, until: Any) -> None:
    async with opened(keys="4") as pilot:
        await until(pilot, lambda: pilot.app.history.name == "medium-wide")
        await pilot.press("end", "a")
        await until(pilot, lambda: pilot.app.history.name == "redux-photos")
        assert pilot.app.current_mode == "model"
        await until(pilot, lambda: pilot.app.history.step == 600)


async def test_a_run_is_resumed(
    furnished: Workspace, no_runner: None, opened: Any, until: Any, records: Records
) -> None:
    async with opened(keys="4 r") as pilot:
        await until(pilot, lambda: records.jobs("queued"))
    [job] = records.jobs("queued")
    assert (job.kind, job.arguments) == ("resume", {"checkpoint": "medium-wide"})


async def test_progress_of_a_running_job_is_in_the_table(
    furniture: Any, no_runner: None, opened: Any, until: Any, records: Records, shown: Shown
) -> None:
    job = furniture.training("redux-now", 1.0, "running", steps=300)
    async with opened(size=(120, 30), keys="4") as pilot:
        await until(pilot, lambda: "running 30 %" in shown(pilot))
        records.change_job(job, done=400)
        await until(pilot, lambda: "running 40 %" in shown(pilot))


async def test_the_figure_of_a_job_opens_in_the_viewer(
    furnished: Workspace, records: Records, opened: Any, until: Any, shown: Shown
) -> None:
    figure = furnished.validation / "redux-photos" / "reconstructions.png"
    figure.parent.mkdir()
    Image.new("RGB", (32, 16), "teal").save(figure)
    records.add_artifact(2, "figure", figure)
    async with opened(size=(120, 36), keys="4 down down down") as pilot:
        assert "o Open" in shown(pilot)
        await pilot.press("o")
        await until(pilot, lambda: pilot.app.current_mode == "viewer" and "reconstructions.png" in shown(pilot))


async def test_a_note_is_written_to_the_selected_run(
    furnished: Workspace, records: Records, opened: Any, until: Any, shown: Shown
) -> None:
    async with opened(size=(160, 48), keys="4 n") as pilot:
        assert "Note of medium-wide" in shown(pilot)
        await pilot.press(*"#night [b]", "enter")
        await until(pilot, lambda: any(row["note"] for row in pilot.app.screen._runs.values()))
        await pilot.press("n")
        await pilot.pause()
        assert "#night [b]" in shown(pilot)
    run = records.existing_run("medium-wide")
    assert (run["note"], run["tags"]) == ("[b]", "night")


def listed(pilot: Pilot[None]) -> list[int]:
    """Return the numbers of the jobs in the table, from the top."""
    return [int(str(key.value)) for key in pilot.app.screen.query_one(JobTable).rows]


async def test_jobs_are_filtered_as_one_types(
    furnished: Workspace, records: Records, opened: Any, until: Any, shown: Shown
) -> None:
    records.change_run(1, note="with more blue", tags="night")
    async with opened(size=(160, 48), keys="4") as pilot:
        everything = listed(pilot)
        await pilot.press("slash", *"redux")
        await until(pilot, lambda: listed(pilot) == [2, 1])
        assert f"2 of {len(everything)} jobs   by number, the newest first   with “redux”" in shown(pilot)
        await pilot.press(*" EVAL")
        await until(pilot, lambda: listed(pilot) == [2])
        await pilot.press("enter", "slash", "ctrl+u", *"#night blue")
        await until(pilot, lambda: listed(pilot) == [1])
        await pilot.press(*"x")
        await until(pilot, lambda: listed(pilot) == [])
        await pilot.press("escape")
        await until(pilot, lambda: listed(pilot) == everything)
        assert "by number" not in shown(pilot)


async def test_jobs_are_sorted_and_turned_round(furnished: Workspace, opened: Any, until: Any, shown: Shown) -> None:
    async with opened(size=(160, 48), keys="4") as pilot:
        table = pilot.app.screen.query_one(JobTable)
        newest_first = listed(pilot)
        await pilot.press("c", *["down"] * 3, "enter")
        await until(pilot, lambda: "by best PSNR" in shown(pilot))
        best = [float(cell.plain) for cell in table.get_column("psnr") if cell.plain not in {"", "–"}]
        assert best == sorted(best, reverse=True)
        assert len(best) > 1
        assert listed(pilot)[: len(best)] != newest_first[: len(best)]
        await pilot.press("c", *["down"] * 3, "enter")
        await until(pilot, lambda: "turned round" in shown(pilot))
        turned = [float(cell.plain) for cell in table.get_column("psnr") if cell.plain not in {"", "–"}]
        assert turned == best[::-1]
        assert table.get_column_at(5)
        await pilot.press("c", "enter")
        await until(pilot, lambda: listed(pilot) == newest_first)


async def test_a_long_history_is_listed_and_found(records: Records, opened: Any, until: Any, shown: Shown) -> None:
    with records.transaction():
        for number in range(500):
            job = records.add_job("train", "cpu", {}, {}, records.add_run(f"run-{number}", "redux"))
            records.change_job(job, state="done", started=0.0, ended=float(number))
    async with opened(size=(120, 36), keys="4") as pilot:
        await until(pilot, lambda: len(listed(pilot)) == 500)
        await pilot.press("end")
        await until(pilot, lambda: pilot.app.screen.query_one(JobTable).selected_job == 1)
        await pilot.press("slash", *"run-42")
        await until(pilot, lambda: len(listed(pilot)) == 11)
        await pilot.press("enter", "c", *["down"] * 6, "enter")
        await until(pilot, lambda: listed(pilot) == [430, 429, 428, 427, 426, 425, 424, 423, 422, 421, 43])


async def test_a_run_is_renamed(furnished: Workspace, records: Records, opened: Any, until: Any, shown: Shown) -> None:
    async with opened(size=(160, 48), keys="4 N") as pilot:
        assert "Rename medium-wide" in shown(pilot)
        await pilot.press("ctrl+u", *"../up", "enter")
        await until(pilot, lambda: "cannot name a run" in shown(pilot))
        await pilot.press("ctrl+u", *"colder", "enter")
        await until(pilot, lambda: "colder" in shown(pilot))
    assert records.existing_run("colder")
    assert (furnished.checkpoints / "colder").is_dir()
    assert not (furnished.checkpoints / "medium-wide").exists()


async def test_a_run_is_deleted_after_asking(
    furnished: Workspace, records: Records, opened: Any, settle: Any, until: Any, shown: Shown
) -> None:
    async with opened(size=(160, 48), keys="4 d") as pilot:
        assert "Delete run medium-wide?" in shown(pilot)
        await pilot.press("enter")
        await settle(pilot)
        assert records.run_named("medium-wide"), "the cursor stands on keeping it"
        await pilot.press("d", "down", "enter")
        await until(pilot, lambda: "train  medium-wide" not in shown(pilot))
        assert "Run medium-wide is deleted." in shown(pilot)
    assert records.run_named("medium-wide") is None
    assert not records.jobs_numbered([5])


async def test_the_queue_is_moved_and_held_by_keys(
    furniture: Any, no_runner: None, records: Records, opened: Any, until: Any, shown: Shown
) -> None:
    one, two, three = (records.add_job("sample", "cpu", {}, {"folder": f"f{number}"}) for number in range(3))
    async with opened(size=(160, 48), keys="4") as pilot:
        assert [word in shown(pilot) for word in ("queued 1.", "queued 2.", "queued 3.")] == [True] * 3
        await pilot.press("less_than_sign")
        await until(pilot, lambda: [job.id for job in records.queue()] == [one, three, two])
        await pilot.press("H")
        await until(pilot, lambda: "held 2." in shown(pilot))
        await pilot.press("greater_than_sign")
        await until(pilot, lambda: "held 3." in shown(pilot))
        assert [job.id for job in records.queue()] == [one, two, three]
        await pilot.press("H")
        await until(pilot, lambda: "queued 3." in shown(pilot))
        assert records.next_queued()


async def test_what_does_not_wait_cannot_be_moved(furnished: Workspace, opened: Any, shown: Shown) -> None:
    async with opened(size=(160, 48), keys="4") as pilot:
        assert "Queue" not in shown(pilot).splitlines()[-1]


async def test_a_reading_that_was_begun_earlier_does_not_take_the_place_of_a_later_one(
    furnished: Workspace, records: Records, opened: Any, shown: Shown
) -> None:
    async with opened(size=(160, 48), keys="4") as pilot:
        screen = pilot.app.screen
        assert isinstance(screen, RunsScreen)
        jobs = records.jobs()
        old = JobsRead(next(screen._readings), jobs[1:], {}, [])
        screen.read_jobs(records)
        screen.post_message(old)
        await pilot.pause()
        assert set(listed(pilot)) == {job.id for job in jobs}
