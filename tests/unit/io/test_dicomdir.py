from __future__ import annotations

import warnings
from pathlib import Path

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MediaStorageDirectoryStorage, generate_uid

from cephstd.errors import CorruptImageError, InputError
from cephstd.io.dicomdir import list_dicomdir


def write(folder: Path, *names: object, kind: str = "IMAGE") -> Path:
    entries = []
    for name in names:
        entry = Dataset()
        entry.DirectoryRecordType = kind
        if name is not None:
            entry.ReferencedFileID = name
        entries.append(entry)
    index = Dataset()
    index.file_meta = FileMetaDataset()
    index.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    index.file_meta.MediaStorageSOPClassUID = MediaStorageDirectoryStorage
    index.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    index.DirectoryRecordSequence = entries
    path = folder / "DICOMDIR"
    index.save_as(path, enforce_file_format=True)
    return path


def test_images_are_listed_below_the_medium(tmp_path):
    path = write(tmp_path, ["IMAGES", "B"], "A", ["IMAGES", "B"], None)
    assert list_dicomdir(path) == [tmp_path / "A", tmp_path / "IMAGES" / "B"]
    assert list_dicomdir(write(tmp_path, "A", kind="SR DOCUMENT")) == []


@pytest.mark.parametrize("name", [["..", "A"], "/A", "..", "C:A", ["X", "A/../../B"]], ids=str)
def test_name_outside_the_medium_is_refused(tmp_path, name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom says of some of these that they are no file IDs
        path = write(tmp_path, name)
    with pytest.raises(CorruptImageError, match="outside"):
        list_dicomdir(path)


def test_another_file_is_no_dicomdir(tmp_path):
    path = tmp_path / "DICOMDIR"
    path.write_bytes(b"text")
    with pytest.raises(CorruptImageError, match="Expected a DICOMDIR"):
        list_dicomdir(path)
    with pytest.raises(InputError, match="cannot be read"):
        list_dicomdir(tmp_path / "none")
