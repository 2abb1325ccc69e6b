"""Pictures that are no cephalogram, from packages that are installed anyway: photographs, CT, MR, icons, faces.

Each picture belongs to one purpose for ever (by the digest of its name), so that what the reported test shows was seen
neither by the network nor by who chose its threshold.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import pydicom
from numpy.typing import NDArray

Purpose = Literal["fit", "tune", "report"]
Grey = NDArray[np.uint8]

PACKAGES: dict[str, tuple[str, str, Purpose | None]] = {
    "photographs": ("skimage", "data", None),
    "computed and magnetic tomography": ("pydicom", "data/test_files/dicomdirtests", "fit"),
    "other DICOM files": ("pydicom", "data/test_files", "report"),
    "plots and icons": ("matplotlib", "mpl-data", "report"),
}
"""Family -> package, folder, and the one purpose of all its pictures (None: divided among the three)."""
SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp"})
FACES = "lfw_subset.npy"
SMALLEST_SIDE_PX = 16


def collect_pictures(purpose: Purpose) -> dict[str, list[Grey]]:
    """Families of real pictures for one purpose.

    Parameters
    ----------
    purpose : {"fit", "tune", "report"}

    Returns
    -------
    dict
        Family -> grey pictures, uint8. A package that is not installed gives an empty family.
    """
    found: dict[str, list[Grey]] = {}
    for family, (package, folder, fixed) in PACKAGES.items():
        if fixed not in (None, purpose):
            continue
        root = _folder(package, folder)
        pictures = [] if root is None else list(_read_folder(root, purpose, fixed, nested=folder.count("/") != 1))
        found[family] = pictures
    photographs = _folder("skimage", "data")
    if photographs is not None and (photographs / FACES).is_file():
        faces = (np.load(photographs / FACES) * 255).astype(np.uint8)
        third = len(faces) // 3
        start = {"fit": 0, "tune": third, "report": 2 * third}[purpose]
        found["small faces"] = list(faces[start : start + third])
    return found


def _folder(package: str, folder: str) -> Path | None:
    try:
        root = Path(str(resources.files(package))) / folder
    except ModuleNotFoundError:
        return None
    return root if root.is_dir() else None


def _read_folder(root: Path, purpose: Purpose, fixed: Purpose | None, *, nested: bool) -> Iterator[Grey]:
    paths = sorted(path for path in (root.rglob("*") if nested else root.glob("*")) if path.is_file())
    place = 0
    for path in paths:
        picture = read_picture(path)
        if picture is None or min(picture.shape) < SMALLEST_SIDE_PX:
            continue
        turn: Purpose = ("fit", "report", "tune")[place % 3]
        place += 1
        if (fixed or turn) == purpose:
            yield picture


def read_picture(path: Path) -> Grey | None:
    """The first frame of a picture or DICOM file as 8-bit grey; None for what is no picture."""
    if path.suffix.lower() in SUFFIXES:
        return cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            samples = pydicom.dcmread(path, force=path.suffix != ".dcm").pixel_array
    except Exception:  # a test file that is broken on purpose, or no image
        return None
    while samples.ndim > 2:
        samples = samples.mean(axis=-1) if samples.shape[-1] in (3, 4) else samples[0]
    low, high = float(samples.min()), float(samples.max())
    return np.asarray(np.rint((samples - low) / max(high - low, 1.0) * 255.0), dtype=np.uint8)
