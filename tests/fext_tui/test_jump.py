"""Going to a screen, a pane or a place by a part of its name."""

from collections.abc import Callable, Iterable
from typing import Any

from textual.pilot import Pilot

from engine.workspace import Workspace
from fext_tui.screens.base import Target
from fext_tui.screens.jump import Jump, matching
from fext_tui.screens.model import ModelScreen
from fext_tui.widgets.job_table import JobList, JobTable
from fext_tui.widgets.panes import Panes

Shown = Callable[[Pilot[None]], str]


def target(title: str, help_text: str = "") -> Target:
    return Target(title, help_text, lambda: None)


def test_every_word_must_be_found_and_beginnings_come_first() -> None:
    targets = [target("Data: Images"), target("Runs: Details"), target("Model"), target("Imprint", "of images")]
    assert [one.title for one in matching(targets, "ima")] == ["Data: Images", "Imprint"]
    assert [one.title for one in matching(targets, "de")] == ["Runs: Details", "Model"]
    assert [one.title for one in matching(targets, "data im")] == ["Data: Images"]
    assert matching(targets, "nothing") == []
    assert matching(targets, "") == targets


async def test_all_screens_and_panes_are_offered(opened: Any, shown: Shown) -> None:
    async with opened(size=(80, 40), keys="colon") as pilot:
        text = shown(pilot)
        for told in ("Data: Distribution", "Model: Checkpoints", "Runs: Curves", "Viewer", "keys 1 v"):
            assert told in text


async def test_a_pane_of_another_screen_is_gone_to(opened: Any, settle: Any) -> None:
    async with opened(keys="ctrl+o m o d e l space c u enter") as pilot:
        await settle(pilot)
        assert pilot.app.current_mode == "model"
        assert pilot.app.screen.query_one(Panes).current == "curves"


async def test_arrows_choose_and_escape_leaves_all_as_it_is(opened: Any, settle: Any) -> None:
    async with opened(keys="colon down down escape") as pilot:
        assert pilot.app.current_mode == "data"
        assert not isinstance(pilot.app.screen, Jump)
        await pilot.press("colon", *"runs", "down", "enter")
        await settle(pilot)
        assert pilot.app.current_mode == "runs"
        assert pilot.app.screen.query_one(Panes).current == "jobs"


async def test_a_screen_offers_places_of_its_own_and_takes_what_was_typed(
    furnished: Workspace, opened: Any, settle: Any, shown: Shown
) -> None:
    async with opened(size=(120, 36), keys="4") as pilot:
        table = pilot.app.screen.query_one(JobTable)
        await pilot.press("colon", *"large", "enter")
        await settle(pilot)
        assert table.selected_job == 4
        await pilot.press("colon", "2")
        await settle(pilot)
        assert "number of a job" in shown(pilot)
        await pilot.press("enter")
        await settle(pilot)
        assert table.selected_job == 2
        await pilot.press("colon", *"77", "enter")
        await settle(pilot)
        assert "There is no “77” here." in shown(pilot)


async def test_a_job_is_gone_to_though_a_filter_hides_it(furnished: Workspace, opened: Any, settle: Any) -> None:
    async with opened(size=(120, 36), keys="4 slash m e d i u m enter") as pilot:
        await pilot.press("colon", "2", "enter")
        await settle(pilot)
        assert pilot.app.screen.query_one(JobTable).selected_job == 2
        assert not pilot.app.screen.query_one(JobList).close_filter()


async def test_names_are_data_and_a_target_may_take_its_time(
    opened: Any, settle: Any, shown: Shown, hostile: str, monkeypatch: Any
) -> None:
    gone = []

    async def go() -> None:
        gone.append(hostile)

    def offer(_: ModelScreen) -> Iterable[Target]:
        return [Target(hostile, "[b]help[/b]", go)]

    monkeypatch.setattr(ModelScreen, "jump_targets", offer)
    async with opened(size=(100, 40), keys="2 colon") as pilot:
        assert "[bold red]x[/] \\x1b[31m\\u202egpj." in shown(pilot)
        assert "[b]help[/b]" in shown(pilot)
        await pilot.press("enter")
        await settle(pilot)
    assert gone == [hostile]
