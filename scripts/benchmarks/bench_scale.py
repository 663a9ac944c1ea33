"""What a folder costs that grows: time, memory and disk an image, and what they come to for many millions."""

import argparse
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self, get_args

import psutil
from measuring import tell
from photographs import draw_variations
from rich.table import Table

from engine.analysis import analyze
from engine.files import measure_folder
from engine.images.dataset import listing_text, prepare
from engine.images.scan import scan
from engine.models import Autoencoder
from engine.records import Records
from engine.report import CollectedReport
from engine.settings import ModelSettings, Settings, from_layers
from engine.workspace import Workspace

_IMAGES = 20_000
_WANTED = 10_000_000
_SIZE = 160, 120
_LOOK_SECONDS = 0.02


def measure(options: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """Return what each phase costs an image, and what that comes to.

    Each phase runs in a process of its own, with half of the images and with all. The difference is what images cost,
    without what any process costs; where it grows faster than their number, ``growth`` is above 1.
    """
    counts = options.images // 2, options.images
    folders = [scratch / f"{count}" for count in counts]
    for folder, count in zip(folders, counts, strict=True):
        draw_variations(folder / "images", count, _SIZE)
    told = {name: [_run(name, folder, options.image_size) for folder in folders] for name in PHASES}
    phases = {name: _an_image(few, many, counts) for name, (few, many) in told.items()}
    return {
        "images": options.images,
        "file_bytes": measure_folder(folders[1] / "images")[1] / options.images,
        "image_size": options.image_size,
        "phases": phases,
        "networks": {variant: _network(variant, options.image_size) for variant in _variants()},
        "wanted": options.wanted,
        "calculated": {name: _calculated(phase, options.wanted) for name, phase in phases.items()},
    }


def _run(name: str, folder: Path, size: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--phase", name, "--folder", str(folder), "--image-size", str(size)]
    told: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return told


def _an_image(few: dict[str, float], many: dict[str, float], counts: tuple[int, int]) -> dict[str, float]:
    """Return costs by image, from those of two numbers of images."""
    more = counts[1] - counts[0]
    costs = {f"{name}_an_image": (many[name] - few[name]) / more for name in many}
    return costs | {"growth": many["seconds"] / few["seconds"] / (counts[1] / counts[0])}


def _calculated(phase: dict[str, float], wanted: int) -> dict[str, float]:
    return {name.removesuffix("_an_image"): cost * wanted for name, cost in phase.items() if name.endswith("_an_image")}


def _variants() -> tuple[str, ...]:
    return get_args(ModelSettings.model_fields["variant"].annotation)


def _network(variant: str, size: int) -> dict[str, float]:
    """Return what of a network other parts grow with: its gradient, and the values of a vector of each pooling."""
    settings = from_layers(("", {"model.variant": variant}))
    model = Autoencoder(settings.model, 3)
    parameters = sum(one.numel() for one in model.parameters())
    return {
        "parameters": parameters,
        "gradient_mb": parameters * 4 / 1e6,
        "vector_values": model.dimension(size, size, model.pooling(settings.encoding.pooling)),
    }


# --- Phases, each in a process of its own ---------------------------------------------------------------------


def _settings(folder: Path, size: int) -> Settings:
    values = {"data.folder": str(folder / "images"), "data.image_height": size, "data.image_width": size}
    return from_layers(("", values | {"data.pack": "on"}))


def _list(folder: Path, size: int) -> dict[str, float]:
    """Find the files."""
    manifest = scan(folder / "images", CollectedReport())
    time.sleep(2 * _LOOK_SECONDS)  # for a look while it is there
    return {"bytes": sum(len(file.path) for file in manifest.files)}


def _analyze(folder: Path, size: int) -> dict[str, float]:
    """Measure and judge all images, from nothing."""
    workspace = Workspace(folder / "workspace").create()
    with Records(workspace) as records:
        analyze(_settings(folder, size), workspace, records, CollectedReport())
    return {"bytes": workspace.database.stat().st_size}


def _pack(folder: Path, size: int) -> dict[str, float]:
    """Prepare a first run: pack and divide."""
    return _prepare(folder, size) | {"bytes": measure_folder(Workspace(folder / "workspace").packs)[1]}


def _begin(folder: Path, size: int) -> dict[str, float]:
    """Prepare another run, which finds the pack: what each process of each training does."""
    return _prepare(folder, size)


def _prepare(folder: Path, size: int) -> dict[str, float]:
    workspace = Workspace(folder / "workspace").create()
    with Records(workspace) as records:
        data = prepare(_settings(folder, size), workspace, records, CollectedReport())
    return {"bytes": len(listing_text(data.listing))}


PHASES: dict[str, Callable[[Path, int], dict[str, float]]] = {
    "list": _list,
    "analyze": _analyze,
    "pack": _pack,
    "begin": _begin,
}


class _Memory(threading.Thread):
    """Looks how much memory this process has for itself, without what it maps of files; ``most`` is in bytes."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.most = 0
        self._ended = threading.Event()

    def run(self) -> None:
        """Look until the end."""
        while not self._ended.wait(_LOOK_SECONDS):
            self.look()

    def look(self) -> None:
        """Look once."""
        info = psutil.Process().memory_info()
        self.most = max(self.most, info.rss - info.shared)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.look()
        self._ended.set()
        self.join()


def _one_phase(options: argparse.Namespace) -> None:
    with _Memory() as memory:
        began = time.perf_counter()
        told = PHASES[options.phase](options.folder, options.image_size)
        seconds = time.perf_counter() - began
    print(json.dumps(told | {"seconds": seconds, "memory": memory.most}))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench scale", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object on one line")
    parser.add_argument("--images", type=int, default=_IMAGES, help=f"pictures to draw (default: {_IMAGES:,})")
    parser.add_argument("--image-size", type=int, default=128, help="height and width of the pack (default: 128)")
    parser.add_argument("--wanted", type=int, default=_WANTED, help=f"images to calculate for (default: {_WANTED:,})")
    parser.add_argument("--phase", choices=list(PHASES), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def _table(account: dict[str, Any]) -> Table:
    title = f"{account['images']:,} images, and what they come to for {account['wanted']:,} (calculated)"
    columns = "phase", "µs", "disk, bytes", "memory, bytes", "growth", "hours", "disk, GB", "memory, GB"
    table = Table(*columns, title=title)
    for name, phase in account["phases"].items():
        all_of_it = account["calculated"][name]
        table.add_row(
            name,
            f"{phase['seconds_an_image'] * 1e6:,.0f}",
            f"{phase['bytes_an_image']:,.0f}",
            f"{phase['memory_an_image']:,.0f}",
            f"{phase['growth']:.2f}",
            f"{all_of_it['seconds'] / 3600:,.1f}",
            f"{all_of_it['bytes'] / 1e9:,.1f}",
            f"{all_of_it['memory'] / 1e9:,.1f}",
        )
    for name, network in account["networks"].items():
        table.add_row(name, *(f"{value:,.4g} {key}" for key, value in network.items()))
    return table


if __name__ == "__main__":
    given = _options()
    if given.phase:
        _one_phase(given)
    else:
        tell(given, measure, _table)
