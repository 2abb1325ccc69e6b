"""Looks at somebody else's ONNX file before anything of it runs: size, external data, operators, first load."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from cephstd.errors import ModelError, ModelUnavailable
from cephstd.inference.catalog import Catalog, ModelEntry
from cephstd.inference.contracts import output_names
from cephstd.inference.decoder import decode
from cephstd.inference.session import Session

MAX_BYTES = 512 * 2**20
STANDARD_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft"})
"""Operators that ONNX Runtime itself implements; any other domain needs code that comes with the model."""

TRIAL_SECONDS = 120
TRIAL_MEMORY_BYTES = 8 * 2**30

_TRIAL = "import sys; from cephstd.inference.inspection import answer_trial; sys.exit(answer_trial(sys.argv[1:]))"


class GraphFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the file says of itself.

    Attributes
    ----------
    bytes : int
    ir_version, opset : int
    domains : tuple of str
        Of the operators it imports.
    inputs, outputs : tuple of str
    """

    bytes: int
    ir_version: int
    opset: int
    domains: tuple[str, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def inspect_graph(path: str | Path) -> GraphFacts:
    """Read an ONNX file without running it.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    GraphFacts

    Raises
    ------
    ModelUnavailable
        When the file cannot be read.
    ModelError
        When it is larger than 512 MiB, no ONNX model, keeps weights in other files, or needs operators of its own.
    ModuleNotFoundError
        Without the package onnx.
    """
    import onnx
    from google.protobuf.message import DecodeError

    path = Path(path)
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise ModelError(f"{path.name} has {size} bytes, more than {MAX_BYTES}.")
        model = onnx.load_model_from_string(path.read_bytes())
    except OSError as error:
        raise ModelUnavailable(f"{path.name} cannot be read: {error.strerror}.") from error
    except DecodeError as error:
        raise ModelError(f"{path.name} is no ONNX model.") from error
    if not model.graph.node:
        raise ModelError(f"{path.name} is no ONNX model: it holds no operator.")
    outside = next((each.name for each in _tensors(model) if each.external_data or each.data_location), None)
    if outside is not None:
        raise ModelError(
            f"{path.name} keeps the tensor {outside!r} in another file.",
            hint="Save the model in one file: onnx.save(model, path, save_as_external_data=False).",
        )
    domains = tuple(sorted({each.domain for each in (*model.opset_import, *_nodes(model))}))
    strange = sorted(set(domains) - STANDARD_DOMAINS)
    if strange or model.functions:
        named = ", ".join(strange) or "functions of the file"
        raise ModelError(f"{path.name} needs operators beyond ONNX's: {named}.", hint="Export with plain operators.")
    initial = {each.name for each in model.graph.initializer}
    return GraphFacts(
        bytes=size,
        ir_version=model.ir_version,
        opset=max((each.version for each in model.opset_import if each.domain in {"", "ai.onnx"}), default=0),
        domains=domains,
        inputs=tuple(each.name for each in model.graph.input if each.name not in initial),
        outputs=tuple(each.name for each in model.graph.output),
    )


def _graphs(graph: Any) -> Iterator[Any]:
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                if inner.node:
                    yield from _graphs(inner)


def _nodes(model: Any) -> Iterator[Any]:
    for graph in _graphs(model.graph):
        yield from graph.node


def _tensors(model: Any) -> Iterator[Any]:
    for graph in _graphs(model.graph):
        yield from graph.initializer
        for sparse in graph.sparse_initializer:
            yield from (sparse.values, sparse.indices)
    for node in _nodes(model):
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)


def check_contract(entry: ModelEntry, facts: GraphFacts) -> None:
    """Compare the manifest's names with the graph's.

    Raises
    ------
    ModelError
        When the graph has not the input or an output that the entry names, or is of another opset.
    """
    if facts.inputs != (entry.input.name,):
        raise ModelError(f"{entry.name}: expected one input {entry.input.name!r}, found {', '.join(facts.inputs)}.")
    absent = [name for name in output_names(entry.output) if name not in facts.outputs]
    if absent:
        found = ", ".join(facts.outputs)
        raise ModelError(f"{entry.name}: expected the output {absent[0]!r}, found {found}.")
    if facts.opset != entry.opset:
        raise ModelError(f"{entry.name}: the entry says opset {entry.opset}, the file has {facts.opset}.")


def try_first_load(catalog: Catalog, entry: ModelEntry) -> dict[str, Any]:
    """Open the graph and run it on an empty canvas in a child process with limits on memory and time.

    Returns
    -------
    dict
        provider and seconds of the run.

    Raises
    ------
    ModelError
        When the child dies, takes more than two minutes or 8 GiB, or reports a fault.
    """
    command = [sys.executable, "-c", _TRIAL, str(catalog.folder), entry.name]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=TRIAL_SECONDS, check=False, preexec_fn=_limit_memory()
        )
    except subprocess.TimeoutExpired as error:
        raise ModelError(f"{entry.name} took more than {TRIAL_SECONDS} s for its first run.") from error
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or [f"it ended with status {done.returncode}"])[-1]
        raise ModelError(f"{entry.name} failed on its first run: {last}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _limit_memory() -> Callable[[], None] | None:
    """What caps a child's memory before it starts; None where the system has no such limit."""
    try:
        import resource
    except ModuleNotFoundError:  # Windows
        return None
    return lambda: resource.setrlimit(resource.RLIMIT_AS, (TRIAL_MEMORY_BYTES, TRIAL_MEMORY_BYTES))


def answer_trial(arguments: list[str]) -> int:
    """The child's part of `try_first_load`: prints one JSON object, or a sentence on stderr."""
    import time

    import numpy as np

    from cephstd.errors import CephError
    from cephstd.inference.catalog import load_catalog

    folder, name = arguments
    try:
        catalog = load_catalog(folder)
        entry = catalog.entry(name)
        session = Session(catalog.weights(entry), device="cpu", threads=1)
        width, height = entry.input.size_px
        canvas = np.full((2, entry.input.channels, height, width), 0.5 * entry.input.full, dtype=np.float32)
        began = time.perf_counter()
        outputs = session.run(output_names(entry.output), {entry.input.name: canvas})
        seconds = time.perf_counter() - began
        decode(outputs, entry.output, films=2, landmarks=len(entry.landmarks), size_px=entry.input.size_px)
    except CephError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(json.dumps({"provider": session.provider, "seconds": round(seconds, 3)}))
    return 0
