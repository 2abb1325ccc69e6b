from __future__ import annotations

import sys
from pathlib import Path

import pytest

from cephstd.core.recipe import Budget
from cephstd.errors import CephError
from cephstd.io.dicom_file import read_tags
from cephstd.io.reader import read

sys.path.insert(0, str(Path(__file__).parents[2]))
from film_files import dicom_film

NAME = "PLANTED"

IDENTITY = {
    "PatientName": f"{NAME}^A",
    "PatientID": f"{NAME}1",
    "OtherPatientIDs": f"{NAME}2",
    "PatientAddress": f"{NAME} street",
    "PatientComments": f"{NAME} comment",
    "InstitutionName": f"{NAME} clinic",
    "StationName": f"{NAME}3",
    "DeviceSerialNumber": f"{NAME}4",
    "DetectorID": f"{NAME}5",
    "ReferringPhysicianName": f"{NAME}^B",
    "OperatorsName": f"{NAME}^C",
    "StudyDescription": f"{NAME} study",
    "SeriesDescription": f"{NAME} ceph",
    "ProtocolName": f"{NAME} lateral",
    "ImageComments": f"{NAME} image",
    "AccessionNumber": f"{NAME}6",
    "StudyID": f"{NAME}7",
    "BodyPartExamined": NAME,
    "Modality": NAME,
    "ImageType": [NAME, NAME],
    "ConversionType": NAME,
    "PresentationIntentType": NAME,
    "PresentationLUTShape": NAME,
    "PixelIntensityRelationship": NAME,
    "FieldOfViewHorizontalFlip": NAME,
    "PatientOrientation": [NAME, NAME],
    "ViewPosition": NAME,
    "Laterality": NAME,
    "ImageLaterality": NAME,
    "BurnedInAnnotation": NAME,
    "VOILUTFunction": NAME,
    "WindowCenter": 100,
    "WindowWidth": 90,
    "PixelSpacingCalibrationType": NAME,
    "PixelSpacingCalibrationDescription": f"{NAME} ruler",
    "DerivationDescription": f"{NAME} derived",
    "StudyInstanceUID": "1.2.3.4.987654321",
    "SeriesInstanceUID": "1.2.3.4.987654321",
}


def test_no_name_id_or_uid_passes():
    film = read(dicom_film(**IDENTITY))
    said = repr((film, film.source, film.device, film.calibration, film.warnings))
    assert NAME.lower() not in said.lower()
    assert "987654321" not in said


def test_no_name_passes_in_a_refusal():
    for tags in ({"Rows": 0}, {"Modality": "CT"}, {"NumberOfFrames": 4}):
        with pytest.raises(CephError) as caught:
            read(dicom_film(**IDENTITY | tags))
        assert NAME not in str(caught.value)


def test_tags_of_a_person_are_never_parsed():
    tags = read_tags(dicom_film(**IDENTITY), Budget())
    assert "PatientName" not in tags.dataset
    assert "StudyInstanceUID" not in tags.dataset
    assert tags.has("PixelData")
