"""The autoencoders."""

from engine.architecture import VARIANTS
from engine.models.autoencoder import Autoencoder

__all__ = ["VARIANTS", "Autoencoder"]
