"""Nothing that names a person, a place or a file enters a record: a name is planted in each, then looked for."""

from __future__ import annotations

import getpass
import socket
import zlib
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian

from cephstd.pipeline.analyzer import Analyzer

NOW = "2025-04-16T09:30:00Z"
UID = "1.2.826.0.1.3680043.8.498.7777"
PLANTED = {
    "PatientName": "PLANTNAME^Jane",
    "PatientID": "PLANTID-4711",
    "PatientBirthDate": "20081224",
    "OtherPatientIDs": "PLANTOTHERID",
    "PatientAddress": "PLANTSTREET 5",
    "PatientComments": "PLANTCOMMENT",
    "IssuerOfPatientID": "PLANTISSUER",
    "AccessionNumber": "PLANTACC",
    "InstitutionName": "PLANTHOSPITAL",
    "InstitutionAddress": "PLANTAVENUE",
    "InstitutionalDepartmentName": "PLANTDEPT",
    "StationName": "PLANTSTATION",
    "DeviceSerialNumber": "PLANTSERIAL",
    "DetectorID": "PLANTDETECTOR",
    "PlateID": "PLANTPLATE",
    "ReferringPhysicianName": "PLANTDOCTOR",
    "PerformingPhysicianName": "PLANTPERFORMER",
    "OperatorsName": "PLANTOPERATOR",
    "StudyID": "PLANTSTUDY",
    "StudyDescription": "PLANTSTUDYTEXT",
    "SeriesDescription": "PLANTSERIESTEXT",
    "ProtocolName": "PLANTPROTOCOL",
    "ImageComments": "PLANTIMAGETEXT",
    "RequestedProcedureDescription": "PLANTREQUEST",
    "StudyInstanceUID": UID + ".1",
    "SeriesInstanceUID": UID + ".2",
    "SOPInstanceUID": UID + ".3",
    "FrameOfReferenceUID": UID + ".4",
}
STEM = "PLANTSTEM-Jane-Doe"


def write_dicom(path: Path, pixels: np.ndarray) -> None:
    data = Dataset()
    for keyword, text in PLANTED.items():
        setattr(data, keyword, text)
    data.SOPClassUID = DigitalXRayImageStorageForPresentation
    data.Modality = "DX"
    data.Manufacturer = "Maker"
    data.PatientAge, data.PatientSex = "012Y", "F"
    data.AcquisitionDate = "20210203"
    data.Rows, data.Columns = pixels.shape
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated = data.BitsStored = 8
    data.HighBit, data.PixelRepresentation = 7, 0
    data.PixelSpacing = [0.5, 0.5]
    data.PixelData = pixels.tobytes()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    data.add_new(0x00091010, "LO", "PLANTPRIVATE")
    pydicom.dcmwrite(path, data, enforce_file_format=True)


def write_png(path: Path, pixels: np.ndarray) -> None:
    png = cv2.imencode(".png", pixels)[1].tobytes()
    text = b"tEXtAuthor\x00PLANTTEXT"
    chunk = (len(text) - 4).to_bytes(4, "big") + text + zlib.crc32(text).to_bytes(4, "big")
    path.write_bytes(png[:33] + chunk + png[33:])


def write_jpeg(path: Path, pixels: np.ndarray) -> None:
    jpeg = cv2.imencode(".jpg", pixels)[1].tobytes()
    comment = b"PLANTCOMMENT"
    path.write_bytes(jpeg[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + jpeg[2:])


WRITERS = {".dcm": write_dicom, ".png": write_png, ".jpg": write_jpeg}


@pytest.mark.parametrize("suffix", sorted(WRITERS))
def test_record_holds_no_planted_name(oracle, recipe, pixels, tmp_path, suffix):
    path = tmp_path / f"{STEM}{suffix}"
    WRITERS[suffix](path, pixels)
    assert b"PLANT" in path.read_bytes()
    done = Analyzer(recipe)(path, created=NOW)
    text = done.record.to_bytes().decode() + repr(done.record) + done.record._repr_html_() + str(done.values)
    planted = [*PLANTED.values(), "PLANT", "Jane", "4711", UID, "1224", STEM, str(tmp_path)]
    planted += [name for name in (socket.gethostname(), getpass.getuser()) if len(name) > 5]
    assert [word for word in planted if word.lower() in text.lower()] == []


def test_age_and_sex_pass_and_can_be_kept_out(oracle, recipe, pixels, tmp_path):
    path = tmp_path / "film.dcm"
    write_dicom(path, pixels)
    subject = Analyzer(recipe)(path, created=NOW).record.content.subject
    assert (subject.age_years, subject.sex) == (12, "F")
    silent = msgspec.structs.replace(recipe, keep_age=False, keep_sex=False)
    subject = Analyzer(silent)(path, created=NOW).record.content.subject
    assert (subject.age_years, subject.sex) == (None, None)
