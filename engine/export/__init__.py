"""Export of a checkpoint: encoder and autoencoder as files that other programs run."""

from engine.export.task import ExportResult, export

__all__ = ["ExportResult", "export"]
