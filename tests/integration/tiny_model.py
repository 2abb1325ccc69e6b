"""A tiny ONNX graph in the models contract: each point at the brightest pixel plus a known offset."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from cephstd.core.digest import digest_bytes

LANDMARKS = ("S", "N", "A")
OFFSETS = np.array([[0.0, 0.0], [6.0, 0.0], [0.0, 9.0]], dtype=np.float32)
SIZE = (64, 80)


def tiny_graph(*, score: float = 0.9, points: np.ndarray | None = None) -> bytes:
    """Graph bytes: argmax of the image as (x, y) + OFFSETS; `points` replaces the answer by a constant."""
    width = SIZE[0]
    k = len(LANDMARKS) if points is None else len(points)
    constants = {
        "flat": np.array([-1, SIZE[0] * SIZE[1]], dtype=np.int64),
        "width": np.array([width], dtype=np.int64),
        "axes": np.array([1], dtype=np.int64),
        "offsets": OFFSETS[None] if points is None else points[None].astype(np.float32),
        "keep": np.array(1.0 if points is None else 0.0, dtype=np.float32),
        "ones": np.ones((1, k, 1), dtype=np.float32),
        "cov": np.tile(np.array([[4.0, 1.0], [1.0, 2.0]], dtype=np.float32), (1, k, 1, 1)),
        "scores": np.full((1, k), score, dtype=np.float32),
        "zero": np.array(0.0, dtype=np.float32),
        "one4": np.array([1], dtype=np.int64),
    }
    nodes = [
        helper.make_node("Reshape", ["image", "flat"], ["row"]),
        helper.make_node("ArgMax", ["row"], ["index"], axis=1, keepdims=1),
        helper.make_node("Mod", ["index", "width"], ["xi"]),
        helper.make_node("Div", ["index", "width"], ["yi"]),
        helper.make_node("Concat", ["xi", "yi"], ["xyi"], axis=1),
        helper.make_node("Cast", ["xyi"], ["xy"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["xy", "axes"], ["xy1"]),
        helper.make_node("Mul", ["xy1", "keep"], ["kept"]),
        helper.make_node("Add", ["kept", "offsets"], ["points"]),
        helper.make_node("ReduceMax", ["image"], ["peak"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Mul", ["peak", "zero"], ["nil"]),
        helper.make_node("Unsqueeze", ["nil", "axes"], ["nil1"]),
        helper.make_node("Add", ["nil1", "scores"], ["score"]),
        helper.make_node("Unsqueeze", ["nil1", "axes2"], ["nil2"]),
        helper.make_node("Add", ["nil2", "cov"], ["covariance"]),
    ]
    constants["axes2"] = np.array([2, 3], dtype=np.int64)
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 1, SIZE[1], SIZE[0]])],
        [
            helper.make_tensor_value_info("points", TensorProto.FLOAT, ["n", k, 2]),
            helper.make_tensor_value_info("covariance", TensorProto.FLOAT, ["n", k, 2, 2]),
            helper.make_tensor_value_info("score", TensorProto.FLOAT, ["n", k]),
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model.SerializeToString()


MANIFEST = """
[[model]]
name = "tiny"
version = "1"
file = "tiny.onnx"
sha256 = "{sha256}"
bytes = {bytes}
scheme = "custom"
landmarks = ["S", "N", "A"]
opset = 17
licence_code = "Apache-2.0"
licence_weights = "Apache-2.0"
licence_data = "none"
intended_use = "tests"
trained_on = "nothing"
card = "tiny.md"
min_score = 0.5
covariance_scale = {{ S = 2.0 }}
covariance_floor_px2 = {{ A = [3.0, -0.5, 1.0] }}
provisional = ["A"]
input = {{ name = "image", size_px = [64, 80], spacing_mm = 1.0, tone = "quantile-0.005-0.995" }}
output = {{ kind = "points", points = "points", covariance = "covariance", score = "score" }}
"""


def write_tiny_model(folder: Path, **options: object) -> Path:
    """A models folder with a manifest that pins the tiny graph."""
    data = tiny_graph(**options)  # type: ignore[arg-type]
    (folder / "tiny.onnx").write_bytes(data)
    (folder / "manifest.toml").write_text(MANIFEST.format(sha256=digest_bytes(data), bytes=len(data)))
    return folder


HEAD_MM = {
    "S": (12.0, 12.0),
    "N": (44.0, 8.0),
    "Or": (38.0, 20.0),
    "Po": (4.0, 22.0),
    "A": (44.0, 38.0),
    "B": (40.0, 56.0),
    "Pog": (40.0, 62.0),
    "Me": (36.0, 68.0),
    "Go": (8.0, 50.0),
    "PNS": (22.0, 34.0),
}


def write_model_with_prior(folder: Path) -> Path:
    """The tiny model for ten landmarks that answers with a head whose Go is 20 px off, and a shape prior."""
    found = np.array(list(HEAD_MM.values()))
    found[list(HEAD_MM).index("Go")] += (20.0, 0.0)
    write_tiny_model(folder, points=found)
    prior = {
        "landmarks": list(HEAD_MM),
        "mean_mm": list(HEAD_MM.values()),
        "covariance_mm2": np.eye(2 * len(HEAD_MM)).tolist(),
        "noise_mm": 1.0,
        "films": 0,
        "how": "tests",
    }
    content = json.dumps(prior).encode()
    (folder / "tiny.shape.json").write_bytes(content)
    manifest = folder / "manifest.toml"
    text = manifest.read_text().replace('["S", "N", "A"]', json.dumps(list(HEAD_MM)), 1)
    shape = f'shape = {{ file = "tiny.shape.json", sha256 = "{digest_bytes(content)}", most_distance2 = 14.0 }}\n'
    manifest.write_text(text + shape)
    return folder
