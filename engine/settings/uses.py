"""Settings of what a trained network is used for, and of the analysis of images."""

from typing import Annotated, Literal

from pydantic import BeforeValidator

from engine.settings.fields import Group, setting

METRIC_GROUPS = ("statistics", "exposure", "entropy", "sharpness", "color", "edges", "texture")
MetricGroup = Literal["statistics", "exposure", "entropy", "sharpness", "color", "edges", "texture"]
Pooling = Literal["auto", "flatten", "mean", "mean_std", "pyramid", "whitened"]


def _split_commas(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


class EvaluationSettings(Group):
    """How a checkpoint is evaluated."""

    batch_size: int = setting(32, "Batch size", "Images a step of evaluation.", "images", ge=1, le=65_536)
    compared_images: int = setting(
        6, "Compared images", "Pairs of original and reconstruction in each figure.", "images", ge=1, le=64
    )
    baseline_images: int = setting(
        2000,
        "Baseline images",
        "Training images, drawn at random, on which the baselines are fitted: mean image and principal components of "
        "equal size; 0: no baselines.",
        "images",
        ge=0,
        le=5_000,
    )
    seed: int = setting(42, "Seed", "Seed of the choice of compared images and of those for baselines.", ge=0, lt=2**31)
    feature_images: int = setting(
        2000,
        "Images for features",
        "Images, drawn by the seed, whose vectors are looked at and compared with other features; 0: none.",
        "images",
        ge=0,
        le=5000,
    )
    color_by: str = setting(
        "",
        "Colors of the latent",
        "What points of the latent are colored by: label (the image's folder), psnr or another error, or a measure of "
        "the analysis such as mean_gray; empty: label where there are any, and psnr.",
    )


class EncodingSettings(Group):
    """How images become vectors."""

    folder: str = setting("", "Image folder", "Images to encode; empty: database/inference/images of the workspace.")
    batch_size: int = setting(32, "Batch size", "Images a step of encoding.", "images", ge=1, le=65_536)
    pooling: Pooling = setting(
        "auto",
        "Pooling",
        "flatten: the whole latent as one vector; mean: over positions; mean_std: and standard deviations; pyramid: "
        "both in cells of the picture, of positions of length one; whitened: 256 components of that, as in the "
        "training images. auto: whitened where the network has the statistics, else flatten.",
    )
    dtype: Literal["float32", "float16"] = setting(
        "float32", "Values", "Type of the values in embeddings.npy: float16 takes half the disk, with 3 digits."
    )


class AnomalySettings(Group):
    """How images are found that are unlike the training images."""

    reference_images: int = setting(
        5000,
        "Reference images",
        "Training images, and images held out, that others are compared with, drawn at random; fewer where their "
        "vectors would take more than 512 MiB.",
        "images",
        ge=2,
        le=1_000_000,
    )
    percentile: float = setting(
        99.0,
        "Percentile",
        "An image is an anomaly where one of its scores is above this percentile of the scores of reference images.",
        "%",
        ge=50,
        le=100,
    )
    neighbors: int = setting(
        5, "Neighbors", "The distance is that to this nearest of the reference images.", ge=1, le=1000
    )
    seed: int = setting(42, "Seed", "Seed of the choice of reference images.", ge=0, lt=2**31)
    batch_size: int = setting(32, "Batch size", "Images a step of scoring.", "images", ge=1, le=65_536)


class AnalysisSettings(Group):
    """What is measured on a dataset."""

    folder: str = setting("", "Image folder", "Images to analyze; empty: the training images.")
    metrics: Annotated[tuple[MetricGroup, ...], BeforeValidator(_split_commas)] = setting(
        METRIC_GROUPS, "Metrics", "Groups of metrics, separated by commas.", min_length=1
    )
    sample_fraction: float = setting(
        1.0,
        "Sample fraction",
        "Share of the images that is measured, drawn from the sorted list.",
        gt=0,
        le=1,
    )
    sample_seed: int = setting(42, "Sample seed", "Seed of the sample.", ge=0, lt=2**31)
    dark_below: float = setting(
        15.0, "Dark below", "Images of a lower mean gray level are told as dark.", "gray level", ge=0, le=255
    )
    light_above: float = setting(
        245.0, "Light above", "Images of a higher mean gray level are told as light.", "gray level", ge=0, le=255
    )
    information_below: float = setting(
        1.0, "Low information below", "Images of less entropy are told as of low information.", "bits", ge=0, le=8
    )
    blur_below: float = setting(
        0.26, "Blurry below", "Images with a smaller share of high frequencies are told as blurry.", ge=0, le=1
    )
    size_factor: float = setting(
        10.0,
        "Odd size",
        "Images of so many times more or fewer pixels than the median are told.",
        "times",
        gt=1,
        le=1e6,
    )
    aspect_above: float = setting(
        3.0,
        "Odd aspect ratio above",
        "Images whose long side is more than so many times the short one are told.",
        "times",
        ge=1,
        le=1e4,
    )
    outlier_above: float = setting(
        10.0,
        "Outliers above",
        "Images with a metric more than so many deviations from the median are told (robust z: deviations from the "
        "median absolute deviation of that side).",
        "deviations",
        ge=3,
        le=1000,
    )
