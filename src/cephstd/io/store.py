"""Files written whole or not at all."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path

from cephstd.errors import RecordError


def write_bytes(path: str | Path, data: bytes) -> None:
    """Write `data` to `path` so that a reader sees the old file or the new one, never a part.

    The bytes go to a hidden file in the same folder, reach the disk, and take the name in one step; a crash or a full
    disk leaves what was there before.

    Raises
    ------
    RecordError
        When the folder is absent, not writable or full, or `path` is a folder.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_bytes(Path(folder) / "film.record.json", b"{}")
    ...     (Path(folder) / "film.record.json").read_bytes()
    b'{}'
    """
    target = Path(path)
    # One writer per process and thread: two of them never share a part, and a stale one is overwritten.
    part = target.with_name(f".{target.name}.{os.getpid()}-{threading.get_ident()}.part")
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    except OSError as error:
        with suppress(OSError):
            part.unlink()
        raise RecordError(
            f"The output cannot be written: {error.strerror}.", hint="Give an existing folder with room and permission."
        ) from error
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    # The rename itself must reach the disk; systems that cannot open a folder do it on their own.
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
