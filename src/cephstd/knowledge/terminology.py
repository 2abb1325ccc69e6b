"""Codes of landmarks, measures and states: verified ones of public vocabularies, and the scheme ``99CEPHSTD``."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Literal

import msgspec

from cephstd.errors import DefinitionError
from cephstd.knowledge.loader import load_landmarks, load_measures

MAX_DISPLAY = 64
"""Characters that DICOM allows for the meaning of a code (LO)."""

LANDMARK, MEASURE = "L-", "M-"
OWN_LANDMARK, OWN_MEASURE = "XL-", "XM-"
"""Prefixes of codes of the scheme; an X marks what a site has defined itself and no table lists."""

SITES = MappingProxyType({"skeletal": "skull", "dental": "skull", "constructed": "skull", "soft_tissue": "head"})


class Code(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A coded concept.

    Attributes
    ----------
    scheme : str
        DICOM's designator: ``SCT``, ``LN``, ``FMA``, ``DCM``, ``UCUM`` or ``99CEPHSTD``.
    value, display : str
        Display has at most 64 characters.
    """

    scheme: str
    value: str
    display: str

    @property
    def key(self) -> tuple[str, str]:
        """(scheme, value): what makes two codes the same."""
        return (self.scheme, self.value)


class PublicCode(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A row for a code of a public vocabulary; only a verified one is ever written."""

    concept: str
    scheme: str
    value: str
    display: str
    status: Literal["verified", "proposed"]
    source: str


class OwnCode(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A row for a code of the library's own scheme."""

    concept: str
    value: str
    display: str


class Terminology(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file of codes."""

    scheme: str
    name: str
    uid: str
    version: str
    public: tuple[PublicCode, ...]
    own: tuple[OwnCode, ...]


@cache
def load_terminology() -> Terminology:
    """The codes that ship.

    Raises
    ------
    DefinitionError
        When a row is wrong: a display of more than 64 characters, a concept twice, a verified code without a source.
    """
    text = resources.files("cephstd.knowledge").joinpath("terminology.toml").read_bytes()
    return parse_terminology(text)


def parse_terminology(text: bytes) -> Terminology:
    """Codes of a TOML file, checked.

    Raises
    ------
    DefinitionError
        As `load_terminology`.
    """
    try:
        found = msgspec.toml.decode(text, type=Terminology)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise DefinitionError(f"The codes cannot be read: {error}.") from error
    seen: set[str] = set()
    rows: tuple[PublicCode | OwnCode, ...] = (*found.public, *found.own)
    for row in rows:
        if row.concept in seen:
            raise DefinitionError(f"Expected one code for each concept, found {row.concept!r} twice.")
        if len(row.display) > MAX_DISPLAY:
            raise DefinitionError(f"Expected at most {MAX_DISPLAY} characters, found {row.display!r}.")
        seen.add(row.concept)
    for code in found.public:
        if code.status == "verified" and not code.source.strip():
            raise DefinitionError(f"{code.scheme} {code.value} counts as verified and says not where it was read.")
    return found


@cache
def _codes() -> MappingProxyType[str, Code]:
    found = load_terminology()
    public = {
        row.concept: Code(scheme=row.scheme, value=row.value, display=row.display)
        for row in found.public
        if row.status == "verified"
    }
    own = {row.concept: Code(scheme=found.scheme, value=row.value, display=row.display) for row in found.own}
    return MappingProxyType(public | own)


@cache
def _concepts() -> MappingProxyType[tuple[str, str], str]:
    return MappingProxyType({code.key: concept for concept, code in _codes().items()})


def code_of(concept: str) -> Code:
    """Code of a concept of the table, e.g. ``"unit:mm"``.

    >>> code_of("site:skull").value
    '89546000'

    Raises
    ------
    DefinitionError
        When the table has no code for it.
    """
    if concept not in _codes():
        raise DefinitionError(f"Expected a concept of the terminology, found {concept!r}.")
    return _codes()[concept]


def concept_of(scheme: str, value: str) -> str:
    """Concept of a code of the table; empty when it is not in there.

    >>> concept_of("99CEPHSTD", "C-PLACED")
    'state:placed'
    """
    return _concepts().get((scheme, value), "")


def landmark_code(id: str) -> Code:
    """Code of a landmark: a verified public one, else the scheme's own.

    >>> landmark_code("N").scheme, landmark_code("Pog").value
    ('FMA', 'L-Pog')
    """
    public = _codes().get(f"landmark:{id}")
    return public or own_landmark_code(id)


def own_landmark_code(id: str) -> Code:
    """Code of a landmark in the library's own scheme."""
    known = load_landmarks().get(id)
    value = f"{LANDMARK}{id}" if known else f"{OWN_LANDMARK}{id}"
    return Code(scheme=load_terminology().scheme, value=value, display=(known.name if known else id)[:MAX_DISPLAY])


def measure_code(id: str, version: int) -> Code:
    """Code of a measure by a version of its definition: a verified public one, else the scheme's own.

    A public code stands for the first version: it would be wrong to keep it when a definition has changed.

    >>> measure_code("overjet", 1).value, measure_code("ANB", 1).value, measure_code("ANB", 2).value
    ('32916-9', 'M-ANB', 'M-ANB.2')
    """
    public = _codes().get(f"measure:{id}") if version == 1 else None
    return public or own_measure_code(id, version)


def own_measure_code(id: str, version: int) -> Code:
    """Code of a measure by a version of its definition in the library's own scheme."""
    known = load_measures().get(id)
    suffix = "" if version == 1 else f".{version}"
    display = ", ".join(filter(None, (known.symbol, known.name))) if known else ""
    prefix = MEASURE if known else OWN_MEASURE
    return Code(scheme=load_terminology().scheme, value=f"{prefix}{id}{suffix}", display=(display or id)[:MAX_DISPLAY])


def landmark_of(scheme: str, value: str) -> str:
    """Landmark id of a code; empty when it is of no landmark."""
    public = concept_of(scheme, value)
    if public.startswith("landmark:"):
        return public.removeprefix("landmark:")
    if scheme == load_terminology().scheme:
        for prefix in (OWN_LANDMARK, LANDMARK):
            if value.startswith(prefix):
                return value.removeprefix(prefix)
    return ""


def measure_of(scheme: str, value: str) -> tuple[str, int] | None:
    """(measure id, version of its definition) of a code; None when it is of no measure.

    >>> measure_of("99CEPHSTD", "M-ANB.2")
    ('ANB', 2)
    """
    public = concept_of(scheme, value)
    if public.startswith("measure:"):
        return public.removeprefix("measure:"), 1
    if scheme == load_terminology().scheme:
        for prefix in (OWN_MEASURE, MEASURE):
            if value.startswith(prefix):
                id, _, version = value.removeprefix(prefix).partition(".")
                return id, int(version) if version.isdigit() else 1
    return None


def site_of(id: str) -> Code:
    """Anatomic site of a landmark, as far as a verified code says it.

    >>> site_of("S").display, site_of("B").display, site_of("Pn").display
    ('Sella turcica', 'Mandible', 'Head')
    """
    known = load_landmarks().get(id)
    if known is None:
        return code_of("site:head")
    scheme, _, rest = known.structure_code.partition(" ")
    concept = concept_of(scheme, rest.partition(" ")[0])
    return code_of(concept if concept.startswith("site:") else f"site:{SITES[known.kind]}")


def published_codes() -> Iterator[tuple[str, Code, str]]:
    """The published table: (what it is for, code, where a public code was read), the scheme's own codes last."""
    terminology = load_terminology()
    for row in terminology.public:
        yield row.concept, code_of(row.concept), row.source
    for own in terminology.own:
        yield own.concept, code_of(own.concept), ""
    for id in load_landmarks():
        yield f"landmark:{id}", own_landmark_code(id), ""
    for measure in load_measures().values():
        yield f"measure:{measure.id}", own_measure_code(measure.id, measure.version), ""
