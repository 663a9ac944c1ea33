"""What the images could be reconstructed by without a network: baselines that are fitted on its training images."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from engine.images.scan import Manifest
from engine.images.stream import stream
from engine.models.loading import LoadedModel
from engine.report import Report, go_on
from engine.settings import Settings
from engine.tensors import to_float, to_uint8

_MOST_VALUES = 2**27
"""Pixels that are held at once to find the principal components of whole images, 512 MiB of float32."""

_COLUMNS = 4096
_NEGLIGIBLE = 1e-10
"""Share of the largest variance below which a component is rounding, not picture."""

_GRAY = 0.5


@dataclass(frozen=True)
class Baseline:
    """Images, or patches of them, as their mean and the sum of ``components`` principal components.

    This is principal component analysis: K. Pearson, "On Lines and Planes of Closest Fit to Systems of Points in
    Space", Philosophical Magazine 2(11), 1901. Without components it is the mean alone.

    Attributes:
        name: what it is called in files.
        title: what it is called before a person.
        images: number of training images that it was fitted on.
        mean: (P,) float32, of the P values of an image or a patch in [0, 1].
        basis: (k, P) float32, orthonormal.
        patch: side of the patches in pixels; 0: whole images.

    """

    name: str
    title: str
    images: int
    mean: Tensor
    basis: Tensor
    patch: int = 0

    @property
    def components(self) -> int:
        """The number k of components."""
        return len(self.basis)

    @torch.inference_mode()
    def reconstruct(self, images: Tensor) -> Tensor:
        """Return the reconstructions of uint8 pictures (B, H, W, C) in the same form."""
        floats = to_float(images)
        values = _patches(floats, self.patch) if self.patch else floats.flatten(1)
        values = self.mean + (values - self.mean) @ self.basis.T @ self.basis
        back = _from_patches(values, floats.shape, self.patch) if self.patch else values.view(floats.shape)
        return to_uint8(back)


@torch.inference_mode()
def fit_baselines(settings: Settings, model: LoadedModel, training: Manifest, report: Report) -> list[Baseline]:
    """Return the baselines that need as many values an image as the network's latent has, fitted on training images.

    They are the mean image; principal components of whole images, as many as the latent has values, unless there are
    fewer pixels or fewer images less one; and those of patches of ``downsampling`` × ``downsampling`` pixels, as many
    as the latent has channels. The images are a sample by `evaluation.baseline_images` and `evaluation.seed`, and
    fewer where that many would not fit `_MOST_VALUES`; none of them readable: no baselines.

    Raises:
        Stopped: the report says stop.

    """
    data, step = model.config.settings.data, model.model.downsampling
    pixels = data.image_height * data.image_width * model.config.image_channels
    most = min(settings.evaluation.baseline_images, max(2, _MOST_VALUES // pixels))
    sample = training.sample(min(1.0, most / len(training.files)), settings.evaluation.seed)
    total = len(sample.files)
    values = torch.empty((total, pixels), device=model.device.handle)
    patches = _Moments(step**2 * model.config.image_channels, model.device.handle)
    count = seen = 0
    for batch in stream(sample, data, settings.evaluation.batch_size, settings.device.workers):
        go_on(report)
        if len(batch.images):
            images = model.to_device(batch.images)
            values[count : count + len(images)] = images.flatten(1)
            patches.add(_patches(images, step))
        count += len(batch.images)
        seen += batch.seen
        report.progress("fitting baselines", seen, total, "images")
    if not count:
        report.log(f"No baselines: none of the {total:,} training images drawn can be read.", "warning")
        return []
    return _fitted(model, values[:count], patches)


def _fitted(model: LoadedModel, values: Tensor, patches: "_Moments") -> list[Baseline]:
    """Return the baselines of whole images (n, P), which are overwritten, and of patches."""
    channels, height, width = model.config.latent
    count, step = len(values), model.model.downsampling
    mean = values.mean(0, dtype=torch.float64).float()
    whole = _components(values.sub_(mean), min(channels * height * width, count - 1))
    small_mean, small = patches.components(channels)
    return [
        Baseline("mean_image", "mean image", count, mean, whole[:0]),
        Baseline("pca", f"PCA, {len(whole):,} components", count, mean, whole),
        Baseline(
            "patch_pca", f"PCA of {step} × {step} px, {len(small):,} components", count, small_mean, small, patch=step
        ),
    ]


def _components(centered: Tensor, most: int) -> Tensor:
    """Return the first principal components (k, P) of centered values (n, P), which they overwrite.

    The eigenvectors of the n × n products of images give those of the P × P covariance of pixels (L. Sirovich and
    M. Kirby, 1987); products and turns are summed in float64, a block of pixels at a time.
    """
    blocks = torch.split(centered, _COLUMNS, dim=1)
    products = torch.zeros((len(centered), len(centered)), dtype=torch.float64, device=centered.device)
    for block in blocks:
        exact = block.double()
        products.addmm_(exact, exact.T)
    variances, vectors = torch.linalg.eigh(products)
    count = min(most, int((variances > _NEGLIGIBLE * variances[-1]).sum()))
    kept = slice(len(centered) - count, None)
    turn = (vectors[:, kept] / variances[kept].sqrt()).flip(1).T
    for block in blocks:
        block[:count] = (turn @ block.double()).float()
    return centered[:count]


class _Moments:
    """First and second moments of vectors (n, P) about gray, in float64, added up batch by batch."""

    def __init__(self, size: int, device: torch.device) -> None:
        self._count = 0
        self._sum = torch.zeros(size, dtype=torch.float64, device=device)
        self._products = torch.zeros((size, size), dtype=torch.float64, device=device)

    def add(self, values: Tensor) -> None:
        """Add vectors (n, P)."""
        exact = values.double() - _GRAY
        self._count += len(exact)
        self._sum += exact.sum(0)
        self._products.addmm_(exact.T, exact)

    def components(self, most: int) -> tuple[Tensor, Tensor]:
        """Return the mean (P,) and at most so many principal components (k, P), k < n, float32."""
        mean = self._sum / self._count
        variances, vectors = torch.linalg.eigh(self._products / self._count - mean.outer(mean))
        real = int((variances > _NEGLIGIBLE * variances[-1]).sum())
        count = min(most, self._count - 1, real)
        return (mean + _GRAY).float(), vectors[:, len(mean) - count :].flip(1).T.contiguous().float()


def _patches(images: Tensor, side: int) -> Tensor:
    """Return the patches (B · h · w, C · side²) of images (B, C, H, W), which are continued to whole patches."""
    height, width = images.shape[2:]
    images = F.pad(images, (0, -width % side, 0, -height % side), mode="replicate")
    return F.pixel_unshuffle(images, side).permute(0, 2, 3, 1).flatten(0, 2)


def _from_patches(patches: Tensor, shape: torch.Size, side: int) -> Tensor:
    """Return the images of a shape (B, C, H, W) whose `_patches` these are."""
    count, _, height, width = shape
    grid = patches.view(count, -(-height // side), -(-width // side), -1).permute(0, 3, 1, 2)
    return F.pixel_shuffle(grid, side)[:, :, :height, :width]
