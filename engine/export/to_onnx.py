"""Networks as ONNX files."""

import json
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from engine.export.networks import INPUT, Network, Written

PACKAGES = "onnx", "onnxscript", "onnxruntime"
"""What it takes beside PyTorch."""

OPSET = 20
"""The ONNX opset that PyTorch writes of itself."""


def write(program: torch.export.ExportedProgram, network: Network, description: Mapping[str, Any]) -> Written:
    """Return a network as an ONNX file, with its description in the metadata."""
    from onnxruntime import InferenceSession

    exported = torch.onnx.export(
        program,
        dynamo=True,
        opset_version=OPSET,
        input_names=[INPUT],
        output_names=list(network.outputs),
        dynamic_shapes={INPUT: {0: "batch"}},
        verbose=False,
    )
    assert exported is not None
    exported.model.metadata_props.update(
        {name: value if isinstance(value, str) else json.dumps(value) for name, value in description.items()}
    )
    content = exported.model_proto.SerializeToString()
    session = InferenceSession(content, providers=["CPUExecutionProvider"])

    def run(images: Tensor) -> list[Tensor]:
        given = {INPUT: images.contiguous().numpy()}
        return [torch.from_numpy(values) for values in session.run(list(network.outputs), given)]

    return Written(content, run)
