"""A checkpoint's networks as files that other programs run, each checked before it is kept."""

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from engine.checkpoints import find_checkpoint, fingerprint
from engine.errors import UsageError
from engine.export import to_onnx, to_torch
from engine.export.checking import compare, refuse_apart, told
from engine.export.description import description_of, keep
from engine.export.networks import NETWORKS, Network, Written, traced
from engine.export.pictures import manifest_of, pictures_of
from engine.models.loading import load_weights
from engine.records import Records
from engine.report import Report, go_on
from engine.settings import Settings
from engine.workspace import Workspace

if TYPE_CHECKING:
    from pathlib import Path


class _Format(NamedTuple):
    suffix: str
    write: Callable[[torch.export.ExportedProgram, Network, Mapping[str, Any]], Written]


_FORMATS = {"onnx": _Format(".onnx", to_onnx.write), "torch": _Format(".pt2", to_torch.write)}


@dataclass(frozen=True)
class ExportResult:
    """The files that were written into ``folder``; ``difference`` is their largest from eager, as `TOLERANCE` counts.

    ``images`` is the number of pictures that they were compared on.
    """

    folder: str
    files: tuple[str, ...]
    difference: float
    images: int


def export(
    settings: Settings,
    workspace: Workspace,
    records: Records,
    report: Report,
    *,
    checkpoint: str,
    folder: str = "",
    formats: str = "all",
) -> ExportResult:
    """Write encoder and autoencoder of a checkpoint to ``database/export/CHECKPOINT``, for a batch of any size.

    ``formats`` is ``onnx``, ``torch`` or ``all``. Beside each file lies one of the same name and ``.json`` that says
    what goes in and comes out; in the file stands the same. Each is read back and compared with the network itself on
    pictures of ``folder``, by default those the checkpoint was trained with, and none is kept unless all agree.

    Raises:
        UsageError: there is no such checkpoint, format or picture, or a package is not installed.
        FextError: the checkpoint is damaged, what was written does not agree, or the disk is full.

    """
    chosen = _chosen(formats)
    state = find_checkpoint(workspace, checkpoint)
    model, config = load_weights(state)
    pictures = pictures_of(manifest_of(workspace, config, state.parent, folder, report), config)
    pooling = model.pooling(settings.encoding.pooling)
    facts = {"checkpoint": checkpoint, "fingerprint": fingerprint(state), "variant": config.settings.model.variant}
    target = workspace.exports / checkpoint
    done: dict[Path, tuple[bytes, dict[str, Any]]] = {}
    for network in (kind(model, pooling).eval() for kind in NETWORKS):
        go_on(report)
        program = traced(network, pictures[:2])
        for name in chosen:
            go_on(report)
            report.progress("exporting", len(done), len(NETWORKS) * len(chosen), "files")
            description = facts | description_of(network, config, pictures)
            written = _FORMATS[name].write(program, network, description)
            path = target / f"{network.name}{_FORMATS[name].suffix}"
            found = compare(network, written.run, pictures)
            refuse_apart(found, path.name)
            done[path] = written.content, description | {"difference": found.difference}
            report.log(told(found, path.name))
    for path, (content, description) in done.items():
        keep(path, content, description)
        report.artifact("export", path)
    report.progress("exporting", len(done), len(done), "files")
    difference = max(description["difference"] for _, description in done.values())
    return ExportResult(str(target), tuple(map(str, done)), difference, len(pictures))


def _chosen(formats: str) -> tuple[str, ...]:
    if formats not in {*_FORMATS, "all"}:
        raise UsageError(f"There is no format {formats!r}.", f"Formats are {', '.join(_FORMATS)} and all.")
    chosen = tuple(_FORMATS) if formats == "all" else (formats,)
    missing = [name for name in to_onnx.PACKAGES if importlib.util.find_spec(name) is None]
    if "onnx" in chosen and missing:
        raise UsageError(
            f"ONNX needs what is not installed: {', '.join(missing)}.",
            "pip install 'fext-tui[export]', or choose the format torch.",
        )
    return chosen
