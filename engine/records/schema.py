"""The tables of the records."""

from typing import ClassVar

import peewee

SCHEMA_VERSION = 1


class Table(peewee.Model):
    """Base of all tables; bound to a database by the store that uses it, never globally."""


class Job(Table):
    """One task in one process: its inputs, where it runs, how far it is, how it ended."""

    kind = peewee.TextField()
    state = peewee.TextField(index=True)
    lane = peewee.TextField()
    position = peewee.FloatField()
    settings = peewee.TextField()
    arguments = peewee.TextField()
    run = peewee.DeferredForeignKey("Run", null=True, on_delete="SET NULL")
    host = peewee.TextField(null=True)
    boot = peewee.TextField(null=True)
    pid = peewee.IntegerField(null=True)
    pid_started = peewee.FloatField(null=True)
    created = peewee.FloatField()
    started = peewee.FloatField(null=True)
    ended = peewee.FloatField(null=True)
    heartbeat = peewee.FloatField(null=True)
    stop = peewee.IntegerField(default=0)
    phase = peewee.TextField(default="")
    done = peewee.FloatField(default=0)
    total = peewee.FloatField(default=0)
    unit = peewee.TextField(default="")
    phase_started = peewee.FloatField(null=True)
    result = peewee.TextField(null=True)
    error = peewee.TextField(null=True)


class Run(Table):
    """One lineage of training: a training job and its resumes, which share one curve."""

    name = peewee.TextField(unique=True)
    variant = peewee.TextField()
    created = peewee.FloatField()
    note = peewee.TextField(default="")


class Metric(Table):
    """One value at one step of a run."""

    run = peewee.ForeignKeyField(Run, on_delete="CASCADE", index=False)
    step = peewee.IntegerField()
    name = peewee.TextField()
    value = peewee.FloatField(null=True)
    epoch = peewee.FloatField()
    time = peewee.FloatField()

    class Meta:
        """Unique by run, name and step: one curve is one range of the index."""

        indexes: ClassVar = ((("run", "name", "step"), True),)


class LogLine(Table):
    """One line that a job told."""

    job = peewee.ForeignKeyField(Job, on_delete="CASCADE")
    time = peewee.FloatField()
    level = peewee.TextField()
    text = peewee.TextField()


class Artifact(Table):
    """One file or folder that a job made; its path as the workspace stores it."""

    job = peewee.ForeignKeyField(Job, on_delete="CASCADE")
    kind = peewee.TextField()
    path = peewee.TextField()
    time = peewee.FloatField()


class Dataset(Table):
    """One image folder; its path as the workspace stores it."""

    folder = peewee.TextField(unique=True)
    created = peewee.FloatField()


class Image(Table):
    """One image file of a dataset, by its path relative to the folder."""

    dataset = peewee.ForeignKeyField(Dataset, on_delete="CASCADE", index=False)
    path = peewee.TextField()
    bytes = peewee.IntegerField()
    modified_ns = peewee.IntegerField()
    format = peewee.TextField(default="")
    width = peewee.IntegerField(null=True)
    height = peewee.IntegerField(null=True)
    subset = peewee.TextField(default="")

    class Meta:
        """Unique by dataset and relative path: equal file names in two folders are two images."""

        indexes: ClassVar = ((("dataset", "path"), True),)


class MetricGroupTable(Table):
    """Base of the tables that hold one group of dataset metrics, one row an image."""

    image = peewee.ForeignKeyField(Image, primary_key=True, on_delete="CASCADE")


class Statistics(MetricGroupTable):
    """Size and gray-level statistics of an image; gray levels in [0, 255]."""

    height = peewee.IntegerField()
    width = peewee.IntegerField()
    mean = peewee.FloatField()
    median = peewee.FloatField()
    std = peewee.FloatField()
    min = peewee.FloatField()
    max = peewee.FloatField()
    pixel_range = peewee.FloatField()
    noise_std = peewee.FloatField()
    noise_ratio = peewee.FloatField()


class Exposure(MetricGroupTable):
    """Shares of dark, bright and other pixels in percent, and the mean gray level."""

    underexposed_pct = peewee.FloatField()
    overexposed_pct = peewee.FloatField()
    midtone_pct = peewee.FloatField()
    mean_gray = peewee.FloatField()


class Entropy(MetricGroupTable):
    """Entropy of the gray histogram."""

    entropy_bits = peewee.FloatField()
    normalized_entropy = peewee.FloatField()


class Sharpness(MetricGroupTable):
    """Measures of focus."""

    var_laplacian = peewee.FloatField()
    tenengrad = peewee.FloatField()
    spectral_highfreq_ratio = peewee.FloatField()


class Color(MetricGroupTable):
    """Colorfulness and saturation."""

    colorfulness = peewee.FloatField()
    mean_saturation = peewee.FloatField()
    low_sat_pct = peewee.FloatField()
    high_sat_pct = peewee.FloatField()


class Edges(MetricGroupTable):
    """Share of edge pixels, and mean gradient."""

    edge_density = peewee.FloatField()
    mean_gradient = peewee.FloatField()


class Texture(MetricGroupTable):
    """Energy and entropy of local binary patterns."""

    lbp_energy = peewee.FloatField()
    lbp_entropy = peewee.FloatField()


class Histogram(Table):
    """A summed histogram of a dataset: 256 counts as a JSON list."""

    dataset = peewee.ForeignKeyField(Dataset, on_delete="CASCADE", index=False)
    subset = peewee.TextField()
    channel = peewee.TextField()
    images = peewee.IntegerField()
    counts = peewee.TextField()

    class Meta:
        """Unique by dataset, subset (all, train, validation) and channel (gray)."""

        indexes: ClassVar = ((("dataset", "subset", "channel"), True),)


class Finding(Table):
    """Something that is wrong with an image file, for instance that it cannot be read."""

    dataset = peewee.ForeignKeyField(Dataset, on_delete="CASCADE")
    path = peewee.TextField()
    kind = peewee.TextField()
    detail = peewee.TextField()


class Split(Table):
    """One division of a dataset into training and validation; the lists lie in ``file``."""

    dataset = peewee.ForeignKeyField(Dataset, on_delete="CASCADE")
    key = peewee.TextField(unique=True)
    seed = peewee.IntegerField()
    fraction = peewee.FloatField()
    train_images = peewee.IntegerField()
    validation_images = peewee.IntegerField()
    file = peewee.TextField()
    created = peewee.FloatField()


class Checkpoint(Table):
    """One saved state of a run."""

    run = peewee.ForeignKeyField(Run, on_delete="CASCADE", index=False)
    tag = peewee.TextField()
    step = peewee.IntegerField()
    epoch = peewee.FloatField()
    val_psnr = peewee.FloatField(null=True)
    created = peewee.FloatField()

    class Meta:
        """Unique by run and tag (best, last, epoch-N)."""

        indexes: ClassVar = ((("run", "tag"), True),)


class Evaluation(Table):
    """The mean figures of one evaluation of a checkpoint on a set of images."""

    job = peewee.ForeignKeyField(Job, null=True, on_delete="SET NULL")
    checkpoint = peewee.TextField()
    folder = peewee.TextField()
    subset = peewee.TextField()
    images = peewee.IntegerField()
    skipped = peewee.IntegerField()
    mae = peewee.FloatField()
    mse = peewee.FloatField()
    psnr = peewee.FloatField()
    ssim = peewee.FloatField()
    cosine = peewee.FloatField()
    created = peewee.FloatField()


class ImageError(Table):
    """The figures of one image in an evaluation."""

    evaluation = peewee.ForeignKeyField(Evaluation, on_delete="CASCADE")
    path = peewee.TextField()
    mae = peewee.FloatField()
    mse = peewee.FloatField()
    psnr = peewee.FloatField()
    ssim = peewee.FloatField()
    cosine = peewee.FloatField()


class EmbeddingFile(Table):
    """One set of embeddings on disk."""

    job = peewee.ForeignKeyField(Job, null=True, on_delete="SET NULL")
    checkpoint = peewee.TextField()
    folder = peewee.TextField()
    path = peewee.TextField()
    rows = peewee.IntegerField()
    dim = peewee.IntegerField()
    skipped = peewee.IntegerField()
    created = peewee.FloatField()


TABLES: tuple[type[Table], ...] = (
    Run, Job, Metric, LogLine, Artifact, Dataset, Image, Statistics, Exposure, Entropy, Sharpness, Color, Edges,
    Texture, Histogram, Finding, Split, Checkpoint, Evaluation, ImageError, EmbeddingFile,
)  # fmt: skip

METRIC_TABLES: dict[str, type[MetricGroupTable]] = {
    "statistics": Statistics,
    "exposure": Exposure,
    "entropy": Entropy,
    "sharpness": Sharpness,
    "color": Color,
    "edges": Edges,
    "texture": Texture,
}


def columns_of(group: str) -> tuple[str, ...]:
    """Return the metric names of a group, in the order of its table."""
    return tuple(name for name in METRIC_TABLES[group]._meta.sorted_field_names if name != "image")
