"""Make the sample films: ``python data/samples/make_samples.py --films FOLDER``.

FOLDER holds the ISBI 2015 training films (``labels.csv``, ``images/``); they are read and never copied. The same
films, library versions and seed give the same bytes. Without ``--films`` only the phantoms are made.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from composing import LANDMARK_IDS, SPACING_MM, clear_front, compose, draw_shape, read_labelled
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from cephstd.imaging.phantom import RULER_LENGTH_MM, Phantom, draw_phantom, draw_ruler

HERE = Path(__file__).parent
SEED = 2015
FILMS_EACH = 40
CANVAS_PX = (967, 1200)
DIGITAL_XRAY_FOR_PRESENTATION = "1.2.840.10008.5.1.4.1.1.1.1"
APPROXIMATE = "approximate: the shape that the averaged films were warped to"
EXACT = "exact: the places that the film was drawn from"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a device makes of the same head."""

    spacing_mm: float
    border_mm: tuple[float, float]
    """Collimated border beside and above the film."""
    border_level: float
    corner_mm: float
    gamma: float
    sharpen: float
    grain: float
    ruler_x_mm: float
    """Distance of the ruler from the right edge."""


LOOKS = {
    "composite_a": Look(
        spacing_mm=0.15,
        border_mm=(4, 5),
        border_level=0.0,
        corner_mm=6,
        gamma=1.0,
        sharpen=1.1,
        grain=0.010,
        ruler_x_mm=22,
    ),
    "composite_b": Look(
        spacing_mm=0.2,
        border_mm=(0, 0),
        border_level=0.0,
        corner_mm=0,
        gamma=0.8,
        sharpen=0.8,
        grain=0.006,
        ruler_x_mm=14,
    ),
    "composite_c": Look(
        spacing_mm=0.18,
        border_mm=(6, 3),
        border_level=0.06,
        corner_mm=1,
        gamma=1.25,
        sharpen=1.4,
        grain=0.014,
        ruler_x_mm=24,
    ),
}


def main() -> None:
    """Write every sample, its landmarks beside it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--films", type=Path, help="folder with labels.csv and images/ of the training films")
    parser.add_argument("--out", type=Path, default=HERE)
    arguments = parser.parse_args()
    make_phantoms(arguments.out)
    if arguments.films:
        make_composites(arguments.films, arguments.out)


def make_phantoms(out: Path) -> None:
    """Draw the two phantoms: a 16-bit PNG, and a MONOCHROME1 DICOM film whose face looks to the left."""
    first = draw_phantom(np.random.default_rng(1), (967, 1200), 0.2)
    cv2.imwrite(str(out / "phantom_a.png"), first.pixels, [cv2.IMWRITE_PNG_COMPRESSION, 9])
    write_landmarks(out / "phantom_a.landmarks.json", "phantom_a.png", EXACT, first)
    second = draw_phantom(np.random.default_rng(2), (774, 960), 0.25)
    width = second.pixels.shape[1]
    mirrored = Phantom(
        pixels=(0xFFF - (second.pixels >> 4))[:, ::-1].copy(),
        landmarks_px={name: (width - 1 - x, y) for name, (x, y) in second.landmarks_px.items()},
        spacing_mm=second.spacing_mm,
        ruler_px=np.column_stack([width - 1 - second.ruler_px[:, 0], second.ruler_px[:, 1]]),
    )
    film = build_dicom("phantom_b", mirrored.pixels, "P\\F")
    film.PhotometricInterpretation, film.PresentationLUTShape = "MONOCHROME1", "INVERSE"
    film.PixelIntensityRelationshipSign = 1
    film.ImagerPixelSpacing = [0.25, 0.25]
    film.save_as(out / "phantom_b.dcm", enforce_file_format=True)
    write_landmarks(out / "phantom_b.landmarks.json", "phantom_b.dcm", EXACT, mirrored)


def make_composites(folder: Path, out: Path) -> None:
    """Average three disjoint sets of training films, each on a new shape and with another device's look."""
    rng = np.random.default_rng(SEED)
    films = read_labelled(folder)
    order = rng.permutation(len(films.paths))
    writers = {"composite_a": _write_dicom, "composite_b": _write_tiff, "composite_c": _write_jpeg}
    for k, (name, look) in enumerate(LOOKS.items()):
        chosen = order[k * FILMS_EACH : (k + 1) * FILMS_EACH]
        composite = compose(films, chosen, draw_shape(films.points_mm, rng), CANVAS_PX)
        phantom = expose(clear_front(composite), composite.points_px, look, rng)
        file = writers[name](out, name, phantom)
        write_landmarks(out / f"{name}.landmarks.json", file, APPROXIMATE, phantom)
        print(f"{file}: {composite.film_count} films, at least {composite.least_films} behind each pixel")


def expose(image: NDArray[np.float32], points_px: NDArray[np.float64], look: Look, rng: np.random.Generator) -> Phantom:
    """Give a mean film a device's size, border, tone, grain and a ruler of 1 mm pitch."""
    scale = SPACING_MM / look.spacing_mm
    size = tuple(round(side * scale) for side in image.shape[::-1])
    matrix = np.array([[scale, 0.0, 0.5 * scale - 0.5], [0.0, scale, 0.5 * scale - 0.5]])
    film = cv2.warpAffine(image, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    fine, coarse = (film - cv2.GaussianBlur(film, (0, 0), mm / look.spacing_mm) for mm in (0.6, 2.4))
    film = film + look.sharpen * (fine + 0.6 * coarse)
    film = np.clip(film, 0.0, 1.0) ** look.gamma * 0.94 + 0.03
    grain = cv2.GaussianBlur(rng.normal(0.0, 1.0, film.shape).astype(np.float32), (0, 0), 0.6)
    film += look.grain * grain / grain.std()
    ruler, ticks_px = draw_ruler(size, look.spacing_mm, x_mm=size[0] * look.spacing_mm - look.ruler_x_mm, top_mm=16.0)
    film = np.maximum(film, ruler)
    beside, above = (round(mm / look.spacing_mm) for mm in look.border_mm)
    framed = np.full((size[1] + 2 * above, size[0] + 2 * beside), look.border_level)
    opening = _round_rectangle(size, look.corner_mm / look.spacing_mm)
    framed[above : above + size[1], beside : beside + size[0]] += opening * (film - look.border_level)
    moved = points_px @ matrix[:, :2].T + matrix[:, 2] + (beside, above)
    return Phantom(
        pixels=np.rint(np.clip(framed, 0.0, 1.0) * 65535).astype(np.uint16),
        landmarks_px={name: (float(x), float(y)) for name, (x, y) in zip(LANDMARK_IDS, moved, strict=True)},
        spacing_mm=look.spacing_mm,
        ruler_px=ticks_px + np.array([beside, above]),
    )


def write_landmarks(path: Path, file: str, basis: str, phantom: Phantom) -> None:
    """Write what is known about a film as JSON; pixel centres at integers, x right, y down."""
    known = {
        "file": file,
        "landmarks": basis,
        "spacing_mm": phantom.spacing_mm,
        "size_px": list(phantom.pixels.shape[::-1]),
        "ruler": {
            "pitch_mm": RULER_LENGTH_MM / (len(phantom.ruler_px) - 1),
            "ticks": len(phantom.ruler_px),
            "first_px": [round(float(v), 3) for v in phantom.ruler_px[0]],
            "last_px": [round(float(v), 3) for v in phantom.ruler_px[-1]],
        },
        "landmarks_px": {name: [round(x, 3), round(y, 3)] for name, (x, y) in phantom.landmarks_px.items()},
    }
    path.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")


def build_dicom(name: str, pixels: NDArray[np.uint16], orientation: str) -> FileDataset:
    """Build a 12-bit Digital X-Ray image for presentation of no patient; identifiers come from the pixels alone."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = DIGITAL_XRAY_FOR_PRESENTATION
    meta.MediaStorageSOPInstanceUID = _derive_uid(pixels, "instance")
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = _derive_uid(np.zeros(1, np.uint16), "cephstd samples")
    meta.ImplementationVersionName = "CEPHSTD_SAMPLES"
    film = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    film.SOPClassUID, film.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    film.StudyInstanceUID, film.SeriesInstanceUID = _derive_uid(pixels, "study"), _derive_uid(pixels, "series")
    kind, letter = name.upper().split("_")
    film.PatientName, film.PatientID = f"{kind}^{letter}", f"{kind}-{letter}"
    film.PatientBirthDate = film.PatientSex = film.StudyDate = film.StudyTime = film.StudyID = ""
    film.ReferringPhysicianName = film.AccessionNumber = film.Laterality = ""
    film.Modality, film.Manufacturer, film.ManufacturerModelName = "DX", "cephstd", "sample maker"
    film.SeriesNumber = film.InstanceNumber = "1"
    film.PresentationIntentType, film.ImageType = "FOR PRESENTATION", ["DERIVED", "PRIMARY", ""]
    film.PatientOrientation, film.ImageLaterality = orientation.split("\\"), "U"
    film.AnatomicRegionSequence = [_code("69536005", "SCT", "Head")]
    film.ViewCodeSequence = [_code("399067008", "SCT", "lateral projection")]
    film.AcquisitionContextSequence = []
    film.SamplesPerPixel, film.PhotometricInterpretation = 1, "MONOCHROME2"
    film.Rows, film.Columns = pixels.shape
    film.BitsAllocated, film.BitsStored, film.HighBit, film.PixelRepresentation = 16, 12, 11, 0
    film.PixelIntensityRelationship, film.PixelIntensityRelationshipSign = "LOG", -1
    film.RescaleIntercept, film.RescaleSlope, film.RescaleType = "0", "1", "US"
    film.PresentationLUTShape, film.LossyImageCompression, film.BurnedInAnnotation = "IDENTITY", "00", "NO"
    film.WindowCenter, film.WindowWidth = "2048", "4096"
    film.DetectorType = "SCINTILLATOR"
    film.PixelData = pixels.astype("<u2").tobytes()
    film["PixelData"].VR = "OW"
    return film


def _write_dicom(out: Path, name: str, phantom: Phantom) -> str:
    film = build_dicom(name, phantom.pixels >> 4, "A\\F")
    # The detector's spacing divided by the magnification is the patient's: 0.165 / 1.1 = 0.15 mm.
    film.ImagerPixelSpacing = [0.165, 0.165]
    film.EstimatedRadiographicMagnificationFactor = "1.1"
    film.PixelSpacing = [phantom.spacing_mm, phantom.spacing_mm]
    film.PixelSpacingCalibrationType = "FIDUCIAL"
    film.PixelSpacingCalibrationDescription = "ruler with 1 mm pitch drawn into the image"
    film.DerivationDescription = "Average of films of many people on a new shape; shows no person."
    film.LossyImageCompression, film.LossyImageCompressionRatio = "01", "10"
    film.LossyImageCompressionMethod = "ISO_10918_1"
    film.save_as(out / f"{name}.dcm", enforce_file_format=True)
    return f"{name}.dcm"


def _write_tiff(out: Path, name: str, phantom: Phantom) -> str:
    dots = round(25.4 / phantom.spacing_mm)
    options = [cv2.IMWRITE_TIFF_RESUNIT, 2, cv2.IMWRITE_TIFF_XDPI, dots, cv2.IMWRITE_TIFF_YDPI, dots]
    # The grain fills the low bits: kept to 12, the file deflates to half.
    pixels = (phantom.pixels >> 4) << 4
    cv2.imwrite(str(out / f"{name}.tif"), pixels, [*options, cv2.IMWRITE_TIFF_COMPRESSION, 8])
    stated = ['basis = "user_ruler"', "relative_sd = 0.002", 'sources = ["ruler in the film"]']
    lines = [f"mm_per_px = {phantom.spacing_mm}", *stated, ""]
    (out / f"{name}.calibration.toml").write_text("\n".join(lines), encoding="utf-8")
    return f"{name}.tif"


def _write_jpeg(out: Path, name: str, phantom: Phantom) -> str:
    cv2.imwrite(str(out / f"{name}.jpg"), (phantom.pixels >> 8).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 90])
    return f"{name}.jpg"


def _round_rectangle(size: tuple[int, ...], corner_px: float) -> NDArray[np.float64]:
    """1 inside a rectangle with rounded corners, 0 outside."""
    across, down = (np.abs(np.arange(side) - (side - 1) / 2) - (side / 2 - corner_px) for side in size)
    distance = np.hypot(np.maximum(across, 0.0)[None, :], np.maximum(down, 0.0)[:, None])
    return np.clip(corner_px - distance + 0.5, 0.0, 1.0) if corner_px else np.ones((size[1], size[0]))


def _derive_uid(pixels: NDArray[np.uint16], role: str) -> str:
    digest = hashlib.sha256(role.encode() + pixels.tobytes()).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"


def _code(value: str, scheme: str, meaning: str) -> Any:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
    return code


if __name__ == "__main__":
    main()
