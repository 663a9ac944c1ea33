"""Networks as files of `torch.export`."""

import io
import json
from collections.abc import Mapping
from typing import Any

import torch

from engine.export.networks import Network, Written


def write(program: torch.export.ExportedProgram, network: Network, description: Mapping[str, Any]) -> Written:
    """Return a network as a file of `torch.export`, with its description among the extra files."""
    file = io.BytesIO()
    torch.export.save(program, file, extra_files={"description.json": json.dumps(description)})
    read_back = torch.export.load(io.BytesIO(file.getvalue())).module()
    return Written(file.getvalue(), lambda images: list(read_back(images)))
