"""Child process of test_mutated_inputs: reads damaged films and prints what became of them as one JSON line.

    python mutants.py SEED COUNT

An input that ends the process is the one whose number was printed last on stderr.
"""

from __future__ import annotations

import json
import resource
import signal
import sys
import tempfile
import time
import warnings
import zipfile
from collections import Counter
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pydicom.data

from cephstd.errors import CephError
from cephstd.io.reader import read

sys.path.insert(0, str(Path(__file__).parents[1]))
from film_files import dicom_bytes, dicom_film, dicom_set, encode, grey_ramp, tiff_file

SYNTAX = "1.2.840.10008.1.2"
LIMIT_S = 10
EIGHT, TWELVE = grey_ramp(60, 70), grey_ramp(60, 70, top=4095, dtype=np.uint16)
TAGS = {
    "ImagerPixelSpacing": [0.1, 0.1],
    "WindowCenter": 800,
    "WindowWidth": 600,
    "RescaleSlope": 1,
    "RescaleIntercept": 0,
    "Modality": "DX",
    "PatientAge": "012Y",
    "PixelPaddingValue": 0,
}


def films() -> dict[str, bytes]:
    """Whole films in every format and kind of compression."""
    found = {f"8-bit {suffix}": encode(suffix, EIGHT) for suffix in (".jpg", ".png", ".bmp", ".tif")}
    found |= {f"16-bit {suffix}": encode(suffix, TWELVE) for suffix in (".png", ".tif")}
    found |= {"colour jpeg": encode(".jpg", np.stack([EIGHT] * 3, -1)), "plain tiff": tiff_file(TWELVE)}
    found["big tiff"] = tiff_file(TWELVE, big=True, order=">")
    for syntax in ("", ".1", ".2", ".1.99"):
        found[f"dicom{syntax}"] = dicom_film(TWELVE, syntax=SYNTAX + syntax, **TAGS)
    for syntax in (".5", ".4.80", ".4.90"):
        dataset = dicom_set(TWELVE, BitsStored=12, HighBit=11, **TAGS)
        dataset.compress(SYNTAX + syntax, generate_instance_uid=False)
        found[f"dicom{syntax}"] = dicom_bytes(dataset, SYNTAX + syntax)
    found["dicom.4.50"] = dicom_bytes(dicom_set(EIGHT, **TAGS), SYNTAX + ".4.50", frame=encode(".jpg", EIGHT))
    for name, syntax in (("JPGExtended.dcm", ".4.51"), ("SC_rgb_jpeg_gdcm.dcm", ".4.70")):
        dataset = pydicom.dcmread(Path(pydicom.data.__file__).parent / "test_files" / name)
        dataset.Modality, dataset.BodyPartExamined = "OT", ""
        found[f"dicom{syntax}"] = dicom_bytes(dataset, SYNTAX + syntax)
    found["grey dicom.4.70"] = lossless(TWELVE)
    stream = (Path(__file__).parents[1] / "data" / "ramp.htj2k").read_bytes()
    ramp = dicom_set(grey_ramp(64, 80, top=4095, dtype=np.uint16), BitsStored=12, HighBit=11, **TAGS)
    found["dicom.4.201"] = dicom_bytes(ramp, SYNTAX + ".4.201", frame=stream)
    found["zip"] = packed({"film.dcm": found["dicom.1"], "readme.txt": b"read me"}, zipfile.ZIP_DEFLATED)
    found["stored zip"] = packed({"a/IM0001": found["dicom.4.90"]}, zipfile.ZIP_STORED)
    return found


def packed(members: dict[str, bytes], method: int) -> bytes:
    """A ZIP archive."""
    out = BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def lossless(pixels: np.ndarray) -> bytes:
    """A DICOM film in JPEG Lossless, encoded by GDCM."""
    import gdcm

    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "a.dcm"), Path(folder, "b.dcm")
        source.write_bytes(dicom_film(pixels, **TAGS))
        reader = gdcm.ImageReader()
        reader.SetFileName(str(source))
        assert reader.Read()
        change = gdcm.ImageChangeTransferSyntax()
        change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(SYNTAX + ".4.70")))
        change.SetInput(reader.GetImage())
        assert change.Change()
        writer = gdcm.ImageWriter()
        writer.SetFileName(str(target))
        writer.SetFile(reader.GetFile())
        writer.SetImage(change.GetOutput())
        assert writer.Write()
        return target.read_bytes()


def mutate(data: bytes, rng: np.random.Generator) -> bytes:
    """`data` cut off, with bytes changed anywhere or in its head, or with a piece cut out."""
    kind = rng.integers(4)
    if kind == 0:
        return data[: rng.integers(1, len(data))]
    mutant = bytearray(data)
    reach = len(mutant) if kind > 1 else min(len(mutant), 600)
    for _ in range(rng.integers(1, 6)):
        mutant[rng.integers(reach)] = rng.integers(256)
    if kind == 3:
        start = rng.integers(len(mutant))
        del mutant[start : start + rng.integers(1, 40)]
    return bytes(mutant)


def main(seed: int, count: int) -> None:
    warnings.simplefilter("error")
    whole = films()
    for name, data in whole.items():
        if name != "dicom.4.70":  # a colour picture
            read(data)
    outcomes: Counter[str] = Counter()
    slowest = 0.0
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    names = sorted(whole)
    for number in range(count):
        name = names[number % len(names)]
        mutant = mutate(whole[name], np.random.default_rng([seed, number]))
        sys.stderr.write(f"\n{number} {name}\n")
        sys.stderr.flush()
        signal.alarm(LIMIT_S)
        begun = time.perf_counter()
        try:
            read(mutant)
            outcomes["read"] += 1
        except CephError as error:
            outcomes[type(error).__name__] += 1
        signal.alarm(0)
        slowest = max(slowest, time.perf_counter() - begun)
    peak = _peak_bytes()
    sys.stdout.write(json.dumps({"outcomes": outcomes, "slowest_s": slowest, "peak_bytes": peak}))


def _peak_bytes() -> int:
    """Most memory that this program had. getrusage would give the parent's, where that was larger when it forked."""
    status = Path("/proc/self/status")
    if status.exists():
        lines = status.read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
