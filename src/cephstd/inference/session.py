"""The only place that knows ONNX Runtime: opens a graph on a device and says which provider really runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy.typing as npt
import onnxruntime as ort

from cephstd.errors import InferenceError, ProviderError

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
LOG_ERRORS_ONLY = 3


def available_providers() -> tuple[str, ...]:
    """Providers that this installation of ONNX Runtime offers; offering is not yet loading."""
    return tuple(ort.get_available_providers())


def choose_provider(device: str) -> str:
    """Provider for a device word: ``auto``, ``cpu``, ``cuda`` or the full name of a provider.

    Raises
    ------
    ProviderError
        When ONNX Runtime does not offer it.
    """
    offered = available_providers()
    if device == "auto":
        return PROVIDERS["cuda"] if PROVIDERS["cuda"] in offered else PROVIDERS["cpu"]
    name = PROVIDERS.get(device, device)
    if name not in offered:
        raise ProviderError(
            f"Expected a provider of this installation ({', '.join(offered)}), found {device!r}.",
            hint="Use auto or cpu; for a GPU install onnxruntime-gpu instead of onnxruntime.",
        )
    return name


class Session:
    """An opened graph; `run` may be called from several threads.

    Parameters
    ----------
    graph : bytes
        The ONNX file's content.
    device : str
        ``auto``, ``cpu``, ``cuda`` or a provider's name. ``auto`` falls back to the CPU when a GPU does not load;
        a device that was asked for by name does not.
    threads : int or None
        Threads inside one run; None lets ONNX Runtime use the physical cores.
    strict : bool
        Let ``auto`` not fall back either: where ONNX Runtime offers a GPU, the graph runs on it or not at all. Single
        operations that a provider leaves to the CPU are its own affair and raise nothing.

    Raises
    ------
    ProviderError
        When the asked-for provider is not offered, or does not load (for ``auto``: with `strict`).
    InferenceError
        When the bytes are no graph that can be opened.
    """

    def __init__(self, graph: bytes, *, device: str = "auto", threads: int | None = None, strict: bool = False) -> None:
        self.device = device
        self.threads = threads or 0
        wanted = choose_provider(device)
        options = ort.SessionOptions()
        options.log_severity_level = LOG_ERRORS_ONLY
        options.intra_op_num_threads = self.threads
        providers = [wanted] if wanted == PROVIDERS["cpu"] else [wanted, PROVIDERS["cpu"]]
        try:
            self._session = ort.InferenceSession(graph, options, providers=providers)
        except Exception as error:  # onnxruntime raises a dozen unrelated types
            raise InferenceError(f"The model's graph cannot be opened: {type(error).__name__}.") from error
        self.provider = str(self._session.get_providers()[0])
        if self.provider != wanted and (strict or device != "auto"):
            raise ProviderError(
                f"Expected {wanted} to run, found {self.provider}: the provider did not load.",
                hint="'cephstd doctor' tells which providers load; device 'auto' falls back to the CPU unless strict.",
            )

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of the graph's inputs."""
        return tuple(str(node.name) for node in self._session.get_inputs())

    @property
    def output_names(self) -> tuple[str, ...]:
        """Names of the graph's outputs."""
        return tuple(str(node.name) for node in self._session.get_outputs())

    def run(self, outputs: Sequence[str], feed: Mapping[str, npt.NDArray[Any]]) -> list[npt.NDArray[Any]]:
        """Arrays of the named `outputs`.

        Raises
        ------
        InferenceError
            When the graph refuses the input or fails.
        """
        try:
            return list(self._session.run(list(outputs), dict(feed)))
        except Exception as error:  # onnxruntime raises a dozen unrelated types
            raise InferenceError(f"The model failed on this input: {type(error).__name__}: {error}.") from error
