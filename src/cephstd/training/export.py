"""Export of a trained model to ONNX, with the decoding inside the graph, checked against torch."""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import nn

from cephstd.core.digest import digest_bytes
from cephstd.errors import InferenceError, InputError
from cephstd.training.checkpoint import joined_model, load_checkpoint
from cephstd.training.network import LandmarkModel

OPSET = 18
IR_VERSION = 10
INPUT_NAME = "image"
OUTPUT_NAMES = ("points", "covariance", "score")
TOLERANCE_PX = 0.01
"""How far a point of the graph may lie from torch's, in input pixels."""
SMALLEST_HALF = 1024
"""Tensors with fewer values stay in float32: they weigh nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportResult:
    """What was written, as the manifest needs it."""

    path: Path
    sha256: str
    size_bytes: int
    opset: int
    largest_difference_px: float


def export_onnx(checkpoints: str | Path | Sequence[str | Path], path: str | Path) -> ExportResult:
    """Write the averaged weights of one checkpoint, or of several as an ensemble, as one self-contained ONNX file.

    Batch normalisation is folded into the convolutions. Convolution weights are rounded to float16 for storage and
    computed with in float32. Opset 18, IR version 10, dynamic batch; input ``image``, outputs ``points``,
    ``covariance`` and ``score`` as `cephstd.training.network.LandmarkModel`.

    Parameters
    ----------
    checkpoints : str, Path or a sequence of them
        As `cephstd.training.fit.fit_model` writes them; several become a `cephstd.training.network.Ensemble`.
    path : str or Path
        Of the ONNX file; overwritten.

    Returns
    -------
    ExportResult

    Raises
    ------
    InputError
        If a checkpoint cannot be read, they do not fit together, or the file cannot be written.
    InferenceError
        If ONNX Runtime and torch differ on a random input by more than 0.01 px.
    """
    path = Path(path)
    given = [checkpoints] if isinstance(checkpoints, str | Path) else checkpoints
    model, config = joined_model([load_checkpoint(checkpoint) for checkpoint in given])
    width, height = config.network.size_px
    rounded = round_weights(fold_normalisation(model))
    graph = build_graph(rounded, (height, width))
    content = graph.SerializeToString()
    difference = largest_difference(rounded, content, (height, width))
    if difference > TOLERANCE_PX:
        raise InferenceError(
            f"expected the exported graph to agree with torch within {TOLERANCE_PX} px, found {difference:.3g} px"
        )
    try:
        path.write_bytes(content)
    except OSError as error:
        raise InputError(f"cannot write {path.name}: {error.strerror}") from error
    return ExportResult(
        path=path,
        sha256=digest_bytes(content),
        size_bytes=len(content),
        opset=OPSET,
        largest_difference_px=difference,
    )


def fold_normalisation(model: LandmarkModel) -> LandmarkModel:
    """Return a copy in which each batch normalisation is part of the convolution before it."""
    folded = copy.deepcopy(model).eval()
    for parent in list(folded.modules()):
        if not isinstance(parent, nn.Sequential):
            continue
        for index in range(len(parent) - 1):
            convolution, normalisation = parent[index], parent[index + 1]
            if isinstance(convolution, nn.Conv2d) and isinstance(normalisation, nn.BatchNorm2d):
                parent[index] = nn.utils.fusion.fuse_conv_bn_eval(convolution, normalisation)
                parent[index + 1] = nn.Identity()
    return folded


def round_weights(model: LandmarkModel) -> LandmarkModel:
    """Round the large tensors to float16 precision in place, so that torch and the file hold the same numbers."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.numel() >= SMALLEST_HALF:
                parameter.copy_(parameter.half().float())
    return model


def build_graph(model: LandmarkModel, size_px: tuple[int, int]) -> onnx.ModelProto:
    """Return the checked ONNX graph of a model for inputs of (height, width) `size_px`."""
    sample = torch.zeros(2, 1, *size_px)
    with quiet_exporter():
        program = torch.onnx.export(
            model,
            (sample,),
            input_names=[INPUT_NAME],
            output_names=list(OUTPUT_NAMES),
            dynamic_shapes={"image": {0: torch.export.Dim("n", min=1)}},
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None  # with dynamo=True a program is always returned
    graph = program.model_proto
    graph.ir_version = IR_VERSION
    strip_traces(graph)
    _store_half(graph)
    onnx.checker.check_model(graph, full_check=True)
    return graph


def largest_difference(model: LandmarkModel, content: bytes, size_px: tuple[int, int], seed: int = 0) -> float:
    """Return the largest difference between ONNX Runtime and torch on random input.

    Points in pixels, covariances as standard deviations in pixels; scores count a hundredfold, so that the same
    tolerance asks for 0.0001.
    """
    rng = np.random.default_rng(seed)
    images = rng.random((3, 1, *size_px), dtype=np.float32)
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    points, covariance, score = session.run(list(OUTPUT_NAMES), {INPUT_NAME: images})
    with torch.inference_mode():
        expected = [output.numpy() for output in model(torch.from_numpy(images))]
    return max(
        float(np.abs(points - expected[0]).max()),
        float(np.abs(_deviations(covariance) - _deviations(expected[1])).max()),
        100.0 * float(np.abs(score - expected[2]).max()),
    )


def _deviations(covariance: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return standard deviations along both axes of (n, landmarks, 2, 2) covariances."""
    return np.sqrt(np.diagonal(covariance.astype(np.float64), axis1=2, axis2=3))


def strip_traces(graph: onnx.ModelProto) -> None:
    """Remove what the exporter notes about this machine's source files: the file shall depend on the weights only."""
    graph.doc_string = ""
    graph.graph.doc_string = ""
    del graph.metadata_props[:]
    del graph.graph.metadata_props[:]
    for item in (*graph.graph.node, *graph.graph.initializer, *graph.graph.value_info):
        item.doc_string = ""
        del item.metadata_props[:]
    for value in (*graph.graph.input, *graph.graph.output):
        value.doc_string = ""
        del value.metadata_props[:]


def _store_half(graph: onnx.ModelProto) -> None:
    """Store large float32 tensors as float16, each followed by a cast that ONNX Runtime folds away on loading."""
    casts = []
    for tensor in graph.graph.initializer:
        values = onnx.numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < SMALLEST_HALF:
            continue
        name = tensor.name
        tensor.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float16), name=f"{name}_half"))
        casts.append(
            onnx.helper.make_node("Cast", [f"{name}_half"], [name], name=f"{name}_cast", to=onnx.TensorProto.FLOAT)
        )
    nodes = [*casts, *graph.graph.node]
    del graph.graph.node[:]
    graph.graph.node.extend(nodes)


@contextmanager
def quiet_exporter() -> Iterator[None]:
    """Keep the exporter's notices off the user's screen: the check against torch is what counts."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
