from __future__ import annotations

import pytest

from cephstd.errors import DefinitionError
from cephstd.knowledge.loader import load_landmarks, load_measures
from cephstd.knowledge.terminology import (
    MAX_DISPLAY,
    code_of,
    landmark_code,
    landmark_of,
    load_terminology,
    measure_code,
    measure_of,
    parse_terminology,
    published_codes,
    site_of,
)

HEAD = b'scheme = "99X"\nname = "n"\nuid = "2.25.1"\nversion = "1"\nown = []\n'


def test_every_public_code_is_verified_and_says_where_it_was_read() -> None:
    for row in load_terminology().public:
        assert row.status == "verified", row.concept
        assert row.source, row.concept


def test_dicom_codes_are_those_of_its_tables() -> None:
    from pydicom.sr._concepts_dict import concepts

    for row in load_terminology().public:
        if row.scheme in ("SCT", "DCM", "FMA"):
            meanings = [entry[row.value][0] for entry in concepts[row.scheme].values() if row.value in entry]
            assert row.display in meanings


def test_every_code_stands_for_one_thing_and_fits_into_dicom() -> None:
    rows = list(published_codes())
    keys = [code.key for _, code, _ in rows]
    assert len(set(keys)) == len(keys)
    assert max(len(code.display) for _, code, _ in rows) <= MAX_DISPLAY
    assert len(rows) > len(load_landmarks()) + len(load_measures())


def test_codes_of_landmarks_and_measures_lead_back() -> None:
    for id in (*load_landmarks(), "my_point"):
        assert landmark_of(*landmark_code(id).key) == id
    for id in (*load_measures(), "my_angle"):
        for version in (1, 3):
            assert measure_of(*measure_code(id, version).key) == (id, version)


def test_changed_definition_keeps_no_public_code() -> None:
    assert measure_code("overjet", 1).scheme == "LN"
    assert measure_code("overjet", 2).value == "M-overjet.2"


def test_what_a_site_defines_is_marked_as_its_own() -> None:
    assert measure_code("my_angle", 1).value == "XM-my_angle"
    assert landmark_code("my_point").value == "XL-my_point"


def test_sites_are_verified_codes_only() -> None:
    verified = {row.value for row in load_terminology().public}
    assert {site_of(id).value for id in load_landmarks()} <= verified
    assert site_of("Go").display == "Mandible"
    assert site_of("Pn").display == "Head"


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (
            'concept = "a"\nscheme = "LN"\nvalue = "1"\ndisplay = "x"\nstatus = "verified"\nsource = " "',
            "says not where",
        ),
        (f'concept = "a"\nscheme = "LN"\nvalue = "1"\ndisplay = "{"x" * 65}"\nstatus = "proposed"\nsource = ""', "64"),
        ('concept = "a"', "cannot be read"),
    ],
)
def test_wrong_rows_are_refused(row: str, said: str) -> None:
    with pytest.raises(DefinitionError, match=said):
        parse_terminology(HEAD + b"[[public]]\n" + row.encode())


def test_unknown_concept_is_refused() -> None:
    with pytest.raises(DefinitionError, match="unit:furlong"):
        code_of("unit:furlong")
