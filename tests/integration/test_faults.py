"""Every hostile or odd input gives one clear sentence of the right kind; each test is named after its fault."""

from __future__ import annotations

import struct
import sys
import tracemalloc
import zlib
from io import BytesIO, RawIOBase, StringIO
from pathlib import Path

import numpy as np
import pydicom.data
import pytest

from cephstd.core.recipe import Budget
from cephstd.errors import (
    BudgetExceededError,
    CephError,
    CorruptImageError,
    InputError,
    NotACephalogramError,
    UnsupportedFormatError,
)
from cephstd.io.reader import read

sys.path.insert(0, str(Path(__file__).parents[1]))
from film_files import (
    SC,
    STORAGE,
    dicom_bytes,
    dicom_film,
    dicom_set,
    encode,
    grey_ramp,
    png_chunk,
    png_file,
    tiff_file,
)

DEFLATED = "1.2.840.10008.1.2.1.99"
JPEG_BASELINE = "1.2.840.10008.1.2.4.50"


def refusal(kind: type[CephError], source: object, **options: object) -> str:
    """The one sentence that `read` gives for `source`; it must be of exactly `kind`."""
    with pytest.raises(kind) as caught:
        read(source, **options)
    assert type(caught.value) is kind
    message = str(caught.value)
    assert message.endswith(".")
    assert "\n" not in message
    return message


def deflated_dicom(unfolded: int) -> bytes:
    """Deflated DICOM whose data set unfolds to `unfolded` bytes of zero samples."""
    meta = b"\0" * 128 + b"DICM" + struct.pack("<HH2sH", 2, 0x10, b"UI", 22) + DEFLATED.encode()
    head = struct.pack("<HH2sHH", 0x28, 0x10, b"US", 2, 24)
    head += struct.pack("<HH2sHI", 0x7FE0, 0x10, b"OW", 0, unfolded)
    packer = zlib.compressobj(9, wbits=-15)
    body = packer.compress(head) + packer.flush(zlib.Z_FULL_FLUSH)
    # After a full flush a block depends on nothing before it, so one compressed mebibyte can be repeated.
    block = packer.compress(bytes(2**20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return meta + body + block * (unfolded // 2**20) + packer.flush()


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_truncated_picture(suffix, share):
    data = encode(suffix, grey_ramp(80, 90))
    refusal(CorruptImageError, data[: int(len(data) * share)])


def test_truncated_tiff():
    data = encode(".tif", grey_ramp(80, 90, top=65535, dtype=np.uint16))
    for share in (0.01, 0.5, 0.9):
        refusal(CorruptImageError, data[: int(len(data) * share)])
    assert "truncated" in refusal(CorruptImageError, tiff_file(grey_ramp(), {279: (4, 5000)}))


def test_truncated_dicom():
    data = dicom_film(grey_ramp(200, 300))
    assert "truncated" in refusal(CorruptImageError, data[:-5000])
    refusal(CorruptImageError, data[: len(data) - grey_ramp(200, 300).size - 40])


def test_truncated_deflated_dicom():
    data = dicom_film(grey_ramp(200, 300), syntax=DEFLATED)
    assert "truncated" in refusal(CorruptImageError, data[:-400])


def test_empty(tmp_path):
    assert "empty" in refusal(CorruptImageError, b"")
    (tmp_path / "film.dcm").touch()
    refusal(CorruptImageError, tmp_path / "film.dcm")
    refusal(CorruptImageError, BytesIO())


def test_wrong_suffix_of_readable_content_is_a_warning(tmp_path):
    path = tmp_path / "film.png"
    path.write_bytes(encode(".jpg", grey_ramp()))
    film = read(path)
    assert film.source.format == "jpeg"
    assert film.warnings == ("The file's suffix says png, its content is jpeg; the content was read.",)


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (b"%PDF-1.7\n...", "a PDF document"),
        (b"GIF89a" + bytes(40), "a GIF picture"),
        (b"RIFF\x10\x00\x00\x00WEBPVP8 ", "a WebP picture"),
        (b"name,x,y\nS,1,2\n", "text"),
        (bytes(range(256)) * 4, "bytes of an unknown kind"),
    ],
)
def test_wrong_suffix_of_other_content(tmp_path, data, named):
    path = tmp_path / "Nachname_Vorname.jpg"
    path.write_bytes(data)
    message = refusal(UnsupportedFormatError, path)
    assert f"found {named}." in message
    assert "Vorname" not in message


@pytest.mark.parametrize(("width", "height"), [(0, 0), (0, 10), (10, 0)])
def test_no_pixels_in_header(width, height):
    refusal(CorruptImageError, png_file(width, height))
    refusal(CorruptImageError, dicom_film(Rows=height, Columns=width))
    refusal(CorruptImageError, _jpeg_with_size(width, height))
    refusal(CorruptImageError, tiff_file(grey_ramp(), {256: (4, width), 257: (4, height)}))


def _jpeg_with_size(width: int, height: int) -> bytes:
    data = bytearray(encode(".jpg", grey_ramp()))
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def _bmp_with_size(width: int, height: int) -> bytes:
    data = bytearray(encode(".bmp", grey_ramp()))
    data[18:26] = struct.pack("<ii", width, height)
    return bytes(data)


@pytest.mark.parametrize(
    "data",
    [
        png_file(60_000, 60_000),
        _jpeg_with_size(60_000, 60_000),
        tiff_file(grey_ramp(), {256: (4, 60_000), 257: (4, 60_000)}),
        tiff_file(grey_ramp(), {322: (4, 60_000), 323: (4, 60_000), 324: (4, 8), 325: (4, 768)}),
        dicom_film(Rows=60_000, Columns=60_000),
    ],
    ids=["png", "jpeg", "tiff", "tile", "dicom"],
)
def test_header_of_60000_by_60000(data):
    tracemalloc.start()
    message = refusal(BudgetExceededError, data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "60000 x 60000" in message
    assert peak < 20 * 2**20


def test_bitmap_header_of_60000_by_60000_has_no_samples():
    refusal(CorruptImageError, _bmp_with_size(60_000, 60_000))


def test_compressed_stream_larger_than_its_dicom_header():
    frame = _jpeg_with_size(60_000, 60_000)
    assert "60000" in refusal(CorruptImageError, _jpeg_dicom(frame))


def test_deflate_bomb():
    data = deflated_dicom(850 * 2**20)
    assert len(data) < 1_000_000
    message = refusal(BudgetExceededError, data, budget=Budget(max_decoded_bytes=20 * 2**20))
    assert "20 MiB" in message


def test_deflate_bomb_stays_below_the_budget_in_memory():
    data = deflated_dicom(200 * 2**20)
    tracemalloc.start()
    refusal(BudgetExceededError, data, budget=Budget(max_decoded_bytes=8 * 2**20))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40 * 2**20


def test_more_bytes_than_the_budget(tmp_path):
    data = encode(".png", grey_ramp())
    small = Budget(max_file_bytes=len(data) - 1)
    (tmp_path / "film.png").write_bytes(data)
    for source in (data, BytesIO(data), tmp_path / "film.png"):
        refusal(BudgetExceededError, source, budget=small)
    assert read(data, budget=Budget(max_file_bytes=len(data))).size == (32, 24)


def test_dicom_with_too_many_elements():
    refusal(BudgetExceededError, dicom_film(), budget=Budget(max_members=5))


def test_run_lengths_that_unfold_beyond_the_image():
    plane = b"\x81\x00" * 40_000
    frame = struct.pack("<16I", 1, 64, *([0] * 14)) + plane
    data = _encapsulated(frame, "1.2.840.10008.1.2.5")
    refusal(BudgetExceededError, data, budget=Budget(max_decoded_bytes=100_000))


def _encapsulated(frame: bytes, syntax: str, **tags: object) -> bytes:
    return dicom_bytes(dicom_set(grey_ramp(), **tags), syntax, frame=frame)


def _jpeg_dicom(frame: bytes, **tags: object) -> bytes:
    return _encapsulated(frame, JPEG_BASELINE, **tags)


def test_cmyk_jpeg():
    data = bytearray(encode(".jpg", np.stack([grey_ramp()] * 3, -1)))
    at = data.index(b"\xff\xc0")
    length = struct.unpack_from(">H", data, at + 2)[0]
    data[at + 9] = 4
    data[at + 2 : at + 4] = struct.pack(">H", length + 3)
    data[at + 2 + length : at + 2 + length] = b"\x04\x11\x01"
    assert "CMYK" in refusal(UnsupportedFormatError, bytes(data))


def test_cmyk_tiff():
    assert "CMYK" in refusal(UnsupportedFormatError, tiff_file(grey_ramp(), {262: (3, 5)}))


def test_animated_png():
    control = png_chunk(b"acTL", struct.pack(">II", 3, 0))
    assert "animated" in refusal(UnsupportedFormatError, png_file(8, 8, control))


def test_animated_gif():
    assert "GIF" in refusal(UnsupportedFormatError, b"GIF89a\x08\x00\x08\x00" + bytes(64))


def test_tiff_of_several_pages():
    one, two = tiff_file(grey_ramp()), tiff_file(grey_ramp(8, 8))
    # The second file's directory, its offsets moved, becomes the second page of the first.
    (start,) = struct.unpack_from("<I", two, 4)
    page = bytearray(two[start:])
    for at in range(2, len(page) - 4, 12):
        if struct.unpack_from("<H", page, at) == (273,):
            page[at + 8 : at + 12] = struct.pack("<I", 8)
    pages = one[:-4] + struct.pack("<I", len(one)) + bytes(page)
    assert "2 pages" in refusal(UnsupportedFormatError, pages)


def test_multi_frame_dicom():
    several = dicom_film(sop_class=STORAGE + "7.2", NumberOfFrames=3)
    assert "found 3" in refusal(UnsupportedFormatError, several)
    with pytest.raises(InputError, match="from 1 to 3, found 4"):
        read(several, frame=4)
    with pytest.raises(InputError, match="Expected frame 1, found 2"):
        read(encode(".png", np.zeros((20, 30), np.uint8)), frame=2)


def test_colour_photograph(rng):
    photograph = rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)
    for source in (encode(".png", photograph), encode(".jpg", photograph), encode(".bmp", photograph), photograph):
        assert "colour" in refusal(NotACephalogramError, source)
    refusal(NotACephalogramError, dicom_film(photograph, sop_class=SC))


def test_transparent_png():
    opacity = np.full((24, 32), 255, dtype=np.uint8)
    opacity[0, 0] = 10
    layers = np.dstack([grey_ramp()] * 3 + [opacity])
    assert "transparent" in refusal(UnsupportedFormatError, encode(".png", layers))


def test_floating_point_tiff():
    data = encode(".tif", grey_ramp().astype(np.float32))
    assert "floating point" in refusal(UnsupportedFormatError, data)


def test_signed_tiff():
    assert "signed" in refusal(UnsupportedFormatError, tiff_file(grey_ramp(), {339: (3, 2)}))


def test_one_bit_png():
    assert "with 1" in refusal(UnsupportedFormatError, png_file(8, 8, bits=1))


def test_twelve_bit_jpeg_file():
    data = bytearray(encode(".jpg", grey_ramp()))
    data[data.index(b"\xff\xc0") + 4] = 12
    assert "found 12" in refusal(UnsupportedFormatError, bytes(data))


def test_damaged_png_chunk():
    data = bytearray(encode(".png", grey_ramp(80, 90)))
    data[len(data) // 2] ^= 1
    assert "checksum" in refusal(CorruptImageError, bytes(data))


def test_tiff_directory_that_points_to_itself():
    data = bytearray(tiff_file(grey_ramp()))
    data[-4:] = data[4:8]
    refusal(CorruptImageError, bytes(data))


def test_dicom_without_pixels():
    assert "pixel data" in refusal(CorruptImageError, dicom_film(PixelData=None))


def test_dicom_without_rows():
    refusal(CorruptImageError, dicom_film(Rows=None))


@pytest.mark.parametrize("syntax", ["1.2.3.4.5", "1.2.840.10008.1.2.4.100", "1.2.840.10008.1.2.4.94"])
def test_unknown_transfer_syntax(syntax):
    message = refusal(UnsupportedFormatError, _encapsulated(b"\0\1\2\3", syntax))
    assert "transfer syntax" in message
    assert syntax not in message


def test_monochrome1_is_read_as_inverted_and_left_as_stored():
    film = read(dicom_film(PhotometricInterpretation="MONOCHROME1"))
    assert film.inverted
    assert np.array_equal(film.pixels, grey_ramp())
    assert not read(dicom_film()).inverted


def test_dicom_without_spacing_has_no_millimetres():
    film = read(dicom_film())
    assert film.calibration.basis == "undetermined"
    assert film.calibration.spacing_mm is None
    assert film.calibration.note


@pytest.mark.parametrize(
    ("sop_class", "kind", "named"),
    [
        (STORAGE + "1.3", NotACephalogramError, "intra-oral"),
        (STORAGE + "1.3.1", NotACephalogramError, "intra-oral"),
        (STORAGE + "2", NotACephalogramError, "CT"),
        (STORAGE + "20", NotACephalogramError, "nuclear"),
        (STORAGE + "13.1.2", NotACephalogramError, "craniofacial"),
        (STORAGE + "88.11", UnsupportedFormatError, "structured report"),
        (STORAGE + "104.1", UnsupportedFormatError, "PDF"),
        ("1.2.840.10008.1.3.10", UnsupportedFormatError, "DICOMDIR"),
    ],
)
def test_dicom_object_that_is_no_film(sop_class, kind, named):
    assert named in refusal(kind, dicom_film(sop_class=sop_class))


@pytest.mark.parametrize(
    "tags",
    [{"Modality": "PX"}, {"SeriesDescription": "Orthopantomogramm"}, {"ProtocolName": "OPG adult"}],
)
def test_panoramic_film(tags):
    assert "panoramic" in refusal(NotACephalogramError, dicom_film(**tags))


def test_frontal_view():
    assert "postero-anterior" in refusal(NotACephalogramError, dicom_film(ViewPosition="PA"))


def test_other_body_part():
    assert "HAND" in refusal(NotACephalogramError, dicom_film(BodyPartExamined="HAND"))


def test_directory(tmp_path):
    assert "directory" in refusal(InputError, tmp_path)


def test_missing_file(tmp_path):
    message = refusal(InputError, tmp_path / "Vorname.dcm")
    assert "Vorname" not in message


def test_path_with_a_null_byte():
    refusal(InputError, "film\0.dcm")


def test_stream_without_an_end():
    class Endless(RawIOBase):
        def read(self, size: int = -1) -> bytes:
            assert 0 <= size <= 2001
            return bytes(size)

    refusal(BudgetExceededError, Endless(), budget=Budget(max_file_bytes=2000))


def test_text_stream():
    refusal(InputError, StringIO("film"))


@pytest.mark.parametrize("source", [None, 3, ["film.dcm"]])
def test_source_of_another_type(source):
    refusal(InputError, source)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 4)),
        np.zeros((4, 4), dtype=np.int16),
        np.zeros((4, 4), dtype=bool),
        np.zeros(16, dtype=np.uint8),
        np.zeros((2, 4, 4, 3), dtype=np.uint8),
        np.zeros((4, 4, 2), dtype=np.uint8),
    ],
    ids=["float", "signed", "bool", "1-D", "4-D", "two channels"],
)
def test_array_that_is_no_grey_image(array):
    refusal(InputError, array)


def test_array_without_pixels():
    refusal(CorruptImageError, np.zeros((0, 4), dtype=np.uint8))


PYDICOM_FILES = sorted(
    path
    for path in Path(pydicom.data.__file__).parent.rglob("*")
    if path.is_file() and path.suffix not in (".py", ".pyc")
)


@pytest.mark.parametrize("path", PYDICOM_FILES, ids=lambda path: path.name)
def test_file_that_pydicom_ships(path):
    """Read, or refused in words; a warning of pydicom would be an error here."""
    try:
        film = read(path)
    except CephError as error:
        assert str(error).endswith(".")  # noqa: PT017
    else:
        assert film.source.format == "dicom"
