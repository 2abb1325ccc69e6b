"""Export of a trained view head to ONNX, checked against torch."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import torch

from cephstd.errors import InferenceError
from cephstd.inference.thumbnail import SIDE_PX
from cephstd.training.export import IR_VERSION, OPSET, quiet_exporter, strip_traces
from cephstd.training.viewer_network import ViewModel, ViewNetwork

INPUT_NAME = "view"
OUTPUT_NAMES = ("accept", "pose", "inverted")
TOLERANCE = 1e-4
"""How far a probability of the graph may lie from torch's."""


def export_viewer(network: ViewNetwork) -> bytes:
    """One self-contained ONNX file: ``view`` in; ``accept``, ``pose`` and ``inverted`` out, as probabilities.

    Raises
    ------
    InferenceError
        When ONNX Runtime and torch differ on a random input by more than 0.0001.
    """
    model = ViewModel(network).eval()
    with quiet_exporter():
        program = torch.onnx.export(
            model,
            (torch.zeros(2, 1, SIDE_PX, SIDE_PX),),
            input_names=[INPUT_NAME],
            output_names=list(OUTPUT_NAMES),
            dynamic_shapes={"view": {0: torch.export.Dim("n", min=1)}},
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None  # with dynamo=True a program is always returned
    graph = program.model_proto
    graph.ir_version = IR_VERSION
    strip_traces(graph)
    onnx.checker.check_model(graph, full_check=True)
    content: bytes = graph.SerializeToString()
    images = np.random.default_rng(0).random((3, 1, SIDE_PX, SIDE_PX), dtype=np.float32)
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    found = session.run(list(OUTPUT_NAMES), {INPUT_NAME: images})
    with torch.inference_mode():
        expected = [output.numpy() for output in model(torch.from_numpy(images))]
    difference = max(float(np.abs(a - b).max()) for a, b in zip(found, expected, strict=True))
    if difference > TOLERANCE:
        raise InferenceError(f"Expected a graph that agrees with torch within {TOLERANCE}, found {difference:.3g}.")
    return content
