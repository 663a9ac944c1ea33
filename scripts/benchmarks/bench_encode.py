"""How fast a folder becomes vectors, beside the network and decoding alone, and one image a call, in one run."""

import argparse
import math
import re
import statistics
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from measuring import Step, interleaved, ratio, tell
from photographs import draw_photographs
from rich.table import Table

from engine.checkpoints import find_checkpoint
from engine.embedding_writer import EmbeddingWriter
from engine.embeddings import Origin
from engine.encoding import embedded, encode
from engine.images.parallel import worker_count
from engine.images.scan import ImageFile, scan
from engine.images.stream import stream
from engine.models.loading import LoadedModel, load_for_use
from engine.records import Records
from engine.report import CollectedReport
from engine.settings import Settings, from_layers
from engine.training import train
from engine.workspace import Workspace

_ROUNDS = 5
_SIZE = 500, 375
_ONE_BY_ONE_IMAGES = 100
_TRAINED_ON = 16
_NAME = "encoder"
_MANY_AT_ONCE = 256


def settings_for(folder: Path, options: argparse.Namespace) -> Settings:
    """Return the settings of the encoder and of its use."""
    values: dict[str, Any] = {
        "data.folder": str(folder),
        "data.image_height": options.image_size,
        "data.image_width": options.image_size,
        "data.pack": "off",
        "data.sample_fraction": min(1.0, _TRAINED_ON / options.images),
        "model.variant": options.variant,
        "training.epochs": 1,
        "training.batch_size": 8,
        "training.probe_images": 0,
        "device.kind": options.device,
        "device.compile": "off",
        "encoding.folder": str(folder),
        "encoding.batch_size": options.batch_size,
    }
    return from_layers(("", values))


def make_encoder(settings: Settings, workspace: Workspace, records: Records) -> None:
    """Save the checkpoint of an encoder that has seen a few images."""
    run = records.add_run(_NAME, settings.model.variant)
    train(settings, workspace, records, CollectedReport(), run=run)


def encode_one_by_one(model: LoadedModel, settings: Settings, paths: Sequence[Path], target: Path) -> None:
    """Decode each image whole, resize it, and give it to the network by itself; then write all vectors."""
    data = settings.data
    vectors = []
    for path in paths:
        pixels = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
        assert pixels is not None
        resized = cv2.resize(pixels, (data.image_width, data.image_height), interpolation=cv2.INTER_AREA)
        vectors.append(model.embed(np.asarray(resized, np.uint8)[None], settings.encoding.pooling).cpu().numpy())
    np.save(target, np.concatenate(vectors))


def measure(options: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """Return all figures; ``docs/performance.md`` says what they mean."""
    folder = options.folder.absolute() if options.folder else scratch / "photographs"
    if not options.folder:
        draw_photographs(folder, options.images, _SIZE)
    workspace, report = Workspace(scratch / "workspace").create(), CollectedReport()
    settings = settings_for(folder, options)
    with Records(workspace) as records:
        make_encoder(settings, workspace, records)
        model = load_for_use(find_checkpoint(workspace, _NAME), settings.device)
        manifest = scan(folder, report)
        workers, size, data = worker_count(0), settings.encoding.batch_size, model.config.settings.data
        few = manifest.files[:: -(-len(manifest.files) // _ONE_BY_ONE_IMAGES)]
        decoded = list(stream(replace(manifest, files=manifest.files[: 8 * size]), data, size, workers))
        held = math.fsum(len(batch.files) for batch in decoded)

        def decode() -> None:
            for _ in stream(manifest, data, size, workers):
                pass

        def network() -> None:
            for _ in embedded(model, decoded, settings.encoding.pooling):
                pass

        steps: dict[str, Step] = {
            "encode": partial(encode, settings, workspace, records, report, checkpoint=_NAME, again=True),
            "decode": decode,
            "network": network,
            "one_by_one": partial(
                encode_one_by_one, model, settings, [folder / file.path for file in few], scratch / "one_by_one.npy"
            ),
        }
        times = interleaved(steps, 0, options.rounds, model.device)
    count = len(manifest.files)
    of_each = {
        name: [seconds / images for seconds in times[name]]
        for name, images in (("encode", count), ("decode", count), ("network", held), ("one_by_one", len(few)))
    }
    parts = list(zip(of_each["network"], of_each["decode"], strict=True))
    of_each["limit"] = [max(both) if model.device.is_gpu else sum(both) for both in parts]
    rates = {name: 1 / statistics.median(seconds) for name, seconds in of_each.items()}
    return {
        "device": model.device.name,
        "images": count,
        "img_s": rates["encode"],
        "network_img_s": rates["network"],
        "decode_img_s": rates["decode"],
        "limit_img_s": rates["limit"],
        "share_of_limit": ratio(of_each, "limit", "encode"),
        "one_by_one_img_s": rates["one_by_one"],
        "vs_one_by_one": ratio(of_each, "one_by_one", "encode"),
        "writing": write_many(options.rows, scratch) if options.rows else None,
    }


def write_many(rows: int, scratch: Path) -> dict[str, float]:
    """Return what writing so many vectors of 4,096 float16 values takes, in a process of its own."""
    with tempfile.TemporaryDirectory(dir=scratch) as target, ProcessPoolExecutor(1, get_context("spawn")) as pool:
        seconds, before, after = pool.submit(_write, Path(target), rows).result()
    return {"rows": rows, "seconds": seconds, "mib_s": rows * 8192 / 2**20 / seconds, "grown_mib": after - before}


def _write(target: Path, rows: int) -> tuple[float, float, float]:
    """Return the seconds, and the largest resident memory of this process before and after in MiB."""
    origin = Origin("", "flatten", "float32", "float16", 128, 128, 3, 4096)
    vectors = np.random.default_rng(0).normal(size=(_MANY_AT_ONCE, 4096)).astype(np.float32)
    before, began = _peak_mib(), time.perf_counter()
    with EmbeddingWriter(target, origin, {"checkpoint": "", "folder": ""}) as writer:
        for start in range(0, rows, _MANY_AT_ONCE):
            names = [f"photographs/{number:07}.jpg" for number in range(start, min(start + _MANY_AT_ONCE, rows))]
            files = [ImageFile(name, 50_000, 1_700_000_000_000_000_000) for name in names]
            writer.add(files, vectors[: len(files)], ["0" * 32] * len(files))
        writer.finish()
    return time.perf_counter() - began, before, _peak_mib()


def _peak_mib() -> float:
    [kib] = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(kib) / 1024


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench encode", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object on one line")
    parser.add_argument("--folder", type=Path, help="pictures to take in place of drawn ones")
    parser.add_argument("--images", type=int, default=1000, help="photographs to draw (default: 1,000)")
    parser.add_argument("--variant", default="redux", choices=("redux", "medium", "large"))
    parser.add_argument("--image-size", type=int, default=128, help="height and width that are encoded (default: 128)")
    parser.add_argument("--batch-size", type=int, default=Settings().encoding.batch_size, help="images a step")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "gpu"))
    parser.add_argument("--rounds", type=int, default=_ROUNDS, help=f"timings of each (default: {_ROUNDS})")
    parser.add_argument("--rows", type=int, default=0, help="also write so many vectors of 4,096 float16 values")
    return parser.parse_args()


def _table(account: dict[str, Any]) -> Table:
    table = Table("figure", "value", title="Encoding")
    for key, value in account.items():
        table.add_row(key, f"{value:,.4g}" if isinstance(value, float) else str(value))
    return table


if __name__ == "__main__":
    tell(_options(), measure, _table)
