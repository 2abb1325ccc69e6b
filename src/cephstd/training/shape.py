"""Makes a shape prior from labels: how heads differ once turn, shift and scale are taken out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
import numpy as np

from cephstd.errors import InputError
from cephstd.evaluation.sources import LabelledFilm
from cephstd.inference.shape import FEWEST, ShapePrior
from cephstd.training.dataset import faces_left
from cephstd.training.upright import upright_shape

NOISE_MM = 1.0
"""Beside the heads' own differences, per axis: what a model's point and a doctor's may differ by."""
FEWEST_HEADS = 30
"""Fewer say too little of how landmarks go together."""


def shape_prior(films: Iterable[LabelledFilm], landmarks: Sequence[str], *, how: str = "") -> ShapePrior:
    """Mean and covariance of heads, each laid on the mean by the least-squares turn, shift and scale.

    Parameters
    ----------
    films : iterable of LabelledFilm
        Those that lack one of the landmarks are left out.
    landmarks : sequence of str
        At least eight.
    how : str
        From which films.

    Returns
    -------
    ShapePrior
        In mm of a head of mean size and turn, rounded to 0.001 mm^2.

    Raises
    ------
    InputError
        With fewer than eight landmarks, or fewer than thirty films on which all of them are labelled.

    Examples
    --------
    >>> from pathlib import Path
    >>> rng, ids = np.random.default_rng(1), ("S", "N", "Or", "Po", "A", "B", "Pog", "Me")
    >>> places = 100.0 + 40.0 * rng.normal(size=(8, 2)) + rng.normal(size=(50, 8, 2))
    >>> films = [
    ...     LabelledFilm(image_id="", path=Path(), place=None, spacing_mm=1.0, points_px=dict(zip(ids, head.tolist())))
    ...     for head in places
    ... ]
    >>> prior = shape_prior(films, ids)
    >>> prior.films, len(prior.mean_mm), len(prior.covariance_mm2)
    (50, 8, 16)
    """
    complete = [film for film in films if film.points_px.keys() >= set(landmarks)]
    if len(landmarks) < FEWEST:
        raise InputError(f"Expected at least {FEWEST} landmarks for a shape, found {len(landmarks)}.")
    if len(complete) < FEWEST_HEADS:
        raise InputError(f"Expected {FEWEST_HEADS} films with every landmark for a shape, found {len(complete)}.")
    shape = upright_shape(complete, landmarks)
    mean = np.array([complex(*shape[id]) for id in landmarks])
    mean -= mean.mean()
    offset = np.stack([_laid(film, landmarks, mean) for film in complete]) - mean
    flat = np.stack([offset.real, offset.imag], axis=2).reshape(len(complete), -1)
    return ShapePrior(
        landmarks=tuple(landmarks),
        mean_mm=tuple(shape[id] for id in landmarks),
        covariance_mm2=tuple(tuple(map(float, row)) for row in np.round(flat.T @ flat / len(flat), 3)),
        noise_mm=NOISE_MM,
        films=len(complete),
        how=how,
    )


def _laid(film: LabelledFilm, landmarks: Sequence[str], mean: np.ndarray) -> np.ndarray:
    """A head on the mean, as complex numbers in mm."""
    side = -1.0 if faces_left(film.points_px) else 1.0
    points = np.array([complex(side * film.points_px[id][0], film.points_px[id][1]) for id in landmarks])
    centred = points - points.mean()
    return np.vdot(centred, mean) / np.vdot(centred, centred).real * centred


def write_prior(prior: ShapePrior, path: str | Path) -> bytes:
    """Write a prior as JSON, one row of the covariance per line.

    Returns
    -------
    bytes
        What was written: the manifest pins its digest.

    Raises
    ------
    InputError
        When the file cannot be written.
    """
    facts = {name: msgspec.json.encode(value).decode() for name, value in msgspec.structs.asdict(prior).items()}
    facts["covariance_mm2"] = facts["covariance_mm2"].replace("],[", "],\n  [")
    content = ("{\n" + ",\n".join(f' "{name}": {text}' for name, text in facts.items()) + "\n}\n").encode()
    try:
        Path(path).write_bytes(content)
    except OSError as error:
        raise InputError(f"cannot write {Path(path).name}: {error.strerror}") from error
    return content
