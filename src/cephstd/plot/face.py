"""A schematic face of no person: where its landmarks are, and the strokes that make it recognisable.

Millimetres, x anterior, y inferior, origin at porion, Frankfort horizontal level, looking to the right.
"""

from __future__ import annotations

import numpy as np

from cephstd.core.arrays import FloatArray
from cephstd.core.landmarks import LandmarkSet, landmark_set
from cephstd.plot.tracing import smooth_spans, trace_outlines

VIEW_MM = (-40.0, -66.0, 134.0, 118.0)  # left, top, right, bottom

FACE_MM: dict[str, tuple[float, float]] = {
    "Po": (0, 0), "Or": (78, 0), "S": (18, -20), "N": (87.5, -28.5), "Ba": (-1, 19), "Bo": (-12, 9), "Ar": (6, 17),
    "Co": (11, -1), "Cc": (11, 4), "DC": (9, 13.5), "Go": (11, 64), "RamT": (8, 50), "MandT": (28, 73),
    "Gn": (79.5, 92.5), "Me": (74.5, 95), "Pog": (82, 86.5), "Prog": (81, 90.5), "PM": (80.5, 79), "A": (86.5, 33),
    "B": (81.5, 72), "D": (75, 84), "ANS": (90, 27), "PNS": (38, 28), "Pr": (88.5, 40), "Id": (84, 65),
    "Pt": (38, -3), "Ptm": (36, 17), "R1": (38, 47), "R2": (6, 45), "R3": (22, 9), "R4": (22, 68), "M_px": (82, 32),
    "G_sym": (75.5, 83.5), "Sp": (12, -20), "Hy": (46, 99), "U1": (90, 57), "U1A": (80.5, 36), "U1L": (90.8, 52),
    "L1": (87, 54.5), "L1A": (77, 75), "L1L": (87.6, 59), "U6": (57, 52), "L6": (60, 51), "U6D": (49, 51),
    "L6D": (51, 50.5), "U4": (72, 53.5), "L4": (74.5, 52.5), "U5": (66, 53), "L5": (68, 52), "G_s": (91, -42),
    "N_s": (93, -26), "Pn": (113, 18), "Cm": (106, 25), "Sn": (98, 29), "SLs": (97.5, 37), "Ls": (101, 44),
    "Stms": (95, 54), "Stmi": (95, 55), "Li": (98, 59), "ILs": (92, 68), "Pog_s": (93.5, 86), "Gn_s": (90, 97),
    "Me_s": (77, 102), "C": (46, 100), "THp": (0, 0), "THa": (78, 0),
}  # fmt: skip

# Every stroke passes through its points in order.
STROKES_MM: tuple[tuple[tuple[float, float], ...], ...] = (
    # skin: forehead and nose to the mouth, mouth to the throat
    ((70, -84), (84, -64), (91, -42), (93, -26), (99, -10), (107, 6), (113, 18), (110.5, 23), (106, 25), (98, 29),
     (97.5, 37), (101, 44), (100, 50), (95, 54)),
    ((95, 55), (98, 59), (96, 63.5), (92, 68), (92.8, 77), (93.5, 86), (90, 97), (77, 102), (60, 102), (46, 100),
     (42, 108), (41, 124)),
    # frontal and nasal bone
    ((66, -78), (80, -60), (85, -44), (88.5, -35), (87.5, -28.5), (90.5, -21), (97, -8), (91, -13), (84, -21)),
    # cranial base: orbital roof level, sella, clivus, occipital condyle
    ((82, -31), (70, -29), (50, -27), (34, -26), (27, -27), (25.5, -22), (23.5, -14.5), (18, -13), (13, -15), (12, -20),
     (13.5, -26), (8, -12), (3, 5), (-1, 19), (-6, 14.5), (-12, 9), (-19, 14)),
    # rim and floor of the orbit
    ((85, -25), (80.5, -15), (79, -6), (78, 0), (72, -1), (60, -4), (49, -9)),
    # pterygomaxillary fissure
    ((36, 17), (33.5, 8), (34.5, 0), (38, -3), (42, 0), (41, 8), (36, 17)),
    # maxilla: nasal floor, spine, front; palate
    ((38, 28), (52, 26.4), (70, 26.4), (83, 27.4), (90, 27), (87.8, 29.4), (86.5, 33), (87, 37), (88.5, 40)),
    ((38, 28), (52, 30.5), (66, 33), (75, 38), (81, 45)),
    # mandible: condyle, notch, coronoid process, front border
    ((6, 17), (5.6, 10), (7, 2.5), (11, -1), (15, 1.5), (15.5, 7), (22, 9), (27, 5), (31, -1), (35, 8), (37.5, 28),
     (38, 47), (42, 54), (49, 58)),
    # mandible: rear border, angle, lower border, chin
    ((6, 17), (5.6, 32), (6, 45), (8, 50), (11, 64), (16, 68.5), (22, 70.5), (28, 73), (48, 83), (64, 91.5), (74.5, 95),
     (79.5, 92.5), (82, 86.5), (80.5, 79), (81.5, 72), (84, 65)),
    ((74.5, 95), (70, 89), (71.5, 80), (76, 70), (80, 63)),
)  # fmt: skip

EAR_MM = ((0.0, 3.5), 3.5)  # centre and radius of the ear canal; porion is its top
# Crowns: rear and front end of the biting edge, height towards the root (upper teeth negative).
CROWNS_MM = (
    ((49.0, 51.5), (58.5, 52.0), -8.0), ((62.0, 52.5), (67.5, 53.0), -8.0), ((68.5, 53.0), (74.0, 53.5), -8.5),
    ((51.0, 51.5), (60.5, 51.5), 8.0), ((64.5, 52.5), (69.5, 52.5), 8.0), ((71.0, 53.0), (76.0, 53.0), 8.5),
)  # fmt: skip


def face_marks() -> LandmarkSet:
    """The landmarks of the schematic face, 1 px = 1 mm."""
    return landmark_set(FACE_MM, scheme="schematic")


def face_strokes() -> tuple[FloatArray, ...]:
    """Polylines (n, 2) of the schematic face, mm."""
    turn = np.linspace(0, 2 * np.pi, 40)
    centre, radius = EAR_MM
    ear = np.asarray(centre) + radius * np.stack([np.cos(turn), np.sin(turn)], axis=-1)
    crowns = [_crown(np.asarray(rear), np.asarray(front), height) for rear, front, height in CROWNS_MM]
    teeth = [curve.points_px for curve in trace_outlines(face_marks()) if curve.tissue == "tooth"]
    return (*(_join(np.asarray(stroke, dtype=np.float64)) for stroke in STROKES_MM), ear, *map(_join, crowns), *teeth)


def _join(points: FloatArray) -> FloatArray:
    spans = smooth_spans(points)
    return np.concatenate([spans[0], *(span[1:] for span in spans[1:])])


def _crown(rear: FloatArray, front: FloatArray, height: float) -> FloatArray:
    """Neck, bulge and biting edge of a side tooth, seen from the side."""
    shares = (
        (0.16, 1.0),
        (-0.02, 0.55),
        (0.04, 0.08),
        (0.3, 0.0),
        (0.52, 0.1),
        (0.72, 0.0),
        (0.96, 0.08),
        (1.02, 0.55),
        (0.84, 1.0),
    )
    return np.array([rear + along * (front - rear) + (0.0, height * up) for along, up in shares])
