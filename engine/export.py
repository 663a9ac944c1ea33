"""A checkpoint's networks as files that other programs run: ONNX and torch.export, each checked before it is kept."""

import copy
import hashlib
import importlib.util
import io
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from engine.checkpoints import CheckpointConfig, find_checkpoint, fingerprint
from engine.errors import FextError, UsageError
from engine.files import make_folder, replace_file
from engine.images.of_run import RunImages
from engine.images.scan import Manifest, none_readable, scan
from engine.images.stream import stream
from engine.models import Autoencoder
from engine.models.loading import load_weights
from engine.records import Records
from engine.report import Report, go_on
from engine.settings import Pooling, Settings
from engine.tensors import to_float
from engine.workspace import Workspace

FORMATS = ("onnx", "torch")
OPSET = 20
"""The ONNX opset that PyTorch writes of itself."""

TOLERANCE = 1e-4
"""Largest difference from eager that is let pass, as a share of an output's largest value, or of 1 if that is more.

Where eager itself moves further when its input is changed by single roundings, as on pictures of flat areas, twice that
passes."""

BATCH_SIZES = 1, 2, 5

_TIES = 0.2
"""Share of the latent's positions that may be of another kind than in eager, where two kinds fit a patch equally well.

On photographs of 64 × 64 pixels, float32 and float64 disagree on 9 % of them; wrong kinds would be most.
"""

_PACKAGES = "onnx", "onnxscript", "onnxruntime"
_INPUT = "images"
_RESIZING = (
    "along each axis the mean over the area when shrinking, linear interpolation when enlarging; rounded to 8 bits; a "
    "JPEG file that is far larger may be decoded at a half, a quarter or an eighth of its size before"
)
_OF_THE_DECODER = "expansion", "decoder", "detail", "finish", "head", "projection"

Run = Callable[[Tensor], list[Tensor]]
"""Runs a network that was read back: images (B, C, H, W) to its outputs."""


@dataclass(frozen=True)
class ExportResult:
    """The files that were written into ``folder``; ``difference`` is their largest from eager, as `TOLERANCE` counts.

    ``images`` is the number of pictures that they were compared on.
    """

    folder: str
    files: tuple[str, ...]
    difference: float
    images: int


class Network(nn.Module):
    """What is exported of an autoencoder; images (B, C, H, W) go in, float32 in [0, 1], of the checkpoint's size."""

    name: str
    outputs: tuple[str, str]

    def __init__(self, model: Autoencoder, pooling: Pooling) -> None:
        super().__init__()
        self.model = model
        self.pooling = pooling

    def from_latent(self, latent: Tensor, size: torch.Size) -> Tensor:
        """Return the first output for a latent (B, Z, h, w) of images of a size."""
        raise NotImplementedError

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the first output and the latent (B, Z, h, w)."""
        latent = self.model.encode(images)
        return self.from_latent(latent, images.shape), latent


class Encoder(Network):
    """Gives the vectors (B, D), as `Autoencoder.embed` does, and the latent."""

    name = "encoder"
    outputs = "vectors", "latent"

    def from_latent(self, latent: Tensor, size: torch.Size) -> Tensor:
        """Return the vectors."""
        return self.model.vectors_of(latent, self.pooling)


class Reconstructor(Network):
    """Gives the reconstruction (B, C, H, W), not clamped, and the latent."""

    name = "autoencoder"
    outputs = "reconstruction", "latent"

    def from_latent(self, latent: Tensor, size: torch.Size) -> Tensor:
        """Return the reconstruction."""
        return self.model.decode(latent)[..., : size[2], : size[3]]


_NETWORKS: tuple[type[Network], ...] = (Encoder, Reconstructor)


class _Written(NamedTuple):
    """A network as a file: its content, and what runs it again from there."""

    content: bytes
    run: Run


class _Format(NamedTuple):
    suffix: str
    write: Callable[[torch.export.ExportedProgram, Network, Mapping[str, Any]], _Written]


class Agreement(NamedTuple):
    """How far a file is from eager.

    Attributes:
        difference: the largest, as `TOLERANCE` counts.
        allowed: what is let pass of it.
        others: positions of the latent that are of another kind.
        positions: of how many.

    """

    difference: float
    allowed: float
    others: int
    positions: int

    @property
    def is_good(self) -> bool:
        """Whether that is no more than rounding does."""
        return self.difference <= self.allowed and self.others <= _TIES * self.positions


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
    pictures = _pictures(_manifest(workspace, config, state.parent, folder, report), config)
    pooling = model.pooling(settings.encoding.pooling)
    facts = {"checkpoint": checkpoint, "fingerprint": fingerprint(state), "variant": config.settings.model.variant}
    target = workspace.exports / checkpoint
    done: dict[Path, tuple[bytes, dict[str, Any]]] = {}
    for network in (kind(model, pooling).eval() for kind in _NETWORKS):
        go_on(report)
        program = _traced(network, pictures[:2])
        for name in chosen:
            go_on(report)
            report.progress("exporting", len(done), len(_NETWORKS) * len(chosen), "files")
            description = facts | _description(network, config, pictures)
            written = _FORMATS[name].write(program, network, description)
            path = target / f"{network.name}{_FORMATS[name].suffix}"
            found = compare(network, written.run, pictures)
            _refuse_apart(found, path.name)
            done[path] = written.content, description | {"difference": found.difference}
            report.log(_told(found, path.name))
    for path, (content, description) in done.items():
        _keep(path, content, description)
        report.artifact("export", path)
    report.progress("exporting", len(done), len(done), "files")
    difference = max(description["difference"] for _, description in done.values())
    return ExportResult(str(target), tuple(map(str, done)), difference, len(pictures))


def _chosen(formats: str) -> tuple[str, ...]:
    if formats not in {*FORMATS, "all"}:
        raise UsageError(f"There is no format {formats!r}.", f"Formats are {', '.join(FORMATS)} and all.")
    chosen = FORMATS if formats == "all" else (formats,)
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if "onnx" in chosen and missing:
        raise UsageError(
            f"ONNX needs what is not installed: {', '.join(missing)}.",
            "pip install 'fext-tui[export]', or choose the format torch.",
        )
    return chosen


# --- Pictures ---------------------------------------------------------------------------------------------------------


def _manifest(workspace: Workspace, config: CheckpointConfig, run: Path, folder: str, report: Report) -> Manifest:
    """Return the images of a folder, else those held out in training, else those trained on, that are there still."""
    if folder:
        return scan(workspace.actual_path(folder), report)
    images = RunImages(workspace, config, run, report)
    for side in ("validation", "training"):
        try:
            return images.side(side)
        except UsageError:
            continue
    raise UsageError(f"The images that {run.name} was trained with are gone.", "Give a folder of images to check with.")


def _pictures(manifest: Manifest, config: CheckpointConfig) -> Tensor:
    """Return pictures (N, C, H, W) evenly from the files: as many as the largest batch, fewer where there are not."""
    count = len(manifest.files)
    wanted = min(sum(BATCH_SIZES), count)
    drawn = Manifest(manifest.folder, tuple(manifest.files[place * count // wanted] for place in range(wanted)))
    batches = list(stream(drawn, config.settings.data, wanted, workers=1))
    pictures = to_float(torch.cat([torch.from_numpy(batch.images) for batch in batches]))
    if not len(pictures):
        raise none_readable(manifest.folder, [one for batch in batches for one in batch.skipped])
    return pictures


def _batches(pictures: Tensor) -> Iterator[Tensor]:
    """Yield a batch of each size; where there are too few pictures, they come again."""
    first = 0
    for size in BATCH_SIZES:
        yield pictures[torch.arange(first, first + size) % len(pictures)]
        first += size


# --- Comparison -------------------------------------------------------------------------------------------------------


@torch.inference_mode()
def compare(network: Network, run: Run, pictures: Tensor) -> Agreement:
    """Compare what was read back with the network itself, on a batch of each size.

    Where two kinds of patches fit a patch equally well, rounding alone decides which it gets, in eager too; so
    positions of another kind are counted and not compared, and the first output is compared with what follows from the
    latent that came with it.
    """
    difference, allowed, others, positions = 0.0, TOLERANCE, 0, 0
    for images in _batches(pictures):
        expected = network.model.encode(images)
        first, latent = run(images)
        if first.shape[0] != len(images) or latent.shape != expected.shape:
            return Agreement(math.inf, allowed, others, positions)
        other = (latent[:, -1:] - expected[:, -1:]).abs() > TOLERANCE
        if not _has_kinds(network.model):
            other = torch.zeros_like(other)
        others += int(other.sum())
        positions += other.numel()
        followed = network.from_latent(latent, images.shape)
        allowed = max(allowed, 2 * _apart(network.from_latent(_nudged(latent), images.shape), followed))
        difference = max(difference, _apart(latent.where(~other, expected), expected), _apart(first, followed))
    return Agreement(difference, allowed, others, positions)


def _nudged(values: Tensor) -> Tensor:
    """Return values changed by a rounding each, up or down by chance."""
    signs = torch.randint(0, 2, values.shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
    return values * (1 + torch.finfo(values.dtype).eps * signs)


def _refuse_apart(found: Agreement, file: str) -> None:
    """Refuse a file that does not give what the network gives.

    Raises:
        FextError: it does not.

    """
    if not found.is_good:
        raise FextError(
            f"{file} does not give what the checkpoint gives: it is off by {found.difference:.2g}, and at most "
            f"{found.allowed:.2g} may be; {found.others:,} of {found.positions:,} latent positions are of another "
            "kind. Nothing is kept.",
            "Choose another format, or install the tested versions of PyTorch and onnxruntime (constraints.txt).",
        )


def _told(found: Agreement, file: str) -> str:
    ties = f" but for {found.others:,} of {found.positions:,} latent positions, which two kinds fit equally well"
    return f"{file} agrees with PyTorch to {found.difference:.1g}{ties if found.others else ''}."


def _has_kinds(model: Autoencoder) -> bool:
    return model.shortcut is not None and len(model.shortcut.bases) > 1


def _apart(one: Tensor, other: Tensor) -> float:
    """Return the largest difference of two tensors of one shape, as a share of the largest value, or of 1.

    Infinite where a value is not finite.
    """
    apart = float((one - other).abs().max() / other.abs().max().clamp_min(1))
    return apart if math.isfinite(apart) else math.inf


# --- Files ------------------------------------------------------------------------------------------------------------


def _traced(network: Network, images: Tensor) -> torch.export.ExportedProgram:
    """Return the graph of a network for any batch size; weights are contiguous, and those it does not use left out."""
    own = copy.deepcopy(network).to(memory_format=torch.contiguous_format).requires_grad_(False)
    if isinstance(own, Encoder):
        for part in _OF_THE_DECODER:
            setattr(own.model, part, None)
    example = images[torch.arange(2) % len(images)].contiguous()
    return torch.export.export(own, (example,), dynamic_shapes={_INPUT: {0: torch.export.Dim("batch", min=1)}})


def _write_onnx(program: torch.export.ExportedProgram, network: Network, description: Mapping[str, Any]) -> _Written:
    from onnxruntime import InferenceSession

    exported = torch.onnx.export(
        program,
        dynamo=True,
        opset_version=OPSET,
        input_names=[_INPUT],
        output_names=list(network.outputs),
        dynamic_shapes={_INPUT: {0: "batch"}},
        verbose=False,
    )
    assert exported is not None
    exported.model.metadata_props.update(
        {name: value if isinstance(value, str) else json.dumps(value) for name, value in description.items()}
    )
    content = exported.model_proto.SerializeToString()
    session = InferenceSession(content, providers=["CPUExecutionProvider"])

    def run(images: Tensor) -> list[Tensor]:
        given = {_INPUT: images.contiguous().numpy()}
        return [torch.from_numpy(values) for values in session.run(list(network.outputs), given)]

    return _Written(content, run)


def _write_torch(program: torch.export.ExportedProgram, network: Network, description: Mapping[str, Any]) -> _Written:
    file = io.BytesIO()
    torch.export.save(program, file, extra_files={"description.json": json.dumps(description)})
    read_back = torch.export.load(io.BytesIO(file.getvalue())).module()
    return _Written(file.getvalue(), lambda images: list(read_back(images)))


_FORMATS = {"onnx": _Format(".onnx", _write_onnx), "torch": _Format(".pt2", _write_torch)}


def _description(network: Network, config: CheckpointConfig, pictures: Tensor) -> dict[str, Any]:
    """Return what a program must know to use the file: what goes in, how a picture becomes that, and what comes out."""
    height, width = pictures.shape[2:]
    with torch.inference_mode():
        outputs = zip(network.outputs, network(pictures[:1]), strict=True)
    gray = config.image_channels == 1
    return {
        "network": network.name,
        "pooling": network.pooling,
        "input": {"name": _INPUT, "dtype": "float32", "shape": ["batch", *pictures.shape[1:]], "range": [0, 1]},
        "outputs": [
            {"name": name, "dtype": "float32", "shape": ["batch", *values.shape[1:]]} for name, values in outputs
        ],
        "image_height": height,
        "image_width": width,
        "image_channels": config.image_channels,
        "channel_order": "gray" if gray else "RGB",
        "preprocessing": [
            "apply the EXIF orientation",
            "lay transparent parts over white",
            "convert to gray: 0.299 R + 0.587 G + 0.114 B, rounded to 8 bits" if gray else "convert to 8-bit RGB",
            f"resize the whole picture to {height} rows and {width} columns: {_RESIZING}",
            "divide by 255, and put channels before rows and columns",
        ],
        "torch": torch.__version__,
    }


def _keep(path: Path, content: bytes, description: Mapping[str, Any]) -> None:
    """Write a file and its description, each in the place of an older one."""
    digest = hashlib.blake2b(content, digest_size=16).hexdigest()
    whole = {"file": path.name, **description, "blake2b": digest, "created": time.time()}
    make_folder(path.parent)
    replace_file(path, content)
    replace_file(path.with_name(f"{path.name}.json"), (json.dumps(whole, indent=2) + "\n").encode())
