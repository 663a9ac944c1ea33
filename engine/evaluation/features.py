"""What the encoder's vectors tell of images: the sections of a report on the latent and on the worth of features."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.errors import UsageError
from engine.evaluation.descriptors import descriptors_of
from engine.evaluation.images import EvaluatedImages
from engine.evaluation.labels import folder_labels, participants
from engine.evaluation.latent import LatentHealth, health_of, project
from engine.evaluation.measuring import Evaluated
from engine.evaluation.sections import Figure, Section, Table
from engine.evaluation.summary import METRICS
from engine.evaluation.worth import Worth, worth_of
from engine.files import printable, replace_file
from engine.images.resizing import resize
from engine.images.scan import Manifest
from engine.images.stream import stream
from engine.measures import label as words_of
from engine.plots import ByLabel, ByValue, scatter3_figure, scatter_figure, spectrum_figure, worth_figure
from engine.records import Records
from engine.records.images import metric_group
from engine.report import Report, go_on
from engine.workspace import LATENT_FILE

_WORTH_FIGURE = "worth.png"

_ERRORS = {metric.key: metric for metric in METRICS if metric.key != "ms_ssim"}

_SIDE = 64
"""Rows and columns of the pictures that features are compared with: their descriptors need no more."""

_LATENT = (
    "Vectors of {count:,} images, as `fext encode` gives them ({pooling}), in the directions of their largest variance."
)
_HEALTH = (
    "Effective rank is exp of the entropy of the singular values over their sum (Roy and Vetterli, 2007); the "
    "participation ratio is (Σλ)² / Σλ² of the variances λ along the components. Dead units are constant."
)
_WORTH = (
    "Folders are taken for labels: how many of {tested:,} images have their label told right, from {learned}. k-NN: a "
    "majority of the k nearest by cosine. Linear probe: logistic regression on standardized values. Intervals are of "
    "95 % (Wilson)."
)


@dataclass(frozen=True)
class Sample:
    """Some of the images of an evaluation.

    Attributes:
        numbers: which of those measured (n,).
        paths: theirs.
        vectors: of the encoder (n, D) float32.
        pictures: theirs, small (n, 64, 64, C).
        pooling: how the vectors were made.

    """

    numbers: NDArray[np.int64]
    paths: list[str]
    vectors: NDArray[np.float32]
    pictures: NDArray[np.uint8]
    pooling: str

    @cached_property
    def labels(self) -> list[str]:
        """The label of each image; empty where folders are no labels."""
        return _labels(self.paths)


def _labels(paths: Sequence[str]) -> list[str]:
    """Return the label of each image by its folder; empty where folders are no labels."""
    labels = folder_labels(paths)
    return labels if participants(labels).names else []


def draw_sample(done: Evaluated, report: Report) -> Sample:
    """Encode a sample of the images that were evaluated, drawn by the seed.

    Raises:
        Stopped: the report says stop.

    """
    evaluation, data = done.settings.evaluation, done.model.config.settings.data
    count = min(evaluation.feature_images, len(done.measured.paths))
    chosen = np.sort(np.random.default_rng(evaluation.seed).choice(len(done.measured.paths), count, replace=False))
    number_of = {done.measured.paths[number]: number for number in chosen.tolist()}
    manifest = done.images.manifest
    some = Manifest(manifest.folder, tuple(file for file in manifest.files if file.path in number_of))
    paths: list[str] = []
    vectors: list[NDArray[np.float32]] = []
    pictures: list[NDArray[np.uint8]] = []
    for batch in stream(some, data, evaluation.batch_size, done.settings.device.workers):
        go_on(report)
        if len(batch.images):
            vectors.append(done.model.embed(batch.images, "auto").cpu().numpy())
            pictures += [resize(image, _SIDE, _SIDE) for image in batch.images]
        paths += [file.path for file in batch.files]
        report.progress("encoding", len(paths), count, "images")
    numbers = np.array([number_of[path] for path in paths], np.int64)
    pooling = done.model.model.pooling("auto")
    return Sample(numbers, paths, np.concatenate(vectors), np.stack(pictures), pooling)


def remove_features(folder: Path) -> None:
    """Remove what an older report has of it, which need not be made again."""
    for old in (*folder.glob("latent-*.png"), folder / _WORTH_FIGURE, folder / LATENT_FILE):
        old.unlink(missing_ok=True)


def feature_sections(done: Evaluated, sample: Sample, records: Records, report: Report) -> Iterator[Section]:
    """Yield the sections on the latent and, where folders are labels, on the worth of the features; draw their figures.

    Raises:
        FextError: a figure cannot be written.
        Stopped: the report says stop.

    """
    yield latent_section(done, sample, records)
    if sample.labels:
        yield worth_section(done, sample, report)


# --- The latent ---------------------------------------------------------------------------------------------------


def latent_section(done: Evaluated, sample: Sample, records: Records) -> Section:
    """Return the section that shows the vectors and tells of their health, and draw its figures."""
    projected = project(sample.vectors)
    shares = projected.shares.tolist()
    text = _LATENT.format(count=len(sample.paths), pooling=sample.pooling)
    title = f"{done.checkpoint} · {len(sample.paths):,} vectors"
    colorings = _colorings(done, sample, records)
    figures = []
    for name, by in colorings.items():
        path = done.folder / f"latent-{name}.png"
        scatter_figure(projected.scores[:, :2], path, title, by=by, shares=shares)
        figures.append(Figure(path, f"Vectors along their first two principal components, colored by {name}."))
    path = done.folder / "latent-3d.png"
    scatter3_figure(
        projected.scores, path, title, by=next(iter(_colorings(done, sample, records).values())), shares=shares
    )
    figures.append(Figure(path, "Along the first three, from two sides."))
    _write_points(done, sample, projected.scores)
    facts = {"images": len(sample.paths), "pooling": sample.pooling, "dim": sample.vectors.shape[1], "shares": shares}
    if len(sample.paths) < 2:
        return Section("The latent", text, figures=tuple(figures), facts={"latent": facts})
    health = health_of(sample.vectors)
    spectrum_figure(health.explained, done.folder / "latent-spectrum.png", f"{done.checkpoint} · explained variance")
    figures.append(Figure(done.folder / "latent-spectrum.png", "Variance that the first components hold together."))
    told = {name: value for name, value in asdict(health).items() if name != "explained"}
    return Section(
        "The latent", f"{text} {_HEALTH}", (_health_table(health),), tuple(figures), {"latent": facts | told}
    )


def _write_points(done: Evaluated, sample: Sample, scores: NDArray[np.float32]) -> None:
    """Write where the images lie along three components, for whoever draws them anew."""
    labels = sample.labels or [""] * len(sample.paths)
    psnr = done.measured.errors["psnr"][sample.numbers]
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(("path", "label", "psnr", "pc1", "pc2", "pc3"))
    for path, label, decibel, place in zip(sample.paths, labels, psnr.tolist(), scores.tolist(), strict=True):
        writer.writerow((path, label, f"{decibel:.3f}", *(f"{value:.6g}" for value in place)))
    replace_file(done.folder / LATENT_FILE, text.getvalue().encode(errors="surrogateescape"))


def _health_table(health: LatentHealth) -> Table:
    correlation = "" if health.mean_correlation is None else f"{health.mean_correlation:.3f}"
    holding = ", ".join(f"{count:,} for {percent} %" for percent, count in health.components.items())
    strongest = ", ".join(
        f"{pair.one} and {pair.other} ({pair.correlation:.3f})" for pair in health.most_correlated[:3]
    )
    rows = (
        ("Values of a vector", f"{health.dim:,}"),
        ("Effective rank", f"{health.effective_rank:,.1f}"),
        ("Participation ratio", f"{health.participation_ratio:,.1f}"),
        ("Components that hold the variance", holding),
        ("Dead units", f"{len(health.dead):,}"),
        ("Nearly constant units (%)", f"{100 * health.nearly_constant:.1f}"),
        ("Mean absolute correlation of units", correlation),
        ("Most correlated units", strongest),
    )
    return Table((), rows)


def refuse_unknown_colors(wanted: str, images: EvaluatedImages, records: Records) -> None:
    """Do nothing where points of the latent can be colored by what is ``wanted`` (`evaluation.color_by`).

    Raises:
        UsageError: it is nothing that is known of the images.

    """
    if wanted == "label" and not _labels([file.path for file in images.manifest.files]):
        raise UsageError("The folders of the images are no labels.", "Set evaluation.color_by to psnr or a measure.")
    if wanted in {"", "label", *_ERRORS}:
        return
    try:
        is_known = bool(_measured(wanted, images, records))
    except KeyError as error:
        raise UsageError(
            f"evaluation.color_by = {wanted!r} is no figure of images.",
            f"Choose label, {', '.join(_ERRORS)}, or a measure of the analysis, for instance mean_gray.",
        ) from error
    if not is_known:
        folder = printable(str(images.manifest.folder))
        raise UsageError(f"{wanted} is not known of these images.", f"Analyze them first: fext analyze {folder}")


def _measured(column: str, images: EvaluatedImages, records: Records) -> dict[str, float]:
    """Return a measure of the analysis by path, where the images were analyzed.

    Raises:
        KeyError: there is no such measure.

    """
    metric_group(column)
    dataset = records.find_dataset(images.manifest.folder)
    if dataset is None:
        return {}
    numbers, values = records.metric_values(dataset, column)
    paths = records.paths(numbers.tolist())
    return {paths[number]: value for number, value in zip(numbers.tolist(), values.tolist(), strict=True)}


def _colorings(done: Evaluated, sample: Sample, records: Records) -> dict[str, ByLabel | ByValue]:
    """Return what points are colored by, by name: as the settings say, else the label, if any, and the PSNR."""
    wanted = done.settings.evaluation.color_by
    if not wanted:
        labels = {"label": ByLabel(sample.labels)} if sample.labels else {}
        return {**labels, "psnr": _by_error(done, sample, "psnr")}
    if wanted == "label":
        return {wanted: ByLabel(sample.labels)}
    if wanted in done.measured.errors:
        return {wanted: _by_error(done, sample, wanted)}
    known = _measured(wanted, done.images, records)
    return {wanted: ByValue([known.get(path, np.nan) for path in sample.paths], words_of(wanted))}


def _by_error(done: Evaluated, sample: Sample, name: str) -> ByValue:
    return ByValue(done.measured.errors[name][sample.numbers], _ERRORS[name].title, _ERRORS[name].unit)


# --- The worth of features ----------------------------------------------------------------------------------------


def worth_section(done: Evaluated, sample: Sample, report: Report) -> Section:
    """Return the section that sets the vectors beside plain descriptors of the same pictures, and draw its figure."""
    trained = done.images.trained_on
    split = np.array([path in trained for path in sample.paths]) if trained is not None else None
    if split is not None and not participants(sample.labels, split).names:
        split = None
    features = {f"{done.checkpoint}": sample.vectors} | descriptors_of(sample.pictures, split)
    parts: dict[str, Worth] = {}
    for number, (name, vectors) in enumerate(features.items()):
        go_on(report)
        report.progress("comparing features", number, len(features), "kinds")
        parts[name] = worth_of({name: vectors}, sample.labels, split)
    one = parts[done.checkpoint]
    path = done.folder / _WORTH_FIGURE
    worth_figure(
        {name: part.intervals()[name] for name, part in parts.items()},
        path,
        f"Worth of features · {done.checkpoint}",
        f"{len(one.labels)} labels, {one.tested:,} images",
        own=frozenset({done.checkpoint}),
        levels={"chance": one.chance, "majority": one.majority},
    )
    learned = "each other" if split is None else f"{one.learned:,} training images"
    table = _worth_table(parts)
    figure = Figure(path, "Share of labels told right, with intervals of 95 %.")
    facts = {
        "labels": list(one.labels), "tested": one.tested, "learned": one.learned, "by_split": split is not None,
        "left_out": dict(one.left_out), "chance": one.chance, "majority": one.majority,
        "features": {name: asdict(part.features[name]) for name, part in parts.items()},
    }  # fmt: skip
    text = _WORTH.format(tested=one.tested, learned=learned)
    return Section("The worth of the features", text, (table,), (figure,), {"worth": facts})


def _worth_table(parts: dict[str, Worth]) -> Table:
    counts = next(iter(parts.values())).features[next(iter(parts))].neighbors
    rows = []
    for name, part in parts.items():
        worth = part.features[name]
        accuracies = [*worth.neighbors.values(), worth.probe]
        rows.append((
            name, f"{worth.dim:,}", *(f"{100 * one.accuracy:.1f}" for one in accuracies),
            f"{100 * worth.probe.balanced:.1f}",
        ))  # fmt: skip
    one = next(iter(parts.values()))
    caption = (
        f"{len(one.labels)} labels; by chance {100 * one.chance:.1f} %, the largest label {100 * one.majority:.1f} %"
    )
    header = ("Features", "Values", *(f"k-NN, k = {count} (%)" for count in counts), "Probe (%)", "Balanced (%)")
    return Table(header, tuple(rows), caption)
