"""What a program must know to use an exported network, in the file and beside it."""

import hashlib
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engine.checkpoints import CheckpointConfig
from engine.export.networks import INPUT, Network
from engine.files import make_folder, replace_file

_RESIZING = (
    "along each axis the mean over the area when shrinking, linear interpolation when enlarging; rounded to 8 bits; a "
    "JPEG file that is far larger may be decoded at a half, a quarter or an eighth of its size before"
)


def description_of(network: Network, config: CheckpointConfig, pictures: Tensor) -> dict[str, Any]:
    """Return what a program must know to use the file: what goes in, how a picture becomes that, and what comes out."""
    height, width = pictures.shape[2:]
    with torch.inference_mode():
        outputs = zip(network.outputs, network(pictures[:1]), strict=True)
    gray = config.image_channels == 1
    return {
        "network": network.name,
        "pooling": network.pooling,
        "input": {"name": INPUT, "dtype": "float32", "shape": ["batch", *pictures.shape[1:]], "range": [0, 1]},
        "outputs": [
            {"name": name, "dtype": "float32", "shape": ["batch", *values.shape[1:]]} for name, values in outputs
        ],
        "image_height": height,
        "image_width": width,
        "image_channels": config.image_channels,
        "channel_order": "gray" if gray else "RGB",
        "preprocessing": [
            "apply the EXIF orientation",
            "lay transparent parts over white",
            "convert to gray: 0.299 R + 0.587 G + 0.114 B, rounded to 8 bits" if gray else "convert to 8-bit RGB",
            f"resize the whole picture to {height} rows and {width} columns: {_RESIZING}",
            "divide by 255, and put channels before rows and columns",
        ],
        "torch": torch.__version__,
    }


def keep(path: Path, content: bytes, description: Mapping[str, Any]) -> None:
    """Write a file and its description, each in the place of an older one."""
    digest = hashlib.blake2b(content, digest_size=16).hexdigest()
    whole = {"file": path.name, **description, "blake2b": digest, "created": time.time()}
    make_folder(path.parent)
    replace_file(path, content)
    replace_file(path.with_name(f"{path.name}.json"), (json.dumps(whole, indent=2) + "\n").encode())
