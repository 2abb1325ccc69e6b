from __future__ import annotations

import struct
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from cephstd.core.recipe import Budget
from cephstd.errors import CorruptImageError, UnsupportedFormatError
from cephstd.io.directory import read_directories
from cephstd.io.header import read_bmp_header, read_jpeg_frame, read_jpeg_header, read_png_header
from cephstd.io.sniff import sniff
from cephstd.io.tiff import read_tiff_header

sys.path.insert(0, str(Path(__file__).parents[2]))
from film_files import dicom_bytes, dicom_set, encode, grey_ramp, png_file, tiff_file


def test_jpeg_header():
    header = read_jpeg_header(encode(".jpg", grey_ramp(24, 32)))
    assert (header.width, header.height, header.channels, header.colour) == (32, 24, 1, "grey")
    colour = read_jpeg_header(encode(".jpg", np.stack([grey_ramp()] * 3, -1)))
    assert (colour.channels, colour.colour) == (3, "rgb")


def test_progressive_jpeg_is_named():
    done, data = cv2.imencode(".jpg", grey_ramp(), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])
    assert done
    assert read_jpeg_header(data.tobytes()).facts["compression"] == "jpeg lossy progressive"


def test_jpeg_density():
    data = bytearray(encode(".jpg", grey_ramp()))
    at = data.index(b"JFIF\0") + 7
    data[at : at + 5] = struct.pack(">BHH", 2, 100, 50)
    header = read_jpeg_header(bytes(data))
    assert header.density == (254.0, 127.0)
    assert header.aspect == 2.0


def test_end_marker_of_a_thumbnail_is_not_the_end_of_the_picture():
    data = encode(".jpg", grey_ramp())
    thumbnail = b"\xff\xe2" + struct.pack(">H", 6) + b"\xff\xd8\xff\xd9"
    whole = data[:2] + thumbnail + data[2:]
    assert read_jpeg_header(whole).width == 32
    with pytest.raises(CorruptImageError, match="truncated"):
        read_jpeg_header(whole[:-2])


def test_jpeg_without_a_frame_is_corrupt():
    with pytest.raises(CorruptImageError):
        read_jpeg_frame(b"\xff\xd8\xff\xda\x00\x02" + bytes(20))


def test_png_header():
    header = read_png_header(png_file(7, 5, bits=16, colour=6))
    assert (header.width, header.height, header.channels, header.bits) == (7, 5, 4, 16)
    assert header.has_alpha
    assert header.pages == 1


def test_bmp_header_of_both_ages():
    assert read_bmp_header(encode(".bmp", grey_ramp())).height == 24
    upside_down = bytearray(encode(".bmp", grey_ramp()))
    upside_down[22:26] = struct.pack("<i", -24)
    assert read_bmp_header(bytes(upside_down)).height == 24
    core = b"BM" + struct.pack("<IHHI", 0, 0, 0, 26) + struct.pack("<IHHHH", 12, 4, 2, 1, 24) + bytes(24)
    assert (read_bmp_header(core).width, read_bmp_header(core).height) == (4, 2)


def test_bmp_with_a_picture_inside_is_refused():
    data = bytearray(encode(".bmp", grey_ramp()))
    data[30] = 4
    with pytest.raises(UnsupportedFormatError):
        read_bmp_header(bytes(data))


def test_bmp_with_an_unknown_header_is_corrupt():
    data = bytearray(encode(".bmp", grey_ramp()))
    data[14] = 13
    with pytest.raises(CorruptImageError):
        read_bmp_header(bytes(data))


def test_tiff_thumbnail_is_no_page():
    one = tiff_file(grey_ramp())
    (start,) = struct.unpack_from("<I", one, 4)
    count = struct.unpack_from("<H", one, start)[0]
    page = bytearray(one[start : start + 2 + 12 * count])
    page[0:2] = struct.pack("<H", count + 1)
    page[2:2] = struct.pack("<HHII", 254, 4, 1, 1)
    both = one[:-4] + struct.pack("<I", len(one)) + bytes(page) + bytes(4)
    assert read_tiff_header(both, Budget()).pages == 1


def test_tiff_without_size_or_samples_is_corrupt():
    for removed in (256, 273):
        with pytest.raises(CorruptImageError):
            read_tiff_header(tiff_file(grey_ramp(), {removed: None}), Budget())


def test_directory_values():
    data = tiff_file(grey_ramp(), {258: (3, (8, 8, 8)), 282: (5, (300, 2)), 283: (5, (1, 0)), 700: (11, float("nan"))})
    (tags,) = read_directories(data, max_directories=4)
    assert tags[258] == (8, 8, 8)
    assert tags[282] == (150.0,)
    assert tags[283] == (0.0,)
    assert 700 not in tags


def test_directory_beyond_the_end_is_corrupt():
    data = bytearray(tiff_file(grey_ramp()))
    data[4:8] = struct.pack("<I", len(data) + 100)
    with pytest.raises(CorruptImageError):
        read_directories(bytes(data), max_directories=4)


def test_sniff_knows_dicom_without_preamble():
    whole = dicom_bytes(dicom_set(grey_ramp()))
    assert sniff(whole) == "dicom"
    assert sniff(whole[132:]) == "dicom"
    bare = whole[whole.index(b"\x08\x00\x16\x00") :]
    assert sniff(bare) == "dicom"


def test_sniff_does_not_take_any_bytes_for_dicom():
    others = (bytes(200), b"\x08\x00\xff\xff" + bytes(200), b"\x02\x00", b"\x08\x00\x05\x00" + b"\xfe" * 200)
    for data in others:
        with pytest.raises(UnsupportedFormatError):
            sniff(data)
