"""Definitions from the package's data files and from files of the user, read once and checked whole."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

import msgspec

from cephstd.errors import DefinitionError, FormulaError, UnknownAnalysisError, UnknownLandmarkError
from cephstd.knowledge.definitions import (
    AnalysisDefinition,
    LandmarkDefinition,
    LandmarkFile,
    MeasureDefinition,
    MeasureFile,
    SchemeDefinition,
    UserFile,
)
from cephstd.knowledge.formula import Formula, parse_formula, suggest

MAX_FILE_BYTES = 2**20
MAX_MEASURES = 2000

_Kind = TypeVar("_Kind")
_DIMENSION_OF_UNIT = {"deg": "deg", "mm": "mm", "%": "ratio", "ratio": "ratio"}


@dataclass(frozen=True, slots=True)
class Analysis:
    """An analysis with the definitions of its measures.

    Attributes
    ----------
    measures : tuple of MeasureDefinition
        In the order of the sheet.
    formulas : mapping of str to Formula
        Parsed and checked formula of every measure that has one.
    """

    definition: AnalysisDefinition
    measures: tuple[MeasureDefinition, ...]
    formulas: Mapping[str, Formula]


def _data(folder: str) -> list[tuple[str, bytes]]:
    place = resources.files("cephstd.knowledge").joinpath(folder)
    files = sorted((item for item in place.iterdir() if item.name.endswith(".toml")), key=lambda item: item.name)
    return [(item.name.removesuffix(".toml"), item.read_bytes()) for item in files]


@cache
def load_landmarks() -> Mapping[str, LandmarkDefinition]:
    """The landmark dictionary: id -> definition.

    >>> load_landmarks()["Gn_c"].construction
    'xs(N,Pog,Go,Me)'
    """
    text = resources.files("cephstd.knowledge").joinpath("landmarks.toml").read_bytes()
    return MappingProxyType({mark.id: mark for mark in msgspec.toml.decode(text, type=LandmarkFile).landmark})


@cache
def load_constructions() -> Mapping[str, Formula]:
    """Parsed construction of every landmark that has one."""
    known = load_landmarks()
    return MappingProxyType(
        {
            mark.id: parse_formula(mark.construction, known, subject=f"landmark {mark.id!r}")
            for mark in known.values()
            if mark.construction
        }
    )


@cache
def load_measures() -> Mapping[str, MeasureDefinition]:
    """Every measure that ships: id -> definition."""
    found: dict[str, MeasureDefinition] = {}
    for _, text in _data("measures"):
        found.update((item.id, item) for item in msgspec.toml.decode(text, type=MeasureFile).measure)
    return MappingProxyType(found)


@cache
def load_schemes() -> Mapping[str, SchemeDefinition]:
    """Every scheme that ships: id -> definition."""
    return MappingProxyType({id: msgspec.toml.decode(text, type=SchemeDefinition) for id, text in _data("schemes")})


@cache
def load_analyses() -> Mapping[str, AnalysisDefinition]:
    """Every analysis that ships: id -> definition."""
    return MappingProxyType({id: msgspec.toml.decode(text, type=AnalysisDefinition) for id, text in _data("analyses")})


def load_scheme(id: str) -> SchemeDefinition:
    """One scheme.

    Raises
    ------
    UnknownLandmarkError
        When no scheme has this id.
    """
    schemes = load_schemes()
    if id not in schemes:
        raise UnknownLandmarkError(
            f"Expected one of the schemes {', '.join(schemes)}; found {id!r}.", hint=suggest(id, schemes)
        )
    return schemes[id]


def load_analysis(which: str | Path | Sequence[str]) -> Analysis:
    """An analysis by id, by path of a TOML file, or as a sequence of measure ids.

    Parameters
    ----------
    which : str, Path or sequence of str
        ``"steiner"``; ``"clinic.toml"`` (any text that ends in ``.toml``) or a Path; ``["SNA", "SNB"]``.

    Raises
    ------
    UnknownAnalysisError
        When no analysis or measure of that name is defined.
    DefinitionError
        When a user's file cannot be read, says what it may not, or redefines a shipped measure; with file and line.
    FormulaError
        When a formula is wrong; with file, line and position in the formula.

    Examples
    --------
    >>> [measure.id for measure in load_analysis("wits").measures]
    ['Wits', 'Wits_BOP']
    """
    if isinstance(which, Path) or (isinstance(which, str) and which.endswith(".toml")):
        return _load_file(Path(which))
    if isinstance(which, str):
        return _load_shipped(which)
    return _select(AnalysisDefinition(id="selection", name="Selected measures", measures=tuple(which)), {}, "")


@cache
def _load_shipped(id: str) -> Analysis:
    analyses = load_analyses()
    if id not in analyses:
        raise UnknownAnalysisError(
            f"Expected one of the analyses {', '.join(analyses)}, or a path that ends in .toml; found {id!r}.",
            hint=suggest(id, analyses),
        )
    return _select(analyses[id], {}, "")


def _select(
    definition: AnalysisDefinition, own: Mapping[str, tuple[MeasureDefinition, Formula | None]], where: str
) -> Analysis:
    """Resolve the ids of an analysis against the user's own measures and those that ship."""
    shipped = load_measures()
    measures: list[MeasureDefinition] = []
    formulas: dict[str, Formula] = {}
    for id in definition.measures:
        measure, formula = own.get(id, (shipped.get(id), None))
        if measure is None:
            raise UnknownAnalysisError(
                f"{where}Expected ids of defined measures, found {id!r}.", hint=suggest(id, {*shipped, *own})
            )
        if measure in measures:
            raise DefinitionError(f"{where}Expected each measure once, found {id!r} twice.")
        measures.append(measure)
        if measure.formula:
            formulas[id] = formula or _shipped_formula(id)
    if not measures:
        raise DefinitionError(f"{where}Expected at least one measure, found none.")
    return Analysis(definition, tuple(measures), MappingProxyType(formulas))


@cache
def _shipped_formula(id: str) -> Formula:
    return check_measure(load_measures()[id])


def check_measure(measure: MeasureDefinition) -> Formula:
    """Parse the formula of a measure and compare its dimension with the declared unit.

    Raises
    ------
    FormulaError
        When the formula is wrong or gives another dimension than the unit says.
    """
    subject = f"measure {measure.id!r}"
    formula = parse_formula(measure.formula, load_landmarks(), subject=subject)
    if formula.dimension != _DIMENSION_OF_UNIT[measure.unit]:
        raise FormulaError(
            f"{subject}: unit {measure.unit!r} declared, but {measure.formula!r} gives {formula.dimension}."
        )
    return formula


def _load_file(path: Path) -> Analysis:
    """A user's analysis."""
    text = _read_text(path)
    file = _decode(text, path)
    shipped = load_measures()
    own: dict[str, tuple[MeasureDefinition, Formula | None]] = {}
    if len(file.measures) + len(file.measure) > MAX_MEASURES:
        raise DefinitionError(f"{path.name}: expected at most {MAX_MEASURES} measures.")
    for number, measure in enumerate(file.measure):
        where = f"{path.name}, line {_line_of_table(text, number, '')}: "
        if measure.id in shipped or measure.id in own:
            raise DefinitionError(f"{where}measure {measure.id!r} is already defined.", hint="Choose another id.")
        if bool(measure.formula) == bool(measure.undefined):
            raise DefinitionError(f"{where}measure {measure.id!r} needs a formula, or a reason under 'undefined'.")
        try:
            formula = check_measure(measure) if measure.formula else None
        except FormulaError as error:
            line = _line_of_table(text, number, "formula")
            raise FormulaError(f"{path.name}, line {line}: {error.args[0]}", hint=error.hint) from error
        own[measure.id] = (measure, formula)
    definition = AnalysisDefinition(
        id=file.id,
        name=file.name,
        source=file.source,
        version=file.version,
        measures=file.measures or tuple(own),
    )
    return _select(definition, own, f"{path.name}: ")


def _read_text(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise DefinitionError(f"{path.name}: expected at most {MAX_FILE_BYTES} bytes of definitions.")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DefinitionError(f"{path.name}: expected a readable UTF-8 TOML file.") from error


def _decode(text: str, path: Path) -> UserFile:
    try:
        return msgspec.toml.decode(text, type=UserFile)
    except msgspec.ValidationError as error:
        number = re.search(r"\$\.measure\[(\d+)\]", str(error))
        field = re.search(r"\]\.(\w+)|unknown field `(\w+)`", str(error))
        line = ""
        if number:
            name = next(filter(None, field.groups()), "") if field else ""
            line = f", line {_line_of_table(text, int(number[1]), name)}"
        raise DefinitionError(f"{path.name}{line}: {error}.") from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise DefinitionError(f"{path.name}: not TOML: {error}.") from error


def _line_of_table(text: str, number: int, key: str) -> int:
    """Line of the n-th ``[[measure]]`` header (first = 0), or of `key` inside it; for messages only."""
    seen = -1
    header = 0
    for line, content in enumerate(text.splitlines(), 1):
        if re.match(r"\s*\[\[\s*measure\s*\]\]", content):
            if seen == number:
                break
            seen += 1
            header = line
        elif seen == number and key and re.match(rf"\s*{re.escape(key)}\s*=", content):
            return line
    return header
