"""Every screen and dialog as it looks: at three sizes, in the dark and the light theme.

Render them anew with ``pytest tests/fext_tui/test_every_screen.py --snapshot-update`` and look at what changed.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from pytest_textual_snapshot import SVGImageExtension
from syrupy.assertion import SnapshotAssertion
from textual.pilot import Pilot
from textual.screen import Screen

from engine.sizes import Room
from engine.workspace import LATENT_FILE, Workspace
from fext_tui.bindings import _heirs, all_classes
from fext_tui.screens.maintenance import Maintenance, RoomsRead
from fext_tui.theme import DARK, LIGHT

SIZES = [(80, 24), (120, 36), (200, 60)]
READ = {"2": "≈ 5.5 min", "3": "1 of 140", "4": "large-first"}
"""What a screen says when it has read what it shows, by its key."""
GUIDE = """# What a guide is

A guide is a page of the documentation, with **strong** words, `code`, and [links](guide-model.md).

| key | name | what it does |
|---|---|---|
| `a` | Analyze | measures all images of the folder; those that have not changed since are not read again |
| `o` | Folder | chooses the folder |

## A list

- of one
- and another

```
fext train photos --epochs 5
```
"""


class View(NamedTuple):
    """The keys that lead to a screen or dialog, and what it says when it has read what it shows."""

    keys: str
    says: str


VIEWS = {
    "DataScreen": View("i", "1–100 of 140"),
    "ModelScreen": View("2", "≈ 5.5 min"),
    "ViewerScreen": View("3 j j j", "mean 91.11"),
    "RunsScreen": View("4", "large-first"),
    "Ask": View("2 w", "Save these settings"),
    "CheckpointScreen": View("2 c down enter", "mean image 12.5"),
    "Choose": View("3 r", "megapixels"),
    "ChoosePreset": View("2 p down down", "model: Variant"),
    "Confirm": View("2 c d", "Delete the checkpoint"),
    "ErrorList": View("m exclamation_mark", "holds images already"),
    "FindingScreen": View("x down down enter", "harbor/015.png"),
    "FolderDialog": View("o down down", "140 pictures here"),
    "ForecastScreen": View("2 T", "by run redux-photos"),
    "GuideScreen": View("ctrl+g enter", "measures all images"),
    "Jump": View("4 colon", "Job 6  train"),
    "KeyList": View("2 question_mark", "Train with these settings"),
    "LatentScreen": View("2 c down enter l v", "PC 3 upward"),
    "MachinePanel": View("M", "412 W of 700 W"),
    "Maintenance": View("U", "4.9 GB in all"),
    "Palette": View("ctrl+p", "Measure all images"),
    "Reading": View("U enter", "exported networks"),
}


def test_all_screens_and_dialogs_are_looked_at() -> None:
    all_classes()
    own = {one for one in _heirs(Screen) if one.__module__.startswith("fext_tui.")}
    inherited = {parent for one in own for parent in one.__mro__[1:]}
    assert {one.__name__ for one in own - inherited} <= VIEWS.keys()
    assert VIEWS.keys() <= {one.__name__ for one in own}


@pytest.fixture
def furnished_wholly(
    analyzed: Workspace, evaluated: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Workspace:
    """Return a workspace in which no screen is empty; the only guide is `GUIDE`."""
    rows = [f"{n}.png,{'cat' if n % 3 else 'dog'},{20 + n / 10},{n % 7},{n % 5},{n % 3}" for n in range(60)]
    latent = evaluated.validation / "redux-photos" / "validation" / LATENT_FILE
    latent.write_text("\n".join(["path,label,psnr,pc1,pc2,pc3", *rows, ""]))
    guides = tmp_path / "guides"
    guides.mkdir()
    (guides / "guide-data.md").write_text(GUIDE)
    monkeypatch.setattr("fext_tui.guides.PAGES", guides)
    monkeypatch.setattr("fext_tui.screens.machine.LOOK_SECONDS", 3600.0)  # each reading makes the trend longer
    return evaluated


@pytest.mark.usefixtures("furnished_wholly")
@pytest.mark.parametrize("name", VIEWS)
async def test_looks(
    name: str, opened: Any, until: Any, settle: Any, shown: Any, snapshot: SnapshotAssertion, tmp_path: Path
) -> None:
    pictures = snapshot.use_extension(SVGImageExtension)
    changed = []
    async with opened(values={"device.kind": "cpu"}) as pilot:
        await go_to(pilot, VIEWS[name], until, settle, shown)
        assert type(pilot.app.screen).__name__ == name
        for theme, sizes in ((DARK, SIZES), (LIGHT, SIZES[::-1])):
            pilot.app.theme = theme.name
            for width, height in sizes:
                await pilot.resize_terminal(width, height)
                await settle(pilot)
                picture = f"{width}x{height}-{'dark' if theme.dark else 'light'}"
                svg = pilot.app.export_screenshot()
                if pictures(name=picture) != svg:
                    (tmp_path / f"{picture}.svg").write_text(svg)
                    changed.append(picture)
    assert not changed, f"{changed} of {name} look otherwise now, see {tmp_path}"


async def go_to(pilot: Pilot[None], view: View, until: Any, settle: Any, shown: Callable[[Pilot[None]], str]) -> None:
    """Press the keys of a view one by one; let times and sizes stand still."""
    await until(pilot, lambda: pilot.app.history.step and "1 from training" in shown(pilot))
    for key in view.keys.split():
        await pilot.press(key)
        await settle(pilot)
        await until(pilot, lambda key=key: READ.get(key, "") in shown(pilot))
        pilot.app.clear_notifications()
        if isinstance(pilot.app.screen, Maintenance):
            pilot.app.screen.post_message(RoomsRead(even_rooms(pilot.app.workspace)))
            await settle(pilot)
    await settle(pilot)
    await until(pilot, lambda: view.says in shown(pilot))


def even_rooms(workspace: Workspace) -> list[Room]:
    """Return parts of a workspace with sizes that no database or file system decides."""
    parts = {
        "training images": workspace.images,
        "images to encode": workspace.inference_images,
        "packs": workspace.packs,
        "checkpoints": workspace.checkpoints,
        "exported networks": workspace.exports,
        "records": workspace.database.parent,
        "logs": workspace.logs,
    }
    return [
        Room(name, path, 7 ** (7 - number), 4_200_000_000 // 7**number)
        for number, (name, path) in enumerate(parts.items())
    ]
