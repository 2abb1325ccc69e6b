from __future__ import annotations

import dataclasses
import json

import msgspec
import pytest
import rfc8785

from cephstd.audit import verifier
from cephstd.audit.recorder import record
from cephstd.audit.verifier import read_record, verify
from cephstd.core.digest import digest_bytes
from cephstd.errors import (
    DigestMismatch,
    InputError,
    NotCanonicalError,
    RecordError,
    SchemaError,
    VerificationError,
)

NOW = "2025-04-16T09:30:00Z"


@pytest.fixture
def sealed(film, normal, marks, values, recipe):
    return record(film, normal, marks, values, recipe=recipe, created=NOW)


@pytest.fixture
def forge(sealed):
    """Change the record's JSON and compute every digest anew, as a forger would who knows how."""

    def changed(change) -> bytes:
        plain = json.loads(sealed.to_bytes())
        change(plain)
        core = {key: plain[key] for key in ("content", "run", "schema")}
        digests = {
            "result_digest": digest_bytes(rfc8785.dumps(plain["content"])),
            "record_digest": digest_bytes(rfc8785.dumps(core)),
        }
        return rfc8785.dumps(core | digests)

    return changed


def test_report_says_what_was_checked_and_what_was_not(sealed):
    report = verify(sealed)
    assert report.level == "intact"
    assert [check.name for check in report.checks] == ["schema", "canonical form", "digests", "consistency"]
    assert report.not_checked == (
        verifier.NO_SIGNATURE,
        verifier.NO_LOG,
        verifier.NO_REPLAY,
        verifier.NO_SOURCE,
    )
    text = str(report)
    assert sealed.record_digest in text
    assert "not checked: No signature" in text


def test_record_bytes_file_and_name_are_all_accepted(sealed, tmp_path):
    path = tmp_path / "a.record.json"
    path.write_bytes(sealed.to_bytes())
    for given in (sealed, sealed.to_bytes(), path, str(path)):
        assert verify(given).record == sealed


def test_source_file_is_compared_by_hash(sealed, file_bytes, tmp_path):
    path = tmp_path / "film.dcm"
    path.write_bytes(file_bytes)
    for source in (file_bytes, path, str(path)):
        report = verify(sealed, source=source)
        assert "source file" in [check.name for check in report.checks]
        assert verifier.NO_SOURCE not in report.not_checked
        assert verifier.NO_PIXELS in report.not_checked


def test_source_file_with_one_other_byte_is_refused(sealed, file_bytes):
    with pytest.raises(DigestMismatch, match="another file, or the same one altered"):
        verify(sealed, source=file_bytes + b"\0")


def test_missing_source_file_is_one_sentence(sealed, tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        verify(sealed, source=tmp_path / "none.dcm")


def test_pixels_are_compared(sealed, film, file_bytes):
    report = verify(sealed, source=file_bytes, pixel_sha256=film.source.pixel_sha256, decoder="other 2")
    assert "source pixels" in [check.name for check in report.checks]
    assert report.notes == ()
    assert verifier.NO_PIXELS not in report.not_checked


def test_other_pixels_by_another_decoder_are_a_note(sealed, file_bytes):
    report = verify(sealed, source=file_bytes, pixel_sha256="sha256:" + "1" * 64, decoder="pydicom 4")
    assert report.notes == (
        "The decoder differs (pydicom 3.0.1 then, pydicom 4 now) and gives other pixels of the film.",
    )
    assert "source pixels" not in [check.name for check in report.checks]


@pytest.mark.parametrize("decoder", ["pydicom 3.0.1", None])
def test_other_pixels_by_the_same_decoder_are_refused(sealed, file_bytes, decoder):
    with pytest.raises(DigestMismatch, match="same decoder"):
        verify(sealed, source=file_bytes, pixel_sha256="sha256:" + "1" * 64, decoder=decoder)


def test_film_given_as_an_array_has_no_file_to_compare(film, normal, marks, values, recipe):
    source = msgspec.structs.replace(film.source, format="array", file_sha256="")
    sealed = record(
        dataclasses.replace(film, source=source),
        dataclasses.replace(normal, source=source),
        marks,
        values,
        recipe=recipe,
        created=NOW,
    )
    assert verifier.NO_FILE_HASH in verify(sealed, source=b"any").not_checked


def test_record_changed_after_sealing_is_refused(sealed):
    content = msgspec.structs.replace(sealed.content, scheme="other")
    for changes in ({"content": content}, {"record_digest": "sha256:" + "1" * 64}):
        with pytest.raises(VerificationError, match="after sealing"):
            verify(dataclasses.replace(sealed, **changes))


@pytest.mark.parametrize(
    ("bad", "error"), [(b"", SchemaError), (b"{}", SchemaError), (b"\x00" * 40, SchemaError)], ids=str
)
def test_other_files_are_refused(tmp_path, bad, error):
    path = tmp_path / "a.record.json"
    path.write_bytes(bad)
    with pytest.raises(error):
        verify(path)


def test_missing_record_and_folder_are_one_sentence(tmp_path):
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(RecordError, match="cannot be read"):
            read_record(path)


def test_file_far_too_large_is_not_read(tmp_path, monkeypatch, sealed):
    path = tmp_path / "a.record.json"
    path.write_bytes(sealed.to_bytes())
    monkeypatch.setattr(verifier, "MAX_RECORD_BYTES", 100)
    with pytest.raises(SchemaError, match="at most 100 bytes"):
        verify(path)


def test_reformatted_file_is_refused(tmp_path, sealed):
    path = tmp_path / "a.record.json"
    path.write_text(json.dumps(json.loads(sealed.to_bytes()), indent=2))
    with pytest.raises(NotCanonicalError):
        verify(path)


def test_recipe_exchanged_under_its_digest_is_refused(forge):
    with pytest.raises(DigestMismatch, match="recipe_digest"):
        verify(forge(lambda plain: plain["content"]["recipe"].update(value_decimals=2)))


def test_recipe_of_an_older_release_is_digested_as_it_was_stored(forge):
    def older(plain):
        del plain["content"]["recipe"]["accepted_licences"]
        plain["content"]["recipe_digest"] = digest_bytes(rfc8785.dumps(plain["content"]["recipe"]))

    assert verify(forge(older)).level == "intact"


def test_contradiction_is_refused_though_every_digest_fits(forge):
    with pytest.raises(VerificationError, match="S is detected without a finite position"):
        verify(forge(lambda plain: plain["content"]["landmarks"][0].update(x_px=None)))


def test_time_without_a_zone_is_refused(forge):
    with pytest.raises(VerificationError, match="UTC"):
        verify(forge(lambda plain: plain["run"].update(created="2025-04-16T09:30:00")))


@pytest.mark.parametrize("other", [{}, None, 5], ids=str)
def test_other_object_is_one_sentence(other):
    with pytest.raises(InputError, match="Expected a Record"):
        verify(other)
