"""What may be set: the one schema behind forms, options, files, environment and checkpoints."""

import difflib
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self, Union, cast, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from engine.errors import UsageError

ENVIRONMENT_PREFIX = "FEXT_"
RESERVED_VARIABLES = frozenset({"FEXT_RESOURCES"})

METRIC_GROUPS = ("statistics", "exposure", "entropy", "sharpness", "color", "edges", "texture")
MetricGroup = Literal["statistics", "exposure", "entropy", "sharpness", "color", "edges", "texture"]
Variant = Literal["redux", "medium", "large"]
Pooling = Literal["auto", "flatten", "mean", "mean_std", "pyramid", "whitened"]


def _split_commas(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _setting(default: Any, title: str, help_text: str, unit: str = "", **limits: Any) -> Any:
    return Field(default, title=title, description=help_text, json_schema_extra={"unit": unit}, **limits)


class Group(BaseModel):
    """A group of settings: immutable, closed to unknown names."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*")
    @classmethod
    def _is_utf8(cls, value: Any) -> Any:
        if isinstance(value, str):
            value.encode()
        return value


class DataSettings(Group):
    """Which images are used, and how they are brought to one size and divided."""

    folder: str = _setting(
        "", "Image folder", "Training images, searched recursively; empty: database/images of the workspace."
    )
    validation_folder: str = _setting(
        "", "Validation folder", "Images held out for validation; empty: a share of the image folder."
    )
    image_height: int = _setting(128, "Image height", "Every picture is resized to this height.", "px", ge=16, le=4096)
    image_width: int = _setting(128, "Image width", "Every picture is resized to this width.", "px", ge=16, le=4096)
    grayscale: bool = _setting(False, "Grayscale", "Use one gray channel in place of three colors.")
    sample_fraction: float = _setting(
        1.0,
        "Sample fraction",
        "Share of the images that is used, drawn at random from the sorted list.",
        gt=0,
        le=1,
    )
    sample_seed: int = _setting(42, "Sample seed", "Seed of the sample.", ge=0, lt=2**31)
    validation_fraction: float = _setting(
        0.2, "Validation fraction", "Share of the images held out for validation.", ge=0, le=0.9
    )
    near_distance: int = _setting(
        3,
        "Near-equal bits",
        "Images whose perceptual hashes of 64 bits differ in at most so many, and which look alike, stay on one side "
        "of the split, and are told as near duplicates.",
        "bits",
        ge=0,
        le=10,
    )
    split_seed: int = _setting(42, "Split seed", "Seed of the division into training and validation.", ge=0, lt=2**31)
    shuffle: bool = _setting(True, "Shuffle", "Draw the training images in a new order every epoch.")
    shuffle_buffer: int = _setting(
        0,
        "Shuffle buffer",
        "Shuffle within a sliding buffer of this many images, so that a pack larger than memory is read almost "
        "in sequence; 0: the whole set.",
        "images",
        ge=0,
    )
    pack: Literal["auto", "on", "off"] = _setting(
        "auto",
        "Pack",
        "Decode every image once into a memory-mapped file; auto: where the disk has room, else decode on the fly.",
    )


class AugmentationSettings(Group):
    """Random changes of training images; validation images are never changed."""

    enabled: bool = _setting(False, "Augmentation", "Change training images at random.")
    flip_horizontal: float = _setting(0.5, "Flip left-right", "Probability of a left-right flip.", ge=0, le=1)
    flip_vertical: float = _setting(0.5, "Flip up-down", "Probability of an up-down flip.", ge=0, le=1)
    brightness: float = _setting(0.2, "Brightness", "Largest shift of brightness, as a share of the range.", ge=0, le=1)
    brightness_probability: float = _setting(0.25, "Brightness odds", "Probability of a brightness shift.", ge=0, le=1)
    contrast_low: float = _setting(0.7, "Contrast from", "Smallest contrast factor.", ge=0, le=1)
    contrast_high: float = _setting(1.3, "Contrast to", "Largest contrast factor.", ge=1, le=4)
    contrast_probability: float = _setting(0.35, "Contrast odds", "Probability of a contrast change.", ge=0, le=1)


class ModelSettings(Group):
    """The autoencoder."""

    variant: Variant = _setting(
        "redux", "Variant", "FextAE Redux (light), Medium (balanced) or Large (highest fidelity)."
    )
    latent_channels: int = _setting(
        64,
        "Latent channels",
        "Channels of the latent; with 64, a 128 × 128 image gives 64 × 8 × 8 = 4,096 values.",
        ge=1,
        le=4096,
    )
    downsampling: Literal[8, 16, 32] = _setting(
        16,
        "Downsampling",
        "How many pixels of the image one position of the latent stands for, each way.",
        "px",
    )
    shortcut: bool = _setting(
        True,
        "Shortcut",
        "Begin with the principal components of patches of the training images, and learn what they leave.",
    )
    bases: int = _setting(
        0,
        "Bases",
        "Kinds of patches that the shortcut has principal components of their own for; with more than one, the last "
        "latent channel tells the kind. 0: as the variant has (4, 16, 64).",
        ge=0,
        le=64,
    )
    dropout: float = _setting(
        0.0,
        "Dropout",
        "Share of latent values set to zero in training; regularizes, and costs fidelity.",
        ge=0,
        lt=1,
    )
    projection: int = _setting(
        0,
        "Projection",
        "Width of the head through which training with agreement compares views; the vectors are taken before it. "
        "0: none.",
        "units",
        ge=0,
        le=8192,
    )
    whitening: bool = _setting(
        True,
        "Whitening",
        "Keep with the network the statistics of its training images by which encoding gives whitened vectors.",
    )


class ObjectiveSettings(Group):
    """What is asked of the network beside plain reconstruction, so that the latent is useful and not only faithful."""

    noise: float = _setting(
        0.0, "Input noise", "Deviation of the noise put over training images; the clean ones are restored.", ge=0, le=1
    )
    masked: float = _setting(
        0.0, "Masked share", "Share of each training image's patches that is hidden, and restored.", ge=0, le=0.95
    )
    mask_size: int = _setting(16, "Mask size", "Side of the patches that are hidden.", "px", ge=1, le=512)
    agreement: float = _setting(
        0.0,
        "Agreement",
        "Weight of the contrastive loss, by which two changed views of one image get a like latent; 0: off.",
        ge=0,
        le=1000,
    )
    temperature: float = _setting(
        0.1, "Temperature", "Temperature of the contrastive loss; lower tells apart finer.", gt=0, le=10
    )
    view_area: float = _setting(0.3, "View area", "Smallest share of the picture that a view shows.", gt=0, le=1)
    view_color: float = _setting(0.4, "View color", "How far views change color, brightness and contrast.", ge=0, le=1)
    view_rotation: float = _setting(17.0, "View rotation", "Largest turn of a view, either way.", "°", ge=0, le=180)


class TrainingSettings(Group):
    """How the autoencoder is trained."""

    seed: int = _setting(42, "Seed", "Seed of weights, order, augmentation and dropout.", ge=0, lt=2**31)
    epochs: int = _setting(100, "Epochs", "Passes over the training images.", "epochs", ge=1, le=1_000_000)
    minutes: float = _setting(
        0.0,
        "Time budget",
        "Train for this long in place of a number of epochs; 0: no time budget.",
        "min",
        ge=0,
    )
    additional_epochs: int = _setting(
        10, "Additional epochs", "Epochs added when a finished run is resumed.", "epochs", ge=1, le=1_000_000
    )
    batch_size: int = _setting(16, "Batch size", "Images a step.", "images", ge=1, le=65_536)
    find_batch: bool = _setting(
        False,
        "Find batch size",
        "Before a new run, try batches of 1, 2, 4 … images, and take the size of most images a second in place of the "
        "batch size.",
    )
    micro_batch: int = _setting(
        0,
        "Micro-batch",
        "Images computed at a time, at most; their gradients add up to those of the batch (but agreement compares "
        "within a micro-batch only). 0: the whole batch. Halved where memory runs out.",
        "images",
        ge=0,
        le=65_536,
    )
    loss: Literal["rmse", "mae", "mse", "charbonnier"] = _setting(
        "rmse",
        "Loss",
        "Root mean squared error of each image, mean absolute error, mean squared error, or the smooth Charbonnier "
        "loss between the last two.",
    )
    learning_rate: float = _setting(0.001, "Learning rate", "Highest learning rate of AdamW.", gt=0, le=1)
    final_learning_rate: float = _setting(0.00001, "Final learning rate", "Learning rate after the decay.", ge=0, le=1)
    schedule: Literal["cosine", "linear", "onecycle", "hold_decay", "constant"] = _setting(
        "cosine",
        "Schedule",
        "After the warm-up: cosine or linear decay to the end of the run; hold_decay: constant for the hold steps, "
        "then linear over the decay steps; onecycle: a rise over 30 % of the run in place of the warm-up, then cosine "
        "decay; or constant.",
    )
    warmup_steps: int = _setting(50, "Warm-up", "Steps over which the learning rate rises from zero.", "steps", ge=0)
    hold_steps: int = _setting(
        1000, "Hold", "Steps of constant learning rate of the hold_decay schedule.", "steps", ge=0
    )
    decay_steps: int = _setting(500, "Decay", "Steps of linear decay of the hold_decay schedule.", "steps", ge=1)
    weight_decay: float = _setting(0.01, "Weight decay", "Decoupled weight decay of AdamW.", ge=0, le=1)
    gradient_clip: float = _setting(1.0, "Gradient clipping", "Largest norm of the gradient; 0: no clipping.", ge=0)
    ema: float = _setting(
        0.0,
        "Weight averaging",
        "Decay of the exponential moving average of the weights, which is what is validated and saved; 0: off.",
        ge=0,
        le=0.9999,
    )
    patience: int = _setting(
        0,
        "Patience",
        "Validations in a row without a gain after which training ends; 0: never.",
        "validations",
        ge=0,
    )
    min_gain: float = _setting(
        0.01, "Least gain", "Rise of the validation PSNR that renews the patience.", "dB", ge=0, le=100
    )
    validate_every_steps: int = _setting(
        0, "Validate every", "Validate every so many steps too; 0: at the ends of epochs only.", "steps", ge=0
    )
    validate_every_seconds: float = _setting(
        0.0,
        "Validate at least every",
        "Longest training time between two validations; 0: at the ends of epochs only.",
        "s",
        ge=0,
    )
    checkpoint_every: int = _setting(
        0,
        "Keep a checkpoint every",
        "Keep a checkpoint of every so many epochs beside best and last; 0: none.",
        "epochs",
        ge=0,
    )
    keep_every_minutes: float = _setting(
        0.0,
        "Keep one every",
        "Keep a checkpoint after every so many minutes of training too; 0: none.",
        "min",
        ge=0,
    )
    keep_checkpoints: int = _setting(
        0, "Kept at most", "How many of those kept stay, the newest; best and last stay always. 0: all.", ge=0
    )
    checkpoint_minutes: float = _setting(
        5.0, "Save at least every", "Longest time between two savings of the last checkpoint.", "min", gt=0
    )
    checkpoint_steps: int = _setting(
        0, "Save every", "Save the last checkpoint every so many steps too; 0: as time and epochs ask.", "steps", ge=0
    )
    probe_images: int = _setting(
        6, "Probe images", "Images whose reconstructions are kept as training goes on; 0: none.", "images", ge=0, le=64
    )
    probe_every: int = _setting(
        0,
        "Probe every",
        "Keep those reconstructions every so many epochs; 0: after epochs 1, 2, 5, 10, 20, 50 and so on.",
        "epochs",
        ge=0,
    )
    accept_changed_images: bool = _setting(
        False,
        "Accept changed images",
        "Let a resume go on although images were added, changed or removed since; known images keep their side "
        "of the split, new ones are trained on.",
    )
    live_plot: bool = _setting(True, "Live plot", "Draw the curves while training runs.")
    tensorboard: bool = _setting(
        False, "TensorBoard", "Also write the curves to logs/tensorboard (extra: tensorboard)."
    )


class DeviceSettings(Group):
    """Where and how the work is computed."""

    kind: Literal["auto", "cpu", "gpu"] = _setting("auto", "Device", "auto: the GPU where there is one, else the CPU.")
    id: int = _setting(0, "GPU number", "Which GPU, as numbered by nvidia-smi.", ge=0, le=63)
    precision: Literal["auto", "float32", "bfloat16", "float16"] = _setting(
        "auto", "Precision", "Mixed precision; auto: bfloat16 on GPUs that have it, float32 on CPUs."
    )
    compile: Literal["auto", "on", "off"] = _setting(
        "auto",
        "Compile",
        "torch.compile of the training step; auto: where it is known to win its time back, "
        "or a trial costs next to nothing; kept where steps become quicker.",
    )
    compile_backend: str = _setting(
        "inductor", "Compile backend", "Backend of torch.compile, for instance inductor or aot_eager."
    )
    workers: int = _setting(
        0, "Workers", "Threads that decode and measure images; 0: all cores.", "threads", ge=0, le=1024
    )


class EvaluationSettings(Group):
    """How a checkpoint is evaluated."""

    batch_size: int = _setting(32, "Batch size", "Images a step of evaluation.", "images", ge=1, le=65_536)
    compared_images: int = _setting(
        6, "Compared images", "Pairs of original and reconstruction in each figure.", "images", ge=1, le=64
    )
    baseline_images: int = _setting(
        2000,
        "Baseline images",
        "Training images, drawn at random, on which the baselines are fitted: mean image and principal components of "
        "equal size; 0: no baselines.",
        "images",
        ge=0,
        le=5_000,
    )
    seed: int = _setting(
        42, "Seed", "Seed of the choice of compared images and of those for baselines.", ge=0, lt=2**31
    )
    feature_images: int = _setting(
        2000,
        "Images for features",
        "Images, drawn by the seed, whose vectors are looked at and compared with other features; 0: none.",
        "images",
        ge=0,
        le=5000,
    )
    color_by: str = _setting(
        "",
        "Colors of the latent",
        "What points of the latent are colored by: label (the image's folder), psnr or another error, or a measure of "
        "the analysis such as mean_gray; empty: label where there are any, and psnr.",
    )


class EncodingSettings(Group):
    """How images become vectors."""

    folder: str = _setting("", "Image folder", "Images to encode; empty: database/inference/images of the workspace.")
    batch_size: int = _setting(32, "Batch size", "Images a step of encoding.", "images", ge=1, le=65_536)
    pooling: Pooling = _setting(
        "auto",
        "Pooling",
        "flatten: the whole latent as one vector; mean: over positions; mean_std: and standard deviations; pyramid: "
        "both in cells of the picture, of positions of length one; whitened: 256 components of that, as in the "
        "training images. auto: whitened where the network has the statistics, else flatten.",
    )
    dtype: Literal["float32", "float16"] = _setting(
        "float32", "Values", "Type of the values in embeddings.npy: float16 takes half the disk, with 3 digits."
    )


class AnomalySettings(Group):
    """How images are found that are unlike the training images."""

    reference_images: int = _setting(
        5000,
        "Reference images",
        "Training images, and images held out, that others are compared with, drawn at random; fewer where their "
        "vectors would take more than 512 MiB.",
        "images",
        ge=2,
        le=1_000_000,
    )
    percentile: float = _setting(
        99.0,
        "Percentile",
        "An image is an anomaly where one of its scores is above this percentile of the scores of reference images.",
        "%",
        ge=50,
        le=100,
    )
    neighbors: int = _setting(
        5, "Neighbors", "The distance is that to this nearest of the reference images.", ge=1, le=1000
    )
    seed: int = _setting(42, "Seed", "Seed of the choice of reference images.", ge=0, lt=2**31)
    batch_size: int = _setting(32, "Batch size", "Images a step of scoring.", "images", ge=1, le=65_536)


class AnalysisSettings(Group):
    """What is measured on a dataset."""

    folder: str = _setting("", "Image folder", "Images to analyze; empty: the training images.")
    metrics: Annotated[tuple[MetricGroup, ...], BeforeValidator(_split_commas)] = _setting(
        METRIC_GROUPS, "Metrics", "Groups of metrics, separated by commas.", min_length=1
    )
    sample_fraction: float = _setting(
        1.0,
        "Sample fraction",
        "Share of the images that is measured, drawn from the sorted list.",
        gt=0,
        le=1,
    )
    sample_seed: int = _setting(42, "Sample seed", "Seed of the sample.", ge=0, lt=2**31)
    dark_below: float = _setting(
        15.0, "Dark below", "Images of a lower mean gray level are told as dark.", "gray level", ge=0, le=255
    )
    light_above: float = _setting(
        245.0, "Light above", "Images of a higher mean gray level are told as light.", "gray level", ge=0, le=255
    )
    information_below: float = _setting(
        1.0, "Low information below", "Images of less entropy are told as of low information.", "bits", ge=0, le=8
    )
    blur_below: float = _setting(
        0.26, "Blurry below", "Images with a smaller share of high frequencies are told as blurry.", ge=0, le=1
    )
    size_factor: float = _setting(
        10.0,
        "Odd size",
        "Images of so many times more or fewer pixels than the median are told.",
        "times",
        gt=1,
        le=1e6,
    )
    aspect_above: float = _setting(
        3.0,
        "Odd aspect ratio above",
        "Images whose long side is more than so many times the short one are told.",
        "times",
        ge=1,
        le=1e4,
    )
    outlier_above: float = _setting(
        10.0,
        "Outliers above",
        "Images with a metric more than so many deviations from the median are told (robust z: deviations from the "
        "median absolute deviation of that side).",
        "deviations",
        ge=3,
        le=1000,
    )


class Settings(Group):
    """All settings, by group."""

    data: DataSettings = Field(default_factory=DataSettings, title="Data")
    augmentation: AugmentationSettings = Field(default_factory=AugmentationSettings, title="Augmentation")
    model: ModelSettings = Field(default_factory=ModelSettings, title="Model")
    objective: ObjectiveSettings = Field(default_factory=ObjectiveSettings, title="Objective")
    training: TrainingSettings = Field(default_factory=TrainingSettings, title="Training")
    device: DeviceSettings = Field(default_factory=DeviceSettings, title="Device")
    evaluation: EvaluationSettings = Field(default_factory=EvaluationSettings, title="Evaluation")
    encoding: EncodingSettings = Field(default_factory=EncodingSettings, title="Encoding")
    anomalies: AnomalySettings = Field(default_factory=AnomalySettings, title="Anomalies")
    analysis: AnalysisSettings = Field(default_factory=AnalysisSettings, title="Analysis")

    @model_validator(mode="after")
    def _rates_fall(self) -> Self:
        if self.training.final_learning_rate > self.training.learning_rate:
            raise ValueError("training.final_learning_rate must not be above training.learning_rate")
        return self

    @model_validator(mode="after")
    def _bases_can_be_told(self) -> Self:
        if self.model.bases > 1 and self.model.latent_channels == 1:
            raise ValueError("model.bases above 1 needs a second of model.latent_channels, to tell the basis")
        return self

    def values(self) -> dict[str, Any]:
        """Return every setting by dotted key, for instance ``{"training.epochs": 100}``."""
        return {field.key: getattr(getattr(self, field.group), field.name) for field in FIELDS.values()}

    def with_values(self, values: Mapping[str, Any], source: str = "") -> "Settings":
        """Return these settings with ``values`` (by dotted key) put over them.

        Raises:
            UsageError: an unknown key or a bad value; names the field, the value and what is allowed.

        """
        return from_layers((source, self.values()), (source, values))


PRESETS: dict[str, dict[str, Any]] = {
    "quick": {"training.minutes": 1.0, "data.image_height": 64, "data.image_width": 64},
    "balanced": {"model.variant": "medium", "training.epochs": 100},
    "fidelity": {"model.variant": "large", "training.epochs": 300, "augmentation.enabled": True},
    "features": {
        "data.image_height": 64,
        "data.image_width": 64,
        "model.shortcut": False,
        "model.projection": 512,
        "objective.agreement": 1.0,
        "objective.view_area": 0.15,
        "objective.view_color": 0.6,
        "training.batch_size": 128,
        "training.weight_decay": 0.05,
    },
}


@dataclass(frozen=True)
class SettingField:
    """One setting as forms, options and documentation need it."""

    group: str
    name: str
    title: str
    help: str
    unit: str
    default: Any
    kind: Literal["bool", "int", "float", "text", "choice", "choices"]
    choices: tuple[str, ...]
    minimum: float | None
    maximum: float | None
    minimum_is_allowed: bool
    maximum_is_allowed: bool

    @property
    def key(self) -> str:
        """The dotted key, for instance ``training.epochs``."""
        return f"{self.group}.{self.name}"

    @property
    def variable(self) -> str:
        """The environment variable, for instance ``FEXT_TRAINING_EPOCHS``."""
        return f"{ENVIRONMENT_PREFIX}{self.group}_{self.name}".upper()

    @property
    def allowed(self) -> str:
        """What values are allowed, in words; empty where any text is."""
        if self.kind == "choice":
            return "one of " + ", ".join(self.choices)
        if self.kind == "choices":
            return "any of " + ", ".join(self.choices) + ", separated by commas"
        if self.kind == "bool":
            return "on or off"
        if self.kind == "text":
            return ""
        whole = "a whole number" if self.kind == "int" else "a number"
        limits = []
        if self.minimum is not None:
            limits.append(f"{'at least' if self.minimum_is_allowed else 'above'} {self.minimum:,}")
        if self.maximum is not None:
            limits.append(f"{'at most' if self.maximum_is_allowed else 'below'} {self.maximum:,}")
        return " ".join([whole, " and ".join(limits)]).strip()


def _describe(group: str, name: str) -> SettingField:
    info = _group_model(group).model_fields[name]
    kind, choices = _kind(info.annotation)
    limits = {
        attribute: getattr(constraint, attribute)
        for constraint in info.metadata
        for attribute in ("ge", "gt", "le", "lt")
        if hasattr(constraint, attribute)
    }
    extra = info.json_schema_extra
    assert isinstance(extra, dict)
    return SettingField(
        group=group,
        name=name,
        title=info.title or name,
        help=info.description or "",
        unit=str(extra["unit"]),
        default=info.default,
        kind=kind,
        choices=choices,
        minimum=limits.get("ge", limits.get("gt")),
        maximum=limits.get("le", limits.get("lt")),
        minimum_is_allowed="ge" in limits,
        maximum_is_allowed="le" in limits,
    )


def _kind(annotation: Any) -> tuple[Any, tuple[str, ...]]:
    origin = get_origin(annotation)
    if origin is Literal:
        return "choice", tuple(str(choice) for choice in get_args(annotation))
    if origin is tuple:
        return "choices", tuple(str(choice) for choice in get_args(get_args(annotation)[0]))
    assert origin not in (Union, types.UnionType), "optional settings have no form"
    return {bool: "bool", int: "int", float: "float", str: "text"}[annotation], ()


def _group_model(group: str) -> type[Group]:
    annotation = Settings.model_fields[group].annotation
    return cast("type[Group]", annotation)


GROUPS: dict[str, str] = {name: info.title or name for name, info in Settings.model_fields.items()}
FIELDS: dict[str, SettingField] = {
    f"{group}.{name}": _describe(group, name) for group in GROUPS for name in _group_model(group).model_fields
}

Layer = tuple[str, Mapping[str, Any]]


def from_layers(*layers: Layer) -> Settings:
    """Build settings from layers of (source, values by dotted key), later ones over earlier ones.

    Raises:
        UsageError: an unknown key or a bad value; names the source, the field, the value and what is allowed.

    """
    merged: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for source, values in layers:
        for key, value in values.items():
            if key not in FIELDS:
                raise UsageError(f"Unknown setting {key!r}{_from(source)}.", _suggestion(key))
            merged[key] = value
            sources[key] = source
    nested: dict[str, dict[str, Any]] = {group: {} for group in GROUPS}
    for key, value in merged.items():
        field = FIELDS[key]
        nested[field.group][field.name] = _coerce_choice(field, value)
    try:
        return Settings.model_validate(nested)
    except ValidationError as error:
        raise UsageError(*_explain(error, sources)) from None


def _coerce_choice(field: SettingField, value: Any) -> Any:
    if field.kind == "choice" and isinstance(value, str) and value.isdecimal():
        return int(value)
    return value


def _explain(error: ValidationError, sources: Mapping[str, str]) -> tuple[str, str]:
    detail = error.errors()[0]
    key = ".".join(str(part) for part in detail["loc"][:2])
    if key not in FIELDS:
        return str(detail["ctx"]["error"]) + ".", "Change one of the two."
    allowed = FIELDS[key].allowed
    remedy = f"Allowed is {allowed}." if allowed else "Any text in UTF-8 is allowed."
    return f"{key} = {detail['input']!r} is not valid{_from(sources.get(key, ''))}.", remedy


def _from(source: str) -> str:
    return f" (from {source})" if source else ""


def _suggestion(key: str) -> str:
    near = difflib.get_close_matches(key, FIELDS, n=1)
    return f"Did you mean {near[0]!r}?" if near else "`fext settings` lists every setting."


def from_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the values that ``FEXT_…`` variables set, by dotted key.

    Raises:
        UsageError: a variable with this prefix that stands for no setting.

    """
    by_variable = {field.variable: key for key, field in FIELDS.items()}
    values = {}
    for variable, text in environ.items():
        if not variable.startswith(ENVIRONMENT_PREFIX) or variable in RESERVED_VARIABLES:
            continue
        if variable not in by_variable:
            near = difflib.get_close_matches(variable, by_variable, n=1)
            raise UsageError(
                f"Unknown environment variable {variable}.",
                f"Did you mean {near[0]}?" if near else "templates/.env in the workspace lists those that are read.",
            )
        values[by_variable[variable]] = text
    return values


def flatten(nested: Mapping[str, Any], source: str = "") -> dict[str, Any]:
    """Return a two-level mapping (a configuration file) as values by dotted key.

    Raises:
        UsageError: a top-level entry that is no group.

    """
    values: dict[str, Any] = {}
    for group, content in nested.items():
        if not isinstance(content, Mapping):
            raise UsageError(
                f"Unknown setting {group!r}{_from(source)}.",
                "Settings stand in groups, for instance [training].",
            )
        values.update({f"{group}.{name}": value for name, value in content.items()})
    return values


def fields_of(group: str) -> Iterator[SettingField]:
    """Yield the settings of one group, in the order of the schema."""
    return (field for field in FIELDS.values() if field.group == group)


def environment_template() -> str:
    """Return the text of ``templates/.env``: every variable that is read, commented out, with its help."""
    lines = [
        "# Environment of FeXT TUI. Copy this file to the workspace's root folder (the parent of templates/)",
        "# as .env and take the # away where you want another value. Variables of the shell win over this file.",
        "",
        "# Where the workspace lies; read from the shell only.",
        "# FEXT_RESOURCES=",
    ]
    for group, title in GROUPS.items():
        lines += ["", f"# --- {title} ---"]
        for field in fields_of(group):
            allowed = f" ({field.allowed})" if field.allowed else ""
            lines += [f"# {field.help}{allowed}", f"# {field.variable}={text_of(field.default)}"]
    return "\n".join(lines) + "\n"


def text_of(value: Any) -> str:
    """Return a setting's value as a person would type it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return ",".join(value)
    return f"{value:.15g}" if isinstance(value, float) else str(value)
