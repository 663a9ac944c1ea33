"""Encoding by several ranks: each writes the vectors of its share of the new images, and the first joins them."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from engine.distributed.ranks import Ranks
from engine.distributed.together import Work, work_together
from engine.embedding_writer import EmbeddingWriter, PartWriter
from engine.embeddings import PARTS, KnownVector, Origin, read_part
from engine.encoding.writing import Encoding, Skipped, write_all
from engine.errors import FextError, Stopped
from engine.images.layout import Layout, pack_key
from engine.images.pack import ImageStore, find_pack
from engine.images.parallel import reported
from engine.images.shares import Division, call, called, incomplete, joined, new_division
from engine.models.loading import LoadedModel
from engine.report import QuietReport, Report
from engine.settings import Settings
from engine.workspace import Workspace


@dataclass(frozen=True)
class Sharing:
    """What a rank needs to encode its share.

    Attributes:
        ranks: its place among them.
        workspace: which all of them see.
        model: the encoder, on the rank's own device.
        settings: with that device.
        checkpoint: what the model is called.
        folder: the folder of the images, as it is stored.

    """

    ranks: Ranks
    workspace: Workspace
    model: LoadedModel
    settings: Settings
    checkpoint: str
    folder: str

    @cached_property
    def origin(self) -> Origin:
        """What the vectors are a function of."""
        model, encoding = self.model, self.settings.encoding
        return Origin(
            fingerprint=model.fingerprint,
            pooling=model.model.pooling(encoding.pooling),
            precision=model.device.precision_name,
            dtype=encoding.dtype,
            image_height=self._layout.height,
            image_width=self._layout.width,
            image_channels=model.config.image_channels,
            dim=model.dimension(encoding.pooling),
        )

    @property
    def bundle(self) -> dict[str, Any]:
        """What else their set is to tell."""
        return {"checkpoint": self.checkpoint, "folder": self.folder, "latent": self.model.config.latent}

    def help(self) -> None:
        """Write the parts of what the first rank divides, until it lets this one go.

        Raises:
            FextError: the ranks do not encode alike, or a part cannot be written.

        """
        for division in called(self.ranks, self.workspace):
            if Origin(**division.facts["origin"]) != self.origin:
                raise FextError(
                    "The processes of the job do not encode alike: the checkpoint changed meanwhile, or their devices "
                    "compute in different precision.",
                    "Start it again, with device.precision set.",
                )
            work_together(self.ranks, QuietReport(), self._part_of(division))

    def write(self, target: Path, writer: EmbeddingWriter, encoding: Encoding, report: Report) -> Skipped:
        """Write the vectors of all images in the order of their paths, with the others' help; return those skipped.

        Args:
            target: the folder of the set.
            writer: writes it.
            encoding: names the images, and tells which are new.
            report: of the first rank, which this is.

        Raises:
            Stopped: the report says stop; what was written until then is used the next time.

        """
        manifest, new = encoding.manifest, encoding.new
        pack = pack_key(manifest, self.workspace.stored_path(manifest.folder), self._layout)
        if self.ranks.count == 1:
            return encoding.write(writer, self._find_pack(pack, manifest.folder), report)
        division = new_division(self.workspace, target / PARTS)
        division.divide(manifest.folder, new, self.ranks.count, origin=asdict(self.origin), pack=pack)
        call(self.ranks, division)
        count, own = len(manifest.files), self._part_of(division)
        if work_together(self.ranks, report, own, total=count, before=count - len(new)):
            division.leave()
            raise Stopped
        return self._join(division, writer, encoding, report)

    def _part_of(self, division: Division) -> Work:
        """Return what writes this rank's part."""

        def write(told: Report) -> None:
            number = self.ranks.number
            pack = self._find_pack(division.facts["pack"], division.folder)
            encoding = Encoding(self.model, self.settings, division.share(number))
            with PartWriter(division.part(number), self.origin, self.bundle) as writer:
                encoding.write(writer, pack, told)
                writer.finish()

        return write

    def _join(self, division: Division, writer: EmbeddingWriter, encoding: Encoding, report: Report) -> Skipped:
        """Write what the ranks made, in the order of the paths."""
        skipped: Skipped = []
        made = joined(encoding.new, [self._read(part, skipped) for part in division.parts()])
        count = len(encoding.manifest.files)
        write_all(writer, reported(encoding.completed(made), report, "joining", count))
        skipped.sort()
        for path, reason in skipped:
            writer.skip(path, reason)
        if writer.rows + writer.skipped != count:
            raise incomplete()
        if not writer.rows:
            division.remove()
        return skipped

    def _read(self, part: Path, skipped: Skipped) -> Iterator[tuple[str, KnownVector]]:
        """Yield path and vector of the images of a part, and put aside those that could not be read."""
        lines, vectors = read_part(part, self.origin)
        row = 0
        for image, reason in lines:
            if reason is None:
                yield image.path, KnownVector(vectors[row], image.content_hash)
                row += 1
            else:
                skipped.append((image.path, reason))

    def _find_pack(self, name: str, folder: Path) -> ImageStore | None:
        return find_pack(name, folder, self._layout, self.workspace)

    @property
    def _layout(self) -> Layout:
        data = self.model.config.settings.data
        return Layout(data.image_height, data.image_width, data.grayscale)
