"""Device profiles: the ones that ship, and a site's own file."""

from __future__ import annotations

from functools import cache
from importlib import resources
from pathlib import Path

import msgspec

from cephstd.core.devices import DeviceProfile
from cephstd.errors import DefinitionError

MAX_FILE_BYTES = 2**20


class _ProfileFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    device: tuple[DeviceProfile, ...]


@cache
def shipped_profiles() -> tuple[DeviceProfile, ...]:
    """Profiles that ship: marked examples, and last ``unknown``, which fits every film and states nothing.

    >>> shipped_profiles()[-1].name
    'unknown 1'
    """
    place = resources.files("cephstd.knowledge").joinpath("devices")
    files = sorted((item for item in place.iterdir() if item.name.endswith(".toml")), key=lambda item: item.name)
    return tuple(profile for item in files for profile in _decode(item.read_bytes(), item.name))


def load_profiles(path: str | Path) -> tuple[DeviceProfile, ...]:
    """Read a site's own profiles: a TOML file of ``[[device]]`` tables with the attributes of `DeviceProfile`.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    tuple of DeviceProfile
        In the file's order: the first that fits a film counts.

    Raises
    ------
    DefinitionError
        When the file cannot be read, a key is unknown or missing, a value is out of range, or an id occurs twice.
    """
    name = Path(path).name
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise DefinitionError(
            f"Expected a file of device profiles, found that {name} cannot be read: {error.strerror}."
        ) from error
    return _decode(data, name)


def _decode(data: bytes, name: str) -> tuple[DeviceProfile, ...]:
    if len(data) > MAX_FILE_BYTES:
        raise DefinitionError(f"Expected device profiles of at most {MAX_FILE_BYTES} bytes, found more in {name}.")
    try:
        profiles = msgspec.toml.decode(data, type=_ProfileFile).device
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise DefinitionError(
            f"Expected valid device profiles, found in {name}: {error}",
            hint="Every [[device]] needs id, version, source, checked_by and checked_on.",
        ) from error
    ids = [profile.id for profile in profiles]
    if len(set(ids)) != len(ids):
        raise DefinitionError(f"Expected each device id once, found one twice in {name}.")
    return profiles
