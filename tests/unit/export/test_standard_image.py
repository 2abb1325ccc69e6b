from __future__ import annotations

import shutil
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import pydicom
import pytest

from cephstd.core.image import Normalized, state_calibration
from cephstd.core.standard import STANDARD_FACT, label_image
from cephstd.errors import InputError
from cephstd.export.standard_image import derive_dicom, describe_derivation, encode_standard
from cephstd.imaging.phantom import draw_phantom
from cephstd.io.reader import read
from cephstd.pipeline.normalizer import Normalizer

sys.path.insert(0, str(Path(__file__).parents[2]))
from film_files import STORAGE, dicom_film

SUFFIXES = (".dcm", ".tif", ".png")
NORMALIZER = Normalizer()
PHANTOM = draw_phantom(np.random.default_rng(3), size=(484, 600), spacing_mm=0.4).pixels


@pytest.fixture(scope="module")
def normals() -> dict[str, Normalized]:
    left = np.ascontiguousarray(PHANTOM[:, ::-1])
    return {
        "scaled": NORMALIZER(read(left, calibration=state_calibration(0.4, relative_sd=0.01, source="a ruler, 10 cm"))),
        "relative": NORMALIZER(read(left)),
    }


@pytest.mark.parametrize("scale", ["scaled", "relative"])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_labelled_standard_image_comes_back_bit_equal(
    normals: dict[str, Normalized], suffix: str, scale: str
) -> None:
    normal = normals[scale]
    film = read(encode_standard(normal, suffix))
    assert film.source.facts[STANDARD_FACT] == "cephstd.standard/1"
    again = NORMALIZER(film)
    assert again.pixels.dtype == np.uint16
    assert np.array_equal(again.pixels, normal.pixels)
    assert again.chain.steps == ()
    assert again.spacing_mm == normal.spacing_mm
    assert again.calibration.basis == normal.calibration.basis
    assert again.calibration.relative_sd == normal.calibration.relative_sd
    assert again.calibration.sources == normal.calibration.sources


@pytest.mark.parametrize("name", ["composite_a.dcm", "composite_b.tif", "composite_c.jpg", "phantom_b.dcm"])
def test_unlabelled_samples_of_a_standard_image_hardly_change(samples: Path, name: str) -> None:
    given = read(samples / name)
    stated = None if given.calibration.spacing_mm else state_calibration(0.15)
    normal = NORMALIZER(read(samples / name, calibration=stated))
    assert normal.spacing_mm is not None
    again = NORMALIZER(read(np.array(normal.pixels), calibration=state_calibration(normal.spacing_mm)))
    assert again.size == normal.size
    change = np.abs(again.pixels.astype(np.int64) - normal.pixels)
    assert change.max() <= 0.005 * 65535
    width, height = normal.size
    corners = [[0.0, 0.0], [width - 1.0, 0.0], [0.0, height - 1.0], [width - 1.0, height - 1.0]]
    moved_mm = np.abs(again.chain.forward(corners) - corners).max() * normal.spacing_mm
    assert moved_mm <= 0.02


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_label_on_other_samples_is_not_followed(normals: dict[str, Normalized], suffix: str) -> None:
    data = bytearray(encode_standard(normals["scaled"], suffix))
    if suffix == ".png":
        edited = np.array(normals["scaled"].pixels)
        edited[10, 10] ^= 1
        _, other = cv2.imencode(".png", edited)
        # header, resolution and label of the one, samples of the other
        data = data[: data.index(b"IDAT") - 4] + other[other.tobytes().index(b"IDAT") - 4 :].tobytes()
    else:
        data[bytes(data).index(normals["scaled"].pixels.astype("<u2").tobytes())] ^= 1
    film = read(bytes(data))
    assert STANDARD_FACT not in film.source.facts
    assert any("label was not followed" in text for text in film.warnings)


def test_another_stated_scale_goes_before_the_label(normals: dict[str, Normalized]) -> None:
    film = read(encode_standard(normals["scaled"], ".png"), calibration=state_calibration(0.2))
    again = NORMALIZER(film)
    assert again.size == (2 * normals["scaled"].size[0], 2 * normals["scaled"].size[1])


@pytest.mark.parametrize("suffix", [".tif", ".png"])
def test_other_programs_read_the_samples(normals: dict[str, Normalized], suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"standard{suffix}"
    path.write_bytes(encode_standard(normals["scaled"], suffix))
    assert np.array_equal(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), normals["scaled"].pixels)


def test_a_derived_image_says_from_what_and_how(normals: dict[str, Normalized]) -> None:
    data = dicom_film(
        PHANTOM,
        PatientName="Doe^Jane",
        PatientID="7",
        StudyInstanceUID="1.2.3",
        Modality="DX",
        ImagerPixelSpacing=[0.4, 0.4],
        AcquisitionDate="20190304",
    )
    source = pydicom.dcmread(BytesIO(data))
    made = derive_dicom(NORMALIZER(read(data)), source=data)
    assert list(made.ImageType[:2]) == ["DERIVED", "SECONDARY"]
    assert "resampled to 1936 x 2400 px" in made.DerivationDescription
    assert {item.CodeMeaning for item in made.DerivationCodeSequence} == {"Spatial resampling", "Standard tone"}
    assert made.SourceImageSequence[0].ReferencedSOPInstanceUID == source.SOPInstanceUID
    assert (str(made.PatientName), made.StudyInstanceUID, made.Modality) == ("Doe^Jane", "1.2.3", "DX")
    assert made.SOPInstanceUID != source.SOPInstanceUID
    assert made.SeriesInstanceUID != source.get("SeriesInstanceUID")
    assert [float(value) for value in made.NominalScannedPixelSpacing] == pytest.approx([0.1, 0.1])
    anonymous = derive_dicom(normals["scaled"])
    assert "SourceImageSequence" not in anonymous
    assert str(anonymous.PatientName) == ""
    assert anonymous.PixelSpacingCalibrationType == "GEOMETRY"


def test_a_derived_image_refers_to_the_frame_that_was_chosen() -> None:
    frames = np.stack([PHANTOM[:, ::-1], PHANTOM])
    series = dicom_film(PHANTOM, sop_class=STORAGE + "7.3", NumberOfFrames=2, PixelData=frames.tobytes())
    made = derive_dicom(NORMALIZER(read(series, frame=2)), source=series)
    assert made.SourceImageSequence[0].ReferencedFrameNumber == 2
    assert "NumberOfFrames" not in made


def test_a_relative_scale_is_declared(normals: dict[str, Normalized]) -> None:
    made = derive_dicom(normals["relative"])
    assert "Relative scale" in made.DerivationDescription
    assert not {"PixelSpacing", "NominalScannedPixelSpacing"} & {element.keyword for element in made}


def test_words_name_every_step(normals: dict[str, Normalized]) -> None:
    words = describe_derivation(normals["scaled"])
    assert "mirrored" in words
    assert "window" in words
    assert "0.1 mm per px" in words


def test_the_label_says_the_way_back(normals: dict[str, Normalized]) -> None:
    label = label_image(normals["scaled"])
    assert (label.source_width_px, label.source_height_px) == (484, 600)
    assert label.steps == normals["scaled"].chain.steps
    assert msgspec.json.decode(msgspec.json.encode(label), type=type(label)) == label


def test_another_suffix_is_refused(normals: dict[str, Normalized]) -> None:
    with pytest.raises(InputError, match=r"\.dcm, \.tif or \.png"):
        encode_standard(normals["scaled"], ".jpg")


@pytest.mark.servers
@pytest.mark.parametrize("case", ["scaled", "relative", "derived"])
def test_dicom_checkers_find_no_error(normals: dict[str, Normalized], case: str, samples: Path, tmp_path: Path) -> None:
    if not shutil.which("dciodvfy") or not shutil.which("dcmdump"):
        pytest.skip("dciodvfy (dicom3tools) or dcmdump (dcmtk) is not installed")
    source = (samples / "composite_a.dcm").read_bytes() if case == "derived" else None
    normal: Any = NORMALIZER(read(source)) if source else normals[case]
    path = tmp_path / "standard.dcm"
    path.write_bytes(encode_standard(normal, ".dcm", source=source))
    seen = subprocess.run(["dciodvfy", path], capture_output=True, text=True, check=False)
    dumped = subprocess.run(["dcmdump", "-q", path], capture_output=True, text=True, check=False)
    assert dumped.returncode == 0, dumped.stderr
    assert [line for line in (seen.stdout + seen.stderr).splitlines() if line.startswith("Error")] == []
