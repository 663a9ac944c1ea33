"""Settings of the autoencoder, and of what is asked of it."""

from typing import Literal

from engine.settings.fields import Group, setting

Variant = Literal["redux", "medium", "large"]


class ModelSettings(Group):
    """The autoencoder."""

    variant: Variant = setting(
        "redux", "Variant", "FextAE Redux (light), Medium (balanced) or Large (highest fidelity)."
    )
    latent_channels: int = setting(
        64,
        "Latent channels",
        "Channels of the latent; with 64, a 128 × 128 image gives 64 × 8 × 8 = 4,096 values.",
        ge=1,
        le=4096,
    )
    downsampling: Literal[8, 16, 32] = setting(
        16,
        "Downsampling",
        "How many pixels of the image one position of the latent stands for, each way.",
        "px",
    )
    shortcut: bool = setting(
        True,
        "Shortcut",
        "Begin with the principal components of patches of the training images, and learn what they leave.",
    )
    bases: int = setting(
        0,
        "Bases",
        "Kinds of patches that the shortcut has principal components of their own for; with more than one, the last "
        "latent channel tells the kind. 0: as the variant has (4, 16, 64).",
        ge=0,
        le=64,
    )
    dropout: float = setting(
        0.0,
        "Dropout",
        "Share of latent values set to zero in training; regularizes, and costs fidelity.",
        ge=0,
        lt=1,
    )
    projection: int = setting(
        0,
        "Projection",
        "Width of the head through which training with agreement compares views; the vectors are taken before it. "
        "0: none.",
        "units",
        ge=0,
        le=8192,
    )
    whitening: bool = setting(
        True,
        "Whitening",
        "Keep with the network the statistics of its training images by which encoding gives whitened vectors.",
    )


class ObjectiveSettings(Group):
    """What is asked of the network beside plain reconstruction, so that the latent is useful and not only faithful."""

    noise: float = setting(
        0.0, "Input noise", "Deviation of the noise put over training images; the clean ones are restored.", ge=0, le=1
    )
    masked: float = setting(
        0.0, "Masked share", "Share of each training image's patches that is hidden, and restored.", ge=0, le=0.95
    )
    mask_size: int = setting(16, "Mask size", "Side of the patches that are hidden.", "px", ge=1, le=512)
    agreement: float = setting(
        0.0,
        "Agreement",
        "Weight of the contrastive loss, by which two changed views of one image get a like latent; 0: off.",
        ge=0,
        le=1000,
    )
    temperature: float = setting(
        0.1, "Temperature", "Temperature of the contrastive loss; lower tells apart finer.", gt=0, le=10
    )
    view_area: float = setting(0.3, "View area", "Smallest share of the picture that a view shows.", gt=0, le=1)
    view_color: float = setting(0.4, "View color", "How far views change color, brightness and contrast.", ge=0, le=1)
    view_rotation: float = setting(17.0, "View rotation", "Largest turn of a view, either way.", "°", ge=0, le=180)
