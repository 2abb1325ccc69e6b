"""What is said about values beside the values: comparisons with norms, classes by rules, findings.

All of it is stored as it was shown, with the identity of the data it came from, so that an old report can be made
again after a site has moved to other norms or rules.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Sex = Literal["F", "M"]
Resolution = Literal["sex and age", "sex", "age", "pooled"]
NormKind = Literal["mean_sd", "author_ideal", "range", "customary_band", "clinical_deviation"]


class NormSetUse(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which norm set values were compared with.

    Attributes
    ----------
    set : str
        Id of the set.
    version, sha256 : str
        Its version, and the digest of its file.
    population : str
        In the authors' words; chosen by a person, never inferred.
    verified : bool
        True when a person has signed the whole set off.
    enlargement_percent : float, optional
        Of the films that the set's lengths come from, stated by a person where print leaves it open.
    """

    set: str
    version: str
    sha256: str
    population: str
    verified: bool = False
    enlargement_percent: float | None = None


class NormComparison(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One value beside one reference.

    Attributes
    ----------
    measure, set, entry : str
        What was compared with which entry of which set; `entry` is empty when none fits.
    kind : str, optional
        Kind of the statistic.
    value : float, optional
        The value compared; None when nothing was.
    reference, spread, low, high : float, optional
        As the entry gives them for this age, sex or size.
    difference : float, optional
        Value minus reference, in the measure's unit.
    z : float, optional
        Only for ``mean_sd`` with a standard deviation: difference over it.
    clinical_deviations : float, optional
        Only for ``clinical_deviation``: difference over the clinical deviation; not a z score.
    position : str
        ``below``, ``within`` or ``above`` the range or band; empty without one.
    resolved : str
        How specific the entry is: ``sex and age``, ``sex``, ``age`` or ``pooled``.
    flags : tuple of str
        ``unverified``, a fallback, an age outside the sample's, an interpolation, a conversion of size.
    reason : str
        Why nothing was compared; empty otherwise.
    """

    measure: str
    set: str
    entry: str = ""
    kind: NormKind | None = None
    value: float | None = None
    reference: float | None = None
    spread: float | None = None
    low: float | None = None
    high: float | None = None
    difference: float | None = None
    z: float | None = None
    clinical_deviations: float | None = None
    position: Literal["", "below", "within", "above"] = ""
    resolved: Literal["", "sex and age", "sex", "age", "pooled"] = ""
    flags: tuple[str, ...] = ()
    reason: str = ""


class RuleOutcome(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Class of one value by one rule.

    Attributes
    ----------
    rule : str
        ``set.rule``.
    version : str
        Of the rule set.
    measure : str
        The rule's input.
    value, sd : float, optional
        As measured.
    label, number : str, int, optional
        Class and its number in the rule; None when there is no class.
    probability : float, optional
        That the true value lies in this class, for normal errors of standard deviation `sd`; None when unknown.
    threshold, other_side : float, optional
        Nearest end of the class, and the probability that the true value lies beyond it.
    provisional : bool
        True when the value is.
    text : str
        The rule's sentence, filled in.
    reason : str
        Why there is no class; empty otherwise.
    """

    rule: str
    version: str
    measure: str
    value: float | None = None
    sd: float | None = None
    label: str | None = None
    number: int | None = None
    probability: float | None = None
    threshold: float | None = None
    other_side: float | None = None
    provisional: bool = False
    text: str = ""
    reason: str = ""


class Finding(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something that a person should look at, such as indicators of one thing that contradict each other.

    Attributes
    ----------
    kind : str
        ``conflict``.
    subject : str
        What the indicators are about.
    rules : tuple of str
        The outcomes that it comes from.
    text : str
        In a sentence.
    """

    kind: Literal["conflict"]
    subject: str
    rules: tuple[str, ...]
    text: str


class RuleSetUse(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which rule set classes come from: id, version and digest of its file."""

    set: str
    version: str
    sha256: str


class Interpretation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was said about the values of one film.

    Attributes
    ----------
    age_years, sex : float, str, optional
        As used; stated by a person or kept from the film, never inferred.
    norm_sets : tuple of NormSetUse
        Chosen by a person, in order of choice.
    comparisons : tuple of NormComparison
        By set and measure.
    rule_sets : tuple of RuleSetUse
        The rule sets that were applied.
    outcomes : tuple of RuleOutcome
        By rule, for measured inputs.
    norms_by : str
        Who chose the norm sets; empty = not stated.
    resolution : tuple of str
        Order in which an entry of a set was looked for; empty where nothing was compared.
    findings : tuple of Finding
        What does not go together.
    """

    age_years: float | None = None
    sex: Sex | None = None
    norm_sets: tuple[NormSetUse, ...] = ()
    comparisons: tuple[NormComparison, ...] = ()
    rule_sets: tuple[RuleSetUse, ...] = ()
    outcomes: tuple[RuleOutcome, ...] = ()
    findings: tuple[Finding, ...] = ()
    norms_by: str = ""
    resolution: tuple[Resolution, ...] = ()
