from __future__ import annotations

import pytest

from cephstd.io.dicom_scale import PIXEL, RELATIVE_SD, ScaleTags, calibrate

IMAGER = (0.110, 0.110)
PATIENT = (0.100, 0.100)


def settle(**tags: object) -> tuple[str, tuple[float, float] | None, int]:
    """Basis, spacing in millimetres and number of warnings."""
    calibration, warnings = calibrate(ScaleTags(**tags))
    spacing = calibration.spacing_mm
    return calibration.basis, spacing and (round(spacing[0], 6), round(spacing[1], 6)), len(warnings)


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({}, ("undetermined", None, 0)),
        ({"pixel": PATIENT}, ("undetermined", None, 0)),
        ({"imager": IMAGER}, ("detector_plane", IMAGER, 0)),
        ({"imager": IMAGER, "pixel": IMAGER}, ("detector_plane", IMAGER, 0)),
        ({"imager": IMAGER, "pixel": (0.1100001, 0.11)}, ("detector_plane", IMAGER, 0)),
        ({"nominal": IMAGER}, ("scanned_nominal", IMAGER, 0)),
        ({"nominal": PATIENT, "imager": IMAGER}, ("detector_plane", IMAGER, 0)),
        ({"nominal": IMAGER, "pixel": IMAGER}, ("scanned_nominal", IMAGER, 0)),
        ({"pixel": PATIENT, "calibration_type": "FIDUCIAL"}, ("fiducial", PATIENT, 0)),
        ({"pixel": PATIENT, "calibration_type": "GEOMETRY"}, ("geometry", PATIENT, 0)),
        ({"pixel": PATIENT, "imager": IMAGER, "calibration_type": "FIDUCIAL"}, ("fiducial", PATIENT, 0)),
        ({"pixel": PATIENT, "nominal": IMAGER, "calibration_type": "FIDUCIAL"}, ("fiducial", PATIENT, 0)),
        # says corrected, and is the detector's number
        ({"pixel": IMAGER, "imager": IMAGER, "calibration_type": "GEOMETRY"}, ("detector_plane", IMAGER, 1)),
        # corrected without a word on how
        ({"pixel": PATIENT, "imager": IMAGER}, ("geometry", PATIENT, 0)),
        # magnification stated and not yet applied
        ({"imager": IMAGER, "ermf": 1.1}, ("ermf_applied", PATIENT, 0)),
        ({"imager": IMAGER, "pixel": IMAGER, "ermf": 1.1}, ("ermf_applied", PATIENT, 0)),
        ({"nominal": IMAGER, "ermf": 1.1}, ("ermf_applied", PATIENT, 0)),
        (
            {"imager": IMAGER, "source_to_detector_mm": 1650.0, "source_to_patient_mm": 1500.0},
            ("geometry", PATIENT, 0),
        ),
        # magnification stated and already applied: never again
        ({"imager": IMAGER, "pixel": PATIENT, "ermf": 1.1}, ("ermf_applied", PATIENT, 0)),
        (
            {"imager": IMAGER, "pixel": PATIENT, "source_to_detector_mm": 1650.0, "source_to_patient_mm": 1500.0},
            ("geometry", PATIENT, 0),
        ),
        ({"pixel": PATIENT, "ermf": 1.1, "calibration_type": "FIDUCIAL"}, ("fiducial", PATIENT, 0)),
        # factors that are defaults or nonsense
        ({"imager": IMAGER, "ermf": 1.0}, ("detector_plane", IMAGER, 0)),
        ({"imager": IMAGER, "ermf": 0.0}, ("detector_plane", IMAGER, 1)),
        ({"imager": IMAGER, "ermf": 7.0}, ("detector_plane", IMAGER, 1)),
        (
            {"imager": IMAGER, "source_to_detector_mm": 1500.0, "source_to_patient_mm": 1650.0},
            ("detector_plane", IMAGER, 1),
        ),
        ({"imager": IMAGER, "source_to_detector_mm": 1500.0}, ("detector_plane", IMAGER, 0)),
        # two factors that disagree
        (
            {"imager": IMAGER, "ermf": 1.1, "source_to_detector_mm": 1200.0, "source_to_patient_mm": 1000.0},
            ("ermf_applied", PATIENT, 1),
        ),
        # a resampled image, or a wrong tag
        ({"imager": IMAGER, "pixel": (0.22, 0.22)}, ("undetermined", None, 1)),
        # impossible spacings
        ({"imager": (1e-9, 1e-9)}, ("undetermined", None, 1)),
        ({"pixel": (100.0, 100.0), "calibration_type": "FIDUCIAL"}, ("undetermined", None, 1)),
    ],
)  # fmt: skip
def test_rule(tags, expected):
    assert settle(**tags) == expected


def test_rows_and_columns_keep_their_own_spacing():
    calibration, _ = calibrate(ScaleTags(imager=(0.22, 0.11), ermf=1.1))
    assert calibration.row_mm == pytest.approx(0.2)
    assert calibration.column_mm == pytest.approx(0.1)


def test_every_scale_names_its_sources_and_an_uncertainty():
    for tags in (
        ScaleTags(pixel=PATIENT, calibration_type="FIDUCIAL"),
        ScaleTags(pixel=PATIENT, imager=IMAGER),
        ScaleTags(imager=IMAGER, ermf=1.1),
        ScaleTags(imager=IMAGER),
        ScaleTags(nominal=IMAGER),
    ):
        calibration, _ = calibrate(tags)
        assert calibration.relative_sd >= RELATIVE_SD["fiducial"]
        assert all(source.startswith("(00") for source in calibration.sources)
        assert calibration.note


def test_uncorrected_scales_say_so_and_are_uncertain():
    calibration, _ = calibrate(ScaleTags(imager=IMAGER))
    assert "not corrected" in calibration.note
    assert calibration.relative_sd == 0.10


def test_pixel_spacing_alone_is_kept_as_evidence():
    calibration, _ = calibrate(ScaleTags(pixel=PATIENT))
    assert (calibration.row_mm, calibration.spacing_mm, calibration.sources) == (0.1, None, (PIXEL,))
