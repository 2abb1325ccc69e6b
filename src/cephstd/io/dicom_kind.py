"""Which DICOM objects hold a film, and what the others are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cephstd.errors import NotACephalogramError, UnsupportedFormatError
from cephstd.io.dicom_file import Tags

Family = Literal["projection", "capture"]

_STORAGE = "1.2.840.10008.5.1.4.1.1."

# SOP class: (name, family). A projection states its spacing at the detector, a capture that of the scanned film.
ACCEPTED: dict[str, tuple[str, Family]] = {
    _STORAGE + "1": ("Computed Radiography", "projection"),
    _STORAGE + "1.1": ("Digital X-Ray, for presentation", "projection"),
    _STORAGE + "1.1.1": ("Digital X-Ray, for processing", "projection"),
    _STORAGE + "7": ("Secondary Capture", "capture"),
    _STORAGE + "7.2": ("Multi-frame Grayscale Byte Secondary Capture", "capture"),
    _STORAGE + "7.3": ("Multi-frame Grayscale Word Secondary Capture", "capture"),
    _STORAGE + "7.4": ("Multi-frame True Color Secondary Capture", "capture"),
}

# Beginning of the SOP class, longest first: another picture than a lateral cephalogram.
OTHER_IMAGES = (
    (_STORAGE + "1.2", "a mammogram"),
    (_STORAGE + "1.3", "an intra-oral radiograph"),
    (_STORAGE + "2", "a CT or CBCT image"),
    (_STORAGE + "3", "an ultrasound image"),
    (_STORAGE + "4", "an MR image"),
    (_STORAGE + "5", "a nuclear medicine image"),
    (_STORAGE + "6", "an ultrasound image"),
    (_STORAGE + "7.1", "a black-and-white capture of one bit per pixel"),
    (_STORAGE + "12", "an angiographic or fluoroscopic image"),
    (_STORAGE + "13.1.2", "a 3D craniofacial (CBCT) image"),
    (_STORAGE + "13", "a 3D X-ray image"),
    (_STORAGE + "14", "an optical coherence tomogram"),
    (_STORAGE + "20", "a nuclear medicine image"),
    (_STORAGE + "77", "a photograph or microscopic image"),
    (_STORAGE + "81", "an eye map"),
    (_STORAGE + "82", "an eye map"),
    (_STORAGE + "128", "a PET image"),
    (_STORAGE + "130", "a PET image"),
    (_STORAGE + "481.1", "a radiotherapy image"),
)

# Beginning of the SOP class: no picture at all.
NO_IMAGES = (
    ("1.2.840.10008.1.3.10", "a DICOMDIR (a table of contents)"),
    (_STORAGE + "9", "a waveform"),
    (_STORAGE + "11", "a presentation state"),
    (_STORAGE + "66.4", "a segmentation"),
    (_STORAGE + "66", "raw data, a registration or a segmentation"),
    (_STORAGE + "68", "a surface"),
    (_STORAGE + "78", "eye measurements"),
    (_STORAGE + "88", "a structured report"),
    (_STORAGE + "104.1", "an encapsulated PDF document"),
    (_STORAGE + "104", "an encapsulated document"),
    (_STORAGE + "481", "a radiotherapy object"),
)

MODALITIES: dict[str, Family] = {"CR": "projection", "DX": "projection", "RG": "projection"}
OTHER_MODALITIES = {
    "IO": "an intra-oral radiograph",
    "PX": "a panoramic radiograph",
    "CT": "a CT or CBCT image",
    "MG": "a mammogram",
    "MR": "an MR image",
    "NM": "a nuclear medicine image",
    "PT": "a PET image",
    "US": "an ultrasound image",
    "XA": "an angiographic image",
    "XC": "a photograph",
    "ES": "an endoscopic image",
}

# Defined terms of Body Part Examined that exclude the whole head.
OTHER_BODY_PARTS = frozenset(
    [
        "ABDOMEN",
        "ABDOMENPELVIS",
        "ADRENAL",
        "ANKLE",
        "AORTA",
        "ARM",
        "AXILLA",
        "BACK",
        "BLADDER",
        "BREAST",
        "BRONCHUS",
        "BUTTOCK",
        "CALCANEUS",
        "CALF",
        "CHEST",
        "CHESTABDOMEN",
        "CHESTABDPELVIS",
        "CLAVICLE",
        "COCCYX",
        "COLON",
        "CSPINE",
        "CTSPINE",
        "ELBOW",
        "ESOPHAGUS",
        "EXTREMITY",
        "FEMUR",
        "FINGER",
        "FOOT",
        "FOREARM",
        "HAND",
        "HEART",
        "HIP",
        "HUMERUS",
        "KIDNEY",
        "KNEE",
        "LEG",
        "LIVER",
        "LSPINE",
        "LSSPINE",
        "LUNG",
        "PANCREAS",
        "PELVIS",
        "RADIUS",
        "RIB",
        "SCAPULA",
        "SHOULDER",
        "SPINE",
        "SPLEEN",
        "SSPINE",
        "STERNUM",
        "STOMACH",
        "THIGH",
        "THUMB",
        "TIBIA",
        "TOE",
        "TLSPINE",
        "TSPINE",
        "ULNA",
        "UTERUS",
        "WHOLEBODY",
        "WRIST",
    ]
)

# Words that name the picture in a series, protocol or processing description.
CEPHALOGRAM_WORDS = ("ceph", "céph", "ceff", "tele", "télé", "fernröntgen", "frs", "lateral", "profil", "skull lat")
PANORAMIC_WORDS = ("panoram", "orthopanto", "ortopanto", "opg", "pano")
INTRAORAL_WORDS = ("intraoral", "intra-oral", "bitewing", "bite-wing", "periapical")
DESCRIPTIONS = ("SeriesDescription", "ProtocolName", "AcquisitionDeviceProcessingDescription")

# View codes of CID 4010: SNOMED CT and the older SRT code of the same concept.
VIEWS = {
    "399067008": "lateral",
    "R-102CD": "lateral",
    "399198007": "right lateral",
    "R-10232": "right lateral",
    "399173006": "left lateral",
    "R-10236": "left lateral",
    "272479007": "postero-anterior",
    "R-40888": "postero-anterior",
    "399348003": "antero-posterior",
    "R-10206": "antero-posterior",
}
VIEW_POSITIONS = {
    "LL": "left lateral",
    "RL": "right lateral",
    "LLD": "left lateral",
    "RLD": "right lateral",
    "LAT": "lateral",
    "LATERAL": "lateral",
    "PA": "postero-anterior",
    "AP": "antero-posterior",
}
FRONTAL = ("postero-anterior", "antero-posterior")
CORRECT_TAGS = "If its tags are wrong, correct them or give the pixels as an array."


@dataclass(frozen=True, slots=True)
class Kind:
    """What an accepted object is, its view as stated, and where that is stated."""

    name: str
    family: Family
    view: str
    view_source: str
    warnings: tuple[str, ...] = ()


def check_kind(tags: Tags, stated_class: str) -> Kind:
    """Accept a projection radiograph or a captured film, refuse what says that it is something else.

    Parameters
    ----------
    tags : Tags
    stated_class : str
        SOP class of the file meta information, for data sets that state none.

    Raises
    ------
    NotACephalogramError
        When class, modality, body part, description or view name another picture.
    UnsupportedFormatError
        When the object holds no picture.
    """
    sop_class = tags.text("SOPClassUID") or stated_class
    if sop_class not in ACCEPTED:
        _refuse_class(sop_class, holds_pixels=tags.has("PixelData"))
    modality = tags.text("Modality").upper()
    name, family = ACCEPTED.get(sop_class, ("not stated", MODALITIES.get(modality, "capture")))
    warnings = _check_modality(tags, modality)
    _check_body_part(tags)
    view, view_source = _find_view(tags)
    if view in FRONTAL:
        raise NotACephalogramError(
            f"Expected a lateral view, the file states {view} ({view_source}).", hint=CORRECT_TAGS
        )
    if not sop_class:
        warnings += ("The DICOM file does not say what kind of object it is; it was taken for a captured film.",)
    return Kind(name, family, view, view_source, warnings)


def _refuse_class(sop_class: str, *, holds_pixels: bool) -> None:
    for prefix, name in OTHER_IMAGES:
        if _is_within(sop_class, prefix):
            raise NotACephalogramError(f"Expected a lateral cephalogram, found {name}.")
    for prefix, name in NO_IMAGES:
        if _is_within(sop_class, prefix):
            raise UnsupportedFormatError(f"Expected a DICOM image, found {name}.")
    if not holds_pixels:
        raise UnsupportedFormatError("Expected a DICOM image, found an object without pixel data.")
    if sop_class:
        raise NotACephalogramError("Expected a radiograph (CR, DX or SC), found a DICOM object of another class.")


def _is_within(sop_class: str, prefix: str) -> bool:
    return sop_class == prefix or sop_class.startswith(prefix + ".")


def _check_modality(tags: Tags, modality: str) -> tuple[str, ...]:
    described = " ".join(tags.text(keyword).lower() for keyword in DESCRIPTIONS)
    named = any(word in described for word in CEPHALOGRAM_WORDS)
    other = OTHER_MODALITIES.get(modality, "")
    if not other and not named:
        if any(word in described for word in PANORAMIC_WORDS):
            other = OTHER_MODALITIES["PX"]
        elif any(word in described for word in INTRAORAL_WORDS):
            other = OTHER_MODALITIES["IO"]
    if not other:
        return ()
    # Combined units export both pictures under the modality of one; their own description then decides.
    if named and modality in ("PX", "IO"):
        return (
            f"The modality ({modality}) names {other}, the description a cephalogram; the description was followed.",
        )
    raise NotACephalogramError(f"Expected a lateral cephalogram, the file says it is {other}.", hint=CORRECT_TAGS)


def _check_body_part(tags: Tags) -> None:
    part = tags.text("BodyPartExamined").upper()
    if part.replace(" ", "") in OTHER_BODY_PARTS:
        raise NotACephalogramError(f"Expected a head, the file states body part {part}.", hint=CORRECT_TAGS)


def _find_view(tags: Tags) -> tuple[str, str]:
    for item in tags.items("ViewCodeSequence"):
        view = VIEWS.get(item.text("CodeValue"), "")
        if view:
            return view, "(0054,0220) View Code Sequence"
    view = VIEW_POSITIONS.get(tags.text("ViewPosition").upper(), "")
    return (view, "(0018,5101) View Position") if view else ("", "")
