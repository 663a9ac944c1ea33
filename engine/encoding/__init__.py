"""Images become vectors: the encoder of a checkpoint over a folder, written as files that NumPy reads."""

from engine.encoding.library import Embeddings, encode_images, load_model
from engine.encoding.task import EncodingResult, encode
from engine.encoding.vectors import embedded

__all__ = ["Embeddings", "EncodingResult", "embedded", "encode", "encode_images", "load_model"]
