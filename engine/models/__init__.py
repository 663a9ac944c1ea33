"""The autoencoders."""

from engine.models.autoencoder import VARIANTS, Autoencoder

__all__ = ["VARIANTS", "Autoencoder"]
