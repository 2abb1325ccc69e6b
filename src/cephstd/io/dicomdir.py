"""Files that a DICOMDIR, the index of a DICOM medium, refers to."""

from __future__ import annotations

from pathlib import Path

import pydicom
from pydicom.errors import InvalidDicomError
from pydicom.multival import MultiValue

from cephstd.errors import CorruptImageError, InputError

DICOMDIR = "DICOMDIR"


def list_dicomdir(path: str | Path) -> list[Path]:
    """Files that the image entries of a DICOMDIR name, sorted; nothing else of the index is read.

    Parameters
    ----------
    path : str or Path
        The file DICOMDIR; names in it are relative to its folder.

    Returns
    -------
    list of Path
        Whether each is there shows when it is read.

    Raises
    ------
    InputError
        When the file cannot be read.
    CorruptImageError
        When it is no DICOMDIR, or names a file outside its folder.
    """
    index = Path(path)
    try:
        dataset = pydicom.dcmread(index, specific_tags=["DirectoryRecordSequence"])
        entries = dataset.DirectoryRecordSequence
    except OSError as error:
        raise InputError(f"The DICOMDIR cannot be read: {error.strerror}.", hint="Check the path.") from error
    except (InvalidDicomError, AttributeError, ValueError, EOFError) as error:
        raise CorruptImageError("Expected a DICOMDIR, found another file.", hint="Give the folder instead.") from error
    found = set()
    for entry in entries:
        name = entry.get("ReferencedFileID")
        if entry.get("DirectoryRecordType") != "IMAGE" or not name:
            continue
        parts = list(name) if isinstance(name, MultiValue) else [name]
        if any(part in ("", ".", "..") or set(part) & set("/\\:") for part in parts):
            raise CorruptImageError("Expected names inside the medium, found a DICOMDIR that points outside of it.")
        found.add(index.parent.joinpath(*parts))
    return sorted(found)
