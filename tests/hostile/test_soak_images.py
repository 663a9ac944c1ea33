"""Thousands of hostile image files, one after another in a process that is watched, and all of them to the program.

Run by ``./scripts/soak images``. Damaged files are drawn anew until the time is up.
"""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path

import pytest

from engine.images.reading import MAX_PIXELS
from engine.settings import from_layers
from engine.workspace import Workspace
from tests.hostile import corpus
from tests.hostile.corpus import Sample
from tests.hostile.folders import FOLLOWED, everything_below, special, written
from tests.hostile.reader import Reader, Told
from tests.hostile.test_images import TINY, save_untrained

pytestmark = [pytest.mark.soak, pytest.mark.timeout(0)]

FEWEST = 2_000
SECONDS = 120.0
"""How long reading a file in all ways may take before the process is killed: the largest sound ones take a fifth."""
MOST_BYTES = 24 * MAX_PIXELS
"""A few hundred bytes can be a picture of as many pixels as are read, at up to 24 bytes each; more are refused."""


def samples(seed: int, seconds: float) -> Iterator[Sample]:
    """Yield the whole corpus, then further damaged files for as long as there is time."""
    began = time.monotonic()
    yield from corpus.thorough(seed)
    for more in count(seed + 1):
        for sample in corpus.flipped(more, 10):
            if time.monotonic() - began > seconds:
                return
            yield sample


def ending_of(sample: Sample, told: Told) -> str:
    """Return how reading ended in all ways, in a word."""
    endings = set(told.endings.values())
    if told.endings.keys() & {"hang", "crash"}:
        return f"{next(iter(told.endings))}: {next(iter(endings))}"
    if len({ending == "read" for ending in endings}) > 1:
        return f"read in one way and not in another: {sorted(endings)}"
    if any("Error: " in ending for ending in endings):
        return f"not a reason: {sorted(endings)}"
    if told.bytes > MOST_BYTES:
        return f"took {told.bytes >> 20:,} MiB"
    if not told.written.replace("\n", "").isprintable():
        return "wrote to the terminal"
    ending = "read" if "read" in endings else "refused"
    return ending if sample.ends in {ending, "either"} else f"{ending}, and must not be"


def test_every_file_is_read_or_refused(
    tmp_path: Path, tally: Counter[tuple[str, str]], soak_seconds: float, soak_seed: int
) -> None:
    wrong: list[str] = []
    slowest = largest = "", Told({})
    done = 0
    with Reader(tmp_path / "errors", SECONDS) as reader:
        for sample in samples(soak_seed, soak_seconds):
            path = tmp_path / sample.name
            path.write_bytes(sample.data)
            told = reader.read(path)
            path.unlink()
            ending = ending_of(sample, told)
            tally[sample.fault, ending] += 1
            if ending not in {"read", "refused"}:
                wrong.append(f"{sample.name} (seed {soak_seed}): {ending}")
            slowest = max(slowest, (sample.name, told), key=lambda one: one[1].seconds)
            largest = max(largest, (sample.name, told), key=lambda one: one[1].bytes)
            done += 1
    tally["costliest file", f"{slowest[1].seconds:.1f} s for all ways of reading: {slowest[0]}"] += 1
    tally["costliest file", f"{largest[1].bytes / 1e6:,.0f} MB beyond what was in use: {largest[0]}"] += 1
    assert wrong == []
    assert done >= FEWEST


def test_the_program_ends_with_a_whole_folder_of_them(
    tmp_path: Path, tally: Counter[tuple[str, str]], soak_seed: int
) -> None:
    """`fext analyze` and `fext encode` on the corpus, as a person calls them."""
    folder = tmp_path / "images"
    files = (sample for sample in corpus.thorough(soak_seed, 10) if sample.fault != "large")
    names = {name: sample for name, sample in written(folder, files).items() if not name.endswith(".gif")}
    special(folder)
    workspace = Workspace(tmp_path / "workspace").create()
    save_untrained(workspace, from_layers(("", TINY)))
    before = everything_below(folder), set(tmp_path.iterdir())
    for verb, done, skipped in ((("analyze",), "images", "skipped"), (("encode", "tiny"), "rows", "skipped")):
        ended = subprocess.run(
            [sys.executable, "-m", "fext_tui", "--resources", workspace.root, "--json", *verb, folder],
            cwd=Path(__file__).parents[2], capture_output=True, check=False, stdin=subprocess.DEVNULL,
            env=os.environ | {"FEXT_DATA_IMAGE_HEIGHT": "16", "FEXT_DATA_IMAGE_WIDTH": "16", "FEXT_DEVICE_KIND": "cpu"},
        )  # fmt: skip
        told = ended.stderr.decode()
        assert ended.returncode == 0, told
        assert (ended.stdout.decode() + told).replace("\n", "").isprintable()
        result = json.loads(ended.stdout)
        assert result[done] + result[skipped] == len(names) + len(FOLLOWED)
        tally[f"fext {verb[0]}, the folder", f"{result[done]:,} read, {result[skipped]:,} skipped with a reason"] += 1
    assert (everything_below(folder), set(tmp_path.iterdir())) == before


def test_the_corpus_is_the_same_for_the_same_seed() -> None:
    one, other = (list(islice(corpus.flipped(3, 5), 100)) for _ in range(2))
    assert one == other
    assert one != list(islice(corpus.flipped(4, 5), 100))
