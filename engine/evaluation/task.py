"""The evaluation of a checkpoint on a set of images."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from engine.checkpoints import IMAGES_FILE, find_checkpoint
from engine.errors import UsageError
from engine.files import printable
from engine.images.dataset import VALIDATION, read_listing
from engine.images.scan import Manifest, none_readable, scan
from engine.images.stream import stream
from engine.metrics import image_errors
from engine.models.loading import LoadedModel, load_for_use
from engine.plots import curves_figure, reconstruction_figure
from engine.records import Records
from engine.report import Report, go_on
from engine.settings import Settings
from engine.tensors import to_uint8
from engine.workspace import Workspace

_WARNED = 3

Pair = tuple[NDArray[np.uint8], NDArray[np.uint8], str]


@dataclass(frozen=True)
class EvaluationResult:
    """Means over the images of the errors on the scale [0, 1], PSNR in dB, SSIM and cosine similarity.

    ``figure`` is the path of the picture that shows originals and reconstructions.
    """

    images: int
    mae: float
    mse: float
    psnr: float
    ssim: float
    cosine: float
    skipped: int
    figure: str


@dataclass(frozen=True)
class _Images:
    manifest: Manifest
    subset: Literal["validation", "folder"]


def evaluate(
    settings: Settings,
    workspace: Workspace,
    records: Records,
    report: Report,
    *,
    checkpoint: str,
    folder: str = "",
    job: int | None = None,
) -> EvaluationResult:
    """Compare the images of a folder, or those held out when the checkpoint was trained, with their reconstructions.

    Every figure is of the reconstruction as a person sees it: clamped to [0, 1] and rounded to 8 bits.

    Raises:
        FextError: the checkpoint or the folder is not there or damaged, or no image can be read.

    """
    state = find_checkpoint(workspace, checkpoint)
    model = load_for_use(state, settings.device)
    chosen = _choose_images(workspace, model, state.parent, folder, report)
    count, where = len(chosen.manifest.files), printable(str(chosen.manifest.folder))
    report.log(f"Evaluating {checkpoint} on {count:,} images of {where}.")
    rows, pairs, skipped = _measure(settings, model, chosen.manifest, report)
    if not rows:
        raise none_readable(chosen.manifest.folder, skipped)
    means = {name: float(np.mean([row[name] for row in rows])) for name in ("mae", "mse", "psnr", "ssim", "cosine")}
    figure = workspace.validation / checkpoint / f"reconstructions-{chosen.subset}.png"
    reconstruction_figure(pairs, figure, f"{checkpoint} · {means['psnr']:.2f} dB over {len(rows):,} images")
    report.artifact("figure", figure)
    _draw_curves(records, state.parent.name, figure.with_name("curves.png"), report)
    facts = {
        "job": job,
        "checkpoint": checkpoint,
        "subset": chosen.subset,
        "images": len(rows),
        "skipped": len(skipped),
    }
    facts["folder"] = workspace.stored_path(chosen.manifest.folder)
    records.add_evaluation({**facts, **means}, rows)
    report.log(f"{means['psnr']:.2f} dB, SSIM {means['ssim']:.4f}, mean absolute error {means['mae']:.4f}.")
    return EvaluationResult(images=len(rows), skipped=len(skipped), figure=str(figure), **means)


def _draw_curves(records: Records, name: str, path: Path, report: Report) -> None:
    """Draw the curves of the checkpoint's run, where the records hold it."""
    run = records.run_named(name)
    if run is None:
        return
    curves = {
        metric: (np.array([row["epoch"] for row in rows]), np.array([row["value"] for row in rows]))
        for metric in ("train/loss", "validation/loss", "validation/psnr")
        if (rows := records.curve(int(run["id"]), metric))
    }
    nothing = (np.empty(0), np.empty(0))
    losses = {metric.partition("/")[0]: curve for metric, curve in curves.items() if metric.endswith("/loss")}
    if losses:
        curves_figure(losses, curves.get("validation/psnr", nothing), path, f"{name} · training")
        report.artifact("figure", path)


def _choose_images(workspace: Workspace, model: LoadedModel, run: Path, folder: str, report: Report) -> _Images:
    if folder:
        return _Images(scan(workspace.actual_path(folder), report), "folder")
    data = model.config.settings.data
    held_out = {path for subset, path, _ in read_listing(run / IMAGES_FILE) if subset == VALIDATION}
    if not held_out:
        raise UsageError(f"{run.name} was trained without held-out images.", "Give a folder to evaluate on.")
    source = data.validation_folder or data.folder
    manifest = scan(workspace.actual_path(source) if source else workspace.images, report)
    kept = tuple(file for file in manifest.files if file.path in held_out)
    if not kept:
        raise UsageError(f"The images held out for {run.name} are gone.", "Bring them back, or give a folder.")
    if len(kept) < len(held_out):
        report.log(f"{len(held_out) - len(kept):,} of the held-out images are gone.", "warning")
    return _Images(Manifest(manifest.folder, kept), "validation")


def _measure(
    settings: Settings, model: LoadedModel, manifest: Manifest, report: Report
) -> tuple[list[dict[str, Any]], list[Pair], list[tuple[str, str]]]:
    chosen = _compared(manifest, settings)
    rows: list[dict[str, Any]] = []
    pairs: list[Pair] = []
    skipped: list[tuple[str, str]] = []
    data, size = model.config.settings.data, settings.evaluation.batch_size
    for batch in stream(manifest, data, size, settings.device.workers):
        go_on(report)
        reconstructions, errors = _reconstruct(model, batch.images) if len(batch.images) else (batch.images, {})
        for number, file in enumerate(batch.files):
            row = {"path": file.path, **{name: float(values[number]) for name, values in errors.items()}}
            rows.append(row)
            if file.path in chosen:
                caption = f"{file.path}\n{row['psnr']:.1f} dB"
                pairs.append((batch.images[number], reconstructions[number], caption))
        for path, reason in batch.skipped[: max(0, _WARNED - len(skipped))]:
            report.log(f"Skipped {printable(path)}: {reason}", "warning")
        skipped += batch.skipped
        report.progress("evaluating", len(rows) + len(skipped), len(manifest.files), "images")
    return rows, pairs, skipped


def _compared(manifest: Manifest, settings: Settings) -> frozenset[str]:
    evaluation = settings.evaluation
    count = min(evaluation.compared_images, len(manifest.files))
    drawn = np.random.default_rng(evaluation.seed).choice(len(manifest.files), count, replace=False)
    return frozenset(manifest.files[number].path for number in drawn)


@torch.inference_mode()
def _reconstruct(
    model: LoadedModel, images: NDArray[np.uint8]
) -> tuple[NDArray[np.uint8], dict[str, NDArray[np.float32]]]:
    with model.device.autocast():
        reconstruction = to_uint8(model.model(model.to_device(images)))
    original = torch.from_numpy(images).to(model.device.handle)
    errors = image_errors(original, reconstruction)
    return reconstruction.cpu().numpy(), {name: values.cpu().numpy() for name, values in errors.items()}
