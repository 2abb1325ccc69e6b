from __future__ import annotations

import hashlib
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

import cephstd as cs
from cephstd.core.digest import digest_pixels
from cephstd.core.image import state_calibration
from cephstd.errors import CorruptImageError
from cephstd.io.decoded import Decoded
from cephstd.io.reader import discover, read

sys.path.insert(0, str(Path(__file__).parents[2]))
from film_files import dicom_film, encode, grey_ramp


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif"])
def test_path_bytes_stream_and_array_give_the_same_pixels(tmp_path, suffix):
    data = encode(suffix, grey_ramp())
    path = tmp_path / f"film{suffix}"
    path.write_bytes(data)
    films = [read(path), read(str(path)), read(data), read(BytesIO(data)), read(grey_ramp())]
    assert {film.source.pixel_sha256 for film in films} == {digest_pixels(grey_ramp())}
    assert {film.source.file_sha256 for film in films[:4]} == {"sha256:" + hashlib.sha256(data).hexdigest()}
    assert films[0].source.byte_count == len(data)
    assert films[-1].source.format == "array"
    assert films[-1].source.file_sha256 == ""


def test_facade_reads():
    assert cs.read(encode(".png", grey_ramp())).size == (32, 24)


def test_pixels_are_read_only_and_never_the_callers():
    mine = grey_ramp()
    film = read(mine)
    mine[:] = 0
    assert np.array_equal(film.pixels, grey_ramp())
    with pytest.raises(ValueError, match="read-only"):
        film.pixels[0, 0] = 1


def test_big_endian_array_is_taken_in_native_order():
    film = read(grey_ramp(top=65535, dtype=">u2"))
    assert film.pixels.dtype == np.dtype(np.uint16)
    assert np.array_equal(film.pixels, grey_ramp(top=65535, dtype=np.uint16))


def test_grey_array_of_three_channels_is_merged():
    film = read(np.stack([grey_ramp()] * 3, -1))
    assert np.array_equal(film.pixels, grey_ramp())


def test_given_scale_takes_precedence_and_a_conflict_is_told():
    data = dicom_film(ImagerPixelSpacing=[0.1, 0.1])
    close = read(data, calibration=state_calibration(0.1019))
    assert close.calibration.basis == "user_stated"
    assert close.warnings == ()
    far = read(data, calibration=state_calibration(0.11))
    assert far.calibration.row_mm == 0.11
    assert len(far.warnings) == 1
    assert "9.1%" in far.warnings[0]


def test_given_scale_is_no_conflict_with_a_density_that_nobody_measured():
    data = encode(".bmp", grey_ramp())
    assert read(data, calibration=state_calibration(0.1)).warnings == ()


def test_age_and_sex_pass_only_when_asked_for():
    data = dicom_film(PatientAge="012Y", PatientSex="F")
    assert (read(data).age_years, read(data).sex) == (12.0, "F")
    closed = read(data, keep_age=False, keep_sex=False)
    assert (closed.age_years, closed.sex) == (None, None)


def test_matching_suffix_is_no_warning(tmp_path):
    for name in ("film.JPG", "film.jpeg", "film.0001", "film"):
        (tmp_path / name).write_bytes(encode(".jpg", grey_ramp()))
        assert read(tmp_path / name).warnings == ()


def test_discover_walks_folders_and_skips_hidden_and_linked(tmp_path):
    names = ["b.png", "a.dcm", "sub/c.tif", ".hidden.png", ".cache/d.png"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "link.png").symlink_to(tmp_path / "b.png")
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    expected = [tmp_path / "a.dcm", tmp_path / "b.png", tmp_path / "sub" / "c.tif"]
    assert discover([tmp_path]) == expected
    assert discover([tmp_path / "b.png", tmp_path, tmp_path / "a.dcm"]) == expected


def test_discover_keeps_what_is_absent_for_the_reader_to_tell(tmp_path):
    assert discover([tmp_path / "gone.png"]) == [tmp_path / "gone.png"]


def test_a_decoder_hands_over_what_the_film_then_holds(monkeypatch):
    def decode(data: bytes, image_format: str, budget: object) -> Decoded:
        return Decoded(pixels=grey_ramp(), bits=8, decoder="test 1", inverted=True, warnings=("odd",))

    monkeypatch.setattr("cephstd.io.raster.decode_raster", decode)
    film = read(encode(".png", grey_ramp(4, 4)))
    assert (film.source.decoder, film.inverted, film.warnings) == ("test 1", True, ("odd",))


def test_stream_that_ends_in_the_middle_is_told():
    with pytest.raises(CorruptImageError):
        read(BytesIO(encode(".png", grey_ramp())[:-20]))


@pytest.mark.films
def test_original_films_are_read_as_their_luminance(shared_data):
    import cv2

    path = sorted((shared_data / "isbi2015" / "originals").glob("*.jpg"))[0]
    film = read(path)
    assert film.size == (1935, 2400)
    assert film.calibration.spacing_mm is None
    assert film.warnings == ()
    assert np.array_equal(film.pixels, cv2.imread(str(path), cv2.IMREAD_UNCHANGED)[..., 0])
