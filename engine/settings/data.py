"""Settings of the images that are trained on."""

from typing import Literal

from engine.settings.fields import Group, setting


class DataSettings(Group):
    """Which images are used, and how they are brought to one size and divided."""

    folder: str = setting(
        "", "Image folder", "Training images, searched recursively; empty: database/images of the workspace."
    )
    validation_folder: str = setting(
        "", "Validation folder", "Images held out for validation; empty: a share of the image folder."
    )
    image_height: int = setting(128, "Image height", "Every picture is resized to this height.", "px", ge=16, le=4096)
    image_width: int = setting(128, "Image width", "Every picture is resized to this width.", "px", ge=16, le=4096)
    grayscale: bool = setting(False, "Grayscale", "Use one gray channel in place of three colors.")
    sample_fraction: float = setting(
        1.0,
        "Sample fraction",
        "Share of the images that is used, drawn at random from the sorted list.",
        gt=0,
        le=1,
    )
    sample_seed: int = setting(42, "Sample seed", "Seed of the sample.", ge=0, lt=2**31)
    validation_fraction: float = setting(
        0.2, "Validation fraction", "Share of the images held out for validation.", ge=0, le=0.9
    )
    near_distance: int = setting(
        3,
        "Near-equal bits",
        "Images whose perceptual hashes of 64 bits differ in at most so many, and which look alike, stay on one side "
        "of the split, and are told as near duplicates.",
        "bits",
        ge=0,
        le=10,
    )
    split_seed: int = setting(42, "Split seed", "Seed of the division into training and validation.", ge=0, lt=2**31)
    shuffle: bool = setting(True, "Shuffle", "Draw the training images in a new order every epoch.")
    shuffle_buffer: int = setting(
        0,
        "Shuffle buffer",
        "Shuffle within a sliding buffer of this many images, so that a pack larger than memory is read almost "
        "in sequence; 0: the whole set.",
        "images",
        ge=0,
    )
    pack: Literal["auto", "on", "off"] = setting(
        "auto",
        "Pack",
        "Decode every image once into a memory-mapped file; auto: where the disk has room, else decode on the fly.",
    )


class AugmentationSettings(Group):
    """Random changes of training images; validation images are never changed."""

    enabled: bool = setting(False, "Augmentation", "Change training images at random.")
    flip_horizontal: float = setting(0.5, "Flip left-right", "Probability of a left-right flip.", ge=0, le=1)
    flip_vertical: float = setting(0.5, "Flip up-down", "Probability of an up-down flip.", ge=0, le=1)
    brightness: float = setting(0.2, "Brightness", "Largest shift of brightness, as a share of the range.", ge=0, le=1)
    brightness_probability: float = setting(0.25, "Brightness odds", "Probability of a brightness shift.", ge=0, le=1)
    contrast_low: float = setting(0.7, "Contrast from", "Smallest contrast factor.", ge=0, le=1)
    contrast_high: float = setting(1.3, "Contrast to", "Largest contrast factor.", ge=1, le=4)
    contrast_probability: float = setting(0.35, "Contrast odds", "Probability of a contrast change.", ge=0, le=1)
