"""What a file is, by its content; the suffix is never believed."""

from __future__ import annotations

import struct
from pathlib import Path

from cephstd.errors import UnsupportedFormatError

READ_FORMATS = "DICOM, JPEG, PNG, TIFF or BMP"
HEAD_BYTES = 512
"""As many bytes of a file tell what it is."""

# (offset, bytes, format) of what is read.
SIGNATURES = (
    (128, b"DICM", "dicom"),
    (0, b"\xff\xd8\xff", "jpeg"),
    (0, b"\x89PNG\r\n\x1a\n", "png"),
    (0, b"II*\x00", "tiff"),
    (0, b"MM\x00*", "tiff"),
    (0, b"II+\x00", "tiff"),
    (0, b"MM\x00+", "tiff"),
    (0, b"BM", "bmp"),
)

# (offset, bytes, name) of what is recognised and refused.
REFUSED = (
    (0, b"GIF8", "a GIF picture"),
    (8, b"WEBP", "a WebP picture"),
    (4, b"ftypavif", "an AVIF picture"),
    (4, b"ftypheic", "a HEIC picture"),
    (4, b"ftypmif1", "a HEIF picture"),
    (4, b"ftyp", "a video"),
    (0, b"\x00\x00\x00\x0cjP  ", "a JPEG 2000 file outside DICOM"),
    (0, b"\xff\x4f\xff\x51", "a JPEG 2000 codestream outside DICOM"),
    (0, b"\x00\x00\x00\x0cJXL ", "a JPEG XL picture"),
    (0, b"%PDF", "a PDF document"),
    (0, b"PK\x03\x04", "a ZIP archive"),
    (0, b"PK\x05\x06", "an empty ZIP archive"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"BZh", "a bzip2 archive"),
    (0, b"\xfd7zXZ", "an xz archive"),
    (0, b"7z\xbc\xaf", "a 7-Zip archive"),
    (0, b"Rar!", "a RAR archive"),
    (257, b"ustar", "a tar archive"),
    (344, b"n+1\x00", "a NIfTI volume"),
    (0, b"\x93NUMPY", "a NumPy array file"),
    (0, b"\x89HDF", "an HDF5 file"),
    (0, b"8BPS", "a Photoshop document"),
    (0, b"RIFF", "an audio or video file"),
    (0, b"\x7fELF", "a program"),
    (0, b"MZ", "a program"),
    (0, b"SQLite format 3", "a database"),
)

SUFFIXES = {
    "dcm": "dicom",
    "dicom": "dicom",
    "dic": "dicom",
    "jpg": "jpeg",
    "jpeg": "jpeg",
    "jpe": "jpeg",
    "png": "png",
    "tif": "tiff",
    "tiff": "tiff",
    "bmp": "bmp",
    "dib": "bmp",
}

# First groups of a data set without preamble: identification, or file meta information without its prefix.
_FIRST_GROUPS = (0x0002, 0x0008)
_TEXT_BYTES = frozenset(range(32, 127)) | {9, 10, 13}


def sniff(data: bytes) -> str:
    """Name of the format of `data`: ``dicom``, ``jpeg``, ``png``, ``tiff`` or ``bmp``.

    Raises
    ------
    UnsupportedFormatError
        When the content is something else; the message says what, where that is known.
    """
    for offset, magic, name in SIGNATURES:
        if data.startswith(magic, offset):
            return name
    if _looks_like_bare_dicom(data):
        return "dicom"
    raise UnsupportedFormatError(
        f"Expected a radiograph as {READ_FORMATS}, found {_describe(data)}.",
        hint="Give the image itself, in one of these formats.",
    )


def may_be_film(path: Path) -> bool:
    """Whether a member of a folder is worth reading: by its suffix or, failing that, its first bytes.

    Films of an archive have been looked at when it was listed, and an archive itself is here only when it was refused:
    reading it says why. A damaged film still has its suffix and fails by name; a table or a text is no film that
    failed.
    """
    if path.suffix.removeprefix(".").lower() in (*SUFFIXES, "zip"):
        return True
    try:
        with path.open("rb") as file:
            sniff(file.read(HEAD_BYTES))
    except UnsupportedFormatError:
        return False
    except OSError:
        return True
    return True


def _looks_like_bare_dicom(data: bytes) -> bool:
    """Whether `data` starts like a DICOM data set that lacks preamble and prefix, in any of the three encodings."""
    if len(data) < 8:
        return False
    for order in "<>":
        group, element = struct.unpack_from(f"{order}HH", data)
        if group not in _FIRST_GROUPS or element > 0x1000:
            continue
        explicit = data[4:6].isalpha() and data[4:6].isupper()
        (length,) = struct.unpack_from(f"{order}I", data, 4)
        if explicit or (order == "<" and length <= 256):
            return True
    return False


def _describe(data: bytes) -> str:
    for offset, magic, name in REFUSED:
        if data.startswith(magic, offset):
            return name
    head = data[:HEAD_BYTES]
    if _TEXT_BYTES.issuperset(head):
        return "text"
    return "bytes of an unknown kind"
