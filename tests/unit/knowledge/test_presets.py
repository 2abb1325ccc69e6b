from __future__ import annotations

import pytest
from pydicom.datadict import tag_for_keyword

from cephstd.errors import DefinitionError
from cephstd.knowledge.presets import list_presets, load_preset


@pytest.mark.parametrize("name", list_presets())
def test_every_keyword_is_one_of_the_standard(name):
    preset = load_preset(name)
    assert preset.id == name
    assert [word for word in {*preset.kept, *preset.text.keep} if tag_for_keyword(word) is None] == []


def test_ceph_research_keeps_age_and_sex_and_no_name():
    kept = load_preset("ceph-research").kept
    assert {"PatientAge", "PatientSex", "DeviceSerialNumber", "InstitutionName"} <= kept
    assert not any(word in kept for word in ("PatientName", "PatientID", "PatientBirthDate", "StudyDate"))


def test_unknown_preset_names_the_known():
    with pytest.raises(DefinitionError, match="ceph-research"):
        load_preset("none")
