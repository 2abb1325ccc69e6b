from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pydicom
import pytest
from exported_records import WHO, accept, make_record

import cephstd as cs

pytest.importorskip("highdicom")
from cephstd.core.digest import digest_value
from cephstd.core.record import seal
from cephstd.errors import DigestMismatch, ExportError, InputError
from cephstd.export.dicom_source import PATIENT_AND_STUDY, read_source
from cephstd.export.dicom_sr import UNSTATED, person_name, report_uid, to_sr
from cephstd.export.sr_reader import from_sr
from cephstd.knowledge.terminology import load_terminology

LATER = "2025-04-18T08:00:00Z"


def read(data: bytes) -> pydicom.Dataset:
    return pydicom.dcmread(io.BytesIO(data))


def items(document: Any, kind: str) -> list[Any]:
    found = []
    for item in document.get("ContentSequence") or ():
        found += [item] if item.ValueType == kind else []
        found += items(item, kind)
    return found


def groups(document: Any) -> list[Any]:
    return [item for item in items(document, "CONTAINER") if item.ConceptNameCodeSequence[0].CodeValue == "125007"]


@pytest.fixture(scope="session")
def report(found: cs.Record, film_path: Path) -> pydicom.Dataset:
    return read(to_sr(found, film_path).data)


def test_every_landmark_and_value_comes_back(found: cs.Record, film_path: Path) -> None:
    back = from_sr(to_sr(found, film_path).data)
    assert back.record_digest == found.record_digest
    assert back.landmarks.landmarks == found.content.landmarks
    assert back.measures.measures == found.content.measures
    assert any(not measure.is_present for measure in back.measures)


def test_point_lies_half_a_pixel_further_than_in_the_record(found: cs.Record, report: pydicom.Dataset) -> None:
    regions = [item for item in items(report, "SCOORD") if item.ConceptNameCodeSequence[0].CodeValue == "111030"]
    wanted = [(mark.x_px + 0.5, mark.y_px + 0.5) for mark in found.content.landmarks if mark.is_present]
    np.testing.assert_allclose([item.GraphicData for item in regions], wanted, atol=1e-4)
    assert {item.GraphicType for item in regions} == {"POINT"}


def test_one_group_for_each_landmark_and_value(found: cs.Record, report: pydicom.Dataset) -> None:
    found_groups = groups(report)
    assert len(found_groups) == len(found.content.landmarks) + len(found.content.measures)
    templates = [group.ContentTemplateSequence[0].TemplateIdentifier for group in found_groups]
    present = sum(mark.is_present for mark in found.content.landmarks)
    assert templates.count("1410") == present
    uids = [
        item.UID
        for group in found_groups
        for item in group.ContentSequence
        if item.ValueType == "UIDREF" and item.ConceptNameCodeSequence[0].CodeValue == "112040"
    ]
    assert len(set(uids)) == len(found_groups)


def test_absent_value_is_an_empty_number_with_a_qualifier(found: cs.Record, report: pydicom.Dataset) -> None:
    empty = [item for item in items(report, "NUM") if not item.MeasuredValueSequence]
    assert len(empty) == sum(not measure.is_present for measure in found.content.measures)
    assert {item.NumericValueQualifierCodeSequence[0].CodeValue for item in empty} == {"114007"}


def test_absent_landmark_has_no_region_and_says_why(report: pydicom.Dataset) -> None:
    (group,) = [group for group in groups(report) if group.ContentSequence[0].TextValue == "Me"]
    assert items(group, "SCOORD") == []
    assert [item.TextValue for item in items(group, "TEXT")][-1] == "low_confidence"


def test_patient_is_that_of_the_film_and_of_nothing_else(found: cs.Record, film_path: Path) -> None:
    film = pydicom.dcmread(film_path, stop_before_pixels=True)
    film.PatientName, film.PatientSex, film.StudyDate = "Müller^Jörg", "M", "20200203"
    film.SpecificCharacterSet = "ISO_IR 100"
    film.InstitutionName = "North clinic"
    stream = io.BytesIO()
    film.PixelData = pydicom.dcmread(film_path).PixelData
    film.save_as(stream, enforce_file_format=True)
    other = accept(make_record(stream.getvalue()))
    document = read(to_sr(other, stream.getvalue()).data)
    assert str(document.PatientName) == "Müller^Jörg"
    for name in PATIENT_AND_STUDY:
        assert document.get(name) == film.get(name), name
    assert document.VerifyingObserverSequence[0].VerifyingOrganization == "North clinic"
    assert document.StudyInstanceUID == film.StudyInstanceUID
    reference = document.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0]
    assert reference.SeriesInstanceUID == film.SeriesInstanceUID
    assert reference.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == film.SOPInstanceUID


def test_flags_follow_the_review(found: cs.Record, report: pydicom.Dataset, film_path: Path) -> None:
    assert (report.PreliminaryFlag, report.VerificationFlag) == ("PRELIMINARY", "UNVERIFIED")
    before, made = to_sr(found, film_path), to_sr(accept(found), film_path)
    assert (before.is_final, before.is_verified, made.is_final, made.is_verified) == (False, False, True, True)
    document = read(made.data)
    assert (document.PreliminaryFlag, document.VerificationFlag) == ("FINAL", "VERIFIED")
    (observer,) = document.VerifyingObserverSequence
    assert str(observer.VerifyingObserverName) == "A. Reader^"
    assert observer.VerifyingOrganization == UNSTATED
    assert str(observer.VerificationDateTime) == "20250417080000+0000"
    assert (document.ContentDate, document.ContentTime) == ("20250417", "080000")


def test_amendment_is_a_new_document_that_names_its_predecessor(found: cs.Record, film_path: Path) -> None:
    moved = cs.amend(found, {"S": (301.0, 401.0)}, reason="unsharp", meaning="review", at=LATER, **WHO)
    before, after = to_sr(found, film_path), to_sr(moved, film_path)
    assert after.predecessor == before.uid != after.uid
    first, second = from_sr(before.data), from_sr(after.data)
    assert (first.predecessor, second.predecessor) == ("", before.uid)
    assert second.landmarks["S"].x_px == 301.0
    assert second.landmarks["S"].state == "moved"
    observers = list(items(read(after.data), "PNAME"))
    assert [str(item.PersonName) for item in observers] == ["A. Reader^"]


def test_rejected_point_leaves_no_coordinates(found: cs.Record, film_path: Path) -> None:
    rejected = cs.review(found, "reject", points=["S"], reason="doubled", meaning="review", at=LATER, **WHO)
    back = from_sr(to_sr(rejected, film_path).data)
    assert not back.landmarks["S"].is_present
    assert back.landmarks["S"].review == "rejected"
    assert back.landmarks["S"].reason == "rejected by a person: doubled"
    assert not back.measures["SNA"].is_present


def test_same_record_gives_the_same_bytes(found: cs.Record, film_path: Path) -> None:
    assert to_sr(found, film_path).data == to_sr(found, film_path).data
    assert to_sr(found, film_path).uid == report_uid(found.record_digest)


def test_film_that_is_no_dicom_is_wrapped_and_referred_to(samples: Path) -> None:
    film = (samples / "composite_c.jpg").read_bytes()
    made = to_sr(make_record(film), film)
    assert made.image is not None
    image, document = read(made.image), read(made.data)
    assert from_sr(made.data).image_uid == image.SOPInstanceUID
    assert document.StudyInstanceUID == image.StudyInstanceUID
    assert str(image.SOPInstanceUID).startswith("2.25.")
    assert str(document.PatientName) == ""
    assert (image.Columns, image.Rows) == cs.read(film).size


def test_odd_headers_are_taken_over_as_they_are(film_path: Path) -> None:
    film = pydicom.dcmread(film_path)
    film.PatientName = "DOE JOHN"  # no caret: one component, as many devices write it
    del film.StudyInstanceUID, film.StudyDate, film.PatientBirthDate
    stream = io.BytesIO()
    film.save_as(stream, enforce_file_format=True)
    document = read(to_sr(make_record(stream.getvalue()), stream.getvalue()).data)
    assert str(document.PatientName) == "DOE JOHN"
    assert (document.StudyDate, document.PatientBirthDate) == ("", "")
    assert str(document.StudyInstanceUID).startswith("2.25.")


def test_highdicom_opens_a_report_without_absent_values(found: cs.Record, film_path: Path) -> None:
    from highdicom.sr import srread

    present = tuple(measure for measure in found.content.measures if measure.is_present)
    content = msgspec.structs.replace(found.content, measures=present, recipe_digest=digest_value(found.content.recipe))
    report = srread(io.BytesIO(to_sr(seal(content, found.run), film_path).data)).content
    points = report.get_planar_roi_measurement_groups()
    assert len(points) == sum(mark.is_present for mark in found.content.landmarks)
    assert points[0].tracking_identifier == "S"
    assert points[0].roi.graphic_type.value == "POINT"
    values = [group for group in report.get_image_measurement_groups() if group.get_measurements()]
    assert len(values) >= len(present)


def test_codes_are_published_ones(report: pydicom.Dataset) -> None:
    (scheme,) = [item for item in report.CodingSchemeIdentificationSequence if item.CodingSchemeDesignator[:2] == "99"]
    assert scheme.CodingSchemeUID == load_terminology().uid
    landmarks = [item.ConceptCodeSequence[0] for item in items(report, "CODE") if "Finding" in str(item)]
    assert {code.CodingSchemeDesignator for code in landmarks} <= {"99CEPHSTD", "SCT", "FMA"}


def test_another_film_is_refused(found: cs.Record, samples: Path) -> None:
    with pytest.raises(DigestMismatch):
        to_sr(found, samples / "phantom_b.dcm")
    with pytest.raises(InputError, match="cannot be read"):
        read_source(found, samples / "absent.dcm")


def test_record_of_an_array_has_nothing_to_refer_to(samples: Path) -> None:
    film = cs.read(samples / "composite_c.jpg").pixels
    with pytest.raises(InputError, match="array"):
        to_sr(make_record(film), b"")


def test_what_is_no_report_is_refused(film_path: Path) -> None:
    with pytest.raises(ExportError, match="Comprehensive 3D SR"):
        from_sr(film_path)
    with pytest.raises(ExportError, match="other bytes"):
        from_sr(b"no dicom")


def test_printed_names_are_person_names() -> None:
    assert person_name("A. Reader") == "A. Reader^"
    assert person_name("Reader^Anna") == "Reader^Anna"
    assert person_name("back\\slash = one") == "back slash one^"


@pytest.mark.servers
def test_dicom_checkers_find_no_error(found: cs.Record, film_path: Path, tmp_path: Path) -> None:
    for program in ("dciodvfy", "dsrdump"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    moved = cs.amend(found, {"S": (301.0, 401.0)}, reason="unsharp", meaning="review", at=LATER, **WHO)
    for number, record in enumerate((found, accept(found), moved)):
        path = tmp_path / f"{number}.dcm"
        path.write_bytes(to_sr(record, film_path).data)
        said = subprocess.run(["dciodvfy", path], capture_output=True, text=True, check=False).stderr
        assert "Comprehensive3DSR" in said
        assert [line for line in said.splitlines() if line.startswith("Error")] == []
        shown = subprocess.run(["dsrdump", path], capture_output=True, text=True, check=True)
        assert "Imaging Measurement Report" in shown.stdout
        assert "E:" not in shown.stderr
