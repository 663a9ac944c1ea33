"""The evaluation of a checkpoint on a set of images."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.checkpoints import find_checkpoint
from engine.errors import FextError, Stopped
from engine.evaluation import gallery
from engine.evaluation.baselines import Baseline, fit_baselines
from engine.evaluation.features import draw_sample, feature_sections, refuse_unknown_colors, remove_features
from engine.evaluation.fidelity import about_section, comparison_section, means, summary_section
from engine.evaluation.gallery import Gallery
from engine.evaluation.images import choose_images, named_files
from engine.evaluation.measuring import Evaluated, Measured, measure
from engine.evaluation.report import IMAGES_TABLE, PAGE, write_images, write_report
from engine.evaluation.sections import Section
from engine.files import make_folder, printable
from engine.images.of_run import RunImages
from engine.images.scan import none_readable
from engine.models.loading import LoadedModel, load_for_use
from engine.plots import curves_figure
from engine.records import Records
from engine.report import Report
from engine.settings import Settings
from engine.workspace import Workspace


@dataclass(frozen=True)
class EvaluationResult:
    """Means over the images of the errors on the scale [0, 1], PSNR in dB, SSIM, MS-SSIM and cosine similarity.

    Attributes:
        images: number of images that were measured.
        mae: mean absolute error.
        mse: mean squared error.
        psnr: peak signal-to-noise ratio in dB.
        ssim: structural similarity.
        cosine: cosine similarity.
        rmse: mean of the root mean squared errors of single images.
        ms_ssim: structural similarity over five scales; None where a side has fewer pixels than `MS_SSIM_SIDE`.
        skipped: number of images that cannot be read.
        figure: path of the picture that shows originals, reconstructions and errors of random images.
        report: path of the folder that holds the report.
        summary: of each metric its mean, standard deviation, extremes and percentiles.
        baselines: of each baseline its title, number of components and means; empty where none was fitted.
        worth: of each kind of features the shares of labels that are told right, ``knn_K`` and ``probe``, in [0, 1];
            empty where folders are no labels.

    """

    images: int
    mae: float
    mse: float
    psnr: float
    ssim: float
    cosine: float
    rmse: float
    ms_ssim: float | None
    skipped: int
    figure: str
    report: str
    summary: Mapping[str, Mapping[str, float]]
    baselines: Mapping[str, Mapping[str, Any]]
    worth: Mapping[str, Mapping[str, float]]


def evaluate(
    settings: Settings,
    workspace: Workspace,
    records: Records,
    report: Report,
    *,
    checkpoint: str,
    folder: str = "",
    subset: str = "validation",
    images: Sequence[str] = (),
    job: int | None = None,
) -> EvaluationResult:
    """Compare images with their reconstructions, and write a report into ``database/validation/CHECKPOINT/SET``.

    The images are those of a folder, or a subset of those the checkpoint was trained with: ``validation``, held out,
    ``training``, or ``all``. SET is the subset, or the folder's name and a digest of its path. Beside the network,
    baselines that are fitted on its training images are measured on the same images. Every figure is of the
    reconstruction as a person sees it: clamped to [0, 1] and rounded to 8 bits. Vectors of a sample of the images are
    looked at too, and compared with other features by the folders of the images, where these are labels.

    Args:
        settings: what may be set.
        workspace: where things lie.
        records: what is remembered.
        report: how progress is told.
        checkpoint: ``NAME`` or ``NAME/TAG``.
        folder: images to evaluate on, as the workspace stores the path; empty: a subset of the run's.
        subset: ``validation``, ``training`` or ``all``.
        images: paths, relative to the image folder, of images to show.
        job: number of the job.

    Raises:
        UsageError: an image to show is not among the images, both folder and subset are given, or the latent cannot be
            colored as the settings ask.
        FextError: the checkpoint or the folder is not there or damaged, no image can be read, or the report cannot be
            written.
        Stopped: the report says stop.

    """
    began = time.monotonic()
    state = find_checkpoint(workspace, checkpoint)
    model = load_for_use(state, settings.device)
    run = RunImages(workspace, model.config, state.parent, report)
    chosen = choose_images(workspace, run, folder, subset, report)
    asked = named_files(chosen.manifest, images)
    refuse_unknown_colors(settings.evaluation.color_by, chosen, records)
    where = printable(str(chosen.manifest.folder))
    report.log(f"Evaluating {checkpoint} on {len(chosen.manifest.files):,} images of {where}.")
    baselines = _baselines(settings, model, run, report)
    measured = measure(settings, model, chosen.manifest, baselines, report)
    if not measured.paths:
        raise none_readable(chosen.manifest.folder, measured.skipped)

    target = make_folder(workspace.validation / checkpoint / chosen.name)
    done = Evaluated(checkpoint, settings, model, chosen, measured, target)
    _draw_curves(records, state.parent.name, target / "curves.png", report)
    galleries = gallery.choose(settings, measured, asked)
    sections = list(_sections(done, baselines, galleries, records, report))
    seconds = time.monotonic() - began
    result = _result(done, sections)
    title = f"Evaluation of {checkpoint}", f"{result.psnr:.2f} dB on {where}"
    write_images(target / IMAGES_TABLE, measured)
    write_report(target, *title, [about_section(done, seconds), *sections])
    for one in galleries:
        report.artifact("figure", one.file(target))
    report.artifact("report", target / PAGE)
    told = {"summary": result.summary, "baselines": result.baselines, "worth": result.worth}
    facts = {
        "job": job,
        "checkpoint": checkpoint,
        "folder": chosen.source,
        "subset": chosen.subset,
        "fingerprint": model.fingerprint,
        "seconds": seconds,
        "report": workspace.stored_path(target),
        "summary": json.dumps(told),
        "images": result.images,
        "skipped": result.skipped,
    }
    records.add_evaluation({**facts, **means(measured.errors)}, _rows(measured))
    _tell(report, result)
    return result


def _sections(
    done: Evaluated, baselines: Sequence[Baseline], galleries: Sequence[Gallery], records: Records, report: Report
) -> Iterator[Section]:
    """Yield the sections of the report but for the first, and draw their figures."""
    gallery.draw(done, galleries)
    yield summary_section(done.measured)
    yield comparison_section(done, baselines)
    for one in galleries:
        yield gallery.gallery_section(done, one)
    remove_features(done.folder)
    if done.settings.evaluation.feature_images:
        yield from feature_sections(done, draw_sample(done, report), records, report)


def _result(done: Evaluated, sections: Sequence[Section]) -> EvaluationResult:
    facts = {key: value for section in sections for key, value in section.facts.items()}
    average = means(done.measured.errors)
    ms_ssim = average.pop("ms_ssim", None)
    return EvaluationResult(
        images=len(done.measured.paths),
        skipped=len(done.measured.skipped),
        **average,
        ms_ssim=ms_ssim,
        figure=str(gallery.figure(done.folder, "random")),
        report=str(done.folder),
        summary=facts["summary"],
        baselines=facts["baselines"],
        worth=_accuracies(facts),
    )


def _accuracies(facts: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Return the accuracies of each kind of features by the method; empty where there are no labels."""
    features = facts.get("worth", {}).get("features", {})
    return {
        name: {
            **{f"knn_{k}": one["accuracy"] for k, one in told["neighbors"].items()},
            "probe": told["probe"]["accuracy"],
        }
        for name, told in features.items()
    }


def _baselines(settings: Settings, model: LoadedModel, run: RunImages, report: Report) -> list[Baseline]:
    """Return the baselines that are switched on; none, with a word in the log, where the training images are gone."""
    if not settings.evaluation.baseline_images:
        return []
    try:
        training = run.side("training")
    except Stopped:
        raise
    except FextError as error:
        report.log(f"No baselines: {error.cause}", "warning")
        return []
    return fit_baselines(settings, model, training, report)


def _rows(measured: Measured) -> Iterator[dict[str, Any]]:
    """Yield the images as the records hold them."""
    kept = {name: values for name, values in measured.errors.items() if name != "rmse"}
    for number, path in enumerate(measured.paths):
        yield {"path": path, **{name: float(values[number]) for name, values in kept.items()}}


def _tell(report: Report, result: EvaluationResult) -> None:
    report.log(f"{result.psnr:.2f} dB, SSIM {result.ssim:.4f}, mean absolute error {result.mae:.4f}.")
    for one in result.baselines.values():
        report.log(f"{one['title']}: {one['psnr']:.2f} dB, SSIM {one['ssim']:.4f}.")


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
