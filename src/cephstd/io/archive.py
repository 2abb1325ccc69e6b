"""Films inside a ZIP archive: one film of it, or all, each read by itself and only after its costs are known.

A member has the path of its archive with its own name below it: ``films.zip/first/film.dcm``. Everything is decided by
the archive's directory before a byte is inflated; an archive that holds what it should not is refused as a whole. No
message repeats a member's name: names of files are often names of persons.
"""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from cephstd.core.recipe import Budget
from cephstd.errors import BudgetExceededError, CephError, CorruptImageError, InputError, UnsupportedFormatError
from cephstd.io.dicomdir import DICOMDIR
from cephstd.io.limits import RAISE_BUDGET, check_file_bytes
from cephstd.io.sniff import HEAD_BYTES, SUFFIXES, sniff

SUFFIX = ".zip"
MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
_ARCHIVE_SUFFIXES = frozenset(
    [".zip", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".tar", ".zst", ".cab", ".lzh", ".jar", ".iso"]
)
_ENCRYPTED = 0x1
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_END, _END_BYTES, _LONGEST_COMMENT = b"PK\x05\x06", 22, 0xFFFF
_LOCATOR_64, _LOCATOR_BYTES = b"PK\x06\x07", 20
_ENTRY_BYTES = 1024
"""Room of one member in the directory: 46 bytes, its name, its extra fields."""


def is_archive(data: bytes) -> bool:
    """Whether bytes begin as a ZIP archive."""
    return data.startswith(MAGIC)


def is_archive_file(path: Path) -> bool:
    """Whether a path is a file that begins as a ZIP archive; what cannot be opened is none."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return is_archive(file.read(4))
    except OSError:
        return False


def split_member(path: Path) -> tuple[Path, str] | None:
    """Archive and member's name of a path that leads into an archive; None for any other path."""
    for place in path.parents:
        if place.suffix.lower() == SUFFIX and place.is_file():
            return place, path.relative_to(place).as_posix()
    return None


def holding_file(path: Path) -> Path:
    """The file on disk that holds a film: its archive, or itself."""
    member = split_member(path)
    return path if member is None else member[0]


def list_members(archive: Path, budget: Budget) -> list[Path]:
    """Films of an archive, as paths below it, sorted.

    A member is a film by its suffix or, failing that, its first bytes; an index (DICOMDIR) and hidden files are none.

    Raises
    ------
    UnsupportedFormatError
        When members are encrypted, archives themselves, or packed in a way that is not read.
    CorruptImageError
        When the archive is damaged, or a member is a link or lies outside of it.
    BudgetExceededError
        When it has more members than the budget allows.
    InputError
        When it cannot be opened.
    """
    with _open(archive, budget) as (packed, members):
        return sorted(archive / member.filename for member in members if _may_be_film(packed, member))


def read_member(archive: Path, name: str, budget: Budget) -> bytes:
    """Bytes of one member.

    Raises
    ------
    InputError
        When the archive has no such member, or `list_members` would refuse it.
    BudgetExceededError
        When it is longer than the budget allows; nothing was inflated then.
    CorruptImageError
        When it is damaged, or unfolds to another length than the directory says.
    """
    with _open(archive, budget) as (packed, members):
        member = next((member for member in members if member.filename == name), None)
        if member is None:
            raise InputError("Expected a member of the archive, found none of that name.", hint="Check the path.")
        return _inflate(packed, member, budget)


def read_only_film(data: bytes, budget: Budget) -> bytes:
    """Bytes of the one film in an archive that was given as bytes.

    Raises
    ------
    InputError
        When there is no film or more than one in it, and as `read_member` does.
    """
    with _open(BytesIO(data), budget) as (packed, members):
        films = [member for member in members if _may_be_film(packed, member)]
        if len(films) != 1:
            raise InputError(
                f"Expected one film in the archive, found {len(films) or 'none'}.",
                hint="Give ARCHIVE/MEMBER, or the archive to analyze or batch, which read all of it.",
            )
        return _inflate(packed, films[0], budget)


@contextmanager
def _open(source: Path | BinaryIO, budget: Budget) -> Iterator[tuple[zipfile.ZipFile, list[zipfile.ZipInfo]]]:
    try:
        with _stream(source) as stream:
            _check_directory(stream, budget)
            with zipfile.ZipFile(stream) as packed:
                members = [member for member in packed.infolist() if not member.is_dir()]
                _check_members(members, budget)
                yield packed, [member for member in members if not _is_hidden(member)]
    except CephError:
        raise
    except OSError as error:
        raise InputError(f"The archive cannot be read: {error.strerror}.", hint="Check the path.") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, struct.error, RuntimeError) as error:
        raise CorruptImageError("The ZIP archive is damaged.", hint="Pack the films again.") from error


@contextmanager
def _stream(source: Path | BinaryIO) -> Iterator[BinaryIO]:
    if isinstance(source, Path):
        with source.open("rb") as file:
            yield file
    else:
        yield source


def _check_directory(stream: BinaryIO, budget: Budget) -> None:
    """Compare what the end of the archive states with the budget: the directory itself is read in one piece."""
    length = stream.seek(0, 2)
    stream.seek(max(0, length - _END_BYTES - _LONGEST_COMMENT - _LOCATOR_BYTES))
    tail = stream.read()
    at = tail.rfind(_END)
    if at < 0 or at + _END_BYTES > len(tail):
        raise CorruptImageError("Expected the end of a ZIP archive, found none: it is truncated.")
    if tail[max(0, at - _LOCATOR_BYTES) : at].startswith(_LOCATOR_64):
        raise UnsupportedFormatError(
            "Expected a plain ZIP archive, found one in the ZIP64 form.", hint="Split it, or give its folder."
        )
    count, size = struct.unpack_from("<HI", tail, at + 10)
    if count > budget.max_members or size > budget.max_members * _ENTRY_BYTES:
        raise BudgetExceededError(
            f"Expected at most {budget.max_members:,} members in an archive, found more.", hint=RAISE_BUDGET
        )


def _check_members(members: list[zipfile.ZipInfo], budget: Budget) -> None:
    if len(members) > budget.max_members:
        raise BudgetExceededError(
            f"Expected at most {budget.max_members:,} members in an archive, found {len(members):,}.", hint=RAISE_BUDGET
        )
    for member in members:
        name = PurePosixPath(member.filename)
        if name.is_absolute() or ".." in name.parts or set(member.filename) & set("\\:\0"):
            raise CorruptImageError("Expected members inside the archive, found one that points outside of it.")
        if stat.S_ISLNK(member.external_attr >> 16):
            raise CorruptImageError("Expected files in the archive, found a symbolic link.")
        if member.flag_bits & _ENCRYPTED:
            raise UnsupportedFormatError("Expected an open archive, found encrypted members.", hint="Unpack it first.")
        if name.suffix.lower() in _ARCHIVE_SUFFIXES:
            raise UnsupportedFormatError(
                "Expected films, found an archive inside the archive.", hint="Unpack it first."
            )
        if member.compress_type not in _METHODS:
            raise UnsupportedFormatError(
                "Expected stored or deflated members, found another compression.", hint="Unpack it first."
            )
    if len({member.filename for member in members}) < len(members):
        raise CorruptImageError("Expected each member once, found a name twice in the archive.")


def _is_hidden(member: zipfile.ZipInfo) -> bool:
    parts = PurePosixPath(member.filename).parts
    return any(part.startswith((".", "__MACOSX")) for part in parts)


def _may_be_film(packed: zipfile.ZipFile, member: zipfile.ZipInfo) -> bool:
    name = PurePosixPath(member.filename)
    if name.name == DICOMDIR:
        return False
    if name.suffix.removeprefix(".").lower() in SUFFIXES:
        return True
    with packed.open(member) as file:
        head = file.read(HEAD_BYTES)
    if is_archive(head):
        raise UnsupportedFormatError("Expected films, found an archive inside the archive.", hint="Unpack it first.")
    try:
        sniff(head)
    except UnsupportedFormatError:
        return False
    return True


def _inflate(packed: zipfile.ZipFile, member: zipfile.ZipInfo, budget: Budget) -> bytes:
    check_file_bytes(member.file_size, budget)
    with packed.open(member) as file:
        # One byte more than the directory states tells a member that unfolds to more.
        data = file.read(member.file_size + 1)
    if len(data) != member.file_size:
        raise CorruptImageError("Expected a member of the length that its archive states, found another length.")
    if is_archive(data):
        raise UnsupportedFormatError("Expected a film, found an archive inside the archive.", hint="Unpack it first.")
    return data
