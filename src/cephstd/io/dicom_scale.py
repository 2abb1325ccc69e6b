"""Scale of a DICOM film from its tags (PS3.3 section 10.7), as one pure function.

A cephalogram is a central projection: lengths at the detector are 5 to 14 % longer than in the mid-sagittal plane.
Which plane a stated spacing belongs to decides its basis and its uncertainty; a correction that the sender has already
made is recognised and never made again.

Relative uncertainties (one standard deviation) per basis:

=================  =====  =====================================================================================
fiducial           0.01   a ruler or ball is marked to about half a pixel at each end, and hangs some mm off plane
geometry           0.02   the mid-sagittal plane is known to about 20 mm at a source distance of about 1,500 mm
ermf_applied       0.02   the same, as a factor that the sender states
detector_plane     0.10   nothing is corrected: root mean square of a magnification anywhere in 5..14 %
scanned_nominal    0.10   the same film magnification; the scanner's own error is small beside it
=================  =====  =====================================================================================
"""

from __future__ import annotations

from dataclasses import dataclass

from cephstd.core.image import PLAUSIBLE_SPACING_MM, UNDETERMINED, Calibration, CalibrationBasis

Pair = tuple[float, float]

RELATIVE_SD: dict[CalibrationBasis, float] = {
    "fiducial": 0.01,
    "geometry": 0.02,
    "ermf_applied": 0.02,
    "detector_plane": 0.10,
    "scanned_nominal": 0.10,
}
STATED_UNKNOWN_SD = 0.05
"""A spacing that differs from the detector's without a word on how it was corrected."""

EQUAL_SHARE = 0.001
"""Two spacings that differ by no more are the same number, written with other decimals."""

PLAUSIBLE_MAGNIFICATION = (1.0, 1.5)
FACTOR_CONFLICT = 0.02

PIXEL = "(0028,0030) Pixel Spacing"
IMAGER = "(0018,1164) Imager Pixel Spacing"
NOMINAL = "(0018,2010) Nominal Scanned Pixel Spacing"
TYPE = "(0028,0A02) Pixel Spacing Calibration Type"
ERMF = "(0018,1114) Estimated Radiographic Magnification Factor"
SID = "(0018,1110) Distance Source to Detector"
SOD = "(0018,1111) Distance Source to Patient"

TYPED: dict[str, CalibrationBasis] = {"FIDUCIAL": "fiducial", "GEOMETRY": "geometry"}

UNCORRECTED = "Magnification not corrected: lengths are those of"
TOO_LONG = ", 5 to 14 % longer than in the head."


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleTags:
    """The tag values that a scale can rest on; None or empty where the file is silent.

    Spacings are (row, column) in mm: the vertical distance comes first. Distances are in mm.
    """

    pixel: Pair | None = None
    imager: Pair | None = None
    nominal: Pair | None = None
    calibration_type: str = ""
    ermf: float | None = None
    source_to_detector_mm: float | None = None
    source_to_patient_mm: float | None = None


def calibrate(tags: ScaleTags) -> tuple[Calibration, tuple[str, ...]]:
    """Calibration of a film, and sentences on what contradicts what.

    The rules, first match wins (P = Pixel Spacing, R = the receptor's: Imager or Nominal Scanned Pixel Spacing,
    M = magnification):

    1. P with Calibration Type FIDUCIAL or GEOMETRY, and not equal to R: that basis, P as it is.
    2. P and R that differ, without a type: corrected already. By ERMF when R / P equals it (``ermf_applied``), else by
       an unstated way (``geometry``, larger uncertainty). A ratio that no projection has gives no scale.
    3. R, alone or equal to P, with M: R / M. M is ERMF (``ermf_applied``) or SID / SOD (``geometry``).
    4. R, alone or equal to P, without M: ``detector_plane`` or ``scanned_nominal``.
    5. P alone: whether it is corrected cannot be determined (PS3.3 10.7.1.3): ``undetermined``, the value kept as
       evidence and no millimetre taken from it.

    Returns
    -------
    Calibration
        Rows and columns keep their own spacing.
    tuple of str
        Warnings, empty when nothing is odd.
    """
    notes: list[str] = []
    pixel = _plausible(tags.pixel, PIXEL, notes)
    imager = _plausible(tags.imager, IMAGER, notes)
    nominal = _plausible(tags.nominal, NOMINAL, notes)
    receptor, receptor_source = (imager, IMAGER) if imager else (nominal, NOMINAL)
    calibration = UNDETERMINED
    if pixel and (receptor is None or not _equal(pixel, receptor)):
        calibration = _take_corrected(pixel, receptor, receptor_source, tags, notes)
    elif receptor:
        if pixel and tags.calibration_type in TYPED:
            notes.append(f"{TYPE} is set, yet Pixel Spacing equals the receptor's: it was taken as not corrected.")
        calibration = _take_receptor(receptor, receptor_source, tags, notes)
    return calibration, tuple(notes)


def _take_corrected(
    pixel: Pair, receptor: Pair | None, receptor_source: str, tags: ScaleTags, notes: list[str]
) -> Calibration:
    """Rules 1, 2 and 5: a Pixel Spacing that is not the receptor's."""
    basis = TYPED.get(tags.calibration_type)
    if basis:
        return _scale(basis, pixel, (PIXEL, TYPE), "Calibrated by the sender; valid at the depth it was made for.")
    if receptor:
        return _take_untyped(pixel, receptor, receptor_source, tags.ermf, notes)
    return Calibration(
        basis="undetermined",
        row_mm=pixel[0],
        column_mm=pixel[1],
        sources=(PIXEL,),
        note="Pixel Spacing stands alone: whether magnification is corrected cannot be determined.",
    )


def _take_receptor(receptor: Pair, source: str, tags: ScaleTags, notes: list[str]) -> Calibration:
    """Rules 3 and 4: the receptor's spacing, divided by the magnification where that is known."""
    magnification, basis, factor_sources = _magnification(tags, notes)
    if magnification:
        spacing = (receptor[0] / magnification, receptor[1] / magnification)
        note = f"Spacing of the receptor divided by a magnification of {magnification:.4g}: valid mid-sagittally."
        return _scale(basis, spacing, (source, *factor_sources), note)
    if source == IMAGER:
        return _scale("detector_plane", receptor, (source,), f"{UNCORRECTED} the detector plane{TOO_LONG}")
    return _scale("scanned_nominal", receptor, (source,), f"{UNCORRECTED} the scanned film{TOO_LONG}")


def _take_untyped(
    pixel: Pair, receptor: Pair, receptor_source: str, ermf: float | None, notes: list[str]
) -> Calibration:
    ratios = (receptor[0] / pixel[0], receptor[1] / pixel[1])
    low, high = PLAUSIBLE_MAGNIFICATION
    if not all(low <= ratio <= high for ratio in ratios):
        notes.append(
            f"Pixel Spacing and the receptor's spacing differ by a factor of {ratios[0]:.3g}, which is no "
            "magnification of a cephalogram: the image was resampled or a tag is wrong, and no millimetre is taken."
        )
        return Calibration(
            basis="undetermined",
            row_mm=pixel[0],
            column_mm=pixel[1],
            sources=(PIXEL, receptor_source),
            note="Two spacings of the file contradict each other.",
        )
    if ermf and all(abs(ratio / ermf - 1) <= FACTOR_CONFLICT for ratio in ratios):
        note = f"Pixel Spacing is the receptor's divided by {ermf:.4g} already; it was not divided again."
        return _scale("ermf_applied", pixel, (PIXEL, receptor_source, ERMF), note)
    note = (
        f"Pixel Spacing differs from the receptor's by a factor of {ratios[0]:.4g}; how it was corrected is not said."
    )
    return Calibration(
        basis="geometry",
        row_mm=pixel[0],
        column_mm=pixel[1],
        relative_sd=STATED_UNKNOWN_SD,
        sources=(PIXEL, receptor_source),
        note=note,
    )


def _magnification(tags: ScaleTags, notes: list[str]) -> tuple[float | None, CalibrationBasis, tuple[str, ...]]:
    """Magnification at the mid-sagittal plane; a stated 1 is a default, not a measurement: no ray projects so."""
    low, high = PLAUSIBLE_MAGNIFICATION
    stated = tags.ermf if tags.ermf is not None and low < tags.ermf <= high else None
    if tags.ermf is not None and stated is None and tags.ermf != low:
        notes.append(f"{ERMF} is {tags.ermf:.4g}, which no cephalogram has; it was not used.")
    far, near = tags.source_to_detector_mm, tags.source_to_patient_mm
    geometric = far / near if far and near and near > 0 and low < far / near <= high else None
    if far and near and geometric is None:
        notes.append(f"{SID} and {SOD} give no possible magnification; they were not used.")
    if stated and geometric and abs(stated / geometric - 1) > FACTOR_CONFLICT:
        notes.append(
            f"{ERMF} ({stated:.4g}) and the ratio of the source distances ({geometric:.4g}) disagree; the stated "
            "factor was used."
        )
    if stated:
        return stated, "ermf_applied", (ERMF,)
    return geometric, "geometry", (SID, SOD)


def _scale(basis: CalibrationBasis, spacing: Pair, sources: tuple[str, ...], note: str) -> Calibration:
    return Calibration(
        basis=basis,
        row_mm=spacing[0],
        column_mm=spacing[1],
        relative_sd=RELATIVE_SD[basis],
        sources=sources,
        note=note,
    )


def _plausible(spacing: Pair | None, source: str, notes: list[str]) -> Pair | None:
    low, high = PLAUSIBLE_SPACING_MM
    if spacing is None or all(low <= value <= high for value in spacing):
        return spacing
    notes.append(f"{source} is {spacing[0]:.4g} x {spacing[1]:.4g} mm, which no cephalogram has; it was not used.")
    return None


def _equal(one: Pair, other: Pair) -> bool:
    return all(abs(a / b - 1) <= EQUAL_SHARE for a, b in zip(one, other, strict=True))
