"""What a file is, by the digest of its bytes; a file that has not changed is not read again."""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path

import msgspec
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from cephstd.batch.register import PathRegister
from cephstd.core.digest import PREFIX, digest_bytes
from cephstd.core.recipe import Budget
from cephstd.errors import CephError, InputError
from cephstd.io.archive import read_member, split_member
from cephstd.io.limits import check_file_bytes

ATTEMPTS = 3
FIRST_WAIT_S = 0.1


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a file.

    Attributes
    ----------
    number : int
        Stands for its path where its content is not known; 0 where it has been known before.
    file_sha256 : str
        Empty when the file could not be read.
    error : CephError or None
        Why it could not.
    """

    number: int = 0
    file_sha256: str = ""
    error: CephError | None = None


class Identifier:
    """Identifies files; size and time of change tell that one has not changed.

    Parameters
    ----------
    paths : PathRegister
    """

    def __init__(self, paths: PathRegister) -> None:
        self._paths = paths

    def __call__(self, path: str, budget: Budget) -> Known:
        """What the file at `path` is; reading is tried again where the system failed."""
        try:
            member = split_member(Path(path))
            # A member changes when its archive does.
            state = (Path(path) if member is None else member[0]).stat()
            if not stat.S_ISREG(state.st_mode):
                raise InputError("Expected a file, found a folder, device, pipe or socket.")
            digest, number = self._paths.known_digest(path, state.st_size, state.st_mtime_ns), 0
            if not digest:
                if member is None:
                    check_file_bytes(state.st_size, budget)
                    digest = _digest_file(path)
                else:
                    digest = digest_bytes(read_member(*member, budget))
                number = self._paths.keep(path, state.st_size, state.st_mtime_ns, digest)
        except FileNotFoundError:
            return self._unread(
                path, InputError("Expected a file, found nothing of that name.", hint="Check the path.")
            )
        except (OSError, ValueError) as error:
            if isinstance(error, InputError):
                return self._unread(path, error)
            reason = getattr(error, "strerror", None) or "the path is not valid"
            return self._unread(path, InputError(f"The file cannot be read: {reason}."))
        return Known(number=number, file_sha256=digest)

    def _unread(self, path: str, error: InputError) -> Known:
        return Known(number=self._paths.keep(path, -1, 0, ""), error=error)


def _digest_file(path: str) -> str:
    again = Retrying(
        retry=retry_if_exception_type(OSError),
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_exponential(FIRST_WAIT_S),
        reraise=True,
    )
    return str(again(_digest_once, path))


def _digest_once(path: str) -> str:
    with Path(path).open("rb") as file:
        return PREFIX + hashlib.file_digest(file, "sha256").hexdigest()
