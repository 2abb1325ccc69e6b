"""What a film costs before the model sees it: reading it, per transfer syntax, and making its standard image.

Usage: intake.py [--repeat N] [--write FILE]

A drawn film of 1935 x 2400 px. Times are CPU nanoseconds of this process per source pixel, the least of the repeats;
making the standard image is measured without the view head. Files of syntaxes that Python packages here only read are
made by dcmcjpeg (DCMTK) and ojph_compress (OpenJPH); a syntax whose program is not installed is null, not guessed.
"""

from __future__ import annotations

import argparse
import io
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from pydicom import Dataset, uid
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate

from cephstd.core.image import state_calibration
from cephstd.imaging.normalizer import standardize
from cephstd.imaging.phantom import draw_phantom
from cephstd.io.reader import read

sys.path.insert(0, str(Path(__file__).resolve().parent))
from speed import machine

SIZE = (1935, 2400)
LIMIT_NS = 40.0
PLAIN = (
    uid.ImplicitVRLittleEndian,
    uid.ExplicitVRLittleEndian,
    uid.DeflatedExplicitVRLittleEndian,
    uid.ExplicitVRBigEndian,
)
COMPRESSED = (uid.RLELossless, uid.JPEGLSLossless, uid.JPEG2000Lossless)
DCMTK = {uid.JPEGExtended12Bit: "+ee", uid.JPEGLossless: "+el", uid.JPEGLosslessSV1: "+e1"}
"""What dcmcjpeg makes of a 12-bit film, and the option that asks for it."""
HIGH_THROUGHPUT = (uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL, uid.HTJ2K)


def draw_film(bits: int) -> np.ndarray:
    drawn = draw_phantom(np.random.default_rng(3), size=SIZE, spacing_mm=0.1).pixels
    return (drawn >> (16 - bits)).astype(np.uint8 if bits <= 8 else np.uint16)


def dicom(pixels: np.ndarray, bits: int, syntax: uid.UID) -> Dataset:
    film = Dataset()
    film.file_meta = FileMetaDataset()
    film.SOPClassUID = film.file_meta.MediaStorageSOPClassUID = uid.DigitalXRayImageStorageForPresentation
    film.SOPInstanceUID = film.file_meta.MediaStorageSOPInstanceUID = "1.2.826.0.1.3680043.8.498.1"
    film.Modality, film.PhotometricInterpretation, film.SamplesPerPixel = "DX", "MONOCHROME2", 1
    film.Rows, film.Columns = pixels.shape
    film.BitsAllocated, film.BitsStored, film.HighBit = (8 if bits <= 8 else 16), bits, bits - 1
    film.PixelRepresentation, film.PixelSpacing = 0, [0.1, 0.1]
    film.PixelData = pixels.astype(
        pixels.dtype.newbyteorder(">" if syntax == uid.ExplicitVRBigEndian else "<")
    ).tobytes()
    film["PixelData"].VR = "OB" if bits <= 8 else "OW"
    film.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian if syntax in COMPRESSED else syntax
    if syntax in HIGH_THROUGHPUT:
        film.PixelData = encapsulate([high_throughput(pixels, syntax)])
        film["PixelData"].VR = "OB"
    if syntax in COMPRESSED:
        film.compress(syntax, generate_instance_uid=False)
    if syntax == uid.JPEGBaseline8Bit:
        film.PixelData = encapsulate([cv2.imencode(".jpg", pixels)[1].tobytes()])
    return film


def high_throughput(pixels: np.ndarray, syntax: uid.UID) -> bytes:
    """One HTJ2K codestream by OpenJPH; an irreversible one for the syntax that may be lossy."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "film.pgm", Path(folder) / "film.j2c"
        head = f"P5\n{pixels.shape[1]} {pixels.shape[0]}\n4095\n".encode()
        source.write_bytes(head + pixels.astype(">u2").tobytes())
        order = "RPCL" if syntax == uid.HTJ2KLosslessRPCL else "LRCP"
        how = ["-reversible", "false", "-qstep", "0.001"] if syntax == uid.HTJ2K else ["-reversible", "true"]
        command = ["ojph_compress", "-i", source, "-o", target, "-prog_order", order, *how]
        subprocess.run(command, check=True, capture_output=True)
        return target.read_bytes()


def by_dcmtk(data: bytes, option: str) -> bytes:
    """A film compressed by dcmcjpeg."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "film.dcm", Path(folder) / "packed.dcm"
        source.write_bytes(data)
        subprocess.run(["dcmcjpeg", option, source, target], check=True, capture_output=True)
        return target.read_bytes()


def stored(film: Dataset) -> bytes:
    file = io.BytesIO()
    film.save_as(file, enforce_file_format=True)
    return file.getvalue()


def nanoseconds(action: Callable[[], object], repeat: int) -> float:
    """Least CPU time per source pixel."""
    least = float("inf")
    for _ in range(repeat):
        began = time.process_time()
        action()
        least = min(least, time.process_time() - began)
    return round(least * 1e9 / (SIZE[0] * SIZE[1]), 1)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--write", type=Path, metavar="FILE")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    twelve, eight = draw_film(12), draw_film(8)
    files = {f"DICOM {syntax.name}": stored(dicom(twelve, 12, syntax)) for syntax in (*PLAIN, *COMPRESSED)}
    files[f"DICOM {uid.JPEGBaseline8Bit.name}"] = stored(dicom(eight, 8, uid.JPEGBaseline8Bit))
    plain = files[f"DICOM {uid.ExplicitVRLittleEndian.name}"]
    missing = []
    for syntax, option in DCMTK.items():
        if shutil.which("dcmcjpeg"):
            files[f"DICOM {syntax.name}"] = by_dcmtk(plain, option)
        else:
            missing.append(f"DICOM {syntax.name}")
    for syntax in HIGH_THROUGHPUT:
        if shutil.which("ojph_compress"):
            files[f"DICOM {syntax.name}"] = stored(dicom(twelve, 12, syntax))
        else:
            missing.append(f"DICOM {syntax.name}")
    files["JPEG file"] = cv2.imencode(".jpg", eight)[1].tobytes()
    files["PNG file, 16 bit"] = cv2.imencode(".png", draw_film(16))[1].tobytes()
    reading = {name: nanoseconds(lambda data=data: read(data), options.repeat) for name, data in files.items()}
    reading |= dict.fromkeys(missing)
    scale = state_calibration(0.1)
    films = {"8 bit": files["JPEG file"], "12 bit": next(iter(files.values()))}
    opened = {name: read(data, calibration=scale) for name, data in films.items()}
    made = {name: nanoseconds(lambda film=film: standardize(film), options.repeat) for name, film in opened.items()}
    found = {
        "machine": machine(),
        "film": f"{SIZE[0]} x {SIZE[1]} px",
        "read_ns_per_px": reading,
        "normalize_ns_per_px": made,
        "limit_normalize_ns_per_px": LIMIT_NS,
        "ok": max(made.values()) <= LIMIT_NS,
    }
    text = json.dumps(found, indent=2)
    print(text)
    if options.write:
        options.write.write_text(text + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
