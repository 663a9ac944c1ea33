"""The Viewer, by keys."""

import json
import os
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import PIL.Image
import pytest
from textual.pilot import Pilot
from textual.widgets import Input, OptionList, Static

from engine.errors import UsageError
from engine.images.scan import listed_names
from engine.rankings import REPORT_FILE, TABLE_FILE, folder_of_ranking
from engine.records import Records
from engine.workspace import Workspace
from fext_tui.app import FextApp
from fext_tui.drawing import Drawing
from fext_tui.orders import Arranged, Arrangement, Order, arrange, holding
from fext_tui.screens.dialogs import Choose
from fext_tui.screens.sources import SourcesRead
from fext_tui.screens.viewer import ViewerScreen
from fext_tui.sources import Source
from fext_tui.widgets.browser import Browser
from fext_tui.widgets.canvas import Canvas
from fext_tui.widgets.contact_sheet import ContactSheet
from fext_tui.widgets.file_list import FileList
from fext_tui.widgets.picture import Picture
from fext_tui.widgets.picture_facts import PictureFacts
from tests.embedding_sets import write_set

Opener = Callable[..., AbstractAsyncContextManager[Pilot[None]]]
Wait = Callable[..., Any]
Shown = Callable[[Pilot[None]], str]

RED, GREEN, BLUE = (200, 30, 30), (30, 180, 60), (40, 60, 220)
STATISTICS = {"height": 60, "width": 90, "mean": 81.5, "median": 80, "std": 12.25, "min": 3, "max": 250,
              "pixel_range": 247, "noise_std": 1.5, "noise_ratio": 0.1224}  # fmt: skip


def save(path: Path, color: tuple[int, int, int] = RED, size: tuple[int, int] = (90, 60)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.new("RGB", size, color).save(path)
    return path


@pytest.fixture
def images(workspace: Workspace) -> Path:
    """Return the training folder with five pictures."""
    for number, color in enumerate((RED, GREEN, BLUE)):
        save(workspace.images / f"{number}.png", color)
    save(workspace.images / "pets" / "cat.png", GREEN)
    save(workspace.images / "pets" / "dog.png", BLUE)
    return workspace.images


def drawn(canvas: Canvas, key: object = "picture") -> Drawing | None:
    """Return the drawing of that key on a canvas."""
    placed = canvas._placed.get(key)
    return placed.drawing if placed else None


class Look:
    """What stands on the Viewer."""

    def __init__(self, pilot: Pilot[None]) -> None:
        self.pilot = pilot

    @property
    def screen(self) -> ViewerScreen:
        assert isinstance(self.pilot.app.screen, ViewerScreen)
        return self.pilot.app.screen

    @property
    def names(self) -> list[str]:
        return list(self.screen.query_one(FileList).names)

    @property
    def current(self) -> str | None:
        return self.screen.query_one(FileList).current

    @property
    def colors(self) -> set[tuple[int, ...]]:
        """The colors of the picture that is on the screen."""
        drawing = drawn(self.screen.query_one(Picture))
        if drawing is None:
            return set()
        return {tuple(style.bgcolor.get_truecolor()) for strip in drawing.strips for _, style, _ in strip if style}

    @property
    def note(self) -> str:
        return self.screen.query_one(Picture)._note

    @property
    def count(self) -> str:
        return str(self.screen.query_one("#viewer-count", Static).content)


async def test_it_opens_on_the_training_images_and_moves_by_keys(opened: Opener, until: Wait, images: Path) -> None:
    async with opened(keys="3") as pilot:
        look = Look(pilot)
        await until(pilot, lambda: look.colors == {RED})
        assert look.names == ["0.png", "1.png", "2.png", "pets/cat.png", "pets/dog.png"]
        for key, name, color in (
            ("j", "1.png", GREEN), ("down", "2.png", BLUE), ("k", "1.png", GREEN), ("up", "0.png", RED),
            ("end", "pets/dog.png", BLUE), ("left", "pets/cat.png", GREEN), ("home", "0.png", RED),
            ("G", "pets/dog.png", BLUE), ("g", "0.png", RED), ("pagedown", "pets/dog.png", BLUE),
            ("pageup", "0.png", RED),
        ):  # fmt: skip
            await pilot.press(key)
            await until(pilot, lambda color=color: look.colors == {color})
            assert look.current == name, key
        assert look.count == "1 of 5"


async def test_the_facts_are_those_of_file_and_records(
    opened: Opener, until: Wait, shown: Shown, images: Path, records: Records
) -> None:
    dataset = records.dataset(images)
    row = {"path": "pets/cat.png", "bytes": 1, "modified_ns": 1, "format": "PNG", "width": 90, "height": 60}
    numbers = records.put_images(dataset, [{**row, "subset": "validation"}])
    records.put_image_metrics("statistics", [{"image": numbers["pets/cat.png"], **STATISTICS}])
    async with opened(keys="3 G k", size=(80, 24)) as pilot:
        await until(pilot, lambda: "cat.png  90 × 60 px" in shown(pilot))
        assert "validation" in shown(pilot)
        assert "mean 81.50  deviation 12.25" in shown(pilot)
        await pilot.press("j")
        await until(pilot, lambda: "dog.png  90 × 60 px" in shown(pilot))
        assert "deviation" not in shown(pilot)
    async with opened(keys="3 G k", size=(160, 48)) as pilot:
        await until(pilot, lambda: "noise ratio" in shown(pilot))
        assert pilot.app.screen.query_one("#viewer-facts", PictureFacts).region.width > 20


async def test_an_unreadable_picture_gives_its_reason_in_its_place(opened: Opener, until: Wait, images: Path) -> None:
    whole = (images / "0.png").read_bytes()
    (images / "0.png").write_bytes(whole[: len(whole) // 2])
    async with opened(keys="3") as pilot:
        look = Look(pilot)
        await until(pilot, lambda: look.note == "This picture cannot be shown: truncated.")
        await pilot.press("j")
        await until(pilot, lambda: look.colors == {GREEN})
        (images / "1.png").unlink()
        await pilot.press("j", "k")
        await until(pilot, lambda: "No such file" in look.note)


async def test_the_filter_keeps_names_that_hold_a_text(opened: Opener, until: Wait, images: Path) -> None:
    async with opened(keys="3") as pilot:
        look = Look(pilot)
        await until(pilot, lambda: len(look.names) == 5)
        await pilot.press("slash", *"PET")
        await until(pilot, lambda: look.names == ["pets/cat.png", "pets/dog.png"])
        await pilot.press("down")
        assert look.current == "pets/dog.png", "arrows move while the filter is edited"
        await pilot.press("enter", "k")
        assert look.current == "pets/cat.png", "enter gives the letters back"
        await until(pilot, lambda: look.colors == {GREEN})
        await pilot.press("slash", "z")
        await until(pilot, lambda: "No name holds this text" in look.note)
        await pilot.press("escape")
        await until(pilot, lambda: len(look.names) == 5)
        assert not pilot.app.screen.query_one("#viewer-filter", Input).display


async def test_letters_belong_to_the_filter_while_it_is_edited(opened: Opener, images: Path) -> None:
    async with opened(keys="3") as pilot:
        await pilot.press("slash", *"1jo/q?")
        assert pilot.app.screen.query_one("#viewer-filter", Input).value == "1jo/q?"
        assert isinstance(pilot.app.screen, ViewerScreen)


async def test_sources_follow_one_another(
    opened: Opener, until: Wait, shown: Shown, images: Path, workspace: Workspace
) -> None:
    save(workspace.inference_images / "new.png", BLUE)
    save(workspace.dataset_plots / "plot.png", RED)
    save(workspace.validation / "redux-1" / "pairs.png", GREEN)
    async with opened(keys="3") as pilot:
        look = Look(pilot)
        for key, title, names in (
            ("right_square_bracket", "Images to encode", ["new.png"]),
            ("tab", "Dataset plots", ["plot.png"]),
            ("right_square_bracket", "Evaluation redux-1", ["pairs.png"]),
            ("left_square_bracket", "Dataset plots", ["plot.png"]),
            ("shift+tab", "Images to encode", ["new.png"]),
        ):
            await pilot.press(key)
            await until(pilot, lambda names=names: look.names == names)
            assert title in shown(pilot)
        await pilot.press("left_square_bracket", "left_square_bracket")
        await until(pilot, lambda: look.names == ["pairs.png"])
        assert "4/4" in shown(pilot)


async def test_an_empty_source_says_which_key_fills_it(opened: Opener, until: Wait, workspace: Workspace) -> None:
    async with opened(keys="3") as pilot:
        look = Look(pilot)
        await until(pilot, lambda: look.note.startswith("No pictures in ~/workspace/database/images."))
        assert "m to make sample images" in look.note
        assert look.count == "no pictures"
        await pilot.press("j", "k", "G", "pagedown", "f", "f")
        workspace.images.rmdir()
        await pilot.press("ctrl+r")
        await until(pilot, lambda: "cannot be read: No such file or directory" in look.note)


async def test_any_folder_can_be_opened(opened: Opener, until: Wait, images: Path, tmp_path: Path) -> None:
    save(tmp_path / "elsewhere" / "far.png", BLUE)
    async with opened(keys="3") as pilot:
        look = Look(pilot)
        await pilot.press("o", "slash", "ctrl+u", *"~/elsewhere", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, ViewerScreen) and look.names == ["far.png"])
        await until(pilot, lambda: look.colors == {BLUE})
        await pilot.press("right_square_bracket")
        await until(pilot, lambda: "0.png" in look.names)


async def test_a_picture_is_shown_in_the_source_it_belongs_to(
    make_app: Callable[..., FextApp], until: Wait, images: Path, tmp_path: Path
) -> None:
    outside = save(tmp_path / "outside" / "x.png", BLUE)
    app = make_app()
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: app.current_mode == "data")
        look = Look(pilot)
        await app.open_in_viewer(images / "pets" / "dog.png")
        await until(pilot, lambda: look.colors == {BLUE} and len(look.names) == 5)
        assert look.current == "pets/dog.png"
        await app.open_in_viewer(images / "1.png")
        await until(pilot, lambda: look.current == "1.png" and look.colors == {GREEN})
        await app.open_in_viewer(outside)
        await until(pilot, lambda: look.names == ["x.png"] and look.colors == {BLUE})
        await app.open_in_viewer(images)
        await until(pilot, lambda: look.current == "0.png" and look.colors == {RED})


async def test_hostile_names_are_text(
    opened: Opener, until: Wait, shown: Shown, workspace: Workspace, hostile: str, records: Records
) -> None:
    name = hostile.replace("/", "") + ".png"
    save(workspace.images / "a.png", BLUE)
    save(workspace.images / name, GREEN)
    dataset = records.dataset(workspace.images)
    row = {"path": name, "bytes": 1, "modified_ns": 1, "format": "[red]PNG[/]", "width": 90, "height": 60, "subset": ""}
    records.put_images(dataset, [row])
    async with opened(keys="3", size=(160, 40)) as pilot:
        look = Look(pilot)
        await until(pilot, lambda: look.colors == {GREEN} and "[red]PNG[/]" in shown(pilot))
        assert look.current == name
        text = shown(pilot)
        assert "[bold red]x[]" in text
        assert "\\x1b[31m\\u202egpj.\\n\\xff.png" in text
        assert not {"\x1b", "\u202e", "\udcff"} & set(text)


async def test_the_picture_fills_its_place_in_its_proportions(
    opened: Opener, until: Wait, workspace: Workspace
) -> None:
    save(workspace.images / "a.png", RED, (300, 300))
    async with opened(keys="3", size=(80, 24)) as pilot:
        picture = pilot.app.screen.query_one(Picture)
        await until(pilot, lambda: drawn(picture))
        small = drawn(picture)
        assert small is not None
        assert (small.columns, small.rows) == (2 * picture.size.height, picture.size.height)
        await pilot.press("f")
        await until(pilot, lambda: picture.size.width == 80 and drawn(picture) is not small)
        await pilot.resize_terminal(61, 30)
        await until(pilot, lambda: getattr(drawn(picture), "rows", 0) == picture.size.height)
        large = drawn(picture)
        assert large is not None
        assert large.columns == 2 * large.rows
        await pilot.press("escape")
        await until(pilot, lambda: picture.size.width < 61)


async def test_new_plots_are_found_on_return(opened: Opener, until: Wait, workspace: Workspace) -> None:
    save(workspace.dataset_plots / "a.png", RED)
    async with opened(keys="3 ] ]") as pilot:
        look = Look(pilot)
        await until(pilot, lambda: look.names == ["a.png"])
        await pilot.press("1")
        save(workspace.dataset_plots / "b.png", BLUE)
        os.utime(workspace.dataset_plots, ns=(1, 1))
        await pilot.press("3")
        await until(pilot, lambda: look.names == ["a.png", "b.png"])
        assert look.current == "a.png"


async def test_the_newest_wish_wins(opened: Opener, until: Wait, workspace: Workspace) -> None:
    for number in range(12):
        save(workspace.images / f"{number:02}.png", (number, 0, 0))
    async with opened(keys="3") as pilot:
        look = Look(pilot)
        await until(pilot, lambda: len(look.names) == 12)
        for _ in range(11):
            look.screen.action_move(1)
        await until(pilot, lambda: look.colors == {(11, 0, 0)})
        await pilot.pause(0.2)
        assert look.colors == {(11, 0, 0)}


def test_the_filter_knows_no_case() -> None:
    assert holding(["Straße.png", "strasse.PNG", "b.png"], "STRASSE") == ["Straße.png", "strasse.PNG"]


def encode(workspace: Workspace, records: Records) -> None:
    """Write vectors of `images`: 0.png is most like pets/dog.png, then 2.png, pets/cat.png and 1.png."""
    vectors = [(1.0, 0.0), (-1.0, 0.0), (0.9, 0.5), (0.0, 1.0), (1.0, 0.1)]
    write_set(workspace, records, workspace.images, "mine", vectors)


async def test_the_nearest_pictures_are_a_source(
    opened: Opener, until: Wait, shown: Shown, images: Path, workspace: Workspace, records: Records
) -> None:
    encode(workspace, records)
    (images / "pets" / "cat.png").unlink()
    async with opened(keys="3") as pilot:
        look = Look(pilot)
        await until(pilot, lambda: look.colors == {RED})
        await pilot.press("n")
        await until(pilot, lambda: look.names == ["0.png", "pets/dog.png", "2.png", "1.png"])
        assert "Nearest to 0.png" in shown(pilot)
        assert "4/4" in shown(pilot)
        assert (look.current, look.count) == ("0.png", "1 of 4")
        for name, color, cosine in (
            ("pets/dog.png", BLUE, "0.9950"),
            ("2.png", BLUE, "0.8742"),
            ("1.png", GREEN, "-1"),
        ):
            await pilot.press("j")
            await until(pilot, lambda color=color: look.colors == {color})
            assert (look.current, look.count.split()[-2:]) == (name, ["cosine", cosine])
        await pilot.press("k", "n")
        await until(pilot, lambda: look.names[0] == "2.png")
        assert look.names == ["2.png", "pets/dog.png", "0.png", "1.png"]
        await pilot.press("right_square_bracket")
        await until(pilot, lambda: look.names == ["0.png", "1.png", "2.png", "pets/dog.png"])
        assert "cosine" not in look.count
        await pilot.press("left_square_bracket")
        await until(pilot, lambda: look.names == ["2.png", "pets/dog.png", "0.png", "1.png"])


async def test_a_folder_that_was_opened_stays_beside_the_nearest(
    opened: Opener, until: Wait, images: Path, workspace: Workspace, records: Records, tmp_path: Path
) -> None:
    for number, color in enumerate((RED, GREEN, BLUE)):
        save(tmp_path / "elsewhere" / f"{number}.png", color)
    write_set(workspace, records, tmp_path / "elsewhere", "mine", [(1, 0), (0, 1), (1, 1)])
    async with opened(keys="3") as pilot:
        look = Look(pilot)
        await pilot.press("o", "slash", "ctrl+u", *"~/elsewhere", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, ViewerScreen) and len(look.names) == 3)
        await pilot.press("n")
        await until(pilot, lambda: look.names == ["0.png", "2.png", "1.png"])
        await pilot.press("left_square_bracket")
        await until(pilot, lambda: look.names == ["0.png", "1.png", "2.png"])


async def test_a_picture_without_a_vector_says_how_to_get_one(
    opened: Opener, until: Wait, shown: Shown, images: Path, workspace: Workspace, records: Records
) -> None:
    async with opened(keys="3 n", size=(120, 36)) as pilot:
        look = Look(pilot)
        await until(pilot, lambda: "0.png has no stored vector." in shown(pilot))
        assert "2 for Model, then n" in " ".join(shown(pilot).split())
        assert len(look.names) == 5
    encode(workspace, records)
    os.utime(images / "0.png", ns=(1, 1))
    async with opened(keys="3 n", size=(120, 36)) as pilot:
        await until(pilot, lambda: "0.png has no stored vector." in shown(pilot))


async def test_damaged_embeddings_are_told(
    opened: Opener, until: Wait, shown: Shown, images: Path, workspace: Workspace, records: Records
) -> None:
    encode(workspace, records)
    (workspace.inference / "mine" / "index.csv").write_text("what")
    async with opened(keys="3 n", size=(120, 36)) as pilot:
        await until(pilot, lambda: "damaged:" in shown(pilot))


async def test_nearest_of_nothing_is_nothing(opened: Opener, workspace: Workspace) -> None:
    async with opened(keys="3 n n") as pilot:
        assert Look(pilot).count == "no pictures"


# --- Order, filter by measures, jump -------------------------------------------------------------------------------


def measure(records: Records, folder: Path, means: dict[str, float]) -> int:
    """Write a dataset whose images have these means, and return its number."""
    dataset = records.dataset(folder)
    rows = [{"path": name, "bytes": 1, "modified_ns": 1, "format": "PNG", "width": 90, "height": 60} for name in means]
    numbers = records.put_images(dataset, rows)
    records.put_image_metrics(
        "statistics", [{"image": numbers[name], **STATISTICS, "mean": mean} for name, mean in means.items()]
    )
    return dataset


async def choose(pilot: Pilot[None], until: Wait, title: str) -> None:
    """Choose what begins so in the dialog that is opening."""
    await until(pilot, lambda: isinstance(pilot.app.screen, Choose))
    options = pilot.app.screen.query_one(OptionList)
    await until(pilot, lambda: options.option_count)
    place = next(
        at for at in range(options.option_count) if str(options.get_option_at_index(at).prompt).startswith(title)
    )
    await pilot.press(*["j"] * place, "enter")


async def test_pictures_are_sorted_by_any_measure(opened: Opener, until: Wait, images: Path, records: Records) -> None:
    measure(records, images, {"0.png": 50.0, "2.png": 200.5, "pets/cat.png": 10.0})
    async with opened(keys="3 j j") as pilot:
        look = Look(pilot)
        await until(pilot, lambda: look.current == "2.png")
        await pilot.press("r")
        await choose(pilot, until, "mean ")
        await until(pilot, lambda: look.names == ["2.png", "0.png", "pets/cat.png", "1.png", "pets/dog.png"])
        assert (look.current, look.count) == ("2.png", "1 of 5  mean 200.5"), "the cursor stays on its picture"
        await pilot.press("j", "r")
        await choose(pilot, until, "mean ")
        await until(pilot, lambda: look.names == ["pets/cat.png", "0.png", "2.png", "1.png", "pets/dog.png"])
        await pilot.press("G")
        assert look.count == "5 of 5  by mean", "what was not measured stands at the end"
        await pilot.press("r")
        await choose(pilot, until, "name")
        await until(pilot, lambda: look.names == ["0.png", "1.png", "2.png", "pets/cat.png", "pets/dog.png"])


async def test_a_part_of_a_dataset_is_sorted_by_its_measures(
    opened: Opener, until: Wait, images: Path, records: Records
) -> None:
    measure(records, images, {"pets/cat.png": 10.0, "pets/dog.png": 99.0, "0.png": 50.0})
    async with opened(keys="3") as pilot:
        look = Look(pilot)
        look.screen.show_path(images / "pets")
        await until(pilot, lambda: look.names == ["cat.png", "dog.png"])
        await pilot.press("r")
        await choose(pilot, until, "mean ")
        await until(pilot, lambda: look.names == ["dog.png", "cat.png"])


async def test_the_worst_reconstructed_come_first(
    opened: Opener, until: Wait, images: Path, records: Records, workspace: Workspace
) -> None:
    figures = {"mae": 0.1, "mse": 0.01, "ssim": 0.5, "ms_ssim": None, "cosine": 0.9}
    psnr = {"0.png": 30.0, "1.png": 12.5, "2.png": 20.0, "pets/cat.png": 40.0}
    records.add_evaluation(
        {"checkpoint": "first", "fingerprint": "", "folder": workspace.stored_path(images), "subset": "",
         "images": 4, "skipped": 0, "report": "", **dict.fromkeys(("mae", "mse", "ssim", "cosine", "psnr"), 0.0)},
        [{"path": path, "psnr": value, **figures} for path, value in psnr.items()],
    )  # fmt: skip
    async with opened(keys="3") as pilot:
        look = Look(pilot)
        await until(pilot, lambda: len(look.names) == 5)
        await pilot.press("r")
        await choose(pilot, until, "PSNR by first")
        await until(pilot, lambda: look.names == ["1.png", "2.png", "0.png", "pets/cat.png", "pets/dog.png"])
        await pilot.press("g")
        assert look.count == "1 of 5  PSNR by first 12.50"


async def test_the_filter_knows_measures(opened: Opener, until: Wait, images: Path, records: Records) -> None:
    measure(records, images, {"0.png": 50.0, "2.png": 200.5, "pets/cat.png": 10.0})
    async with opened(keys="3") as pilot:
        look = Look(pilot)
        await until(pilot, lambda: len(look.names) == 5)
        await pilot.press("slash", *"mean<60")
        await until(pilot, lambda: look.names == ["0.png", "pets/cat.png"])
        await pilot.press("space", *"pets")
        await until(pilot, lambda: look.names == ["pets/cat.png"])
        await pilot.press("space", *"mood<3")
        await until(pilot, lambda: "no measure" in look.count)
        await pilot.press("escape")
        await until(pilot, lambda: len(look.names) == 5)


async def test_measures_of_folders_below_are_known(opened: Opener, until: Wait, images: Path, records: Records) -> None:
    save(images / "birds" / "owl.png")
    measure(records, images / "pets", {"cat.png": 10.0, "dog.png": 99.0})
    measure(records, images / "birds", {"owl.png": 50.0})
    async with opened(keys="3") as pilot:
        look = Look(pilot)
        await until(pilot, lambda: len(look.names) == 6)
        await pilot.press("slash", *"mean>20")
        await until(pilot, lambda: look.names == ["birds/owl.png", "pets/dog.png"])
        await pilot.press("escape", "r")
        await choose(pilot, until, "mean ")
        measured = ["pets/dog.png", "birds/owl.png", "pets/cat.png"]
        await until(pilot, lambda: look.names == [*measured, "0.png", "1.png", "2.png"])


async def test_a_filter_by_measures_says_where_there_are_none(opened: Opener, until: Wait, images: Path) -> None:
    async with opened(keys="3") as pilot:
        look = Look(pilot)
        await until(pilot, lambda: len(look.names) == 5)
        await pilot.press("slash", *"mean>20")
        await until(pilot, lambda: "Nothing was measured on these pictures" in look.note)
        assert "(1, o) and analyze it (a)" in look.note


async def test_what_was_arranged_earlier_does_not_take_the_place_of_what_was_later(
    opened: Opener, until: Wait, images: Path
) -> None:
    async with opened(keys="3") as pilot:
        look = Look(pilot)
        await until(pilot, lambda: len(look.names) == 5)
        await pilot.press("slash", *"pets")
        await until(pilot, lambda: len(look.names) == 2)
        browser = look.screen.browser
        browser.post_message(Browser.Rearranged(1, browser._wished, Arranged(["pets/cat.png"], {})))
        browser.post_message(Browser.Failed(1, UsageError("An older failure.")))
        await pilot.pause()
        assert look.names == ["pets/cat.png", "pets/dog.png"]


def test_many_names_are_sorted_stably_and_the_others_stand_behind() -> None:
    names = [f"{number:05}.png" for number in range(50_000)]
    values = {name: float(at % 7) for at, name in enumerate(names[:-1])}
    source = Source("", Path(), "", tuple(names), {"figure": values})
    for descending in (False, True):
        order = Order("figure", "figure", descending=descending)
        found = arrange(None, source, names, Arrangement(order=order), {})  # type: ignore[arg-type] # none are asked
        assert found.names == [*sorted(values, key=lambda name: values[name], reverse=descending), names[-1]]


async def test_a_number_or_a_name_is_gone_to(opened: Opener, until: Wait, shown: Shown, images: Path) -> None:
    async with opened(keys="3") as pilot:
        look = Look(pilot)
        await until(pilot, lambda: len(look.names) == 5)
        look.screen.jump_to("4")
        assert look.current == "pets/cat.png"
        look.screen.jump_to("DOG")
        await until(pilot, lambda: look.current == "pets/dog.png")
        for nowhere in ("6", "horse", "²", "9" * 5000):
            look.screen.jump_to(nowhere)
            await until(pilot, lambda nowhere=nowhere: f"“{nowhere[:20]}" in shown(pilot))
        assert look.current == "pets/dog.png", "there are five"


# --- Marks ---------------------------------------------------------------------------------------------------------


async def test_marked_pictures_are_excluded_and_included(
    opened: Opener, until: Wait, images: Path, records: Records
) -> None:
    dataset = measure(records, images, {"0.png": 50.0, "pets/cat.png": 10.0})
    async with opened(keys="3") as pilot:
        look = Look(pilot)
        await until(pilot, lambda: len(look.names) == 5)
        await pilot.press("space", "j", "j", "space")
        assert look.count == "5 of 5  2 marked"
        await pilot.press("a")
        await choose(pilot, until, "Exclude")
        await until(pilot, lambda: records.excluded(dataset) == {"0.png", "pets/cat.png"})
        await pilot.press("u", "g", "a")
        await choose(pilot, until, "Include")
        await until(pilot, lambda: records.excluded(dataset) == {"pets/cat.png"})


async def test_marks_of_several_sources_are_excluded_together(
    opened: Opener, until: Wait, workspace: Workspace, images: Path, records: Records
) -> None:
    save(workspace.inference_images / "new.png", BLUE)
    first = measure(records, images, {"0.png": 50.0})
    second = measure(records, workspace.inference_images, {"new.png": 10.0})
    async with opened(keys="3 space ]") as pilot:
        look = Look(pilot)
        await until(pilot, lambda: look.names == ["new.png"])
        await pilot.press("space", "a")
        await choose(pilot, until, "Exclude")
        await until(pilot, lambda: records.excluded(second) == {"new.png"})
        assert records.excluded(first) == {"0.png"}


async def test_a_mark_does_not_draw_the_picture_anew(opened: Opener, until: Wait, settle: Wait, images: Path) -> None:
    async with opened(keys="3 G") as pilot:
        look = Look(pilot)
        await until(pilot, lambda: look.colors == {BLUE})
        picture = look.screen.query_one(Picture)
        before = drawn(picture)
        await pilot.press("space")
        await settle(pilot)
        assert look.count == "5 of 5  1 marked"
        assert drawn(picture) is before


async def test_a_mark_is_seen_and_taken_away(opened: Opener, until: Wait, shown: Shown, images: Path) -> None:
    async with opened(keys="3") as pilot:
        look = Look(pilot)
        await until(pilot, lambda: len(look.names) == 5)
        await pilot.press("space")
        assert "*0.png" in shown(pilot)
        await pilot.press("k", "space")
        assert "*0.png" not in shown(pilot)
        assert look.count == "2 of 5"


async def test_marked_pictures_become_a_source(opened: Opener, until: Wait, images: Path) -> None:
    async with opened(keys="3") as pilot:
        look = Look(pilot)
        await until(pilot, lambda: len(look.names) == 5)
        await pilot.press("G", "space", "g", "space", "a")
        await choose(pilot, until, "Show them alone")
        await until(pilot, lambda: look.names == ["pets/dog.png", "0.png"])


async def test_paths_are_copied_into_a_list_that_verbs_take(
    opened: Opener, until: Wait, workspace: Workspace, images: Path
) -> None:
    save(images / "new\nline.png")
    async with opened(keys="3") as pilot:
        look = Look(pilot)
        await until(pilot, lambda: len(look.names) == 6)
        await pilot.press("space", "y")
        lists = workspace.metadata / "lists"
        await until(pilot, lambda: list(lists.glob("marked-*.txt")) if lists.exists() else [])
        (first,) = lists.iterdir()
        assert listed_names(first) == [str(images / "0.png")]
        first.unlink()
        await pilot.press("G", "u", *"kkk", "space", "slash", *"new", "enter", "space", "y")
        await until(pilot, lambda: list(lists.glob("marked-*.txt")))
        (second,) = lists.iterdir()
        assert str(images / "new\nline.png") in listed_names(second)


async def test_what_is_in_no_dataset_cannot_be_excluded(
    opened: Opener, until: Wait, shown: Shown, images: Path
) -> None:
    async with opened(keys="3") as pilot:
        await until(pilot, lambda: len(Look(pilot).names) == 5)
        await pilot.press("a")
        await choose(pilot, until, "Exclude")
        await until(pilot, lambda: "lies in no folder" in shown(pilot))


# --- Ways to look --------------------------------------------------------------------------------------------------


async def test_a_page_of_thumbnails(opened: Opener, until: Wait, shown: Shown, workspace: Workspace) -> None:
    for number in range(30):
        save(workspace.images / f"{number:02}.png", (8 * number, 40, 200 - 6 * number))
    (workspace.images / "03.png").write_bytes(b"no picture")
    async with opened(keys="3 t") as pilot:
        look = Look(pilot)
        sheet = look.screen.query_one(ContactSheet)
        grid = sheet.grid
        assert (grid.across, grid.down) == (4, 2), "as large as leaves two rows"
        await until(pilot, lambda: len(sheet._placed) == 7)
        assert "unreadable" in shown(pilot)
        assert {path.name for path in sheet._placed} == {f"{number:02}.png" for number in (0, 1, 2, 4, 5, 6, 7)}
        await pilot.press("l", "j")
        assert look.current == "05.png", "one to the right, one row down"
        await pilot.press("j")
        await until(pilot, lambda: drawn(sheet, workspace.images / "15.png"))
        assert look.current == "09.png"
        assert drawn(sheet, workspace.images / "05.png") is None, "the page before is gone"
        await pilot.press("pagedown", "minus")
        assert sheet.grid.page > grid.page
        await pilot.press("enter")
        await until(pilot, lambda: look.colors == {(8 * 17, 40, 200 - 6 * 17)})
        await pilot.press("t", "escape")
        assert look.screen.query_one(Picture).display


async def test_a_thumbnail_is_chosen_with_the_mouse(opened: Opener, until: Wait, images: Path) -> None:
    async with opened(keys="3 t") as pilot:
        look = Look(pilot)
        sheet = look.screen.query_one(ContactSheet)
        await until(pilot, lambda: len(sheet._placed) == 5)
        await pilot.click(ContactSheet, offset=(25, 2))
        assert look.current == "1.png"
        await pilot.click(ContactSheet, offset=(25, 2))
        await until(pilot, lambda: look.colors == {GREEN})


async def test_a_picture_is_looked_at_from_nearer(opened: Opener, until: Wait, shown: Shown, images: Path) -> None:
    halves = PIL.Image.new("RGB", (400, 400), RED)
    halves.paste(BLUE, (200, 0, 400, 400))
    halves.save(images / "0.png")
    async with opened(keys="3") as pilot:
        look = Look(pilot)
        await until(pilot, lambda: look.colors == {RED, BLUE})
        await pilot.press("plus", "plus", "plus", "l", "l", "l", "l", "l")
        await until(pilot, lambda: look.colors == {BLUE})
        assert look.current == "0.png", "keys move the part, not the picture"
        await until(pilot, lambda: "3.4× nearer" in shown(pilot))
        await pilot.press("full_stop")
        await until(pilot, lambda: look.current == "1.png")
        await pilot.press("comma", "h", "h", "h", "h", "h", "h")
        await until(pilot, lambda: look.colors == {RED})
        await pilot.press("escape")
        await until(pilot, lambda: look.colors == {RED, BLUE})
        await pilot.press("z")
        await until(pilot, lambda: "nearer" in shown(pilot))
        await pilot.press("0")
        await until(pilot, lambda: "nearer" not in shown(pilot))


async def test_escape_closes_the_innermost(opened: Opener, until: Wait, images: Path) -> None:
    async with opened(keys="3") as pilot:
        look = Look(pilot)
        await until(pilot, lambda: look.colors == {RED})
        await pilot.press("f", "slash", *"pets")
        assert not look.screen.has_class("-large"), "the field must be seen"
        await pilot.press("enter")
        await until(pilot, lambda: look.colors == {GREEN})
        await pilot.press("t", "f", "escape")
        assert not look.screen.has_class("-large")
        assert look.names == ["pets/cat.png", "pets/dog.png"]
        await pilot.press("escape")
        await until(pilot, lambda: len(look.names) == 5)
        assert look.screen.query_one(ContactSheet).display
        await pilot.press("escape")
        assert look.screen.query_one(Picture).display


async def test_a_field_tells_its_keys_alone(
    opened: Opener, until: Wait, settle: Wait, shown: Shown, images: Path
) -> None:
    async with opened(keys="3") as pilot:
        await pilot.press("slash")
        await settle(pilot)
        assert shown(pilot).splitlines()[-1].split() == ["enter", "Keep", "esc", "Everything"]


async def test_what_a_job_made_is_found_while_pictures_are_looked_at(
    opened: Opener, until: Wait, shown: Shown, workspace: Workspace, images: Path, furniture: Any
) -> None:
    async with opened(keys="3") as pilot:
        await until(pilot, lambda: "1/3" in shown(pilot))
        save(workspace.validation / "redux-1" / "pairs.png", GREEN)
        job = furniture.job("evaluate", 1.0, "done", {"checkpoint": "redux-1"})
        app = pilot.app
        assert isinstance(app, FextApp)
        app.job_ended.publish(furniture.records.job(job))
        await until(pilot, lambda: "1/4" in shown(pilot))
        look = Look(pilot)
        look.screen.post_message(SourcesRead(0, [], look.screen.here, 0))
        await pilot.pause()
        assert len(look.screen.sources) == 4, "an older reading says less"


async def test_sources_are_chosen_from_a_list(opened: Opener, until: Wait, workspace: Workspace, images: Path) -> None:
    save(workspace.dataset_plots / "metrics.png")
    async with opened(keys="3 b") as pilot:
        look = Look(pilot)
        await choose(pilot, until, "Dataset plots")
        await until(pilot, lambda: look.names == ["metrics.png"])


async def test_a_ranking_is_a_source(
    opened: Opener, until: Wait, shown: Shown, workspace: Workspace, images: Path
) -> None:
    folder = folder_of_ranking(workspace, "first", images)
    folder.mkdir(parents=True)
    told = {"checkpoint": "first", "folder": workspace.stored_path(images), "images": 3, "anomalies": 1,
            "percentile": 99.0, "thresholds": {"error": 0.1}}  # fmt: skip
    (folder / REPORT_FILE).write_text(json.dumps(told), encoding="utf-8")
    (folder / TABLE_FILE).write_text(
        "rank,path,error,local_error,distance,error_percentile,local_error_percentile,distance_percentile,percentile,"
        "is_anomaly,label\n1,2.png,0.2,0.3,0.4,100,99,98,100,1,\n2,pets/dog.png,0.1,0.9,0.4,50,60,70,70,0,\n",
        encoding="utf-8",
    )
    async with opened(keys="3 b") as pilot:
        look = Look(pilot)
        await choose(pilot, until, "Odd in images, by first")
        await until(pilot, lambda: look.names == ["2.png", "pets/dog.png"])
        assert look.count == "1 of 2  percentile 100"
        await pilot.press("r")
        await choose(pilot, until, "local error")
        await until(pilot, lambda: look.names == ["pets/dog.png", "2.png"])
        (folder / TABLE_FILE).write_text("rank,path\n1\n", encoding="utf-8")
        await pilot.press("ctrl+r")
        await until(pilot, lambda: "anomalies.csv cannot be read" in look.note)


async def test_without_a_checkpoint_nothing_is_reconstructed(
    opened: Opener, until: Wait, shown: Shown, images: Path
) -> None:
    async with opened(keys="3 v") as pilot:
        await until(pilot, lambda: "There is no checkpoint yet" in shown(pilot))
