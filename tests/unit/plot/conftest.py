"""A small film and a face on it, drawn from numbers."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from cephstd.core.digest import digest_pixels
from cephstd.core.image import Radiograph, Source, state_calibration
from cephstd.core.landmarks import LandmarkSet, place_landmark
from cephstd.plot.overlays import overlay

FACE = {
    "S": (160, 190), "N": (290, 200), "Or": (258, 250), "Po": (110, 238), "A": (270, 322), "B": (268, 410),
    "Pog": (262, 440), "Me": (245, 452), "Gn": (256, 449), "Go": (135, 360), "L1": (288, 372), "U1": (292, 370),
    "Ls": (316, 345), "Li": (312, 395), "Sn": (300, 318), "Pog_s": (282, 442), "PNS": (190, 300), "ANS": (278, 306),
    "Ar": (128, 265),
}  # fmt: skip


@pytest.fixture(scope="session")
def film() -> Radiograph:
    pixels = np.add.outer(np.arange(480), np.arange(400)).astype(np.uint8)
    source = Source(
        format="array",
        file_sha256="",
        pixel_sha256=digest_pixels(pixels),
        decoder="",
        width_px=400,
        height_px=480,
        bits=8,
    )
    return Radiograph(pixels=pixels, source=source, calibration=state_calibration(0.5))


@pytest.fixture(scope="session")
def marks() -> LandmarkSet:
    covariance = [[9.0, 4.0], [4.0, 5.0]]
    made = (place_landmark(id, x, y, state="detected", covariance_px2=covariance) for id, (x, y) in FACE.items())
    return LandmarkSet(landmarks=tuple(made), scheme="isbi19")


@pytest.fixture(scope="session")
def figure(film: Radiograph, marks: LandmarkSet) -> Figure:
    """The plain picture of the face on the film; tests read it and leave it as it is."""
    return overlay(film, marks)
