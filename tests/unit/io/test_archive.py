"""ZIP archives, each hostile one named after its fault."""

from __future__ import annotations

import struct
import sys
import zipfile
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from cephstd.core.recipe import Budget
from cephstd.errors import BudgetExceededError, CorruptImageError, InputError, UnsupportedFormatError
from cephstd.io.archive import holding_file, list_members, read_member, read_only_film, split_member
from cephstd.io.reader import discover, read

sys.path.insert(0, str(Path(__file__).parents[2]))
from film_files import dicom_film, encode, grey_ramp

BUDGET = Budget()
FILM = dicom_film(PatientName="DOE^JANE")


def pack(members: dict[str, bytes], *, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w", method) as packed:
        for name, data in members.items():
            packed.writestr(name, data)
    return out.getvalue()


def write(folder: Path, data: bytes, name: str = "films.zip") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def test_films_of_an_archive_are_listed_and_read(tmp_path):
    png = encode(".png", grey_ramp())
    path = write(tmp_path, pack({"a/film.dcm": FILM, "b/IM0001": FILM, "scan.png": png, "notes.txt": b"hello"}))
    members = list_members(path, BUDGET)
    assert members == [path / "a" / "film.dcm", path / "b" / "IM0001", path / "scan.png"]
    for member in members:
        assert np.array_equal(read(member).pixels, grey_ramp())
    assert split_member(members[0]) == (path, "a/film.dcm")
    assert holding_file(members[0]) == path
    assert holding_file(tmp_path / "film.dcm") == tmp_path / "film.dcm"


def test_a_dicom_medium_is_read_by_content(tmp_path):
    path = write(tmp_path, pack({"DICOMDIR": FILM, "DICOM/00000001": FILM}))
    assert list_members(path, BUDGET) == [path / "DICOM" / "00000001"]


def test_an_archive_of_one_film_is_a_film(tmp_path):
    data = pack({"film.dcm": FILM, "readme.txt": b"hello", "__MACOSX/film.dcm": b"junk", ".hidden.dcm": b"junk"})
    path = write(tmp_path, data)
    from_path, from_bytes, from_file = read(path), read(data), read(BytesIO(data))
    assert from_path.source == from_bytes.source == from_file.source
    assert from_path.source.file_sha256 == read(FILM).source.file_sha256
    assert from_path.source.format == "dicom"


@pytest.mark.parametrize("members", [{}, {"notes.txt": b"hello"}, {"a.dcm": FILM, "b.dcm": FILM}])
def test_no_film_or_several_are_no_single_film(members):
    with pytest.raises(InputError, match="one film"):
        read(pack(members))


def test_folders_and_archives_are_walked_alike(tmp_path):
    write(tmp_path, pack({"film.dcm": FILM}))
    (tmp_path / "other.dcm").write_bytes(FILM)
    assert discover([tmp_path]) == [tmp_path / "films.zip" / "film.dcm", tmp_path / "other.dcm"]
    assert discover([tmp_path / "films.zip"]) == [tmp_path / "films.zip" / "film.dcm"]


def test_a_refused_archive_in_a_folder_fails_by_itself(tmp_path):
    path = write(tmp_path, pack({"../film.dcm": FILM}))
    (tmp_path / "other.dcm").write_bytes(FILM)
    assert discover([tmp_path]) == [path, tmp_path / "other.dcm"]
    with pytest.raises(CorruptImageError, match="outside"):
        read(path)


def test_absent_member(tmp_path):
    path = write(tmp_path, pack({"film.dcm": FILM}))
    with pytest.raises(InputError, match="none of that name"):
        read(path / "other.dcm")


def test_absent_archive(tmp_path):
    with pytest.raises(InputError):
        read(tmp_path / "films.zip" / "film.dcm")
    with pytest.raises(InputError):
        read_member(tmp_path / "films.zip", "film.dcm", BUDGET)


@pytest.mark.parametrize("name", ["../film.dcm", "a/../../film.dcm", "/etc/film.dcm", "a\\film.dcm", "c:film.dcm"])
def test_member_that_leaves_its_root(name):
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        member = zipfile.ZipInfo("x")
        member.filename = name
        packed.writestr(member, FILM)
    with pytest.raises(CorruptImageError, match="outside"):
        read(out.getvalue())


def test_symbolic_link():
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        link = zipfile.ZipInfo("film.dcm")
        link.external_attr = 0o120777 << 16
        packed.writestr(link, "/etc/passwd")
    with pytest.raises(CorruptImageError, match="symbolic link"):
        read(out.getvalue())


def test_encrypted_member():
    data = bytearray(pack({"film.dcm": FILM}))
    directory = data.rindex(b"PK\x01\x02")
    data[6] |= 1
    data[directory + 8] |= 1
    with pytest.raises(UnsupportedFormatError, match="encrypted"):
        read(bytes(data))


@pytest.mark.parametrize("name", ["more.zip", "more.tar", "more.7z"])
def test_nested_archive_by_name(name):
    with pytest.raises(UnsupportedFormatError, match="inside the archive"):
        read(pack({name: b"anything", "film.dcm": FILM}))


@pytest.mark.parametrize("name", ["film.dcm", "IM0001"])
def test_nested_archive_under_a_films_name(name):
    with pytest.raises(UnsupportedFormatError, match="inside the archive"):
        read(pack({name: pack({"film.dcm": FILM})}))


def test_compression_that_is_not_read():
    with pytest.raises(UnsupportedFormatError, match="another compression"):
        read(pack({"film.dcm": FILM}, method=zipfile.ZIP_LZMA))


def test_too_many_members():
    data = pack({f"{number}.txt": b"x" for number in range(12)})
    with pytest.raises(BudgetExceededError, match="10 members"):
        read(data, budget=Budget(max_members=10))


def test_directory_that_is_larger_than_its_members_need():
    data = bytearray(pack({"film.dcm": FILM}))
    end = data.rindex(b"PK\x05\x06")
    struct.pack_into("<I", data, end + 12, 2**31)
    with pytest.raises(BudgetExceededError):
        read(bytes(data))


def test_zip64_form():
    data = pack({"film.dcm": FILM})
    end = data.rindex(b"PK\x05\x06")
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, 0, 1)
    with pytest.raises(UnsupportedFormatError, match="ZIP64"):
        read(data[:end] + locator + data[end:])


def test_bomb_is_refused_before_it_is_inflated(monkeypatch):
    data = pack({"film.png": bytes(3_000_000)})
    assert len(data) < 5_000
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *_, **__: pytest.fail("a member was opened"))
    with pytest.raises(BudgetExceededError):
        read(data, budget=Budget(max_file_bytes=1_000_000))


def test_bomb_whose_directory_lies_about_its_size():
    body = bytes(3_000_000)
    data = bytearray(pack({"film.png": body}))
    directory = data.rindex(b"PK\x01\x02")
    for at in (22, directory + 24):
        struct.pack_into("<I", data, at, 1000)
    with pytest.raises(CorruptImageError):
        read(bytes(data), budget=Budget(max_file_bytes=1_000_000))


def test_damaged_member():
    data = bytearray(pack({"film.dcm": FILM}, method=zipfile.ZIP_STORED))
    data[len(data) // 2] ^= 0xFF
    with pytest.raises(CorruptImageError):
        read(bytes(data))


@pytest.mark.parametrize("cut", [30, 200])
def test_truncated_archive(cut):
    with pytest.raises(CorruptImageError):
        read(pack({"film.dcm": FILM})[:-cut])


def test_same_name_twice():
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        packed.writestr("film.dcm", FILM)
        with pytest.warns(UserWarning, match="Duplicate name"):
            packed.writestr("film.dcm", FILM[:-2])
    with pytest.raises(CorruptImageError, match="twice"):
        read_only_film(out.getvalue(), BUDGET)


def test_no_message_repeats_a_members_name():
    hostile = ({"../JANE-DOE.dcm": FILM}, {"JANE-DOE.zip": b"x"}, {"JANE-DOE.dcm": b"PK\x03\x04"})
    for members in hostile:
        with pytest.raises(InputError) as caught:
            read(pack(members))
        assert "JANE" not in str(caught.value)


def test_checksum_of_the_directory_is_kept():
    data = bytearray(pack({"film.dcm": FILM}))
    struct.pack_into("<I", data, data.rindex(b"PK\x01\x02") + 16, zlib.crc32(b"other"))
    with pytest.raises(CorruptImageError):
        read(bytes(data))
