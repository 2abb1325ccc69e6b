"""Read a film from a file, from bytes or from an array."""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from cephstd.core.arrays import Pixels
from cephstd.core.digest import digest_bytes, digest_pixels
from cephstd.core.image import Calibration, Radiograph, Source
from cephstd.core.recipe import Budget
from cephstd.core.standard import STANDARD_FACT, STANDARD_IMAGE, decode_label
from cephstd.errors import InputError
from cephstd.io.archive import (
    SUFFIX,
    is_archive,
    is_archive_file,
    list_members,
    read_member,
    read_only_film,
    split_member,
)
from cephstd.io.decoded import Decoded
from cephstd.io.limits import check_file_bytes, check_image_size
from cephstd.io.sniff import SUFFIXES, sniff

DEFAULT_BUDGET = Budget()

CONFLICT_SHARE = 0.02
"""Two scales that differ by more are in conflict (method error of a ruler is about 1 %)."""


def read(
    source: str | Path | bytes | BinaryIO | npt.NDArray[Any],
    *,
    calibration: Calibration | None = None,
    budget: Budget = DEFAULT_BUDGET,
    keep_age: bool = True,
    keep_sex: bool = True,
    frame: int | None = None,
) -> Radiograph:
    """Read a film: DICOM, JPEG, PNG, TIFF or BMP, 8 or 16 bit, told apart by content.

    Parameters
    ----------
    source : str, Path, bytes, binary file or ndarray
        A file's path, its bytes, an open binary file (read from where it stands), or grey samples of shape
        (height, width), uint8 or uint16; an array of shape (height, width, 3) is accepted when it has no colour. A ZIP
        archive is accepted when it holds one film; ``archive.zip/member.dcm`` is a film of a larger one.
    calibration : Calibration, optional
        A scale that takes precedence over the file's own; a disagreement of more than 2 % is a warning.
    budget : Budget
        What reading may cost; compared before anything is decoded or inflated.
    keep_age, keep_sex : bool
        Whether age (years) and sex may pass from the file. Nothing else of a patient module is read.
    frame : int, optional
        Which frame of a multi-frame DICOM object, counted from 1; needed where there are several. ``source.facts``
        says which it was.

    Returns
    -------
    Radiograph
        Samples as stored (high samples may be dark: see its ``inverted``), scale with its basis, device facts without
        serial numbers, hashes, and sentences on what is unusual. Points on it are in pixels of this array, (0, 0) =
        centre of the top-left pixel.

    Raises
    ------
    UnsupportedFormatError
        When the content is of another kind, or of a kind that is not read (CMYK, animated, floats), or has
        several frames of which none was chosen.
    NotACephalogramError
        When the picture is in colour or the file says that it shows something else.
    BudgetExceededError
        When reading would cost more than the budget.
    CorruptImageError
        When the content is damaged, cut off or empty.
    InputError
        When there is no such file or frame, or `source` is a directory or of another type.

    Examples
    --------
    >>> import numpy as np
    >>> film = read(np.zeros((4, 5), dtype=np.uint8))
    >>> film.size, film.source.format, film.calibration.basis
    ((5, 4), 'array', 'undetermined')
    """
    if isinstance(source, np.ndarray):
        _check_one(frame)
        decoded, origin = _take_array(source, budget)
    else:
        decoded, origin = _read_file(source, budget, frame)
    decoded.pixels.setflags(write=False)  # ours alone: frozen without a copy
    pixel_sha256 = digest_pixels(decoded.pixels)
    decoded = _obey_label(decoded, pixel_sha256)
    warnings = decoded.warnings
    if calibration is not None:
        warnings += compare_scales(calibration, decoded.calibration)
    height, width = decoded.pixels.shape
    return Radiograph(
        pixels=decoded.pixels,
        source=Source(
            format=origin.format,
            file_sha256=origin.file_sha256,
            pixel_sha256=pixel_sha256,
            decoder=decoded.decoder,
            width_px=width,
            height_px=height,
            bits=decoded.bits,
            byte_count=origin.byte_count,
            facts=decoded.facts,
        ),
        calibration=decoded.calibration if calibration is None else calibration,
        device=decoded.device,
        inverted=decoded.inverted,
        age_years=decoded.age_years if keep_age else None,
        sex=decoded.sex if keep_sex else None,
        warnings=warnings,
    )


def _obey_label(decoded: Decoded, pixel_sha256: str) -> Decoded:
    """Scale and kind of a standard image as its label states them, where it belongs to these samples."""
    label = decode_label(decoded.label) if decoded.label else None
    if label is None:
        return decoded
    if label.pixel_sha256 != pixel_sha256:
        sentence = "The file is labelled as a standard image and its samples are others: the label was not followed."
        return replace(decoded, warnings=(*decoded.warnings, sentence))
    return replace(decoded, calibration=label.calibration, facts=decoded.facts | {STANDARD_FACT: STANDARD_IMAGE})


def discover(paths: Iterable[str | Path], *, budget: Budget = DEFAULT_BUDGET) -> list[Path]:
    """Files that `paths` name, in sorted order and each once; directories are walked, ZIP archives listed.

    A directory's hidden members (leading dot) and symbolic links are left out; whether a file is a film shows when it
    is read. The films of an archive have paths below it, which `read` takes. A path that is neither is returned as it
    is, so that reading it can say what is wrong; so is an archive in a directory that has to be refused.

    Raises
    ------
    InputError
        When a directory cannot be listed, or an archive that was named has to be refused.
    """
    found: set[Path] = set()
    for path in map(Path, paths):
        if path.is_dir():
            found.update(_walk(path, budget))
        else:
            found.update(list_members(path, budget) if is_archive_file(path) else (path,))
    return sorted(found)


def _walk(folder: Path, budget: Budget) -> Iterator[Path]:
    try:
        members = sorted(folder.iterdir())
    except OSError as error:
        raise InputError(f"A folder cannot be listed: {error.strerror}.", hint="Check its permissions.") from error
    for member in members:
        if member.name.startswith(".") or member.is_symlink():
            continue
        if member.is_dir():
            yield from _walk(member, budget)
        elif member.suffix.lower() == SUFFIX and is_archive_file(member):
            try:
                yield from list_members(member, budget)
            except InputError:
                yield member  # reading it says what is wrong, and the other films go on
        elif member.is_file():
            yield member


@dataclass(frozen=True, slots=True, kw_only=True)
class _Origin:
    format: str
    file_sha256: str = ""
    byte_count: int = 0


def _take_array(array: npt.NDArray[Any], budget: Budget) -> tuple[Decoded, _Origin]:
    if array.dtype.kind != "u" or array.dtype.itemsize > 2:
        raise InputError(
            f"Expected uint8 or uint16 samples, found {array.dtype}.",
            hint="Scale the array to 0..65535 and convert it to uint16; its scale and offset do not matter.",
        )
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        raise InputError(f"Expected samples of shape (height, width), found {array.shape}.")
    check_image_size(array.shape[1], array.shape[0], array.dtype.itemsize, budget)
    pixels = np.array(array, dtype=array.dtype.newbyteorder("="), order="C")
    warnings: tuple[str, ...] = ()
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0].copy()
    elif pixels.ndim == 3:
        pixels, warnings = _merge(pixels)
    bits = 8 * pixels.dtype.itemsize
    return Decoded(pixels=pixels, bits=bits, decoder="none", warnings=warnings), _Origin(format="array")


def _merge(pixels: Pixels) -> tuple[Pixels, tuple[str, ...]]:
    from cephstd.io.channels import merge_channels

    return merge_channels(pixels)


def _check_one(frame: int | None) -> None:
    """Refuse a frame beyond the first of what has one."""
    if frame not in (None, 1):
        raise InputError(f"Expected frame 1, found {frame}: the film is no multi-frame DICOM object.")


def _read_file(source: str | Path | bytes | BinaryIO, budget: Budget, frame: int | None) -> tuple[Decoded, _Origin]:
    data, suffix = _load(source, budget)
    if is_archive(data):
        data, suffix = read_only_film(data, budget), ""
    image_format = sniff(data)
    decoded = _decode(data, image_format, budget, frame)
    stated = SUFFIXES.get(suffix, image_format)
    if stated != image_format:
        sentence = f"The file's suffix says {stated}, its content is {image_format}; the content was read."
        decoded = replace(decoded, warnings=(sentence, *decoded.warnings))
    return decoded, _Origin(format=image_format, file_sha256=digest_bytes(data), byte_count=len(data))


def _decode(data: bytes, image_format: str, budget: Budget, frame: int | None) -> Decoded:
    # Each decoder brings a large library; a JPEG does not need pydicom and a DICOM file does not need OpenCV.
    if image_format == "dicom":
        from cephstd.io.dicom import decode_dicom

        return decode_dicom(data, budget, frame)
    _check_one(frame)
    from cephstd.io.raster import decode_raster

    return decode_raster(data, image_format, budget)


def load_bytes(source: str | Path | bytes | BinaryIO, budget: Budget = DEFAULT_BUDGET) -> bytes:
    """Bytes of a file; never more than the budget allows.

    Raises
    ------
    InputError
        When there is no such file, or `source` is of another type.
    BudgetExceededError
        When it is too long.
    """
    return _load(source, budget)[0]


def _load(source: str | Path | bytes | BinaryIO, budget: Budget) -> tuple[bytes, str]:
    """Bytes of `source` and its lower-case suffix; never more bytes than the budget allows."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        check_file_bytes(len(source), budget)
        return bytes(source), ""
    if isinstance(source, (str, Path)):
        return _load_path(Path(source), budget), Path(source).suffix.removeprefix(".").lower()
    if not callable(getattr(source, "read", None)):
        raise InputError(
            f"Expected a path, bytes, a binary file or an array, found {type(source).__name__}.",
            hint="Open a file in binary mode or give its path.",
        )
    return _read_stream(source, budget), ""


def _load_path(path: Path, budget: Budget) -> bytes:
    member = split_member(path)
    if member is not None:
        return read_member(*member, budget)
    try:
        state = path.stat()
        if stat.S_ISDIR(state.st_mode):
            raise InputError("Expected a file, found a directory.", hint="Give its files one by one.")
        if not stat.S_ISREG(state.st_mode):
            raise InputError("Expected a file, found a device, pipe or socket.")
        check_file_bytes(state.st_size, budget)
        with path.open("rb") as file:
            return _read_stream(file, budget)
    except FileNotFoundError as error:
        raise InputError("Expected a file, found nothing of that name.", hint="Check the path.") from error
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        reason = getattr(error, "strerror", None) or "the path is not valid"
        raise InputError(f"The file cannot be read: {reason}.") from error


def _read_stream(stream: BinaryIO, budget: Budget) -> bytes:
    # One byte more than allowed tells a file that grew, or a stream without an end, from one that fits.
    data = stream.read(budget.max_file_bytes + 1)
    if not isinstance(data, bytes):
        raise InputError("Expected a file opened in binary mode, found text.", hint='Open it with mode "rb".')
    check_file_bytes(len(data), budget)
    return data


def compare_scales(stated: Calibration, own: Calibration) -> tuple[str, ...]:
    """A warning when a stated scale and the file's own differ by more than `CONFLICT_SHARE`; none otherwise."""
    if stated.spacing_mm is None or own.spacing_mm is None:
        return ()
    shares = [abs(ours / theirs - 1) for ours, theirs in zip(own.spacing_mm, stated.spacing_mm, strict=True)]
    if max(shares) <= CONFLICT_SHARE:
        return ()
    return (
        f"The given scale ({stated.spacing_mm[0]:.4g} x {stated.spacing_mm[1]:.4g} mm per pixel, {stated.basis}) and "
        f"the file's own ({own.spacing_mm[0]:.4g} x {own.spacing_mm[1]:.4g}, {own.basis}) differ by "
        f"{max(shares):.1%}; the given one is used.",
    )
