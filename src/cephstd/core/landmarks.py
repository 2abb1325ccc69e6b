"""Landmarks of one film: where each point is, how sure that is, and why it is absent when it is."""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import msgspec
import numpy as np
import numpy.typing as npt

from cephstd.core.arrays import FloatArray
from cephstd.errors import InputError

State = Literal["detected", "placed", "moved", "absent"]
Review = Literal["none", "provisional", "accepted", "rejected"]

POINT_DECIMALS = 3
COVARIANCE_DECIMALS = 4
SCORE_DECIMALS = 4
DECIMALS = MappingProxyType(
    {
        "x_px": POINT_DECIMALS,
        "y_px": POINT_DECIMALS,
        "score": SCORE_DECIMALS,
        "cov_xx": COVARIANCE_DECIMALS,
        "cov_xy": COVARIANCE_DECIMALS,
        "cov_yy": COVARIANCE_DECIMALS,
    }
)


class Landmark(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One point in source pixels, or its absence with a reason.

    Attributes
    ----------
    id : str
        Landmark id of the dictionary, e.g. ``"Pog"``.
    x_px, y_px : float or None
        Source pixel coordinates, x right, y down, ``(0, 0)`` = centre of the top-left pixel; None when absent.
    state : str
        ``detected`` by a model, ``placed`` or ``moved`` by a person, ``absent``.
    review : str
        ``provisional`` marks a point that nobody may rely on before a person accepts it.
    reason : str
        Why the point is absent (or provisional); empty otherwise.
    score : float or None
        The model's confidence, 0..1.
    cov_xx, cov_xy, cov_yy : float or None
        Covariance in source px^2; None when nothing is known about it.
    """

    id: str
    x_px: float | None = None
    y_px: float | None = None
    state: State
    review: Review = "none"
    reason: str = ""
    score: float | None = None
    cov_xx: float | None = None
    cov_xy: float | None = None
    cov_yy: float | None = None

    @property
    def is_present(self) -> bool:
        """True when the point has a position."""
        return self.x_px is not None and self.y_px is not None

    @property
    def covariance_px2(self) -> FloatArray | None:
        """2 x 2 covariance in source px^2, or None when unknown."""
        if self.cov_xx is None or self.cov_xy is None or self.cov_yy is None:
            return None
        return np.array([[self.cov_xx, self.cov_xy], [self.cov_xy, self.cov_yy]])


def absent_landmark(id: str, reason: str, *, score: float | None = None) -> Landmark:
    """A landmark without a position.

    Parameters
    ----------
    id : str
        Landmark id of the dictionary.
    reason : str
        Why there is no position; never empty.
    score : float, optional
        The model's confidence, 0..1, where a model withheld the point.

    Returns
    -------
    Landmark
        Of state ``absent``.

    Raises
    ------
    InputError
        When no reason is given.
    """
    if not reason:
        raise InputError(f"Landmark {id} is absent without a reason; every absence needs one.")
    return Landmark(id=id, state="absent", reason=reason, score=score)


def place_landmark(
    id: str,
    x_px: float,
    y_px: float,
    *,
    state: State = "placed",
    covariance_px2: npt.ArrayLike | None = None,
    score: float | None = None,
    review: Review = "none",
    reason: str = "",
) -> Landmark:
    """A landmark at source pixel (x, y).

    Parameters
    ----------
    id : str
        Landmark id of the dictionary.
    x_px, y_px : float
        Source pixel, x right, y down, ``(0, 0)`` = centre of the top-left pixel.
    state : str
        ``placed`` or ``moved`` by a person, ``detected`` by a model.
    covariance_px2 : array_like, shape (2, 2), optional
        In source px^2; None when nothing is known about it.
    score : float, optional
        The model's confidence, 0..1.
    review : str
        ``none``, ``provisional``, ``accepted`` or ``rejected``.
    reason : str
        Why the point is provisional; empty otherwise.

    Returns
    -------
    Landmark

    Raises
    ------
    InputError
        When a coordinate is not finite or the covariance is not a positive semi-definite 2 x 2 matrix.
    """
    if not (np.isfinite(x_px) and np.isfinite(y_px)):
        raise InputError(f"Expected finite coordinates for {id}, found ({x_px}, {y_px}).")
    xx: float | None = None
    xy: float | None = None
    yy: float | None = None
    if covariance_px2 is not None:
        cov = np.asarray(covariance_px2, dtype=np.float64)
        if cov.shape != (2, 2) or not np.isfinite(cov).all() or np.linalg.eigvalsh(cov)[0] < -1e-9:
            raise InputError(f"Expected a positive semi-definite 2 x 2 covariance for {id}, found {cov.tolist()}.")
        xx, xy, yy = float(cov[0, 0]), float(cov[0, 1] + cov[1, 0]) / 2, float(cov[1, 1])
    return Landmark(
        id=id,
        x_px=float(x_px),
        y_px=float(y_px),
        state=state,
        review=review,
        reason=reason,
        score=None if score is None else float(score),
        cov_xx=xx,
        cov_xy=xy,
        cov_yy=yy,
    )


def round_landmark(mark: Landmark) -> Landmark:
    """`mark` as records hold it: 1/1000 px, covariance to 1e-4 px^2, score to 1e-4.

    Detectors round before anything is measured, so that a record's values follow from its own points.
    """
    found = {name: (getattr(mark, name), decimals) for name, decimals in DECIMALS.items()}
    rounded = {name: round(float(value), decimals) for name, (value, decimals) in found.items() if value is not None}
    return msgspec.structs.replace(mark, **rounded)


class ModelFacts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which model made a set of landmarks, under which terms, and what really ran."""

    name: str
    version: str
    scheme: str
    weights_sha256: str
    licence_code: str
    licence_weights: str
    licence_data: str
    intended_use: str
    provider_requested: str = ""
    provider_ran: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LandmarkSet:
    """Landmarks of one film, in source pixels, in the order of their scheme.

    Attributes
    ----------
    landmarks : tuple of Landmark
        Each id once, the absent ones among them.
    scheme : str
        Name of the list of landmarks that a data set or model uses.
    model : ModelFacts or None
        Which model made them; None when no model did.
    warnings : tuple of str
        What a reader should know about them.

    Raises
    ------
    InputError
        When an id occurs twice.

    Examples
    --------
    >>> marks = landmark_set({"S": (832, 994), "N": (1469, 1032)})
    >>> marks["S"].x_px
    832.0
    """

    landmarks: tuple[Landmark, ...]
    scheme: str = "custom"
    model: ModelFacts | None = None
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        ids = [mark.id for mark in self.landmarks]
        twice = sorted({id for id in ids if ids.count(id) > 1})
        if twice:
            raise InputError(f"Expected each landmark once, found {', '.join(twice)} more than once.")

    def __iter__(self) -> Iterator[Landmark]:
        return iter(self.landmarks)

    def __len__(self) -> int:
        return len(self.landmarks)

    def __contains__(self, id: object) -> bool:
        return any(mark.id == id for mark in self.landmarks)

    def __getitem__(self, id: str) -> Landmark:
        for mark in self.landmarks:
            if mark.id == id:
                return mark
        raise KeyError(id)

    @property
    def ids(self) -> tuple[str, ...]:
        """Landmark ids in order."""
        return tuple(mark.id for mark in self.landmarks)

    @property
    def present(self) -> tuple[Landmark, ...]:
        """The landmarks that have a position."""
        return tuple(mark for mark in self.landmarks if mark.is_present)

    @property
    def points_px(self) -> dict[str, tuple[float, float]]:
        """Positions of the present landmarks: id -> (x, y) in source px."""
        return {m.id: (m.x_px, m.y_px) for m in self.landmarks if m.x_px is not None and m.y_px is not None}

    def replace(self, landmarks: Iterable[Landmark]) -> LandmarkSet:
        """The same set with other landmarks."""
        return LandmarkSet(landmarks=tuple(landmarks), scheme=self.scheme, model=self.model, warnings=self.warnings)

    def __repr__(self) -> str:
        absent = len(self) - len(self.present)
        return f"<LandmarkSet {self.scheme}: {len(self.present)} present, {absent} absent>"

    def _repr_html_(self) -> str:
        head = "<tr><th>landmark</th><th>x px</th><th>y px</th><th>state</th><th>score</th><th>reason</th></tr>"
        rows = []
        for mark in self.landmarks:
            cells = (mark.id, _cell(mark.x_px), _cell(mark.y_px), mark.state, _cell(mark.score, 2), mark.reason)
            rows.append("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>")
        return f"<table>{head}{''.join(rows)}</table>"


def _cell(value: float | None, decimals: int = 1) -> str:
    return "" if value is None else f"{value:.{decimals}f}"


def landmark_set(points_px: Mapping[str, tuple[float, float]], *, scheme: str = "custom") -> LandmarkSet:
    """Landmarks that a caller already has; no covariance is known.

    Parameters
    ----------
    points_px : mapping of str to (float, float)
        Landmark id -> (x, y) in source px.
    scheme : str
        Name of the list of landmarks that they belong to.

    Returns
    -------
    LandmarkSet
        Of state ``placed``.

    Raises
    ------
    InputError
        When a coordinate is not finite.
    """
    return LandmarkSet(landmarks=tuple(place_landmark(id, x, y) for id, (x, y) in points_px.items()), scheme=scheme)
