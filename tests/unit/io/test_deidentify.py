"""Driven by Table E.1-1 of PS3.15: each element that it names is planted, and each action is seen in the output."""

from __future__ import annotations

import importlib
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.datadict import DicomDictionary, dictionary_VM, keyword_for_tag, tag_for_keyword
from pydicom.dataset import Dataset

from cephstd.core.recipe import Budget
from cephstd.errors import BudgetExceededError, CorruptImageError, InputError, MissingExtraError, NotACephalogramError
from cephstd.io.confidentiality import list_actions, new_uid
from cephstd.io.deidentify import PixelJudgement, deidentify_dicom
from cephstd.io.reader import read
from cephstd.knowledge.presets import load_preset

sys.path.insert(0, str(Path(__file__).parents[2]))
from film_files import DX, SC, dicom_bytes, dicom_film, dicom_set, grey_ramp

KEY = b"a secret of at least sixteen bytes"
PRESET = load_preset("ceph-research")
TABLE = list_actions(PRESET.table)
PLANT = "PLANTED"
UID = "1.2.3.4.987654321"
# A value of each kind that could hold a name, a number or a day of a person.
PLANTS = {
    "AE": PLANT, "AS": "044Y", "CS": PLANT, "DA": "19991231", "DS": "987654321", "DT": "19991231235959", "FD": 98765.25,
    "FL": 98765.25, "IS": "987654321", "LO": PLANT, "LT": PLANT, "OB": b"PLANTED!", "OW": b"PLANTED!", "PN": PLANT,
    "SH": PLANT, "ST": PLANT, "TM": "235959", "UC": PLANT, "UI": UID, "UN": b"PLANTED!", "UR": PLANT, "UT": PLANT,
    "US": 54321, "UL": 987654321, "SS": 4321, "SL": 987654321,
}  # fmt: skip
TRACES = [b"PLANTED", b"19991231", b"235959", UID.encode(), b"987654321", b"044Y"]
# The film's own description, without which it is no film.
NEEDED = {"SOPClassUID", "SOPInstanceUID", "PixelData"}


def judged(state="clean", masked=0, mask=lambda samples: samples):
    return lambda pixels, stated: PixelJudgement(state=state, masked=masked, reasons=(), mask=mask)


def clean(data: bytes, **settings) -> Dataset:
    settings = {"preset": PRESET, "key": KEY, "judge": judged(), "budget": Budget()} | settings
    return pydicom.dcmread(BytesIO(deidentify_dicom(data, **settings).data))


def planted_element(tag: int) -> pydicom.DataElement | None:
    """An element of the dictionary with something of a person in it; None for what cannot hold it."""
    vr = DicomDictionary[tag][0].split(" or ")[-1]
    if vr == "SQ":
        item = Dataset()
        item.PatientName, item.PatientComments, item.StudyDate = PLANT, PLANT, "19991231"
        item.ReferencedSOPInstanceUID = UID
        return pydicom.DataElement(tag, "SQ", [item])
    return pydicom.DataElement(tag, vr, PLANTS[vr]) if vr in PLANTS else None


def film_with(tags: list[int], **more) -> bytes:
    dataset = dicom_set(grey_ramp(), **more)
    for tag in tags:
        element = planted_element(tag)
        if element is not None:
            dataset.add(element)
    return dicom_bytes(dataset)


SINGLE = sorted(
    group << 16 | element
    for group, element in (key for key in TABLE if len(key) == 2)
    if group not in (0x0000, 0x0002, 0x0004) and group << 16 | element in DicomDictionary
)
KEPT = {tag for keyword in PRESET.kept if (tag := tag_for_keyword(keyword)) is not None}


def test_the_table_is_whole():
    assert len(TABLE) > 600
    assert len(SINGLE) > 550


@pytest.mark.parametrize("start", range(0, len(SINGLE), 40))
def test_nothing_that_the_table_names_survives_but_what_an_option_keeps(start):
    tags = [tag for tag in SINGLE[start : start + 40] if tag not in KEPT and keyword_for_tag(tag) not in NEEDED]
    data = film_with(tags)
    assert PLANT.encode() in data or UID.encode() in data
    done = deidentify_dicom(data, preset=PRESET, key=KEY, judge=judged(), budget=Budget()).data
    assert [trace for trace in TRACES if trace in done] == []
    out = pydicom.dcmread(BytesIO(done))
    for tag in tags:
        action = TABLE[tag >> 16, tag & 0xFFFF]
        if action == "delete" and tag_for_keyword("PatientAge") != tag:
            assert tag not in out, keyword_for_tag(tag)


def test_no_text_of_the_whole_dictionary_survives_unless_the_preset_names_it():
    named = {*PRESET.kept, *PRESET.text.keep}
    tags = [
        tag
        for tag, (vr, _, _, _, keyword) in DicomDictionary.items()
        if vr in ("AE", "LO", "LT", "PN", "SH", "ST", "UC", "UT", "UR", "UN", "DA", "DT", "TM", "UI")
        and keyword not in named | NEEDED
        and tag >> 16 not in (0x0000, 0x0002, 0x0004, 0xFFFE)
        and keyword not in ("SeriesDescription", "ProtocolName", "AcquisitionDeviceProcessingDescription")
    ]
    assert len(tags) >= 1000
    done = deidentify_dicom(film_with(tags), preset=PRESET, key=KEY, judge=judged(), budget=Budget()).data
    assert [trace for trace in TRACES if trace in done] == []


@pytest.mark.parametrize("keyword", sorted(PRESET.kept - {"InstitutionCodeSequence"}))
def test_what_an_option_keeps_is_kept(keyword):
    tag = tag_for_keyword(keyword)
    value = {"PatientAge": "012Y", "PatientSex": "F"}.get(keyword, "KEPT HERE")
    assert dictionary_VM(tag)
    assert str(clean(dicom_film(**{keyword: value}))[keyword].value) == value


def test_statements_say_what_was_done():
    out = clean(dicom_film(BurnedInAnnotation="NO"))
    assert out.PatientIdentityRemoved == "YES"
    assert "ceph-research 1.0.0" in out.DeidentificationMethod[0]
    codes = [(item.CodeValue, item.CodingSchemeDesignator) for item in out.DeidentificationMethodCodeSequence]
    assert codes == [("113100", "DCM"), ("113101", "DCM"), ("113108", "DCM"), ("113109", "DCM"), ("113112", "DCM")]
    assert out.LongitudinalTemporalInformationModified == "REMOVED"
    assert out.BurnedInAnnotation == "NO"


def test_unsure_pixels_are_never_called_clean():
    out = clean(dicom_film(BurnedInAnnotation="NO"), judge=judged("unsure"))
    assert out.BurnedInAnnotation == "YES"
    assert "113101" not in [item.CodeValue for item in out.DeidentificationMethodCodeSequence]


def test_ids_stay_consistent_over_a_study_and_depend_on_the_key():
    study, series, frame = UID + ".1", UID + ".2", UID + ".3"
    tags = {"StudyInstanceUID": study, "SeriesInstanceUID": series, "FrameOfReferenceUID": frame, "PatientID": "4711"}
    nested = Dataset()
    nested.ReferencedSOPClassUID, nested.ReferencedSOPInstanceUID = DX, UID + ".9"
    one = clean(dicom_film(SOPInstanceUID=UID + ".9", **tags))
    two = clean(dicom_film(SOPInstanceUID=UID + ".8", SourceImageSequence=[nested], **tags))
    other = clean(dicom_film(SOPInstanceUID=UID + ".9", **tags), key=b"another key of the caller")
    assert one.StudyInstanceUID == two.StudyInstanceUID == new_uid(KEY, study)
    assert one.SOPInstanceUID != two.SOPInstanceUID
    assert one.file_meta.MediaStorageSOPInstanceUID == one.SOPInstanceUID
    assert one.StudyInstanceUID != other.StudyInstanceUID
    assert one.PatientID == two.PatientID != other.PatientID
    assert "4711" not in one.PatientID
    assert len({one.StudyInstanceUID, one.SeriesInstanceUID, one.FrameOfReferenceUID}) == 3
    if "SourceImageSequence" in two:
        assert two.SourceImageSequence[0].ReferencedSOPInstanceUID == one.SOPInstanceUID
        assert two.SourceImageSequence[0].ReferencedSOPClassUID == DX
    assert pydicom.uid.UID(one.StudyInstanceUID).is_valid


def test_names_deep_in_kept_sequences_are_gone():
    view = Dataset()
    view.CodeValue, view.CodingSchemeDesignator, view.CodeMeaning = "399067008", "SCT", "lateral"
    view.PatientName, view.StudyDate, view.ImageComments = PLANT, "19991231", PLANT
    view.add_new(0x00091010, "LO", PLANT)
    data = dicom_film(ViewCodeSequence=[view])
    out = clean(data)
    assert out.ViewCodeSequence[0].CodeValue == "399067008"
    assert PLANT not in str(out)
    assert "19991231" not in str(out)


def test_private_tags_overlays_curves_and_preamble_are_gone():
    dataset = dicom_set(grey_ramp())
    dataset.add_new(0x00091010, "LO", PLANT)
    dataset.add_new(0x60000010, "US", 8)
    dataset.add_new(0x60003000, "OW", b"PLANTED!")
    dataset.add_new(0x60001500, "LO", PLANT)
    dataset.add_new(0x50003000, "OW", b"PLANTED!")
    data = bytearray(dicom_bytes(dataset))
    data[:8] = b"PLANTED!"
    done = deidentify_dicom(bytes(data), preset=PRESET, key=KEY, judge=judged(), budget=Budget()).data
    assert b"PLANTED" not in done
    assert not any(element.tag.group & 0xFF00 in (0x6000, 0x5000) for element in pydicom.dcmread(BytesIO(done)))


def test_text_under_a_wrong_kind_of_value_is_gone():
    dataset = dicom_set(grey_ramp())
    for keyword in ("DetectorDescription", "WindowCenterWidthExplanation", "DateOfSecondaryCapture"):
        dataset.add_new(tag_for_keyword(keyword), "CS", PLANT)
    assert (
        PLANT.encode()
        not in deidentify_dicom(dicom_bytes(dataset), preset=PRESET, key=KEY, judge=judged(), budget=Budget()).data
    )


def test_words_in_unused_bits_are_gone():
    pixels = grey_ramp(top=4095, dtype=np.uint16)
    data = dicom_film(pixels | 0x8000, BitsStored=12, HighBit=11)
    out = clean(data)
    assert out.pixel_array.max() <= 4095
    assert np.array_equal(out.pixel_array, pixels)


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"])
def test_pixels_are_those_of_the_original_in_every_encoding(syntax):
    pixels = grey_ramp(top=60000, dtype=np.uint16)
    data = dicom_film(pixels, syntax=syntax, PixelSpacing=[0.1, 0.1], PatientName=PLANT)
    done = deidentify_dicom(data, preset=PRESET, key=KEY, judge=judged(), budget=Budget()).data
    before, after = read(data), read(done)
    assert np.array_equal(before.pixels, after.pixels)
    assert after.calibration == before.calibration


def test_signed_samples_keep_their_sign():
    pixels = (grey_ramp(top=2000, dtype=np.int16) - 1000).astype(np.int16)
    out = clean(dicom_film(pixels, BitsStored=12, HighBit=11))
    assert np.array_equal(out.pixel_array, pixels)


def test_age_follows_from_dates_that_are_removed():
    out = clean(dicom_film(PatientBirthDate="20080101", AcquisitionDate="20200701"))
    assert out.PatientAge == "012Y"
    assert out.PatientBirthDate == ""
    assert not out.get("AcquisitionDate")


def test_mask_reaches_the_samples():
    out = clean(dicom_film(), judge=judged(mask=np.zeros_like))
    assert out.pixel_array.max() == 0


def test_device_stays_for_comparing_sites():
    out = clean(dicom_film(sop_class=SC, Manufacturer="Maker", ManufacturerModelName="Model", SoftwareVersions="1.2"))
    assert (out.Manufacturer, out.ManufacturerModelName, out.SoftwareVersions) == ("Maker", "Model", "1.2")


def test_short_key_is_refused():
    with pytest.raises(InputError, match="16 bytes"):
        clean(dicom_film(), key=b"short")


def test_what_is_no_film_is_not_passed_on():
    with pytest.raises(NotACephalogramError):
        clean(dicom_film(Modality="CT"))


def test_over_budget_is_refused_before_it_is_unfolded():
    with pytest.raises(BudgetExceededError):
        clean(dicom_film(), budget=Budget(max_pixels=10))


def test_truncated_film_is_refused():
    with pytest.raises(CorruptImageError):
        clean(dicom_film()[:-200])


def test_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "dicomanonymizer", None)
    monkeypatch.delitem(sys.modules, "cephstd.io.confidentiality")
    with pytest.raises(MissingExtraError, match=r"cephstd\[dicom\]"):
        importlib.import_module("cephstd.io.confidentiality")
