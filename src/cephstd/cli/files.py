"""Text in and files out for the commands: ``-`` is stdin or stdout, a file is written whole or not at all."""

from __future__ import annotations

import sys
from pathlib import Path

from cephstd.errors import InputError, RecordError

STREAM = Path("-")


def make_folder(folder: Path) -> None:
    """Make `folder` and its parents where they are absent."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RecordError(
            f"The folder {folder} cannot be made: {error.strerror}.", hint="Choose another --out."
        ) from error


def write_text(path: Path, text: str) -> None:
    """Write a whole UTF-8 file or nothing."""
    from cephstd.io.store import write_bytes

    write_bytes(path, text.encode())


def read_text(path: Path) -> str:
    """Text of a file, or of stdin for ``-``."""
    try:
        data = sys.stdin.buffer.read() if path == STREAM else path.read_bytes()
        return data.decode("utf-8")
    except OSError as error:
        raise InputError(f"The table {path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"Expected {path} as UTF-8 text, found other bytes.") from error
