"""The engine of FeXT AutoEncoder: analysis, training, evaluation and encoding, without a screen.

As a library, two functions turn images into vectors::

    from engine import encode_images, load_model

    model = load_model("my-run")
    embeddings = encode_images(model, "photos/")
    embeddings.vectors  # (N, D) float32
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.encoding import Embeddings, encode_images, load_model

__all__ = ["Embeddings", "encode_images", "load_model"]


def __getattr__(name: str) -> object:
    if name in __all__:
        from engine import encoding

        return getattr(encoding, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
