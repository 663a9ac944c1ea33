"""How fast photographs are packed, beside decoding them and doing nothing else, in one run on this machine."""

import argparse
import shutil
import statistics
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from measuring import interleaved, ratio, tell
from photographs import draw_photographs
from rich.table import Table

from engine.device import choose_device
from engine.images.pack import open_images
from engine.images.parallel import worker_count
from engine.images.scan import scan
from engine.report import CollectedReport
from engine.settings import DeviceSettings
from engine.workspace import Workspace

_ROUNDS = 5
_SIZE = 1600, 1200


def measure(options: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """Return images a second of packing and of decoding, and their ratio: medians of rounds timed in turn."""
    folder = options.folder.absolute() if options.folder else scratch / "photographs"
    if not options.folder:
        draw_photographs(folder, options.images, _SIZE)
    workspace, report = Workspace(scratch / "workspace").create(), CollectedReport()
    manifest = scan(folder, report)
    workers, size, count = worker_count(0), options.image_size, len(manifest.files)
    paths = [folder / file.path for file in manifest.files]

    def decode(path: Path) -> None:
        cv2.imdecode(np.frombuffer(path.read_bytes(), dtype=np.uint8), cv2.IMREAD_COLOR)

    def decode_all() -> None:
        with ThreadPoolExecutor(workers) as pool:
            for _ in pool.map(decode, paths):
                pass

    def pack() -> None:
        shutil.rmtree(workspace.packs, ignore_errors=True)
        open_images(manifest, size, size, False, "on", workspace, workers, report)

    times = interleaved(
        {"decode": decode_all, "pack": pack}, 0, options.rounds, choose_device(DeviceSettings(kind="cpu"))
    )
    return {
        "images": count,
        "image_size": size,
        "threads": workers,
        "img_s": count / statistics.median(times["pack"]),
        "decode_img_s": count / statistics.median(times["decode"]),
        "share_of_decode": ratio(times, "decode", "pack"),
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench pack", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object on one line")
    parser.add_argument("--folder", type=Path, help="pictures to take in place of drawn ones")
    parser.add_argument("--images", type=int, default=100, help="photographs to draw (default: 100)")
    parser.add_argument("--image-size", type=int, default=128, help="height and width of the pack (default: 128)")
    parser.add_argument("--rounds", type=int, default=_ROUNDS, help=f"timings of each (default: {_ROUNDS})")
    return parser.parse_args()


def _table(account: dict[str, Any]) -> Table:
    table = Table("figure", "value", title="Packing")
    for key, value in account.items():
        table.add_row(key, f"{value:,.3g}" if isinstance(value, float) else f"{value:,}")
    return table


if __name__ == "__main__":
    tell(_options(), measure, _table)
