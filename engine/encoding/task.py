"""The encoding of a folder."""

import time
from dataclasses import dataclass
from pathlib import Path

from engine.checkpoints import find_checkpoint
from engine.distributed.ranks import ALONE, Ranks
from engine.embedding_writer import EmbeddingWriter
from engine.embeddings import EMBEDDINGS_FILE, INDEX_FILE, FormerVectors, folder_of
from engine.encoding.sharing import Sharing
from engine.encoding.writing import Encoding
from engine.images.scan import Manifest, none_readable, scan, warn_of_skipped
from engine.images.shares import leading
from engine.models.loading import load_for_use
from engine.records import Records
from engine.report import Report
from engine.settings import Settings
from engine.workspace import Workspace


@dataclass(frozen=True)
class EncodingResult:
    """Where the embeddings lie, and their shape (rows, dim).

    ``skipped`` images could not be read; ``unchanged`` ones were encoded before.
    """

    embeddings: str
    rows: int
    dim: int
    skipped: int
    unchanged: int


def encode(
    settings: Settings,
    workspace: Workspace,
    records: Records,
    report: Report,
    *,
    checkpoint: str,
    folder: str = "",
    again: bool = False,
    job: int | None = None,
    ranks: Ranks = ALONE,
) -> EncodingResult:
    """Encode the images of a folder with a checkpoint, into ``database/inference/CHECKPOINT``.

    What lies there then is described in `engine.embeddings`. Images that were encoded before, by the same weights in
    the same way, and have not changed since are not encoded ``again`` unless that is asked for; so an encoding that was
    broken off goes on where it was. Files of another folder stay, and the new ones go to a folder within.

    Where several processes encode together, each calls this with its place in ``ranks``; the first does all but the
    encoding of the others' shares, and they return an empty result.

    Raises:
        FextError: the checkpoint or the folder is not there or damaged, no image can be read, the disk is full, or
            ranks do not encode alike.
        Stopped: the report says stop; what was encoded until then is used the next time.

    """
    state = find_checkpoint(workspace, checkpoint)
    source = workspace.actual_path(folder or settings.encoding.folder or str(workspace.inference_images))
    settings = settings.model_copy(update={"device": ranks.own_device(settings.device)})
    with leading(ranks):
        manifest = scan(source, report) if ranks.is_first else None
        model = load_for_use(state, settings.device)
        sharing = Sharing(ranks, workspace, model, settings, checkpoint, workspace.stored_path(source))
        if manifest is None:
            sharing.help()
            return EncodingResult("", 0, sharing.origin.dim, 0, 0)
        return _encode(sharing, manifest, records, report, again=again, job=job)


def _encode(
    sharing: Sharing, manifest: Manifest, records: Records, report: Report, *, again: bool, job: int | None
) -> EncodingResult:
    """Encode the images of a manifest, as the first rank."""
    origin, count = sharing.origin, len(manifest.files)
    target = _target(sharing.workspace, sharing.checkpoint, manifest.folder)
    path = sharing.workspace.stored_path(target)
    former = FormerVectors(target, origin, ignored=again)
    if former.is_set_of(manifest.files) and records.knows_embeddings(path):
        report.log(f"All {count:,} images are encoded, and none has changed.")
        return EncodingResult(str(target / EMBEDDINGS_FILE), count, origin.dim, 0, count)
    encoding = Encoding(sharing.model, sharing.settings, manifest, former)
    new = len(encoding.new)
    report.log(_beginning(sharing, new, count - new))
    began = time.monotonic()
    with EmbeddingWriter(target, origin, sharing.bundle) as writer:
        skipped = sharing.write(target, writer, encoding, report)
        if not writer.rows:
            raise none_readable(manifest.folder, skipped)
        writer.finish()
    warn_of_skipped(skipped, INDEX_FILE, report)
    seconds = time.monotonic() - began
    rate = f"{new / seconds:,.0f} images/s" if new else "all of them before"
    report.log(f"{writer.rows:,} vectors of {origin.dim:,} values in {seconds:.1f} s, {rate}.")
    report.artifact("embeddings", target / EMBEDDINGS_FILE)
    records.add_embeddings(
        job=job,
        checkpoint=sharing.checkpoint,
        folder=sharing.folder,
        path=path,
        rows=writer.rows,
        dim=origin.dim,
        skipped=writer.skipped,
        fingerprint=origin.fingerprint,
        pooling=origin.pooling,
        dtype=origin.dtype,
    )
    return EncodingResult(str(target / EMBEDDINGS_FILE), writer.rows, origin.dim, writer.skipped, count - new)


def _beginning(sharing: Sharing, new: int, unchanged: int) -> str:
    """Return what is about to be done, in words."""
    place = sharing.model.device.name + (f" in {sharing.ranks.count} processes" if sharing.ranks.count > 1 else "")
    before = f"; {unchanged:,} more were encoded before" if unchanged else ""
    return f"Encoding {new:,} images with {sharing.checkpoint} on {place}{before}."


def _target(workspace: Workspace, checkpoint: str, source: Path) -> Path:
    """Return the folder of the embeddings: the checkpoint's own, or one within it where that holds another folder's."""
    target = workspace.inference / checkpoint
    is_its_own = folder_of(target) in {"", workspace.stored_path(source)}
    return target if is_its_own else target / workspace.label_of(source)
