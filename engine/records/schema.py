"""The tables of the records."""

from typing import Any, ClassVar

import peewee

SCHEMA_VERSION = 5


class Text(peewee.TextField):
    """Any text, also one that is no UTF-8: a file name may be, and comes back as it was.

    Such a text is stored as bytes in the ``surrogatepass`` form; every other one as text.
    """

    def db_value(self, value: Any) -> Any:
        """Return what is bound: text where SQLite can hold it, else bytes."""
        if not isinstance(value, str):
            return value
        try:
            value.encode()
        except UnicodeEncodeError:
            return value.encode(errors="surrogatepass")
        return value

    def python_value(self, value: Any) -> Any:
        """Return the text that `db_value` was given; other bytes as escapes."""
        if not isinstance(value, bytes):
            return value
        try:
            return value.decode(errors="surrogatepass")
        except UnicodeDecodeError:
            return value.decode(errors="backslashreplace")


class Number(peewee.AutoField):
    """A row's number, which is never given again after the row is deleted."""

    def __init__(self) -> None:
        super().__init__(constraints=[peewee.SQL("AUTOINCREMENT")])


class Table(peewee.Model):
    """Base of all tables; bound to a database by the store that uses it, never globally."""


class Run(Table):
    """One lineage of training: a training job and its resumes, which share one curve."""

    id = Number()
    name = Text(unique=True)
    variant = Text()
    created = peewee.FloatField()
    note = Text(default="")
    tags = Text(default="")


class Job(Table):
    """One task in one process: its inputs, where it runs, how far it is, how it ended."""

    id = Number()
    kind = Text()
    state = Text(index=True)
    lane = Text()
    position = peewee.FloatField()
    settings = Text()
    arguments = Text()
    run = peewee.ForeignKeyField(Run, null=True, on_delete="SET NULL")
    host = Text(null=True)
    boot = Text(null=True)
    pid = peewee.IntegerField(null=True)
    pid_started = peewee.FloatField(null=True)
    created = peewee.FloatField()
    started = peewee.FloatField(null=True)
    ended = peewee.FloatField(null=True)
    heartbeat = peewee.FloatField(null=True)
    stop = peewee.IntegerField(default=0)
    phase = Text(default="")
    done = peewee.FloatField(default=0)
    total = peewee.FloatField(default=0)
    unit = Text(default="")
    phase_started = peewee.FloatField(null=True)
    result = Text(null=True)
    error = Text(null=True)
    held = peewee.BooleanField(default=False)


class Metric(Table):
    """One value at one step of a run; who follows a run by the number of its newest row misses none."""

    id = Number()
    run = peewee.ForeignKeyField(Run, on_delete="CASCADE", index=False)
    step = peewee.IntegerField()
    name = Text()
    value = peewee.FloatField(null=True)
    epoch = peewee.FloatField()
    time = peewee.FloatField()

    class Meta:
        """Unique by run, name and step: one curve is one range of the index."""

        indexes: ClassVar = ((("run", "name", "step"), True),)


class MetricBin(Table):
    """Some values of a metric that lie side by side: their mean, extremes and number; at level 2, of more steps."""

    run = peewee.ForeignKeyField(Run, on_delete="CASCADE", index=False)
    name = Text()
    level = peewee.IntegerField()
    bin = peewee.IntegerField()
    step = peewee.IntegerField()
    epoch = peewee.FloatField()
    time = peewee.FloatField()
    value = peewee.FloatField(null=True)
    low = peewee.FloatField(null=True)
    high = peewee.FloatField(null=True)
    number = peewee.IntegerField()

    class Meta:
        """Kept in the order of its key: a curve at a level is one piece of the file."""

        primary_key = peewee.CompositeKey("run", "name", "level", "bin")
        without_rowid = True


class LogLine(Table):
    """One line that a job told."""

    job = peewee.ForeignKeyField(Job, on_delete="CASCADE")
    time = peewee.FloatField()
    level = Text()
    text = Text()


class Artifact(Table):
    """One file or folder that a job made; its path as the workspace stores it."""

    job = peewee.ForeignKeyField(Job, on_delete="CASCADE")
    kind = Text()
    path = Text()
    time = peewee.FloatField()


class Dataset(Table):
    """One image folder; its path as the workspace stores it."""

    folder = Text(unique=True)
    created = peewee.FloatField()


class Image(Table):
    """One image file of a dataset, by its path relative to the folder.

    ``mode`` (Pillow's name), ``bits`` a channel and ``alpha`` are those it is stored with; ``gray`` says that its
    pixels have no color, however they are stored. They are empty where it was not analyzed.
    """

    dataset = peewee.ForeignKeyField(Dataset, on_delete="CASCADE", index=False)
    path = Text()
    bytes = peewee.IntegerField()
    modified_ns = peewee.IntegerField()
    format = Text(default="")
    width = peewee.IntegerField(null=True)
    height = peewee.IntegerField(null=True)
    subset = Text(default="")
    mode = Text(default="")
    bits = peewee.IntegerField(null=True)
    alpha = peewee.BooleanField(null=True)
    gray = peewee.BooleanField(null=True)

    class Meta:
        """Unique by dataset and relative path: equal file names in two folders are two images."""

        indexes: ClassVar = ((("dataset", "path"), True),)


class Fingerprint(Table):
    """What tells an image from others, and its levels: enough to compare datasets without reading a file again.

    Attributes:
        layout: the form that training sees it in, of which the next three are.
        content: hash of its pixels in that form (16 bytes).
        perceptual: its perceptual hash, as a signed number of 64 bits.
        thumbnail: its colors on 16 × 16 fields.
        pixels: hash of its pixels as they are, and of their shape (16 bytes).
        levels: pixels a level of gray, red, green and blue, compressed.

    """

    image = peewee.ForeignKeyField(Image, primary_key=True, on_delete="CASCADE")
    layout = Text()
    content = peewee.BlobField()
    perceptual = peewee.IntegerField()
    thumbnail = peewee.BlobField()
    pixels = peewee.BlobField()
    levels = peewee.BlobField()


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
    subset = Text()
    channel = Text()
    images = peewee.IntegerField()
    counts = Text()

    class Meta:
        """Unique by dataset, subset (all, train, validation) and channel (gray, red, green, blue)."""

        indexes: ClassVar = ((("dataset", "subset", "channel"), True),)


class Finding(Table):
    """Something to know of an image file: that it cannot be read, or that it is unlike the others, or too like one.

    ``value`` is the figure that makes it one, and ``other`` the file that it is like.
    """

    dataset = peewee.ForeignKeyField(Dataset, on_delete="CASCADE", index=False)
    path = Text()
    kind = Text()
    detail = Text()
    value = peewee.FloatField(null=True)
    other = Text(default="")

    class Meta:
        """Those of a dataset and kind lie side by side in the index."""

        indexes: ClassVar = ((("dataset", "kind", "path"), False),)


class Exclusion(Table):
    """An image file that training leaves out."""

    dataset = peewee.ForeignKeyField(Dataset, on_delete="CASCADE", index=False)
    path = Text()
    created = peewee.FloatField()

    class Meta:
        """Unique by dataset and relative path."""

        indexes: ClassVar = ((("dataset", "path"), True),)


class Split(Table):
    """One division of a dataset into training and validation; the lists lie in ``file``."""

    dataset = peewee.ForeignKeyField(Dataset, on_delete="CASCADE")
    key = Text(unique=True)
    seed = peewee.IntegerField()
    fraction = peewee.FloatField()
    train_images = peewee.IntegerField()
    validation_images = peewee.IntegerField()
    file = Text()
    created = peewee.FloatField()


class Checkpoint(Table):
    """One saved state of a run."""

    run = peewee.ForeignKeyField(Run, on_delete="CASCADE", index=False)
    tag = Text()
    step = peewee.IntegerField()
    epoch = peewee.FloatField()
    val_psnr = peewee.FloatField(null=True)
    created = peewee.FloatField()

    class Meta:
        """Unique by run and tag (best, last, epoch-N)."""

        indexes: ClassVar = ((("run", "tag"), True),)


class Evaluation(Table):
    """The mean figures of one evaluation of a checkpoint on a set of images.

    ``rmse`` and ``seconds`` are empty in rows of older versions, ``ms_ssim`` also where pictures are too small for it.

    Attributes:
        fingerprint: digest of the weights.
        report: the folder of the report, as the workspace stores it.
        summary: the distribution of each metric and the baselines, as JSON.

    """

    job = peewee.ForeignKeyField(Job, null=True, on_delete="SET NULL")
    checkpoint = Text()
    folder = Text()
    subset = Text()
    images = peewee.IntegerField()
    skipped = peewee.IntegerField()
    mae = peewee.FloatField()
    mse = peewee.FloatField()
    psnr = peewee.FloatField()
    ssim = peewee.FloatField()
    cosine = peewee.FloatField()
    created = peewee.FloatField()
    rmse = peewee.FloatField(null=True)
    ms_ssim = peewee.FloatField(null=True)
    fingerprint = Text(default="")
    seconds = peewee.FloatField(null=True)
    report = Text(default="")
    summary = Text(default="")


class ImageError(Table):
    """The figures of one image in an evaluation; its RMSE is the root of ``mse``."""

    evaluation = peewee.ForeignKeyField(Evaluation, on_delete="CASCADE")
    path = Text()
    mae = peewee.FloatField()
    mse = peewee.FloatField()
    psnr = peewee.FloatField()
    ssim = peewee.FloatField()
    cosine = peewee.FloatField()
    ms_ssim = peewee.FloatField(null=True)


class EmbeddingFile(Table):
    """One set of embeddings on disk.

    ``fingerprint`` is the digest of the encoder's weights, ``dtype`` the type of the values; ``fingerprint`` and
    ``pooling`` are empty in rows of older versions.
    """

    job = peewee.ForeignKeyField(Job, null=True, on_delete="SET NULL")
    checkpoint = Text()
    folder = Text()
    path = Text()
    rows = peewee.IntegerField()
    dim = peewee.IntegerField()
    skipped = peewee.IntegerField()
    created = peewee.FloatField()
    fingerprint = Text(default="")
    pooling = Text(default="")
    dtype = Text(default="float32")


TABLES: tuple[type[Table], ...] = (
    Run, Job, Metric, MetricBin, LogLine, Artifact, Dataset, Image, Fingerprint, Statistics, Exposure, Entropy,
    Sharpness, Color, Edges, Texture, Histogram, Finding, Exclusion, Split, Checkpoint, Evaluation, ImageError,
    EmbeddingFile,
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
