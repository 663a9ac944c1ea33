"""The search for images that are unlike those a network was trained on."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from engine.anomalies.labels import agreement, labels_of
from engine.anomalies.making import find_reference
from engine.anomalies.ranking import MostUnusual, judge
from engine.anomalies.reference import Reference
from engine.anomalies.results import (
    FIGURE_FILES,
    JUDGES,
    AnomalyResult,
    Scored,
    draw,
    rating,
    told,
    write_tables,
)
from engine.anomalies.scoring import Scores, measured
from engine.checkpoints import find_checkpoint
from engine.images.scan import Manifest, none_readable, scan, warn_of_skipped
from engine.models.loading import LoadedModel, load_for_use
from engine.rankings import REPORT_FILE, SCORES, TABLE_FILE, folder_of_ranking
from engine.records import Records
from engine.report import Report
from engine.settings import Settings
from engine.workspace import Workspace

_SHOWN = 16


def find_anomalies(
    settings: Settings,
    workspace: Workspace,
    records: Records,
    report: Report,
    *,
    checkpoint: str,
    folder: str = "",
    reference: str = "",
    labels: str = "",
    normal: Sequence[str] = (),
) -> AnomalyResult:
    """Rank the images of a folder by how unlike they are to those that a checkpoint was trained on.

    Three scores are taken of each image: the mean absolute error of its reconstruction, that of the worst 5 % of its
    pixels, and the cosine distance from its vector to the k-th nearest of a training image. Each becomes a percentile
    of the scores of images that are known to be usual; the largest of the three ranks it.

    Args:
        settings: ``anomalies`` and ``device`` matter.
        workspace: where checkpoints lie and results go.
        records: not used.
        report: told the progress, in images.
        checkpoint: ``NAME``, ``NAME/last`` or ``NAME/epoch-0005``.
        folder: the images, a path as the workspace stores it; empty: its images to encode.
        reference: usual images in place of the training images, in the same way.
        labels: a CSV file that tells which images are anomalous (`engine.anomalies.labels.labels_of`).
        normal: names of folders whose images are normal, in place of ``labels``.

    Raises:
        FextError: a checkpoint, folder or file is not there or damaged, no image can be read, or the disk is full.
        Stopped: the report says stop.

    """
    state = find_checkpoint(workspace, checkpoint)
    source = workspace.actual_path(folder) if folder else workspace.inference_images
    manifest = scan(source, report)
    known = labels_of(manifest, str(workspace.actual_path(labels)) if labels else "", normal)
    model = load_for_use(state, settings.device)
    kept = workspace.inference / checkpoint
    usual = find_reference(settings, workspace, model, report, run=state.parent, target=kept, folder=reference)
    report.log(f"Scoring {len(manifest.files):,} images with {checkpoint} on {model.device.name}.")
    report.log(f"{len(usual.scores):,} {JUDGES[usual.judge]} say what is usual.")
    scored = _score(settings, model, manifest, usual, report)
    rated = agreement([known.get(path) for path in scored.paths], scored.judged.ranking_scores())
    thresholds = usual.thresholds(settings.anomalies.percentile)
    target = folder_of_ranking(workspace, checkpoint, source)
    result = AnomalyResult(
        images=len(scored.paths),
        skipped=len(scored.skipped),
        anomalies=int(scored.judged.is_anomaly.sum()),
        reference=usual.judge,
        reference_images=len(usual.scores),
        reference_beyond=100 * float((usual.scores > thresholds).any(axis=1).mean()),
        percentile=settings.anomalies.percentile,
        thresholds=dict(zip(SCORES, map(float, thresholds), strict=True)),
        auroc=rated.auroc,
        average_precision=rated.average_precision,
        labeled=rated.labeled,
        unrated=rated.reason,
        table=str(target / TABLE_FILE),
        figures=tuple(str(target / name) for name in FIGURE_FILES),
    )
    facts = {"checkpoint": checkpoint, "folder": workspace.stored_path(source), "fingerprint": model.fingerprint}
    write_tables(result, scored, known, facts)
    for name in (TABLE_FILE, REPORT_FILE):
        report.artifact("table", target / name)
    draw(result, scored, known, usual, f"{checkpoint} · {source.name}")
    for figure in result.figures:
        report.artifact("figure", Path(figure))
    report.log(f"{told(result)} {rating(result)}".strip())
    return result


def _score(settings: Settings, model: LoadedModel, manifest: Manifest, usual: Reference, report: Report) -> Scored:
    percentile = settings.anomalies.percentile
    neighborhood = usual.neighborhood(settings.anomalies.neighbors, model.device.handle)
    paths: list[str] = []
    scores: list[Scores] = []
    skipped: list[tuple[str, str]] = []
    unusual = MostUnusual(_SHOWN)
    for batch, found in measured(settings, model, manifest, "scoring", report):
        skipped += batch.skipped
        scores.append(np.column_stack([found.errors, neighborhood.distances(found.vectors, found.contents)]))
        unusual.add(batch, found.restored, judge(scores[-1], usual, percentile))
        paths += [file.path for file in batch.files]
    if not paths:
        raise none_readable(manifest.folder, skipped)
    warn_of_skipped(skipped, REPORT_FILE, report)
    return Scored(paths, judge(np.concatenate(scores), usual, percentile), unusual, skipped)
