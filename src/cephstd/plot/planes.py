"""Reference planes and lines of the lateral film, as data, and which of them the landmarks of a film allow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cephstd.core.arrays import FloatArray, freeze
from cephstd.core.landmarks import Landmark, LandmarkSet
from cephstd.plot import palette


@dataclass(frozen=True, slots=True, kw_only=True)
class Plane:
    """A straight line through two landmarks.

    Attributes
    ----------
    id, name : str
        Short name at the line, full name in the legend.
    start, end : str
        Landmark ids; `end` is the anterior or inferior one.
    before, beyond : float
        How far the line is drawn past `start` and past `end`, as a share of their distance.
    """

    id: str
    name: str
    start: str
    end: str
    colour: str
    before: float = 0.08
    beyond: float = 0.12


PLANES = (
    Plane(id="SN", name="Sella-Nasion", start="S", end="N", colour=palette.SKY, beyond=0.22),
    Plane(id="FH", name="Frankfort horizontal, Po-Or", start="Po", end="Or", colour=palette.YELLOW, beyond=0.34),
    Plane(id="PP", name="palatal, PNS-ANS", start="PNS", end="ANS", colour=palette.GREEN, before=0.3, beyond=0.3),
    Plane(id="MP", name="mandibular, Go-Me", start="Go", end="Me", colour=palette.VERMILION, before=0.16, beyond=0.3),
    Plane(id="NA", name="Nasion-A", start="N", end="A", colour=palette.PINK, before=0.0, beyond=0.16),
    Plane(id="NB", name="Nasion-B", start="N", end="B", colour=palette.PERIWINKLE, before=0.0, beyond=0.1),
    Plane(id="N-Pog", name="facial, N-Pog", start="N", end="Pog", colour=palette.WHITE, before=0.0, beyond=0.14),
    Plane(id="U1 axis", name="upper incisor", start="U1A", end="U1", colour=palette.ORANGE, before=0.5, beyond=0.1),
    Plane(id="L1 axis", name="lower incisor", start="L1A", end="L1", colour=palette.SAND, before=0.5, beyond=0.1),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaneLine:
    """A plane on one film: its two drawn ends, or the reason why it is not drawn.

    Attributes
    ----------
    ends_px : ndarray, shape (2, 2), or None
        Drawn ends in source px, past the landmarks by the plane's own share; None when a landmark is not there.
    provisional : bool
        True when a landmark of the line is provisional.
    reason : str
        Why there is no line; empty when there is one.
    """

    plane: Plane
    ends_px: FloatArray | None = None
    provisional: bool = False
    reason: str = ""

    @property
    def style(self) -> dict[str, Any]:
        """Keyword arguments of a matplotlib line; what rests on a provisional point is dashed."""
        dash = palette.DASHED if self.provisional else "solid"
        return {"color": self.plane.colour, "linewidth": palette.THIN, "linestyle": dash, "alpha": 0.9}


def find_planes(marks: LandmarkSet) -> tuple[PlaneLine, ...]:
    """Planes of a film in drawing order.

    A plane one of whose landmarks does not belong to the scheme at all is left out; one whose landmark is absent,
    or was rejected by a person, is returned without ends and with the reason.
    """
    return tuple(_find(plane, marks) for plane in PLANES if plane.start in marks and plane.end in marks)


def _find(plane: Plane, marks: LandmarkSet) -> PlaneLine:
    ends = (marks[plane.start], marks[plane.end])
    lacking = [f"{mark.id} {'rejected' if mark.is_present else 'absent'}" for mark in ends if not is_usable(mark)]
    if lacking:
        return PlaneLine(plane=plane, reason=", ".join(lacking))
    start, end = (np.array([mark.x_px, mark.y_px], dtype=np.float64) for mark in ends)
    along = end - start
    if not along.any():
        return PlaneLine(plane=plane, reason=f"{plane.start} and {plane.end} coincide")
    return PlaneLine(
        plane=plane,
        ends_px=freeze(np.array([start - plane.before * along, end + plane.beyond * along])),
        provisional=any(mark.review == "provisional" for mark in ends),
    )


def is_usable(mark: Landmark) -> bool:
    """True when lines and outlines may rest on the point: it has a position and nobody rejected it."""
    return mark.is_present and mark.review != "rejected"
