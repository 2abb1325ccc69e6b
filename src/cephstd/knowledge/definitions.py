"""What a definition file may say: landmarks, measures, analyses and schemes, with unknown keys refused."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

Id = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")]
Unit = Literal["deg", "mm", "%", "ratio"]
Confidence = Literal["high", "medium", "low", ""]


class LandmarkDefinition(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One landmark of the dictionary.

    Attributes
    ----------
    construction : str
        Formula of the point, used where the point has not been marked itself; empty for a marked point.
    fma_id, structure_code : str
        Code of the point (Foundational Model of Anatomy) and of the anatomic structure that contains it.
    """

    id: Id
    symbol: str
    name: str
    kind: Literal["skeletal", "dental", "soft_tissue", "constructed"]
    laterality: Literal["midline", "bilateral"]
    definition: str
    construction: str = ""
    note: str = ""
    fma_id: str = ""
    structure_code: str = ""
    confidence: Confidence
    version: int


class MeasureDefinition(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One measurement.

    Attributes
    ----------
    formula : str
        In the language of `cephstd.knowledge.formula`; empty when the measure is declared and not computable.
    undefined : str
        Why there is no formula.
    sign : str
        What a positive value means.
    decimals : int
        Decimals worth showing; values themselves are not rounded.
    high, low : str
        What a value above or below the usual suggests.
    analyses : tuple of str
        Authors or sheets that use it.
    version : int
        Raised whenever formula, sign or unit changes.
    """

    id: Id
    symbol: str = ""
    name: str = ""
    definition: str = ""
    formula: str = ""
    undefined: str = ""
    sign: str = ""
    unit: Unit
    decimals: Annotated[int, msgspec.Meta(ge=0, le=6)] = 1
    high: str = ""
    low: str = ""
    note: str = ""
    source: str = ""
    confidence: Confidence = ""
    analyses: tuple[str, ...] = ()
    version: Annotated[int, msgspec.Meta(ge=1)] = 1


class AnalysisDefinition(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Measures in the order of a tracing sheet.

    Attributes
    ----------
    authors : tuple of str
        The names under `MeasureDefinition.analyses` whose measures this sheet holds; empty for a free selection.
    """

    id: Id
    name: str = ""
    authors: tuple[str, ...] = ()
    source: str = ""
    version: Annotated[int, msgspec.Meta(ge=1)] = 1
    measures: tuple[str, ...]


class SchemePoint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One point of a scheme.

    Attributes
    ----------
    index : int
        Position in the data set's files, first = 1.
    id : str
        Landmark of the dictionary.
    label : str
        The data set's own name.
    hold : str
        Why the mapping to the dictionary is not settled; empty when it is.
    difference : str
        How the data set's definition differs from the dictionary's.
    provisional : str
        Why whatever rests on this point is provisional; empty when it is not.
    """

    index: int
    id: Id
    label: str
    hold: str = ""
    difference: str = ""
    provisional: str = ""


class SchemeDefinition(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An ordered set of landmarks as a data set or a model gives them."""

    id: Id
    name: str
    source: str = ""
    note: str = ""
    version: int
    landmark: tuple[SchemePoint, ...]

    @property
    def ids(self) -> tuple[str, ...]:
        """Landmark ids in the order of the data set."""
        return tuple(point.id for point in self.landmark)


class LandmarkFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The landmark dictionary."""

    landmark: tuple[LandmarkDefinition, ...]


class MeasureFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file of measures."""

    measure: tuple[MeasureDefinition, ...]


class UserFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A user's own file: an analysis, measures of its own, or both.

    Attributes
    ----------
    measures : tuple of str
        Ids of shipped or own measures in order; left out, the file's own measures in their order.
    measure : tuple of MeasureDefinition
        The file's own measures; an id of a shipped measure is refused.
    """

    id: Id = "own"
    name: str = ""
    source: str = ""
    version: Annotated[int, msgspec.Meta(ge=1)] = 1
    measures: tuple[str, ...] = ()
    measure: tuple[MeasureDefinition, ...] = ()
