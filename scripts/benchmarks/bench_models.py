"""How well images held out are reconstructed after equal time: the autoencoder, a textbook one, and plain PCA."""

import argparse
import itertools
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measuring import tell
from numpy.typing import NDArray
from rich.table import Table
from torch import Tensor, nn
from torch.nn import functional as F

from engine.checkpoints import find_checkpoint
from engine.images.dataset import Subset, TrainingData, prepare
from engine.metrics import mean_squared_error, psnr_of, structural_similarity
from engine.models import VARIANTS, Autoencoder
from engine.models.loading import load_weights
from engine.records import Records
from engine.report import CollectedReport
from engine.settings import Settings, from_layers
from engine.tensors import to_float, to_uint8
from engine.training import train
from engine.workspace import Workspace

_BATCH = 32
_LATENT_VALUES = 4096


class Textbook(nn.Sequential):
    """The convolutional autoencoder that tutorials show: stride-2 convolutions, ReLU, a sigmoid; as many latent values.

    (B, 3, H, W) to the same shape; the latent is (B, 64, H / 16, W / 16).
    """

    def __init__(self) -> None:
        widths = (3, 32, 64, 128, 64)
        pairs = list(itertools.pairwise(widths))
        down = [part for a, b in pairs for part in (nn.Conv2d(a, b, 3, stride=2, padding=1), nn.ReLU())]
        up = [
            part for a, b in reversed(pairs) for part in (nn.ConvTranspose2d(b, a, 4, stride=2, padding=1), nn.ReLU())
        ]
        super().__init__(*down[:-1], *up[:-1], nn.Sigmoid())


def train_textbook(images: NDArray[np.uint8], seconds: float) -> Textbook:
    """Return the textbook autoencoder after so many seconds: Adam at 0.001, MSE, batches of 32."""
    torch.manual_seed(0)
    model, began = Textbook(), time.perf_counter()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    while time.perf_counter() - began < seconds:
        batch = to_float(torch.from_numpy(images[torch.randint(len(images), (_BATCH,)).numpy()])).contiguous()
        optimizer.zero_grad()
        F.mse_loss(model(batch), batch).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return model


class PrincipalComponents:
    """PCA of whole images, of at most as many components as there are images less one."""

    def __init__(self, images: NDArray[np.uint8], count: int) -> None:
        flat = to_float(torch.from_numpy(images)).flatten(1)
        self.mean = flat.mean(0)
        _, _, vectors = torch.linalg.svd(flat - self.mean, full_matrices=False)
        self.components = vectors[: min(count, len(flat) - 1)]

    def __call__(self, images: Tensor) -> Tensor:
        """Return reconstructions of images (B, C, H, W)."""
        flat = images.flatten(1) - self.mean
        return (flat @ self.components.T @ self.components + self.mean).view_as(images)


@torch.inference_mode()
def quality(model: Any, held_out: Subset) -> dict[str, float]:
    """Return PSNR in dB and SSIM of reconstructions as a person sees them, averaged over images."""
    sums = torch.zeros(2)
    for part in np.array_split(np.arange(len(held_out)), -(-len(held_out) // _BATCH)):
        images = to_float(torch.from_numpy(held_out.batch(part)))
        shown = to_float(to_uint8(model(images)))
        mse = mean_squared_error(shown, images)
        sums += torch.stack([psnr_of(mse).sum(), structural_similarity(images, shown).sum()])
    psnr, ssim = (sums / len(held_out)).tolist()
    return {"psnr": psnr, "ssim": ssim}


def run(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Return PSNR and SSIM by model."""
    workspace, report = Workspace(folder).create(), CollectedReport()
    base = {"data.folder": str(options.folder.absolute()), "data.validation_folder": str(options.validation.absolute())}
    account: dict[str, Any] = {"minutes": options.minutes, "epochs": options.epochs}
    with Records(workspace) as records:
        data = prepare(from_layers(("", base)), workspace, records, report)
        for variant in options.variant:
            for seed in range(options.seeds):
                print(f"Training {variant}, seed {seed} …", file=sys.stderr)
                values = base | {"model.variant": variant, "training.seed": seed, "training.minutes": options.minutes}
                if options.epochs:
                    values |= {"training.epochs": options.epochs, "training.minutes": 0.0}
                settings = from_layers(("", values))
                name = f"{variant}-{seed}"
                result = train(settings, workspace, records, report, run=records.add_run(name, variant))
                model, _ = load_weights(find_checkpoint(workspace, name))
                found = quality(model, data.validation) | {"epochs": result.epochs, "img_s": result.img_s}
                account[name] = found
                print(f"{name}: {found}", file=sys.stderr)
        if options.minutes and not options.epochs:
            account |= _others(data, settings, options.minutes * 60)
    return account


def _others(data: TrainingData, settings: Settings, seconds: float) -> dict[str, Any]:
    images = data.train.batch(np.arange(len(data.train)))
    print("Training the textbook autoencoder …", file=sys.stderr)
    textbook = quality(train_textbook(images, seconds), data.validation)
    whole = PrincipalComponents(images, _LATENT_VALUES)
    starts = {bases: Autoencoder(settings.model.model_copy(update={"bases": bases}), 3) for bases in (1, 0)}
    for start in starts.values():
        start.fit_shortcut(to_float(torch.from_numpy(images)))
    return {
        "textbook": textbook,
        "pca of whole images": quality(whole, data.validation) | {"components": len(whole.components)},
        "pca of patches": quality(starts[1], data.validation),
        "pca by kind of patch": quality(starts[0], data.validation),
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench models", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object on one line")
    parser.add_argument("--folder", type=Path, required=True, help="pictures to train on")
    parser.add_argument("--validation", type=Path, required=True, help="pictures held out")
    parser.add_argument("--minutes", type=float, default=2.0, help="training time of each (default: 2)")
    parser.add_argument("--epochs", type=int, default=0, help="equal epochs in place of equal time; variants only")
    parser.add_argument("--seeds", type=int, default=1, help="runs of each variant (default: 1)")
    parser.add_argument("--variant", action="append", choices=VARIANTS, help="redux where none is given (repeatable)")
    options = parser.parse_args()
    options.variant = options.variant or ["redux"]
    return options


def _table(account: dict[str, Any]) -> Table:
    table = Table("model", "PSNR (dB)", "SSIM", "epochs", "img/s", title="Images held out")
    for name, found in account.items():
        if isinstance(found, dict):
            cells = (found.get(key) for key in ("psnr", "ssim", "epochs", "img_s"))
            table.add_row(name, *("" if cell is None else f"{cell:,.4g}" for cell in cells))
    return table


if __name__ == "__main__":
    tell(_options(), run, _table)
