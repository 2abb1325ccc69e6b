from __future__ import annotations

import struct
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from cephstd.errors import CorruptImageError, NotACephalogramError
from cephstd.io.dicom_jpeg import decode_dct
from cephstd.io.jpeg_stream import clean_jpeg
from cephstd.io.reader import read

sys.path.insert(0, str(Path(__file__).parents[2]))
from film_files import SC, dicom_bytes, dicom_set, encode, grey_ramp

GREY = encode(".jpg", grey_ramp(60, 70))
COLOUR = encode(".jpg", np.stack([grey_ramp(60, 70)] * 3, -1))
BASELINE, LOSSLESS = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.70"


def pixels_of(stream: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(stream, np.uint8), cv2.IMREAD_UNCHANGED)


def with_byte(data: bytes, at: int, value: int) -> bytes:
    return data[:at] + bytes([value]) + data[at + 1 :]


@pytest.mark.parametrize("stream", [GREY, COLOUR], ids=["grey", "colour"])
def test_clean_stream_has_the_same_pixels_and_no_application_data(stream):
    noted = stream[:2] + b"\xff\xfe\x00\x0aPLANTED!" + stream[2:] + b"\0\0"
    clean = clean_jpeg(noted, states_rgb=False)
    assert np.array_equal(pixels_of(clean.data), pixels_of(stream))
    assert b"PLANTED" not in clean.data
    assert b"JFIF" not in clean.data
    assert (clean.width, clean.height, clean.precision) == (70, 60, 8)


def test_progressive_stream_keeps_its_scans():
    done, data = cv2.imencode(".jpg", grey_ramp(60, 70), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])
    assert done
    assert np.array_equal(pixels_of(clean_jpeg(data.tobytes(), states_rgb=False).data), pixels_of(data.tobytes()))


def test_unknown_jfif_version_is_harmless():
    """GDCM ends the process over this byte."""
    clean = clean_jpeg(with_byte(GREY, 11, 0x8F), states_rgb=False)
    assert np.array_equal(decode_dct(clean.data), pixels_of(GREY))


FRAME = GREY.index(b"\xff\xc0")
SCAN = GREY.index(b"\xff\xda")


@pytest.mark.parametrize(
    "stream",
    [
        with_byte(GREY, FRAME + 4, 0xAB),  # precision: GDCM reads beyond its tables
        with_byte(GREY, FRAME + 9, 2),  # components
        with_byte(GREY, FRAME + 11, 0),  # sampling
        with_byte(GREY, FRAME + 12, 9),  # table
        with_byte(GREY, FRAME + 1, 0xC9),  # arithmetic coding
        with_byte(GREY, SCAN + 4, 4),  # components of the scan
        with_byte(GREY, SCAN + 5, 7),  # name of no component
        with_byte(GREY, SCAN + 6, 0x4F),  # table of the scan
        with_byte(GREY, SCAN + 8, 64),  # last coefficient
        with_byte(GREY, 2, 0),
        GREY[:FRAME] + GREY[SCAN:],
        GREY[: SCAN - 3],
        GREY[:-2],
        b"\0\0" + GREY[2:],
        GREY[: SCAN + 20] + b"\xff\xc0" + GREY[SCAN + 20 :],
        b"",
    ],
)
def test_impossible_stream_is_corrupt(stream):
    with pytest.raises(CorruptImageError):
        clean_jpeg(stream, states_rgb=False)


def test_precision_of_the_lossless_process_is_checked_before_its_codec():
    segment = struct.pack(">BHHB", 171, 60, 70, 1) + b"\x01\x11\x00"
    frame = b"\xff\xd8\xff\xc3" + struct.pack(">H", len(segment) + 2) + segment + GREY[SCAN:]
    with pytest.raises(CorruptImageError):
        read(dicom_bytes(dicom_set(grey_ramp(60, 70)), LOSSLESS, frame=frame))


def test_three_components_follow_the_stream_before_the_data_set():
    grey_rgb = dicom_set(np.stack([grey_ramp(60, 70)] * 3, -1), sop_class=SC)
    # A JFIF stream is YCbCr, although the data set says RGB.
    assert np.array_equal(read(dicom_bytes(grey_rgb, BASELINE, frame=COLOUR)).pixels, pixels_of(COLOUR)[..., 1])
    # Without that segment the data set is believed: Y, Cb, Cr taken for R, G, B is no grey.
    bare = COLOUR[:2] + COLOUR[2 + 2 + struct.unpack_from(">H", COLOUR, 4)[0] :]
    with pytest.raises(NotACephalogramError):
        read(dicom_bytes(grey_rgb, BASELINE, frame=bare))


def test_component_names_say_rgb():
    frame = COLOUR.index(b"\xff\xc0")
    scan = COLOUR.index(b"\xff\xda")
    named = bytearray(COLOUR)
    for index, name in enumerate(b"RGB"):
        named[frame + 10 + 3 * index] = name
        named[scan + 5 + 2 * index] = name
    assert b"Adobe\x00\x64\x00\x00\x00\x00\x00" in clean_jpeg(bytes(named), states_rgb=False).data
    assert b"Adobe\x00\x64\x00\x00\x00\x00\x01" in clean_jpeg(COLOUR, states_rgb=False).data


def test_jpeg_ls_without_its_end_is_refused_at_once():
    """CharLS searches for the missing end for seconds."""
    from pydicom.encaps import get_frame

    dataset = dicom_set(grey_ramp(60, 70))
    dataset.compress("1.2.840.10008.1.2.4.80", generate_instance_uid=False)
    frame = get_frame(dataset.PixelData, 0, number_of_frames=1).rstrip(b"\0")[:-2]
    with pytest.raises(CorruptImageError, match="truncated"):
        read(dicom_bytes(dicom_set(grey_ramp(60, 70)), "1.2.840.10008.1.2.4.80", frame=frame))


def test_empty_dct_stream_is_corrupt():
    with pytest.raises(CorruptImageError):
        decode_dct(b"\xff\xd8\xff\xd9")
