"""Films to standard images: what the view head sees, what the file and its device's profile say, and the steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy.typing as npt

from cephstd.core.image import Calibration, Normalized, Radiograph, ViewVerdict
from cephstd.core.recipe import Recipe
from cephstd.imaging.normalizer import standardize
from cephstd.inference.viewer import Viewer
from cephstd.pipeline.intake import DEFAULT_RECIPE, read_film
from cephstd.pipeline.scaler import find_profile


class Normalizer:
    """The view head, loaded once, and standard images of many films; safe to share between threads.

    Parameters
    ----------
    models : path, optional
        Folder with another ``manifest.toml``; a folder without a view head uses the bundled one.

    Raises
    ------
    UnknownModelError, ModelUnavailable, ModelIntegrityError, InferenceError
        When there is no view head, or not the pinned one, or it cannot be opened.

    Notes
    -----
    The view head runs on one core, wherever the landmark model runs: it takes some milliseconds there, and sees the
    same whatever the number of threads.
    """

    def __init__(self, *, models: str | Path | None = None) -> None:
        self._see = Viewer(models=models, device="cpu", threads=1)

    @property
    def viewer_sha256(self) -> str:
        """Digest of the view head's weights."""
        return self._see.entry.sha256

    def see(self, film: Radiograph) -> ViewVerdict:
        """What the view head sees in a film's samples as stored."""
        return self._see(film.pixels)

    def __call__(self, film: Radiograph, recipe: Recipe = DEFAULT_RECIPE) -> Normalized:
        """Standard image of a film.

        Parameters
        ----------
        film : Radiograph
            As read under the recipe.
        recipe : Recipe
            Its `view_gate` and `devices`.

        Returns
        -------
        Normalized

        Raises
        ------
        NotACephalogramError
            When the picture is no lateral cephalogram and the recipe refuses such, or shows nothing at all.
        InputError
            When the film cannot be brought to a standard image.
        """
        return standardize(
            film,
            self.see(film),
            refuse=recipe.view_gate == "refuse",
            profile=find_profile(film, recipe),
        )


def normalize(
    film: Radiograph | npt.NDArray[Any],
    *,
    calibration: Calibration | None = None,
    recipe: Recipe = DEFAULT_RECIPE,
    models: str | Path | None = None,
) -> Normalized:
    """Standard image of a film: face right, bone bright, tone in the full 16 bit range.

    Parameters
    ----------
    film : Radiograph or ndarray of uint8 or uint16, shape (height, width)
        A film as read, or grey samples.
    calibration : Calibration, optional
        Scale stated by a person, in place of the film's own.
    recipe : Recipe
        Its `view_gate`, `devices` and stated scales.
    models : path, optional
        As for `Normalizer`; for many films keep one.

    Returns
    -------
    Normalized
        With the chain of steps from source px, so that points go both ways.

    Raises
    ------
    NotACephalogramError
        When the picture is no lateral cephalogram.
    InputError
        When an array is no grey image of uint8 or uint16, or the film cannot be brought to a standard image.

    Examples
    --------
    >>> import numpy as np
    >>> from cephstd.core.image import state_calibration
    >>> from cephstd.imaging.phantom import draw_phantom
    >>> drawn = draw_phantom(np.random.default_rng(1), size=(484, 600), spacing_mm=0.4)
    >>> normal = normalize(drawn.pixels[:, ::-1], calibration=state_calibration(0.4))
    >>> normal.view.facing, normal.chain.source_size, normal.size
    ('left', (484, 600), (1936, 2400))
    """
    return Normalizer(models=models)(read_film(film, recipe, calibration), recipe)
