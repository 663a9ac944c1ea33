"""Sets of embeddings as an encoding writes them, of any vectors."""

from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from engine.embedding_writer import EmbeddingWriter
from engine.embeddings import Origin
from engine.images.scan import scan
from engine.records import Records
from engine.report import CollectedReport
from engine.workspace import Workspace


def write_set(workspace: Workspace, records: Records, folder: Path, name: str, vectors: ArrayLike) -> Path:
    """Write the vectors (N, D) of the images of a folder as those of the checkpoint ``name``; return their folder."""
    values = np.asarray(vectors, np.float32)
    target = workspace.inference / name
    bundle = {"checkpoint": name, "folder": workspace.stored_path(folder)}
    origin = Origin("f", "flatten", "float32", "float32", 8, 8, 3, values.shape[1])
    with EmbeddingWriter(target, origin, bundle) as writer:
        writer.add(scan(folder, CollectedReport()).files, values, [""] * len(values))
        writer.finish()
    records.add_embeddings(
        checkpoint=name, folder=bundle["folder"], path=workspace.stored_path(target), rows=len(values),
        dim=values.shape[1], skipped=0,
    )  # fmt: skip
    return target
