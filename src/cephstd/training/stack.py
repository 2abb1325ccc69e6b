"""Films out of a stack in one MetaImage file (.mha), one after the other, without ever holding the stack."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import IO, cast

import numpy as np
from numpy.typing import NDArray

from cephstd.errors import InputError

Grey = NDArray[np.uint8] | NDArray[np.uint16]
Kind = np.dtype[np.uint8] | np.dtype[np.uint16]
ELEMENTS: dict[str, Kind] = {"MET_UCHAR": np.dtype(np.uint8), "MET_USHORT": np.dtype(np.uint16).newbyteorder("<")}
CHUNK = 1 << 20
MAX_HEADER_LINES = 100
MAX_FILM_BYTES = 1 << 28


def read_stack(path: Path, places: Collection[int]) -> Iterator[tuple[int, Grey]]:
    """Read the wanted films of a stack, in its order.

    Channels are averaged; rows and columns of zeros at the right and below, with which films of different sizes are
    made alike, are cut off.

    Parameters
    ----------
    path : Path
        MetaImage with its data in the same file, raw or deflated, of 8 or 16 bit.
    places : collection of int
        First film = 0.

    Yields
    ------
    place : int
    pixels : ndarray [shape=(height, width), dtype=uint8 or uint16]

    Raises
    ------
    InputError
        When the file cannot be read, is another kind of MetaImage, or ends too soon.
    """
    try:
        with path.open("rb") as file:
            header = _read_header(file, path.name)
            shape, kind, count = _shape_of(header, path.name)
            source = _inflate(file) if header.get("CompressedData", "False") == "True" else _chunks(file)
            size = int(np.prod(shape)) * kind.itemsize
            missing = [place for place in places if not 0 <= place < count]
            if missing:
                raise InputError(f"{path.name} holds {count} films, the labels name film {missing[0] + 1}.")
            for place, data in enumerate(_films(source, size, max(places, default=-1) + 1, path.name)):
                if place in places:
                    yield place, _crop(cast(Grey, np.frombuffer(data, dtype=kind).reshape(shape)))
    except OSError as error:
        raise InputError(f"cannot read the stack {path.name}: {error.strerror}") from error
    except zlib.error as error:
        raise InputError(f"{path.name} is damaged: {error}") from error


def _read_header(file: IO[bytes], name: str) -> dict[str, str]:
    header: dict[str, str] = {}
    for _ in range(MAX_HEADER_LINES):
        key, _, value = file.readline(CHUNK).decode("ascii", "replace").partition("=")
        header[key.strip()] = value.strip()
        if key.strip() == "ElementDataFile":
            break
    if header.get("ElementDataFile") != "LOCAL":
        raise InputError(f"{name}: expected a MetaImage with its data in the same file.")
    return header


def _shape_of(header: dict[str, str], name: str) -> tuple[tuple[int, int, int], Kind, int]:
    """(height, width, channels), kind of number, films."""
    try:
        width, height, count = (int(side) for side in header["DimSize"].split())
        shape = (height, width, int(header.get("ElementNumberOfChannels", "1")))
        kind = ELEMENTS[header["ElementType"]]
    except (KeyError, ValueError) as error:
        raise InputError(
            f"{name}: expected a stack of three dimensions of 8 or 16 bit, found another: {error}"
        ) from error
    if min(*shape, count) < 1 or int(np.prod(shape)) * kind.itemsize > MAX_FILM_BYTES:
        raise InputError(f"{name}: expected films of at most {MAX_FILM_BYTES} bytes, found {shape}.")
    return shape, kind, count


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    while data := file.read(CHUNK):
        yield data


def _inflate(file: IO[bytes]) -> Iterator[bytes]:
    inflater = zlib.decompressobj()
    for data in _chunks(file):
        yield inflater.decompress(data, CHUNK)
        while inflater.unconsumed_tail:
            yield inflater.decompress(inflater.unconsumed_tail, CHUNK)
    yield inflater.flush()


def _films(source: Iterator[bytes], size: int, count: int, name: str) -> Iterator[bytes]:
    held = bytearray()
    for _ in range(count):
        while len(held) < size:
            data = next(source, None)
            if data is None:
                raise InputError(f"{name} ends before its last film.")
            held += data
        yield bytes(held[:size])
        del held[:size]


def _crop(film: Grey) -> Grey:
    grey = film[..., 0] if film.shape[2] == 1 else np.rint(film.mean(axis=2)).astype(film.dtype)
    rows, columns = np.flatnonzero(grey.any(axis=1)), np.flatnonzero(grey.any(axis=0))
    if not len(rows):
        return grey
    return np.ascontiguousarray(grey[: rows[-1] + 1, : columns[-1] + 1])
