"""Presets of de-identification as data: which options go with the Basic Profile, and what each keeps."""

from __future__ import annotations

from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Annotated

import msgspec

from cephstd.errors import DefinitionError
from cephstd.knowledge.norms import Version

Keywords = tuple[Annotated[str, msgspec.Meta(pattern="^[A-Z][A-Za-z0-9]*$")], ...]


class RetainOption(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One option of PS3.15 Annex E.

    Attributes
    ----------
    code, meaning : str
        Of CID 7050, coding scheme DCM.
    why : str
    keep : tuple of str
        DICOM keywords that stay.
    """

    code: Annotated[str, msgspec.Meta(pattern="^1131[0-9]{2}$")]
    meaning: str
    why: str
    keep: Keywords


class KeptText(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Text that the standard's table does not name and that stays."""

    keep: Keywords


class Preset(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A named choice of options.

    Attributes
    ----------
    id, version, title, source : str
    table : str
        Edition of the standard whose Table E.1-1 is followed.
    option : tuple of RetainOption
    text : KeptText
    """

    id: str
    version: Version
    title: str
    source: str
    table: str
    option: tuple[RetainOption, ...]
    text: KeptText

    @property
    def kept(self) -> frozenset[str]:
        """Keywords that the options keep."""
        return frozenset(keyword for option in self.option for keyword in option.keep)


@cache
def load_preset(id: str) -> Preset:
    """A preset that ships.

    Parameters
    ----------
    id : str

    Returns
    -------
    Preset

    Raises
    ------
    DefinitionError
        When no preset has that name.

    Examples
    --------
    >>> [option.code for option in load_preset("ceph-research").option]
    ['113108', '113109', '113112']
    """
    names = list_presets()
    if id not in names:
        raise DefinitionError(f"Expected a preset of de-identification, found {id!r}.", hint=f"Known: {names}.")
    return msgspec.toml.decode(_place().joinpath(f"{id}.toml").read_bytes(), type=Preset)


def list_presets() -> tuple[str, ...]:
    """Names of the presets that ship.

    >>> list_presets()
    ('ceph-research',)
    """
    return tuple(sorted(item.name.removesuffix(".toml") for item in _place().iterdir() if item.name.endswith(".toml")))


def _place() -> Traversable:
    return resources.files("cephstd.knowledge").joinpath("confidentiality")
