"""Points of a latent as text: grouped by label or PSNR, of one scale, turned; the screen that shows them."""

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import FextError
from fext_tui.latent import MARKERS, Points, groups_of, plot, read_points, turned
from fext_tui.screens.latent import LatentScreen

HEAD = "path,label,psnr,pc1,pc2,pc3\n"


def points(labels: list[str]) -> Points:
    count = len(labels)
    return Points(tuple(labels), tuple(map(float, range(count))), tuple((n, -n, n % 3) for n in range(count)))


def test_labels_of_most_images_have_markers_of_their_own() -> None:
    labels = [name for number, name in enumerate("abcdefghij") for _ in range(10 - number)]
    groups = groups_of(points(labels), by_label=True)
    assert [group.name for group in groups] == ["others", *"abcdefgh"]
    assert [group.marker for group in groups] == ["·", *MARKERS]
    assert sorted(number for group in groups for number in group.numbers) == list(range(55))
    assert len({group.color for group in groups}) == 9


@given(st.lists(st.floats(-10, 60), min_size=1, max_size=40))
def test_fifths_of_the_psnr_are_in_order(psnr: list[float]) -> None:
    groups = groups_of(Points(("",) * len(psnr), tuple(psnr), ((0, 0, 0),) * len(psnr)), by_label=False)
    values = [psnr[number] for group in groups for number in group.numbers]
    assert values == sorted(psnr)
    assert max(len(group.numbers) for group in groups) - min(len(group.numbers) for group in groups) <= 1 or (
        len(psnr) < 5
    )


@given(st.floats(-720, 720), st.tuples(*[st.floats(-100, 100)] * 3))
def test_turning_round_changes_nothing(degrees: float, place: tuple[float, float, float]) -> None:
    [one], [other] = turned([place], degrees), turned([place], degrees + 360)
    assert math.dist(one, other) < 1e-9
    [opposite] = turned([place], degrees + 180)
    assert opposite[0] == pytest.approx(-one[0], abs=1e-9)


def test_a_plot_has_its_size_and_all_markers() -> None:
    given_points = points(["a", "b"] * 20)
    groups = groups_of(given_points, by_label=True)
    text = plot([(x, y) for x, y, _ in given_points.places], groups, 60, 18)
    assert len(text.rstrip("\n").split("\n")) == 18
    assert MARKERS[0] in text
    assert MARKERS[1] in text


def test_one_point_and_equal_points_are_drawn() -> None:
    for count in (1, 5):
        same = Points(("",) * count, (20.0,) * count, ((1.0, 2.0, 3.0),) * count)
        assert "●" in plot([(1.0, 2.0)] * count, groups_of(same, by_label=False), 40, 10)


@pytest.mark.parametrize(
    "content", ["", HEAD, HEAD + "a,b,x,1,2,3\n", HEAD + "a,b,1,nan,2,3\n", "path\na\n", HEAD + "a,b\n"]
)
def test_damaged_files_are_told(tmp_path: Path, content: str) -> None:
    (tmp_path / "latent.csv").write_text(content)
    with pytest.raises(FextError, match="latent") as told:
        read_points(tmp_path / "latent.csv")
    assert "Evaluate" in told.value.remedy


async def test_points_are_shown_turned_and_colored_by_keys(opened: Any, until: Any, shown: Any, tmp_path: Path) -> None:
    rows = [f"{n}.png,{'cat[red]' if n % 2 else 'dog'},{20 + n / 10},{n % 7},{n % 5},{n % 3}" for n in range(50)]
    (tmp_path / "latent.csv").write_text(HEAD + "\n".join(rows) + "\n")
    async with opened(size=(80, 24), keys="2") as pilot:
        pilot.app.push_screen(LatentScreen("Latent of first", tmp_path / "latent.csv"))
        await until(pilot, lambda: "● cat[red] (25)" in shown(pilot) and "PC 1 across" in shown(pilot))
        await pilot.press("v", "l")
        await until(pilot, lambda: "turned by 45°" in shown(pilot))
        await pilot.press("c")
        await until(pilot, lambda: "20.0–20.9 dB (10)" in shown(pilot))
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(pilot.app.screen, LatentScreen))


async def test_a_report_without_points_is_told(opened: Any, until: Any, shown: Any, tmp_path: Path) -> None:
    async with opened(size=(80, 24), keys="2") as pilot:
        pilot.app.push_screen(LatentScreen("Latent of first", tmp_path / "latent.csv"))
        await until(pilot, lambda: "Evaluate the checkpoint again" in shown(pilot))
        assert not isinstance(pilot.app.screen, LatentScreen)
