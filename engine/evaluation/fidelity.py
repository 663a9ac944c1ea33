"""How faithful the reconstructions are: the sections of a report that tell it in numbers."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch

from engine.evaluation.baselines import Baseline
from engine.evaluation.measuring import Evaluated, Measured
from engine.evaluation.sections import Figure, Section, Table
from engine.evaluation.summary import METRICS, Metric, summarize
from engine.plots import errors_figure

_METRICS = (
    "Of what a person sees: pictures clamped to 0–1 and rounded to 8 bits. MAE, RMSE and MSE are on the scale from 0 "
    "(black) to 1 (white); each figure is of one image, and then spread over the images."
)
_BASELINES = (
    "The mean image and principal components of whole images and of patches store at most as many values an image as "
    "the network's latent has; they were fitted on {count:,} of the network's training images and measured on the "
    "images above."
)


def baseline_facts(baselines: Sequence[Baseline], measured: Measured) -> dict[str, dict[str, Any]]:
    """Return what is told of each baseline, by name: its kind, its means, and the share of images it does worse on.

    ``network_better`` is the share in [0, 1] of images of which the network's PSNR is higher.
    """
    return {
        one.name: {
            "title": one.title,
            "components": one.components,
            "fitted_on": one.images,
            **means(measured.baselines[one.name]),
            "network_better": float(np.mean(measured.errors["psnr"] > measured.baselines[one.name]["psnr"])),
        }
        for one in baselines
    }


def means(errors: Mapping[str, Any]) -> dict[str, float]:
    """Return the mean of each metric over the images."""
    return {metric: spread.mean for metric, spread in summarize(errors).items()}


def about_section(done: Evaluated, seconds: float) -> Section:
    """Return the section that tells what was evaluated, how, and in how many seconds."""
    images, measured, config, device = done.images, done.measured, done.model.config, done.model.device
    data = config.settings.data
    image = (data.image_height, data.image_width, config.image_channels)
    latent = " × ".join(map(str, config.latent))
    rows = (
        ("Checkpoint", f"{done.checkpoint}, epoch {config.epoch:g}, step {config.step:,}"),
        ("Weights (BLAKE2)", done.model.fingerprint),
        ("Network", f"FextAE {config.settings.model.variant}, {config.parameters:,} parameters"),
        ("Image (px, channels)", " × ".join(map(str, image))),
        ("Latent (channels, px)", f"{latent}, one value for {math.prod(image) / math.prod(config.latent):.3g}"),
        ("Set of images", f"{images.subset}, {images.manifest.folder}"),
        ("Images", f"{len(measured.paths):,}, and {len(measured.skipped):,} that cannot be read"),
        ("Device", f"{device.name}, {device.precision_name}"),
        ("PyTorch", torch.__version__),
        ("Seed", str(done.settings.evaluation.seed)),
        ("Time (s)", f"{seconds:.1f}"),
    )
    facts = {
        "checkpoint": done.checkpoint,
        "fingerprint": done.model.fingerprint,
        "created": time.time(),
        "network": {
            "variant": config.settings.model.variant,
            "parameters": config.parameters,
            "epoch": config.epoch,
            "step": config.step,
            "image": list(image),
            "latent": list(config.latent),
        },
        "dataset": {
            "folder": images.source,
            "subset": images.subset,
            "key": images.manifest.key,
            "images": len(measured.paths),
            "skipped": [{"path": path, "reason": reason} for path, reason in measured.skipped],
        },
        "settings": done.settings.evaluation.model_dump() | {"device": device.name, "precision": device.precision_name},
        "torch": torch.__version__,
        "seconds": seconds,
    }
    return Section("What was evaluated", tables=(Table((), rows),), facts=facts)


def summary_section(measured: Measured) -> Section:
    """Return the section with the distribution of each metric over the images."""
    summary = summarize(measured.errors)
    names = ("mean", "std", "min", "p5", "p25", "p50", "p75", "p95", "max")
    header = ("mean", "deviation", "min", "5 %", "25 %", "median", "75 %", "95 %", "max")
    rows = tuple(
        (metric.label, *(metric.written(getattr(summary[metric.key], name)) for name in names))
        for metric in METRICS
        if metric.key in summary
    )
    table = Table(("Metric (unit)", *header), rows, f"Over {len(measured.paths):,} images")
    facts = {"summary": {metric: asdict(spread) for metric, spread in summary.items()}}
    return Section("How faithful the reconstructions are", _METRICS, (table,), facts=facts)


def comparison_section(done: Evaluated, baselines: Sequence[Baseline]) -> Section:
    """Return the section that sets the network beside the baselines, and draw its ``errors.png``.

    Raises:
        FextError: it cannot be written.

    """
    measured = done.measured
    facts = baseline_facts(baselines, measured)
    metrics = [metric for metric in METRICS if metric.key in measured.errors]
    marks = {"network": means(measured.errors)} | {one["title"]: one for one in facts.values()}
    path = done.folder / "errors.png"
    errors_figure(
        {metric.label: measured.errors[metric.key] for metric in metrics},
        {name: {metric.label: values[metric.key] for metric in metrics} for name, values in marks.items()},
        path,
        f"{done.checkpoint} · errors of {len(measured.paths):,} images",
        "Bars: images; lines: means of the network and of the baselines.",
    )
    rows = [("network", "", *_written(means(measured.errors), metrics))] + [
        (one["title"], f"{100 * one['network_better']:.1f} %", *_written(one, metrics)) for one in facts.values()
    ]
    caption = f"Means over {len(measured.paths):,} images"
    table = Table(("", "Network better", *(metric.label for metric in metrics)), tuple(rows), caption)
    figure = Figure(path, "Histograms of each metric over the images, with the means as lines.")
    return Section(
        "Beside baselines" if facts else "Errors of single images",
        _BASELINES.format(count=baselines[0].images) if baselines else "",
        (table,) if facts else (),
        (figure,),
        {"baselines": facts},
    )


def _written(values: Mapping[str, float], metrics: Sequence[Metric]) -> tuple[str, ...]:
    return tuple(metric.written(values[metric.key]) for metric in metrics)
