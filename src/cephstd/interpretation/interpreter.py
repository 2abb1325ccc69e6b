"""All that is said about the values of one film: comparisons with chosen norms, classes by rules, findings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from cephstd.core.image import CalibrationBasis
from cephstd.core.interpretation import Interpretation, Sex
from cephstd.core.measures import Measure
from cephstd.core.recipe import DEFAULT_RULES
from cephstd.errors import InputError
from cephstd.interpretation.classifier import classify, describe_rules, find_conflicts
from cephstd.interpretation.norm_comparer import compare_with_norms, describe_norms
from cephstd.knowledge.norms import load_norms
from cephstd.knowledge.rules import load_rules

MAX_AGE_YEARS = 130.0


class Interpreter:
    """Compares and classifies by sets that are loaded once; safe to share between threads.

    Parameters
    ----------
    norms : sequence of str or Path
        Ids of norm sets, or TOML files of one's own, chosen by a person for these patients; several stand side by
        side.
    rules : sequence of str or Path
        Ids of rule sets, or files of one's own.

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

    def __init__(self, norms: Sequence[str | Path] = (), rules: Sequence[str | Path] = DEFAULT_RULES) -> None:
        self._norms = tuple(load_norms(which) for which in norms)
        self._rules = tuple(load_rules(which) for which in rules)
        for sets in ([one.definition.id for one in self._norms], [one.definition.id for one in self._rules]):
            if len(set(sets)) < len(sets):
                raise InputError(f"Expected each set once, found {', '.join(sets)}.")

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
            norm_sets=tuple(map(describe_norms, self._norms)),
            comparisons=tuple(
                comparison
                for norms in self._norms
                for comparison in compare_with_norms(found, norms, age_years=age_years, sex=sex, basis=basis)
            ),
            rule_sets=tuple(map(describe_rules, self._rules)),
            outcomes=outcomes,
            findings=find_conflicts(outcomes, self._rules),
        )


def interpret(
    measures: Iterable[Measure],
    norms: Sequence[str | Path] = (),
    *,
    rules: Sequence[str | Path] = DEFAULT_RULES,
    age_years: float | None = None,
    sex: Sex | None = None,
    basis: CalibrationBasis = "undetermined",
) -> Interpretation:
    """Exactly ``Interpreter(norms, rules)(measures, ...)``; for many films keep one `Interpreter`.

    Parameters
    ----------
    measures : iterable of Measure
        Of one film, e.g. a `MeasureSet`.
    norms, rules : sequence of str or Path
        As for `Interpreter`; without norms nothing is compared.
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
    return Interpreter(norms, rules)(measures, age_years=age_years, sex=sex, basis=basis)
