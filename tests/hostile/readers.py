"""Readers of files that another may have written, each with sound files that it reads, and what mutates them.

A reader may give what it finds, or raise a `FextError` that tells cause and remedy; nothing else, whatever the bytes.
"""

import json
import os
import random
import shutil
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from engine.checkpoint_details import checkpoint_details
from engine.checkpoints import list_checkpoints, mark_complete
from engine.configurations import load_settings, save_configuration
from engine.embedding_writer import EmbeddingWriter
from engine.embeddings import FormerVectors, Origin, read_embeddings
from engine.errors import FextError
from engine.images.layout import Layout
from engine.images.pack import open_images
from engine.images.packfile import read_pack
from engine.images.scan import ImageFile, listed_names, scan
from engine.jobs.on_finish import take_command, user_configuration
from engine.models import Autoencoder
from engine.models.loading import load_weights
from engine.rankings import list_rankings, read_ranking
from engine.records import Finding, Records
from engine.report import CollectedReport
from engine.settings import from_environment, from_layers
from engine.training.checkpoint import (
    Snapshot,
    Standing,
    copied,
    describe,
    load_standing,
    load_training_tensors,
    point,
    save_state,
    tensors_of,
)
from engine.workspace import Workspace
from fext_tui.bindings import all_actions
from fext_tui.key_file import checked, read_keys, template
from fext_tui.latent import read_points
from tests.hostile.corpus import encoded, picture

TINY: dict[str, Any] = {
    "data.image_height": 16, "data.image_width": 24, "model.latent_channels": 8, "model.downsampling": 8,
    "device.kind": "cpu",
}  # fmt: skip


@dataclass(frozen=True)
class Target:
    """A reader: the sound files that it reads, what reads them, and what is done to a mutated one before."""

    files: Mapping[Path, bytes]
    read: Callable[[], object]
    prepare: Callable[[Path], object] = lambda _: None

    def strike(self, drawn: random.Random) -> str:
        """Mutate a file, read it, put it back, and return how reading ended.

        Raises:
            Exception: the reader raised something else than a `FextError` with a cause that can be shown.

        """
        path = drawn.choice(list(self.files))
        path.write_bytes(mutated(self.files[path], drawn))
        try:
            self.prepare(path)
            self.read()
        except FextError as error:
            assert error.cause, "nothing is told"
            return "refused"
        finally:
            for one, content in self.files.items():
                if not one.exists() or one.read_bytes() != content:
                    one.write_bytes(content)
        return "read"


# --- Mutations --------------------------------------------------------------------------------------------------

NASTY = (
    b"", b"0", b"-1", b"1e999", b"NaN", b"null", b"true", b"[]", b"{}", b'""', b"9" * 400, b"[" * 3_000,
    b"{\"a\":" * 900, b"\x00", b"\xff\xfe", b"\x1b[31m", b"../../../../etc/passwd", b"/dev/zero", b'"', b"'", b"\n",
    b",", b"=", b"a.b.c = 1\n", "\u202e".encode(), b"-0.0", b"1.5", b"2147483648", b"18446744073709551616",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 1.5, 2**31, 2**64, 10**300, float("nan"), float("inf"), "", "x", "\x1b[31m", "../../x", [],
    [[]], {}, {"a": 1}, ["x"] * 50, "9" * 400,
)  # fmt: skip


def mutated(data: bytes, drawn: random.Random) -> bytes:
    """Return bytes that differ in a few places, at random or where it hurts."""
    choice = drawn.random()
    if choice < 0.4:
        document = _document(data)
        if document is not None:
            head, value, tail = document
            return head(json.dumps(_with_another_value(value, drawn)).encode()) + tail
    changed = bytearray(data)
    for _ in range(drawn.choice((1, 1, 2, 4))):
        at = drawn.randrange(len(changed) + 1)
        kind = drawn.randrange(5)
        if kind == 0 and changed:
            changed[min(at, len(changed) - 1)] ^= 1 << drawn.randrange(8)
        elif kind == 1:
            changed[at:at] = drawn.choice(NASTY)
        elif kind == 2:
            changed[at : at + drawn.choice((1, 4, 30))] = drawn.choice(NASTY)
        elif kind == 3:
            del changed[at:]
        else:
            other = drawn.randrange(len(changed) + 1)
            changed[at:at] = changed[other : other + drawn.choice((4, 40, 400))]
    return bytes(changed)


def _document(data: bytes) -> tuple[Callable[[bytes], bytes], Any, bytes] | None:
    """Return the JSON value in a file, and what stands before and behind it; None where it holds none."""
    if data[:1] in b"{[":
        try:
            return bytes, json.loads(data), b""
        except ValueError:
            return None
    length = int.from_bytes(data[:8], "little")
    if data[8:9] == b"{" and length < len(data):
        return lambda text: len(text).to_bytes(8, "little") + text, json.loads(data[8 : 8 + length]), data[8 + length :]
    return None


def _with_another_value(document: Any, drawn: random.Random) -> Any:
    """Return a JSON value of which some part is another, missing, or there under another name."""
    if isinstance(document, dict) and document and drawn.random() < 0.9:
        key = drawn.choice(list(document))
        kind = drawn.random()
        if kind < 0.1:
            return {name: value for name, value in document.items() if name != key}
        if kind < 0.2:
            return document | {drawn.choice(("", "x", "\x1b", "__class__", "../x")): document[key]}
        return document | {key: _with_another_value(document[key], drawn)}
    if isinstance(document, list) and document and drawn.random() < 0.8:
        at = drawn.randrange(len(document))
        return [*document[:at], _with_another_value(document[at], drawn), *document[at + 1 :]]
    return drawn.choice(VALUES)


# --- Readers ----------------------------------------------------------------------------------------------------


def targets(folder: Path) -> dict[str, Target]:
    """Return every reader by name, with sound files in a folder."""
    workspace = Workspace(folder / "workspace").create()
    return {
        "checkpoint": _checkpoint(workspace),
        "embeddings": _embeddings(folder / "embeddings"),
        "configuration": _configuration(workspace),
        "environment": _environment(workspace),
        "keys": _keys(folder / "keys.toml"),
        "command at the end": _on_finish(workspace, folder / "home"),
        "ranking": _ranking(workspace),
        "pack": _pack(workspace, folder / "images"),
        "list of images": _list(folder / "list.txt"),
        "latent": _latent(folder / "latent.csv"),
        "records": _records(folder),
    }


def _of(*paths: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in paths}


def _checkpoint(workspace: Workspace) -> Target:
    import torch

    settings = from_layers(("", TINY))
    network = Autoencoder(settings.model, 3)
    optimizer = torch.optim.AdamW(network.parameters())
    network(torch.zeros(1, 3, 16, 24)).sum().backward()
    optimizer.step()
    run = workspace.checkpoints / "first"
    run.mkdir()
    (run / "images.csv").write_text("subset,path,content_hash\r\ntrain,a.png,00\r\nvalidation,b.png,01\r\n")
    described = describe(settings, network, Standing(step=3), "first", {"device": "CPU", "precision": "float32"})
    training = copied(tensors_of(optimizer, network, {}))
    state = save_state(run, Snapshot(copied(network.state_dict()), training, Standing(step=3), described))
    point(run, "last", state)
    records = Records(workspace)

    def read() -> None:
        list_checkpoints(workspace)
        checkpoint_details(workspace, records, "first")
        model, _ = load_weights(state)
        load_standing(state)
        load_training_tensors(state, model)

    def believe(path: Path) -> None:
        if path.parent == state and path.name != "complete.json":
            (state / "complete.json").unlink()
            mark_complete(state)

    small = ("complete.json", "config.json", "training_state.json")
    weights = (state / "model.safetensors", state / "training_state.safetensors")
    return Target(_of(*(state / name for name in small), *weights, run / "images.csv"), read, believe)


def _embeddings(folder: Path) -> Target:
    origin = Origin("f", "mean", "float32", "float32", 32, 32, 3, 5)
    files = [ImageFile(f"{number:05d}.png", 10, 1_000) for number in range(30)]
    with EmbeddingWriter(folder, origin, {"checkpoint": "encoder", "folder": "images"}) as writer:
        writer.add(files, np.random.default_rng(0).normal(size=(30, 5)).astype(np.float32), ["0"] * 30)
        writer.finish()

    def read() -> None:
        former = FormerVectors(folder, origin)
        former.is_set_of(files)
        found = read_embeddings(folder)
        np.asarray(found.vectors).sum()
        _ = found.origin, found.paths, found.row_of(files[0])

    return Target(_of(*(folder / name for name in ("embeddings.npy", "index.csv", "bundle.json"))), read)


def _configuration(workspace: Workspace) -> Target:
    path = save_configuration(workspace, "mine", from_layers(("", TINY)))
    return Target(_of(path), lambda: load_settings(workspace, {}, configuration="mine"))


def _environment(workspace: Workspace) -> Target:
    lines = "FEXT_TRAINING_EPOCHS=7\n# more\nFEXT_DATA_FOLDER='a b'\nexport FEXT_DEVICE_KIND=cpu\n"
    workspace.environment_file.write_text(lines)

    def read() -> None:
        load_settings(workspace, {})
        pairs = (line.partition(b"=") for line in workspace.environment_file.read_bytes().splitlines())
        from_layers(
            ("", from_environment({name.decode("latin-1"): value.decode("latin-1") for name, _, value in pairs}))
        )

    return Target(_of(workspace.environment_file), read)


def _keys(path: Path) -> Target:
    actions = all_actions()
    text = template(actions, path)
    path.write_text(
        "\n".join(line.removeprefix("# ") if line.startswith('# "') else line for line in text.splitlines())
    )

    def read() -> None:
        for problem in checked(read_keys(path), actions)[1]:
            raise problem

    return Target(_of(path), read)


def _on_finish(workspace: Workspace, home: Path) -> Target:
    with patch.dict(os.environ, {"XDG_CONFIG_HOME": str(home)}):
        path = user_configuration()
    path.parent.mkdir(parents=True)
    path.write_text('on_finish = ["notify-send", "FeXT"]\n')

    def read() -> None:
        with patch.dict(os.environ, {"XDG_CONFIG_HOME": str(home)}):
            take_command(workspace, 1)

    return Target(_of(path), read)


def _ranking(workspace: Workspace) -> Target:
    folder = workspace.validation / "first" / "anomalies-images-00"
    folder.mkdir(parents=True)
    columns = "rank,path,error,local_error,distance,error_percentile,percentile,is_anomaly,label"
    lines = [f"{rank},{rank}.png,0.5,0.25,1e-3,99.5,99,{rank % 2},{'' if rank % 3 else 1}" for rank in range(1, 9)]
    (folder / "anomalies.csv").write_text("\r\n".join((columns, *lines, "")))
    told = {"checkpoint": "first", "folder": "images", "images": 8, "anomalies": 4, "percentile": 99.5}
    (folder / "anomalies.json").write_text(json.dumps(told))

    def read() -> None:
        for found in list_rankings(workspace):
            _ = f"{found.checkpoint} {found.images:,} {found.percentile:g}"
        list(read_ranking(folder / "anomalies.csv"))

    return Target(_of(folder / "anomalies.csv", folder / "anomalies.json"), read)


def _pack(workspace: Workspace, images: Path) -> Target:
    images.mkdir()
    for number in range(4):
        (images / f"{number}.png").write_bytes(encoded("PNG", picture(20, 20 + number)))
    open_images(scan(images, CollectedReport()), 16, 16, False, "on", workspace, 1, CollectedReport())
    [pack] = workspace.packs.iterdir()

    def read() -> None:
        if found := read_pack(pack, Layout(16, 16, gray=False)):
            _ = found[0].sum(), found[1].hashes()

    return Target(_of(pack / "images.npy", pack / "index.csv"), read)


def _list(path: Path) -> Target:
    path.write_text("a.png\nb/c.jpg\n/absolute/d.tif\n")
    (path.parent / "a.png").touch()
    return Target(_of(path), lambda: (listed_names(path), scan(path, CollectedReport())))


def _latent(path: Path) -> Target:
    rows = "".join(f"{number}.png,cat,25.5,{number},0.5,-1e3\r\n" for number in range(6))
    path.write_text(f"path,label,psnr,pc1,pc2,pc3\r\n{rows}")
    return Target(_of(path), lambda: read_points(path))


# --- Records ----------------------------------------------------------------------------------------------------


def _records(folder: Path) -> Target:
    """Return the records' file as a target: its bytes are mutated, or what stands in one of its columns."""
    workspace = Workspace(folder / "recorded").create()
    with Records(workspace) as records:
        fill(records)
    with closing(sqlite3.connect(workspace.database)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.execute("PRAGMA journal_mode = DELETE")
    sound = workspace.database.read_bytes()
    copy = Workspace(folder / "struck").create()
    drawn = random.Random(0)

    def prepare(path: Path) -> None:
        for left in copy.database.parent.glob(f"{copy.database.name}*"):
            left.unlink()
        struck = path.read_bytes()
        if drawn.random() < 0.6:
            copy.database.write_bytes(sound)
            alter(copy.database, drawn)
        else:
            copy.database.write_bytes(struck)

    def read() -> None:
        with Records(copy) as records:
            ask(records)

    path = folder / "struck.db"
    shutil.copyfile(workspace.database, path)
    return Target(_of(path), read, prepare)


def fill(records: Records) -> None:
    """Put a little of everything into records."""
    folder = records.workspace.images
    run = records.add_run("first", "redux", note="a note")
    job = records.add_job("train", "gpu:0", {"training": {"epochs": 3}}, {"checkpoint": "first"}, run=run)
    records.change_job(job, state="done", started=1.0, ended=2.0, result={"val_psnr": 25.5, "state": "done"})
    records.add_log_lines(job, [(1.0, "info", "It began."), (2.0, "warning", "It ended.")])
    records.add_artifact(job, "plot", records.workspace.root / "a.png")
    records.add_metrics(run, [(step, step / 10, 1.0 * step, {"train/loss": 1 / (step + 1)}) for step in range(40)])
    records.put_checkpoint(run, "last", 39, 3.9, 25.5)
    dataset = records.dataset(folder)
    rows = [
        {"path": f"{n}.png", "bytes": 10, "modified_ns": 1, "format": "PNG", "width": 4, "height": 3} for n in range(5)
    ]
    numbers = records.put_images(dataset, rows)
    exposure = {"underexposed_pct": 1.0, "overexposed_pct": 2.0, "midtone_pct": 3.0, "mean_gray": 9.0}
    records.put_image_metrics("exposure", [{"image": number, **exposure} for number in numbers.values()])
    known = {"layout": "16x16x3", "content": bytes(16), "perceptual": 1, "thumbnail": bytes(768), "pixels": bytes(16)}
    records.put_fingerprints([{"image": number, **known, "levels": bytes(9)} for number in numbers.values()])
    records.put_findings(dataset, ["dark"], [Finding("1.png", "dark", "very", 0.5)])
    records.put_histogram(dataset, "all", "gray", 5, list(range(256)))
    figures = {"mae": 0.1, "mse": 0.2, "psnr": 25.5, "ssim": 0.9, "cosine": 0.9}
    told = {"checkpoint": "first", "subset": "validation", "folder": "", "images": 1, "skipped": 0}
    records.add_evaluation(
        {**told, **figures, "summary": json.dumps({"psnr": {"mean": 25.5}})}, [{"path": "1.png", **figures}]
    )
    records.add_embeddings(
        checkpoint="first", folder="images", path="database/inference/first", rows=5, dim=3, skipped=0
    )


def alter(path: Path, drawn: random.Random) -> None:
    """Put something else into a column of a table, of one row or of all."""
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("PRAGMA ignore_check_constraints = 1")
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        table = drawn.choice([name for name in tables if not name.startswith("sqlite_")])
        column = drawn.choice([row[1] for row in database.execute(f'PRAGMA table_info("{table}")')])
        held = [value for (value,) in database.execute(f'SELECT "{column}" FROM "{table}"') if value]  # noqa: S608
        value: Any = drawn.choice((*NASTY, 2**62, -1, 1.5, None, "\x1b[31m"))
        if held and isinstance(held[0], str) and held[0][:1] in "{[":
            value = mutated(held[0].encode(), drawn)
        if isinstance(value, bytes) and drawn.random() < 0.7:
            value = value.decode(errors="replace")
        with suppress(sqlite3.IntegrityError):
            database.execute(f'UPDATE OR IGNORE "{table}" SET "{column}" = ?', (value,))  # noqa: S608


def ask(records: Records) -> None:
    """Ask records everything that screens and tasks ask."""
    for run in records.runs():
        number = run["id"]
        _ = records.run_figures(number), records.checkpoints(number), records.last_metrics(number)
        _ = records.metrics_after(number), records.jobs_of_run(number)
        for name in records.metric_names(number):
            records.curve(number, name, 10)
    for job in records.jobs():
        _ = records.log_lines(job.id), records.log_tail(job.id), records.artifacts(job.id), job.seconds(5.0)
    _ = records.queue(), records.next_queued(), records.newest_metric()
    for row in records.datasets():
        dataset = row["id"]
        _ = records.dataset_summary(dataset), records.histograms(dataset), records.findings(dataset)
        _ = records.image_metrics(dataset, ("exposure",)), records.count_findings(dataset), records.excluded(dataset)
        _ = records.count_images(dataset), list(records.ordered_paths(dataset, "underexposed_pct"))
        _ = records.metric_values(dataset, "underexposed_pct"), records.fingerprints(dataset)
        _ = list(records.stored_forms(dataset)), list(records.levels(dataset)), records.thumbnails([1, 2])
    for row in records.evaluations():
        records.image_errors(row["id"])
        list(records.ordered_errors(row["id"], "psnr"))
    records.embeddings()
