"""How fast a folder is analyzed, beside a naive loop for each metric and decoding alone, in one run on this machine."""

import argparse
import math
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from photographs import draw_photographs, draw_variations
from rich.table import Table

from engine.analysis import analyze
from engine.analysis.metrics import measure
from engine.images.alike import near_pairs
from engine.images.parallel import worker_count
from engine.images.scan import scan
from engine.records import Records
from engine.report import CollectedReport
from engine.settings import METRIC_GROUPS, DeviceSettings, Settings
from engine.workspace import Workspace

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.engine.analysis.naive_metrics import NAIVE, gray_of

_ROUNDS = 5
_SIZE = 500, 375
_NAIVE_IMAGES = 60
_PLANTED_SHARE = 0.02
_FLIPS = 3


def analyze_anew(folder: Path, scratch: Path) -> None:
    """Analyze a folder in a workspace of its own, whose records know none of its images."""
    with tempfile.TemporaryDirectory(dir=scratch) as root:
        workspace = Workspace(Path(root)).create()
        with Records(workspace) as records:
            analyze(Settings(), workspace, records, CollectedReport(), folder=str(folder))


def pictures(paths: Sequence[Path]) -> Iterator[NDArray[Any]]:
    """Yield the 8-bit pictures (H, W, 3) of those files that OpenCV can read, each decoded when it is asked for."""
    return (bgr for path in paths if (bgr := cv2.imread(str(path))) is not None)


def analyze_naively(paths: Sequence[Path]) -> None:
    """Decode every file once more for each group of metrics, and again for the summed gray histogram."""
    for group in NAIVE.values():
        for bgr in pictures(paths):
            group(bgr)
    total = np.zeros(256, np.int64)
    for bgr in pictures(paths):
        total += np.bincount(gray_of(bgr).ravel(), minlength=256)


def decode_all(paths: Sequence[Path], workers: int) -> None:
    """Read and decode files by so many threads."""

    def decode(path: Path) -> None:
        cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)

    with ThreadPoolExecutor(workers) as pool:
        for _ in pool.map(decode, paths):
            pass


class Hashes:
    """Random perceptual hashes, among them near copies of others: of up to three flipped bits."""

    def __init__(self, count: int) -> None:
        generator = np.random.default_rng(1)
        self._values = generator.integers(0, 2**64, count, np.uint64)
        copies = math.ceil(_PLANTED_SHARE * count)
        self._planted = generator.permutation(count)[: 2 * copies].reshape(2, -1)
        flipped = np.uint64(1) << generator.integers(0, 64, (_FLIPS, copies), np.uint64)
        self._values[self._planted[1]] = self._values[self._planted[0]] ^ np.bitwise_or.reduce(flipped)

    def search(self) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Return all near pairs."""
        return list(near_pairs(self._values, _FLIPS))

    def found_share(self) -> float:
        """Return the share of the planted pairs that the search finds."""
        found = np.concatenate([np.stack(pairs) for pairs in self.search()], axis=1)
        return float(np.isin(self._numbered(self._planted), self._numbered(found)).mean())

    def _numbered(self, pairs: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return one number for each pair (2, k), whichever of the two comes first."""
        return np.asarray(pairs.min(axis=0) * len(self._values) + pairs.max(axis=0), np.int64)


def run(options: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """Return all figures; ``docs/performance.md`` says what they mean."""
    # These load PyTorch, which analysis does without: the process whose memory is measured imports this file too.
    from measuring import Step, interleaved, ratio, seconds_of

    from engine.device import choose_device

    folder = options.folder.absolute() if options.folder else scratch / "photographs"
    if not options.folder:
        draw_photographs(folder, options.images, _SIZE)
    paths = [folder / file.path for file in scan(folder, CollectedReport()).files]
    count, workers, hashes = len(paths), worker_count(0), Hashes(options.hashes)
    few = paths[:: -(-count // _NAIVE_IMAGES)]
    device = choose_device(DeviceSettings(kind="cpu"))
    steps: dict[str, Step] = {
        "analyze": partial(analyze_anew, folder, scratch),
        "decode": partial(decode_all, paths, workers),
        "naive": partial(analyze_naively, few),
        "duplicates": hashes.search,
    }
    times = interleaved(steps, 0, options.rounds, device)
    each = [seconds_of(partial(measure, bgr, METRIC_GROUPS), 1, device) for bgr in pictures(paths)]
    return {
        "images": count,
        "threads": workers,
        "img_s": count / statistics.median(times["analyze"]),
        "decode_img_s": count / statistics.median(times["decode"]),
        "share_of_decode": ratio(times, "decode", "analyze"),
        "naive_images": len(few),
        "naive_img_s": len(few) / statistics.median(times["naive"]),
        "vs_naive": ratio(times, "naive", "analyze") * count / len(few),
        "measure_ms": 1000 * statistics.median(each),
        "hashes": options.hashes,
        "duplicates_s": statistics.median(times["duplicates"]),
        "found_share": hashes.found_share(),
        "scales": [measure_scale(images, scratch) for images in options.scale],
    }


def measure_scale(images: int, scratch: Path) -> dict[str, float]:
    """Return what so many images cost, analyzed in a process of its own."""
    with tempfile.TemporaryDirectory(dir=scratch) as root:
        print(f"Drawing {images:,} pictures …", file=sys.stderr)
        draw_variations(Path(root) / "pictures", images, _SIZE)
        print("Analyzing them …", file=sys.stderr)
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            seconds, peak_mib = pool.submit(_time_and_memory, Path(root) / "pictures", Path(root)).result()
    return {
        "images": images,
        "img_s": images / seconds,
        "ms_an_image": 1000 * seconds / images,
        "peak_mib": peak_mib,
    }


def _time_and_memory(folder: Path, scratch: Path) -> tuple[float, float]:
    """Return the seconds of an analysis, and the largest resident memory of this process in MiB.

    That is the kernel's VmHWM, for ``ru_maxrss`` of a process begins with what its parent had.
    """
    began = time.perf_counter()
    analyze_anew(folder, scratch)
    seconds = time.perf_counter() - began
    [kib] = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return seconds, int(kib) / 1024


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench analyze", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object on one line")
    parser.add_argument("--folder", type=Path, help="pictures to take in place of drawn ones")
    parser.add_argument("--images", type=int, default=10_000, help="photographs to draw (default: 10,000)")
    parser.add_argument("--hashes", type=int, default=100_000, help="hashes to search for duplicates (default: 100000)")
    parser.add_argument("--rounds", type=int, default=_ROUNDS, help=f"timings of each (default: {_ROUNDS})")
    scale_help = "analyze so many drawn pictures in a process of its own, and tell its memory (repeatable)"
    parser.add_argument("--scale", type=int, action="append", default=[], metavar="IMAGES", help=scale_help)
    return parser.parse_args()


def _table(account: dict[str, Any]) -> Table:
    naive = f"naive: timed with {account['naive_images']} of the images, in one thread, and scaled"
    table = Table("figure", "value", title="Analysis", caption=naive)
    for figures in (account, *account["scales"]):
        for key, value in figures.items():
            if key != "scales":
                table.add_row(key, f"{value:,.4g}" if isinstance(value, float) else f"{value:,}")
        table.add_section()
    return table


if __name__ == "__main__":
    from measuring import tell

    tell(_options(), run, _table)
