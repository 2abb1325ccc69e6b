from __future__ import annotations

import struct
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from cephstd.errors import CorruptImageError, NotACephalogramError, UnsupportedFormatError
from cephstd.io.channels import check_chroma, merge_channels
from cephstd.io.limits import check_decoded_bytes, check_file_bytes, check_image_size
from cephstd.io.raster import decode_raster
from cephstd.io.reader import read

sys.path.insert(0, str(Path(__file__).parents[2]))
from film_files import encode, grey_ramp, png_chunk, png_file, tiff_file

DEEP = grey_ramp(top=65535, dtype=np.uint16)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bit_samples_are_exact(suffix):
    film = read(encode(suffix, DEEP))
    assert film.source.bits == 16
    assert np.array_equal(film.pixels, DEEP)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp"])
def test_grey_in_three_channels_is_exact(suffix):
    film = read(encode(suffix, np.stack([grey_ramp()] * 3, -1)))
    assert np.array_equal(film.pixels, grey_ramp())


def test_grey_in_three_deep_channels_is_exact():
    assert np.array_equal(read(encode(".png", np.stack([DEEP] * 3, -1))).pixels, DEEP)


def test_jpeg_in_three_channels_gives_its_luminance():
    data = encode(".jpg", np.stack([grey_ramp(64, 80)] * 3, -1))
    colour = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert np.array_equal(read(data).pixels, colour[..., 1])


def test_coloured_writing_is_a_warning_and_its_pixels_stay():
    film = np.stack([grey_ramp(60, 80)] * 3, -1)
    film[5:9, 5:15] = (0, 0, 255)
    found = read(encode(".png", film))
    assert len(found.warnings) == 1
    assert "0.8" in found.warnings[0]


def test_colour_beyond_writing_is_refused():
    film = np.stack([grey_ramp(60, 80)] * 3, -1)
    film[5:15, 5:25] = (0, 0, 255)
    with pytest.raises(NotACephalogramError, match="4%"):
        merge_channels(film)


def test_chroma_of_compression_is_silent():
    noisy = np.stack([grey_ramp(), grey_ramp(), np.minimum(grey_ramp(), 247) + 8], -1).astype(np.uint8)
    assert check_chroma(noisy) == ()


def test_opaque_alpha_is_dropped():
    layers = np.dstack([grey_ramp()] * 3 + [np.full((24, 32), 255, dtype=np.uint8)])
    assert np.array_equal(read(encode(".png", layers)).pixels, grey_ramp())


@pytest.mark.parametrize("orientation", range(1, 9))
def test_tiff_orientation_is_told_and_not_applied(orientation):
    film = read(tiff_file(DEEP, {274: (3, orientation)}))
    assert np.array_equal(film.pixels, DEEP)
    assert len(film.warnings) == (orientation != 1)
    assert film.source.facts.get("orientation", "1") == str(orientation)


@pytest.mark.parametrize("channels", [1, 3])
def test_exif_orientation_is_told_and_not_applied(channels):
    data = encode(".jpg", np.dstack([grey_ramp(16, 40)] * channels))
    exif = b"Exif\0\0" + b"II*\0\x08\0\0\0" + struct.pack("<HHHIHHI", 1, 274, 3, 1, 6, 0, 0)
    turned = data[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + data[2:]
    film = read(turned)
    assert film.size == (40, 16)
    assert "orientation 6" in film.warnings[0]
    assert np.array_equal(film.pixels, read(data).pixels)


@pytest.mark.parametrize("pixels", [grey_ramp(), DEEP], ids=["8 bit", "16 bit"])
def test_white_is_zero_is_read_as_inverted_and_left_as_stored(pixels):
    film = read(tiff_file(pixels, {262: (3, 0)}))
    assert film.inverted
    assert np.array_equal(film.pixels, pixels)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
def test_tiff_of_either_byte_order_and_width(order, big):
    assert np.array_equal(read(tiff_file(DEEP, order=order, big=big)).pixels, DEEP)


def test_density_is_evidence_and_gives_no_millimetres():
    film = read(tiff_file(DEEP, {282: (5, (254, 1)), 283: (5, (254, 1)), 296: (3, 2)}))
    assert film.calibration.basis == "file_dpi_untrusted"
    assert film.calibration.row_mm is None
    assert film.calibration.sources == ("254 x 254 dpi stated by the file",)
    assert film.warnings == ()


def test_density_per_centimetre_is_converted():
    film = read(tiff_file(DEEP, {282: (5, (100, 1)), 283: (5, (100, 1)), 296: (3, 3)}))
    assert film.source.facts["density_dpi"] == "254 x 254"


def test_pixels_that_are_not_square_are_told():
    density = png_chunk(b"pHYs", struct.pack(">IIB", 2000, 1000, 0))
    film = read(png_file(2, 2, density, rows=bytes(6)))
    assert "height 2 times width" in film.warnings[0]
    assert film.calibration.basis == "undetermined"


def test_damaged_stream_inside_a_whole_file_is_corrupt():
    with pytest.raises(CorruptImageError):
        read(png_file(64, 64, rows=b"\x09" * 65 * 64))


def test_palette_of_greys_is_read():
    indexed = png_file(2, 2, png_chunk(b"PLTE", bytes([0, 0, 0, 90, 90, 90])), colour=3, rows=bytes([0, 0, 1, 0, 1, 0]))
    assert read(indexed).pixels.tolist() == [[0, 90], [90, 0]]


def test_decoder_refuses_what_its_header_does_not_hold():
    with pytest.raises(UnsupportedFormatError, match="colour model"):
        decode_raster(tiff_file(grey_ramp(), {262: (3, 8)}), "tiff", _budget())


def _budget():
    from cephstd.core.recipe import Budget

    return Budget()


def test_limits_are_inclusive():
    from cephstd.core.recipe import Budget
    from cephstd.errors import BudgetExceededError

    budget = Budget(max_file_bytes=10, max_pixels=12, max_decoded_bytes=20)
    check_file_bytes(10, budget)
    check_image_size(4, 3, 1, budget)
    check_decoded_bytes(20, budget)
    for check in (
        lambda: check_file_bytes(11, budget),
        lambda: check_image_size(13, 1, 1, budget),
        lambda: check_image_size(4, 3, 2, budget),
        lambda: check_decoded_bytes(21, budget),
    ):
        with pytest.raises(BudgetExceededError):
            check()
