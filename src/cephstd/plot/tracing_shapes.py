"""How anatomy usually runs where no landmark says it, as data: bends of a span, and contours laid on two landmarks.

Drawn by hand for the schematic face (`cephstd.plot.face`), in its millimetres: x anterior, y inferior. A shape is
moved, turned, scaled and mirrored as a whole until its two ends lie on the film's landmarks; nothing else of it is
fitted, and whatever is drawn by it is estimated.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from cephstd.core.arrays import FloatArray
from cephstd.core.landmarks import LandmarkSet

Place = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A contour of the schematic face between, or around, two landmarks.

    Attributes
    ----------
    start, end : tuple of float
        Where the two landmarks lie in the schematic face, mm.
    through : tuple of (float, float)
        Places that the contour passes, in order, mm.
    """

    start: Place
    end: Place
    through: tuple[Place, ...]

    def lay(self, start: FloatArray, end: FloatArray, *, handed: int) -> FloatArray:
        """Places of the contour once its two landmarks lie at `start` and `end`, shape (n, 2).

        `handed` is 1 where the film shows the face as the schematic one (clockwise from anterior to inferior), else -1.
        """
        own = complex(*self.end) - complex(*self.start)
        film = complex(*end) - complex(*start)
        shares = np.array([(complex(*place) - complex(*self.start)) / own for place in self.through])
        laid = film * (shares if handed > 0 else shares.conj())
        return np.stack([laid.real, laid.imag], axis=-1) + start


BENDS: MappingProxyType[tuple[str, str], Shape] = MappingProxyType(
    {
        ("PNS", "ANS"): Shape(start=(38, 28), end=(90, 27), through=((52, 26.2), (70, 26.2), (83, 27.2))),
        ("Ar", "Go"): Shape(start=(6, 17), end=(11, 64), through=((6.4, 26), (8.2, 36), (8.4, 47), (8.6, 56))),
        ("Co", "Go"): Shape(
            start=(11, -1), end=(11, 64), through=((6.6, 3), (5.6, 12), (7.2, 26), (8.4, 47), (8.6, 56))
        ),
        ("Go", "Me"): Shape(
            start=(11, 64), end=(74.5, 95),
            through=((16, 69), (22.5, 71.6), (29, 73.6), (40, 79.4), (55, 88), (66, 93.4)),
        ),
        ("N_s", "Pn"): Shape(start=(93, -26), end=(113, 18), through=((96, -18), (101, -6), (107, 7))),
        ("Pn", "Sn"): Shape(start=(113, 18), end=(98, 29), through=((111.5, 22.5), (106, 25.4), (101, 26.8))),
        ("Sn", "Ls"): Shape(start=(98, 29), end=(101, 44), through=((97.1, 33), (97.6, 37.6), (99.4, 41.4))),
        ("Ls", "Li"): Shape(
            start=(101, 44), end=(98, 59), through=((100.8, 48), (98.4, 51.6), (95.2, 54), (97.2, 56.2))
        ),
        ("Li", "Pog_s"): Shape(
            start=(98, 59), end=(93.5, 86), through=((97, 62.6), (93.6, 66.6), (91.8, 70.6), (92.4, 76), (93.4, 81))
        ),
        ("Me_s", "C"): Shape(start=(77, 102), end=(46, 100), through=((70, 102.8), (58, 102))),
    }
)  # fmt: skip
"""Span -> its usual course."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contour:
    """A contour that no landmark lies on for most of its way, drawn where both landmarks exist."""

    id: str
    first: str
    last: str
    shape: Shape


CONTOURS = (
    # dorsum, floor and tubercle of the sella, planum, roof of the orbit, frontal bone down to nasion
    Contour(
        id="cranial base", first="S", last="N",
        shape=Shape(
            start=(18, -20), end=(87.5, -28.5),
            through=(
                (11, -27), (13.6, -26.4), (12.6, -21), (14, -15.6), (18, -13.4), (22.6, -14.8), (24.4, -19.4),
                (25.6, -24.4), (29.6, -26.4), (36, -26), (50, -27.6), (62, -30.4), (73, -33.6), (80, -37), (84.6, -41),
                (87.6, -37), (87.9, -32.6), (87.5, -28.5),
            ),
        ),
    ),
    Contour(
        id="clivus", first="S", last="Ba",
        shape=Shape(start=(18, -20), end=(-1, 19), through=((11, -27), (9.4, -17), (6, -5), (2.6, 7), (-1, 19))),
    ),
    Contour(
        id="nasal bone", first="S", last="N",
        shape=Shape(
            start=(18, -20), end=(87.5, -28.5),
            through=((87.5, -28.5), (89.4, -24), (92.2, -17.4), (96.4, -8.6), (92.4, -12.4), (88, -18)),
        ),
    ),
    # oral side of the hard palate, to the lingual side of the alveolar ridge
    Contour(
        id="palatal vault", first="PNS", last="ANS",
        shape=Shape(
            start=(38, 28), end=(90, 27), through=((38, 28), (44, 29.6), (54, 31), (65, 33), (72.6, 36.6), (77.6, 42.4))
        ),
    ),
    Contour(
        id="symphysis", first="Me", last="B",
        shape=Shape(
            start=(74.5, 95), end=(81.5, 72),
            through=((74.5, 95), (71, 92), (69.4, 87.4), (70, 82), (72.4, 75.6), (75.4, 69.2), (77.4, 64.4)),
        ),
    ),
)  # fmt: skip

# Two points along the face and one below them: the turn from the first line to the second tells the side shown.
TURNS = (("S", "N"), ("Po", "Or"), ("PNS", "ANS"), ("Ar", "A"), ("Go", "B"))
LOWER = ("Me", "Gn", "Pog", "B", "Go", "L1", "U1", "A")


def find_side(marks: LandmarkSet, usable: set[str]) -> int:
    """1 where the face looks to the right when upright, -1 where it is mirrored, 0 where the points do not say.

    Parameters
    ----------
    marks : LandmarkSet
        In source px.
    usable : set of str
        Landmarks that may be relied on.
    """
    places = marks.points_px
    for rear, front in TURNS:
        for low in LOWER:
            if {rear, front, low} <= usable and low not in (rear, front):
                along, down = (np.subtract(places[id], places[rear]) for id in (front, low))
                turn = float(along[0] * down[1] - along[1] * down[0])
                if turn:
                    return 1 if turn > 0 else -1
    return 0
