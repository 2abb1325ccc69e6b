"""Film values: where an image came from, its scale, and what normalization made of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec
import numpy.typing as npt

from cephstd.core.arrays import Pixels, check_pixels, freeze
from cephstd.core.steps import Chain, Size
from cephstd.errors import CalibrationError

CalibrationBasis = Literal[
    "fiducial",
    "geometry",
    "ermf_applied",
    "detector_plane",
    "scanned_nominal",
    "user_ruler",
    "user_stated",
    "file_dpi_untrusted",
    "undetermined",
]
METRIC_BASES = frozenset(
    {"fiducial", "geometry", "ermf_applied", "detector_plane", "scanned_nominal", "user_ruler", "user_stated"}
)
PLAUSIBLE_SPACING_MM = (0.01, 2.0)


class Calibration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Scale of a film in millimetres per source pixel, with where it comes from.

    Attributes
    ----------
    row_mm, column_mm : float or None
        Distance between neighbouring rows (vertical) and columns (horizontal), mm, in the patient's or detector's
        plane as `basis` says; None when there is none.
    basis : str
        One of the closed vocabulary; ``undetermined`` and ``file_dpi_untrusted`` give no millimetres.
    relative_sd : float
        Relative standard uncertainty of the scale (0.01 = 1 %).
    sources : tuple of str
        Tags, arguments or findings that the value rests on, e.g. ``"(0028,0030) Pixel Spacing"``.
    note : str
        What a reader should know, e.g. that no magnification has been corrected.
    """

    basis: CalibrationBasis
    row_mm: float | None = None
    column_mm: float | None = None
    relative_sd: float = 0.0
    sources: tuple[str, ...] = ()
    note: str = ""

    @property
    def spacing_mm(self) -> tuple[float, float] | None:
        """(row, column) mm per px when this basis allows millimetres, else None."""
        if self.basis not in METRIC_BASES or self.row_mm is None or self.column_mm is None:
            return None
        return (self.row_mm, self.column_mm)


UNDETERMINED = Calibration(basis="undetermined", note="No scale was found in the file and none was stated.")


def state_calibration(
    mm_per_px: float, *, relative_sd: float = 0.0, source: str = "stated by the caller"
) -> Calibration:
    """Calibration from a person's word, the same in both directions.

    Parameters
    ----------
    mm_per_px : float
        Millimetres per source pixel.
    relative_sd : float
        Relative standard uncertainty of the scale (0.01 = 1 %).
    source : str
        What the statement rests on; kept in the record.

    Returns
    -------
    Calibration
        Of basis ``user_stated``.

    Raises
    ------
    CalibrationError
        When the value is outside 0.01..2 mm per pixel: no cephalogram has such a scale.
    """
    low, high = PLAUSIBLE_SPACING_MM
    if not low <= mm_per_px <= high:
        raise CalibrationError(
            f"Expected {low} to {high} mm per pixel for a cephalogram, found {mm_per_px:g}.",
            hint="State millimetres per pixel, e.g. 0.1.",
        )
    value = float(mm_per_px)
    return Calibration(basis="user_stated", row_mm=value, column_mm=value, relative_sd=relative_sd, sources=(source,))


class Source(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the pixels came from, without anything that names a person or a place.

    Attributes
    ----------
    format : str
        ``dicom``, ``jpeg``, ``png``, ``tiff``, ``bmp`` or ``array``.
    file_sha256 : str
        Digest of the file's bytes (``sha256:...``), empty for arrays.
    pixel_sha256 : str
        Digest of the decoded grey samples (dtype, shape, values).
    decoder : str
        Name and version of what decoded the pixels.
    width_px, height_px, bits : int
        Decoded size and significant bits per sample.
    facts : dict of str to str
        Non-identifying facts of the file: SOP class, transfer syntax, photometric interpretation, lossy state, ...
    """

    format: str
    file_sha256: str
    pixel_sha256: str
    decoder: str
    width_px: int
    height_px: int
    bits: int
    byte_count: int = 0
    facts: dict[str, str] = {}

    @property
    def frame(self) -> int | None:
        """Which frame of a multi-frame file was chosen, counted from 1; None where there is one alone."""
        stated = self.facts.get("frame", "")  # "2 of 5"
        return int(stated.partition(" ")[0]) if stated else None


class Device(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Device and acquisition facts as stated by the file; empty strings when it says nothing.

    `profile` alone is no fact of the file: id and version of the device profile that was applied.
    """

    manufacturer: str = ""
    model: str = ""
    software: str = ""
    modality: str = ""
    acquisition_date: str = ""
    acquisition_date_source: str = ""
    view: str = ""
    view_source: str = ""
    patient_orientation: str = ""
    laterality: str = ""
    burned_in_annotation: str = ""
    profile: str = "unknown 1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Radiograph:
    """A film as read: grey samples in their stored sense, its scale, its origin.

    Attributes
    ----------
    pixels : ndarray of uint8 or uint16, shape (height, width)
        Read-only samples after the file's own modality and presentation transforms.
    source : Source
        Format, digests, decoder and size.
    calibration : Calibration
        Scale of the source pixels with its basis.
    device : Device
        Device and acquisition as the file states them.
    inverted : bool
        True when the file says that high samples are dark (bone dark), e.g. MONOCHROME1; the samples are left so.
    age_years : float or None
        Of the person when the film was made.
    sex : str or None
        ``F`` or ``M``; None when the file says neither.
    warnings : tuple of str
        What a reader should know, e.g. that two statements of the file differ.
    """

    pixels: Pixels
    source: Source
    calibration: Calibration = UNDETERMINED
    device: Device = field(default_factory=Device)
    inverted: bool = False
    age_years: float | None = None
    sex: Literal["F", "M"] | None = None
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "pixels", check_pixels(self.pixels))

    @property
    def size(self) -> Size:
        """(width, height), px."""
        return (self.pixels.shape[1], self.pixels.shape[0])

    def __repr__(self) -> str:
        spacing = self.calibration.spacing_mm
        scale = f"{spacing[0]:.4g} mm/px ({self.calibration.basis})" if spacing else "no scale"
        return f"<Radiograph {self.size[0]} x {self.size[1]} px, {self.source.bits} bit {self.source.format}, {scale}>"


class QualityFinding(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One number about the image and whether it is acceptable."""

    name: str
    value: float
    unit: str
    ok: bool
    note: str = ""


class Quality(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Verdict on an image with the numbers behind it.

    Attributes
    ----------
    not_assessed : tuple of str
        What the verdict says nothing about, and why.
    """

    verdict: Literal["diagnostic", "limited", "non-diagnostic"]
    findings: tuple[QualityFinding, ...] = ()
    not_assessed: tuple[str, ...] = ()


SURE_VIEW = 0.95
"""Probability from which what a view head saw overrules what a file states."""


class ViewVerdict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a view head saw in the samples of a film: the view, the pose, the grey sense.

    Attributes
    ----------
    viewer, weights_sha256 : str
        Name and version of the view head, and the digest of its weights.
    accepted : bool
        Whether the picture was taken for a lateral cephalogram: `score` reached `threshold`.
    score, threshold : float
        Probability of a lateral cephalogram, and the least one that is accepted.
    facing : {"right", "left"}
        Where the face looks once the head is upright.
    quarters : int
        Quarter turns anticlockwise by which the film is turned away from upright, 0..3.
    pose_score : float
        Probability of facing and turn together.
    inverted : bool
        True when bone is dark in the samples.
    inverted_score : float
        Probability of that.
    """

    viewer: str
    weights_sha256: str
    accepted: bool
    score: float
    threshold: float
    facing: Literal["right", "left"]
    quarters: int
    pose_score: float
    inverted: bool
    inverted_score: float

    @property
    def is_sure_of_pose(self) -> bool:
        """Whether facing and turn are clear enough to overrule the file."""
        return self.accepted and self.pose_score >= SURE_VIEW

    @property
    def is_sure_of_grey(self) -> bool:
        """Whether the grey sense is clear enough to overrule the file."""
        return self.accepted and max(self.inverted_score, 1.0 - self.inverted_score) >= SURE_VIEW


@dataclass(frozen=True, slots=True, kw_only=True)
class Normalized:
    """The standard image of a film: face right, bone bright, tone in the full 16 bit range.

    Attributes
    ----------
    pixels : ndarray of uint16, shape (height, width)
        Read-only.
    chain : Chain
        Source px to pixels of this image, and back.
    spacing_mm : float or None
        Isotropic mm per px of this image; None when the film has no scale (then the scale is relative).
    source : Source
        Of the film that it was made from.
    calibration : Calibration
        Scale of the SOURCE pixels.
    quality : Quality
        Verdict on the image with the numbers behind it.
    warnings : tuple of str
        Of the film and of its normalization.
    view : ViewVerdict or None
        What the view head saw; None when it was not asked.
    """

    pixels: npt.NDArray[Any]
    chain: Chain
    spacing_mm: float | None
    source: Source
    calibration: Calibration
    quality: Quality
    warnings: tuple[str, ...] = ()
    view: ViewVerdict | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "pixels", freeze(self.pixels))

    @property
    def size(self) -> Size:
        """(width, height), px."""
        return (self.pixels.shape[1], self.pixels.shape[0])

    def __repr__(self) -> str:
        scale = f"{self.spacing_mm:.4g} mm/px" if self.spacing_mm else "relative scale"
        return f"<Normalized {self.size[0]} x {self.size[1]} px, {scale}, {self.quality.verdict}>"
