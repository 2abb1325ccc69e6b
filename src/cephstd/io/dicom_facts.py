"""What a DICOM file says of scale, device, acquisition and person, reduced to what may pass."""

from __future__ import annotations

import re
from datetime import date
from typing import Literal

from cephstd.core.image import Device
from cephstd.io.dicom_file import Tags
from cephstd.io.dicom_kind import Kind
from cephstd.io.dicom_scale import Pair, ScaleTags

# Dates of exposure, best first. The date of a secondary capture is that of the scan, not of the exposure.
DATES = (
    ("AcquisitionDateTime", "(0008,002A) Acquisition DateTime"),
    ("AcquisitionDate", "(0008,0022) Acquisition Date"),
    ("ContentDate", "(0008,0023) Content Date"),
    ("SeriesDate", "(0008,0021) Series Date"),
    ("StudyDate", "(0008,0020) Study Date"),
)
SCAN_DATE = ("DateOfSecondaryCapture", "(0018,1012) Date of Secondary Capture")
DATE_STATED = ("DATE_STATED", "99CEPHSTD", "Acquisition date stated by a person")
"""Purpose of a contribution (0018,A001): value, scheme and meaning of the code of a date that a person stated."""

_AGE_UNITS = {"Y": 1.0, "M": 1 / 12, "W": 7 / 365.25, "D": 1 / 365.25}
_AGE = re.compile(r"(\d{1,3})([YMWD])")
_DATE = re.compile(r"(\d{4})\.?(\d{2})\.?(\d{2})")
_DIRECTION = re.compile(r"[APRLHF]{1,3}")
_MAX_TEXT = 64
_OLDEST = 130.0

YES_NO = {"YES", "NO"}

# fact in Source.facts: (keyword of a code string, the terms that pass). Anything else could be a name in a wrong place.
CODE_FACTS = {
    "presentation_intent": ("PresentationIntentType", {"FOR PRESENTATION", "FOR PROCESSING"}),
    "presentation_lut_shape": ("PresentationLUTShape", {"IDENTITY", "INVERSE"}),
    "conversion_type": ("ConversionType", {"DV", "DI", "DF", "WSD", "SD", "SI", "DRW", "SYN"}),
    "pixel_intensity_relationship": ("PixelIntensityRelationship", {"LIN", "LOG", "DISP"}),
    "field_of_view_flipped": ("FieldOfViewHorizontalFlip", YES_NO),
    "body_part": ("BodyPartExamined", {"HEAD", "HEADNECK", "SKULL", "FACE", "JAW", "MANDIBLE", "MAXILLA", "NECK"}),
}
SIDES = {"R", "L", "U", "B"}
MODALITIES = {"CR", "DX", "RG", "OT", "PX", "IO", "SC", "DF"}
IMAGE_TYPES = {"ORIGINAL", "DERIVED", "PRIMARY", "SECONDARY"}
NUMBER_FACTS = {
    "pixel_intensity_sign": "PixelIntensityRelationshipSign",
    "field_of_view_rotation_deg": "FieldOfViewRotation",
    "lossy_ratio": "LossyImageCompressionRatio",
}


def read_scale_tags(tags: Tags) -> ScaleTags:
    """Tag values that a scale can rest on."""
    return ScaleTags(
        pixel=_pair(tags, "PixelSpacing"),
        imager=_pair(tags, "ImagerPixelSpacing"),
        nominal=_pair(tags, "NominalScannedPixelSpacing"),
        calibration_type=tags.text("PixelSpacingCalibrationType").upper(),
        ermf=tags.number("EstimatedRadiographicMagnificationFactor"),
        source_to_detector_mm=tags.number("DistanceSourceToDetector"),
        source_to_patient_mm=tags.number("DistanceSourceToPatient"),
    )


def read_device(tags: Tags, kind: Kind) -> Device:
    """Device and acquisition facts; no serial number, station, institution or person."""
    acquired, source = _acquisition_date(tags, kind)
    return Device(
        manufacturer=_plain(tags.text("Manufacturer")),
        model=_plain(tags.text("ManufacturerModelName")),
        software=_plain(" ".join(tags.texts("SoftwareVersions"))),
        modality=_code(tags, "Modality", MODALITIES),
        acquisition_date=acquired,
        acquisition_date_source=source,
        view=kind.view,
        view_source=kind.view_source,
        patient_orientation=_directions(tags.texts("PatientOrientation")),
        laterality=_code(tags, "ImageLaterality", SIDES) or _code(tags, "Laterality", SIDES),
        burned_in_annotation=_code(tags, "BurnedInAnnotation", YES_NO),
    )


def read_facts(tags: Tags, kind: Kind) -> dict[str, str]:
    """Facts of the object for the record: codes and numbers of closed meaning only."""
    codes = {fact: _code(tags, keyword, terms) for fact, (keyword, terms) in CODE_FACTS.items()}
    numbers = {fact: tags.number(keyword) for fact, keyword in NUMBER_FACTS.items()}
    facts = {"sop_class": kind.name, "lossy": "yes" if tags.text("LossyImageCompression") == "01" else "not stated"}
    facts |= {fact: value for fact, value in codes.items() if value}
    facts |= {fact: f"{value:g}" for fact, value in numbers.items() if value is not None}
    image_type = [part for part in tags.texts("ImageType")[:2] if part in IMAGE_TYPES]
    if image_type:
        facts["image_type"] = "\\".join(image_type)
    scanned = _date(tags.text(SCAN_DATE[0]))
    if scanned:
        facts["scan_date"] = scanned.isoformat()
    return facts


def read_person(tags: Tags) -> tuple[float | None, Literal["F", "M"] | None]:
    """Age in years at the exposure and sex; nothing else of a person.

    Age is the stated one, else the difference of birth and exposure dates to one decimal, so that it does not give
    the birth date away.
    """
    sex = tags.text("PatientSex").upper()
    return _age(tags), "F" if sex == "F" else "M" if sex == "M" else None


def _age(tags: Tags) -> float | None:
    stated = _AGE.fullmatch(tags.text("PatientAge").upper())
    if stated:
        return round(int(stated[1]) * _AGE_UNITS[stated[2]], 1)
    born = _date(tags.text("PatientBirthDate"))
    exposed = next((day for keyword, _ in DATES if (day := _date(tags.text(keyword)))), None)
    if born is None or exposed is None:
        return None
    years = (exposed - born).days / 365.25
    return round(years, 1) if 0 < years <= _OLDEST else None


def _acquisition_date(tags: Tags, kind: Kind) -> tuple[str, str]:
    for keyword, source in DATES:
        # The content of a capture is as old as the scan.
        if kind.family == "capture" and keyword == "ContentDate":
            continue
        day = _date(tags.text(keyword))
        if day:
            return day.isoformat(), f"{source}, stated by a person" if _is_date_stated(tags) else source
    return "", ""


def _is_date_stated(tags: Tags) -> bool:
    purposes = (
        (code.text("CodeValue"), code.text("CodingSchemeDesignator"))
        for item in tags.items("ContributingEquipmentSequence")
        for code in item.items("PurposeOfReferenceCodeSequence")
    )
    return DATE_STATED[:2] in purposes


def _date(text: str) -> date | None:
    parts = _DATE.match(text)
    if not parts:
        return None
    try:
        return date(int(parts[1]), int(parts[2]), int(parts[3]))
    except ValueError:
        return None


def _pair(tags: Tags, keyword: str) -> Pair | None:
    numbers = tags.numbers(keyword)
    return (numbers[0], numbers[1]) if len(numbers) == 2 and min(numbers) > 0 else None


def _code(tags: Tags, keyword: str, terms: set[str]) -> str:
    text = tags.text(keyword).upper()
    return text if text in terms else ""


def _directions(parts: tuple[str, ...]) -> str:
    """Anatomical directions of a row and a column, joined by a backslash; empty when they are not two."""
    whole = len(parts) == 2 and all(map(_DIRECTION.fullmatch, parts))
    return "\\".join(parts) if whole else ""


def _plain(text: str) -> str:
    return " ".join(text.split())[:_MAX_TEXT]
