"""Says of a film whether it is a lateral cephalogram, which way it lies and whether bone is dark."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cephstd.core.arrays import Pixels
from cephstd.core.image import ViewVerdict
from cephstd.errors import InferenceError
from cephstd.inference.catalog import Catalog, ViewerEntry, load_catalog
from cephstd.inference.session import Session
from cephstd.inference.thumbnail import shrink_view

DECIMALS = 4
"""Of the probabilities in a verdict: what is left of them is the same on every machine, or nearly so."""
POSES = 8


class Viewer:
    """A view head, loaded once and used for many films; safe to share between threads.

    Parameters
    ----------
    models : path, optional
        Folder with another ``manifest.toml``; a folder without a view head uses the bundled one.
    device : str
        ``auto``, ``cpu``, ``cuda`` or the name of an ONNX Runtime provider.
    threads : int, optional
        Threads inside one run; default: all physical cores.

    Raises
    ------
    UnknownModelError, ModelUnavailable, ModelIntegrityError, ProviderError, InferenceError

    Examples
    --------
    >>> import numpy as np
    >>> Viewer()(np.zeros((400, 300), dtype=np.uint8)).accepted
    False
    """

    def __init__(self, *, models: str | Path | None = None, device: str = "auto", threads: int | None = None) -> None:
        catalog, self.entry = _find_viewer(models)
        self._session = Session(catalog.weights(self.entry), device=device, threads=threads)

    def __call__(self, pixels: Pixels) -> ViewVerdict:
        """Verdict on the samples of a film as stored, in any polarity and pose.

        Raises
        ------
        InferenceError
            When the graph fails or its output breaks the contract.
        """
        view = shrink_view(pixels)[None, None]
        accept, pose, inverted = self._session.run(("accept", "pose", "inverted"), {"view": view})
        if accept.shape != (1,) or pose.shape != (1, POSES) or inverted.shape != (1,):
            raise InferenceError(
                f"Expected accept (1,), pose (1, 8) and inverted (1,) from the view head, found {accept.shape}, "
                f"{pose.shape} and {inverted.shape}."
            )
        numbers = np.concatenate((accept, pose[0], inverted)).astype(np.float64)
        if not np.isfinite(numbers).all() or numbers.min() < 0.0 or numbers.max() > 1.0 + 1e-6:
            raise InferenceError("Expected probabilities from the view head, found other numbers.")
        best = int(np.argmax(numbers[1:-1]))
        score, sure, dark = float(numbers[0]), float(numbers[1 + best]), float(numbers[-1])
        return ViewVerdict(
            viewer=f"{self.entry.name} {self.entry.version}",
            weights_sha256=self.entry.sha256,
            accepted=score >= self.entry.threshold,
            score=round(min(score, 1.0), DECIMALS),
            threshold=self.entry.threshold,
            facing="left" if best >= POSES // 2 else "right",
            quarters=best % 4,
            pose_score=round(min(sure, 1.0), DECIMALS),
            inverted=dark >= 0.5,
            inverted_score=round(min(dark, 1.0), DECIMALS),
        )


def _find_viewer(models: str | Path | None) -> tuple[Catalog, ViewerEntry]:
    catalog = load_catalog(models)
    if not catalog.viewers and models is not None:
        catalog = load_catalog()
    return catalog, catalog.viewer()
