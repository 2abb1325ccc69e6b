"""All that is said about the values of one film: comparisons with chosen norms, classes by rules, findings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from cephstd.core.image import CalibrationBasis
from cephstd.core.interpretation import Interpretation, Sex
from cephstd.core.measures import Measure
from cephstd.core.recipe import DEFAULT_RULES
from cephstd.errors import InputError
from cephstd.interpretation.classifier import classify, describe_rules, find_conflicts
from cephstd.interpretation.norm_comparer import ORDER, compare_with_norms, describe_norms
from cephstd.knowledge.norms import Norms, load_norms
from cephstd.knowledge.rules import load_rules

MAX_AGE_YEARS = 130.0
MAX_ENLARGEMENT_PERCENT = 30.0


class Interpreter:
    """Compares and classifies by sets that are loaded once; safe to share between threads.

    Parameters
    ----------
    norms : sequence of str or Path
        Ids of norm sets, or TOML files of one's own, chosen by a person for these patients; several stand side by
        side.
    rules : sequence of str or Path
        Ids of rule sets, or files of one's own.
    norms_by : str
        Who chose the norm sets, as the site names that person; stored, and empty when not stated.
    enlargements : mapping of str to float, optional
        Enlargement in percent, stated by a person, of the films that a set's lengths come from, where print leaves it
        open; without it those lengths are not compared.

    Raises
    ------
    DefinitionError
        When a set is unknown or wrong.

    Examples
    --------
    >>> anb = Measure(id="ANB", definition_version=1, unit="deg", value=6.0, sd=1.0)
    >>> said = Interpreter(["eastman"], ["skeletal_class"])([anb])
    >>> said.comparisons[0].z, said.outcomes[0].label
    (1.5, 'Class II')
    """

    def __init__(
        self,
        norms: Sequence[str | Path] = (),
        rules: Sequence[str | Path] = DEFAULT_RULES,
        *,
        norms_by: str = "",
        enlargements: Mapping[str, float] = MappingProxyType({}),
    ) -> None:
        if norms_by and not norms:
            raise InputError("Somebody chose norms, and none are named.", hint="Name the sets that were chosen.")
        self._norms_by = norms_by
        self._norms = tuple(load_norms(which) for which in norms)
        self._rules = tuple(load_rules(which) for which in rules)
        for sets in ([one.definition.id for one in self._norms], [one.definition.id for one in self._rules]):
            if len(set(sets)) < len(sets):
                raise InputError(f"Expected each set once, found {', '.join(sets)}.")
        self._enlargements = _checked(enlargements, self._norms)

    def __call__(
        self,
        measures: Iterable[Measure],
        *,
        age_years: float | None = None,
        sex: Sex | None = None,
        basis: CalibrationBasis = "undetermined",
    ) -> Interpretation:
        """What is said about the values of one film.

        Parameters
        ----------
        measures : iterable of Measure
        age_years, sex : float, str, optional
            Of the patient when the film was made, as stated.
        basis : str
            Where the film's scale comes from; lengths are compared at natural size only.

        Returns
        -------
        Interpretation

        Raises
        ------
        InputError
            When the age is no age or the sex neither ``F`` nor ``M``.
        """
        if age_years is not None and not 0.0 <= age_years <= MAX_AGE_YEARS:
            raise InputError(f"Expected an age of 0 to {MAX_AGE_YEARS:g} years, found {age_years:g}.")
        if sex not in (None, "F", "M"):
            raise InputError(f"Expected F or M as sex, found {sex!r}.")
        found = tuple(measures)
        outcomes = tuple(outcome for rules in self._rules for outcome in classify(found, rules, sex=sex))
        return Interpretation(
            age_years=age_years,
            sex=sex,
            norm_sets=tuple(
                describe_norms(norms, self._enlargements.get(norms.definition.id)) for norms in self._norms
            ),
            comparisons=tuple(
                comparison
                for norms in self._norms
                for comparison in compare_with_norms(
                    found,
                    norms,
                    age_years=age_years,
                    sex=sex,
                    basis=basis,
                    enlargement_percent=self._enlargements.get(norms.definition.id),
                )
            ),
            rule_sets=tuple(map(describe_rules, self._rules)),
            outcomes=outcomes,
            findings=find_conflicts(outcomes, self._rules),
            norms_by=self._norms_by,
            resolution=ORDER if self._norms else (),
        )


def _checked(enlargements: Mapping[str, float], norms: Sequence[Norms]) -> dict[str, float]:
    sets = {one.definition.id: one.definition for one in norms}
    for name, percent in enlargements.items():
        if name not in sets:
            raise InputError(f"An enlargement is stated for the norm set {name!r:.80}, which is not chosen.")
        if sets[name].size == "natural" or sets[name].natural_factor is not None:
            raise InputError(f"The norm set {name} settles its own size.", hint="State no enlargement for it.")
        if not 0.0 <= percent <= MAX_ENLARGEMENT_PERCENT:
            raise InputError(f"Expected an enlargement of 0 to {MAX_ENLARGEMENT_PERCENT:g} %, found {percent:g}.")
    return dict(enlargements)


def interpret(
    measures: Iterable[Measure],
    norms: Sequence[str | Path] = (),
    *,
    rules: Sequence[str | Path] = DEFAULT_RULES,
    norms_by: str = "",
    enlargements: Mapping[str, float] = MappingProxyType({}),
    age_years: float | None = None,
    sex: Sex | None = None,
    basis: CalibrationBasis = "undetermined",
) -> Interpretation:
    """Exactly ``Interpreter(norms, rules, norms_by=...)(measures, ...)``; for many films keep one `Interpreter`.

    Parameters
    ----------
    measures : iterable of Measure
        Of one film, e.g. a `MeasureSet`.
    norms, rules : sequence of str or Path
        As for `Interpreter`; without norms nothing is compared.
    norms_by : str
        Who chose the norm sets, as for `Interpreter`.
    enlargements : mapping of str to float, optional
        Set -> stated enlargement in percent, as for `Interpreter`.
    age_years, sex : float, str, optional
        Of the patient when the film was made, as stated; never inferred.
    basis : str
        Basis of the film's calibration; lengths are compared at natural size only.

    Returns
    -------
    Interpretation
        Comparisons with their flags, classes with their probabilities, and what contradicts itself.

    Raises
    ------
    DefinitionError
        When a set is unknown or wrong.
    InputError
        When age or sex is impossible, or a set is named twice.

    Examples
    --------
    >>> anb = Measure(id="ANB", definition_version=1, unit="deg", value=6.0, sd=1.0)
    >>> said = interpret([anb], ["eastman"])
    >>> said.comparisons[0].z, said.comparisons[0].flags
    (1.5, ('unverified',))
    """
    return Interpreter(norms, rules, norms_by=norms_by, enlargements=enlargements)(
        measures, age_years=age_years, sex=sex, basis=basis
    )
