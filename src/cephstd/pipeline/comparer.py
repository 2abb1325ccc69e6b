"""Compares two contents of the same film, quantity by quantity, within stated tolerances."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from cephstd.core.image import Calibration
from cephstd.core.interpretation import Interpretation, RuleOutcome
from cephstd.core.landmarks import Landmark
from cephstd.core.measures import Measure
from cephstd.core.record import Content, NormalizedFacts
from cephstd.core.steps import Chain


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerances:
    """How far a second run may lie from the first and count as the same.

    ONNX Runtime promises equal output neither across machines nor across thread counts; decoders of one JPEG may
    differ by a grey level. What that moves is far below these figures, and these are far below what a person could
    see or a class could depend on.

    Attributes
    ----------
    point_px : float
        Distance of a landmark, source px; also of the corners of the film in the standard image, its px.
    score : float
        Of a model's score, 0..1.
    covariance_ratio : float
        Each entry of a covariance, as a share of the recorded trace (plus 0.001 px^2).
    spacing_ratio : float
        Of a spacing, relative.
    angle_deg, length_mm, percent, ratio : float
        Of a value and of its standard deviation, by unit.
    """

    point_px: float = 0.05
    score: float = 0.01
    covariance_ratio: float = 0.05
    spacing_ratio: float = 1e-9
    angle_deg: float = 0.02
    length_mm: float = 0.02
    percent: float = 0.05
    ratio: float = 0.001

    def of_unit(self, unit: str) -> float:
        """Allowed difference of a value in `unit`: ``deg``, ``mm``, ``%`` or ``ratio``."""
        return {"deg": self.angle_deg, "mm": self.length_mm, "%": self.percent, "ratio": self.ratio}[unit]


COVARIANCE_FLOOR_PX2 = 0.001
FULL_TURN_DEG = 360.0
NO_RULE = "rule not applied"
_Listed = TypeVar("_Listed", Landmark, Measure)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """How far one quantity of two contents lies apart.

    Attributes
    ----------
    subject : str
        What it belongs to, e.g. ``"landmark Pog"``.
    quantity : str
        E.g. ``"position"``; `unit` its unit, empty for words.
    recorded, found : str
        Both sides, as text.
    amount, allowed : float
        In `unit`; words that differ have an infinite amount.
    """

    subject: str
    quantity: str
    unit: str = ""
    recorded: str
    found: str
    amount: float = math.inf
    allowed: float = 0.0

    @property
    def exceeds(self) -> bool:
        """True when the amount is more than is allowed."""
        return not self.amount <= self.allowed

    @property
    def size(self) -> float | None:
        """The amount where it is a number: None for words, and where one side is absent."""
        return self.amount if math.isfinite(self.amount) else None

    def __str__(self) -> str:
        sides = f"{self.subject}, {self.quantity}: recorded {self.recorded}, found {self.found}"
        if not math.isfinite(self.amount):
            return sides
        return f"{sides}, differs by {self.amount:.4g} {self.unit}".rstrip() + f" (allowed {self.allowed:g})"


def compare_contents(recorded: Content, found: Content, tolerances: Tolerances) -> tuple[Difference, ...]:
    """Every quantity that was compared and is not exactly equal, within the tolerances or not."""
    return (
        *_words("record", recorded, found, ("scheme", "analysis")),
        *_normalized(recorded.normalized, found.normalized, tolerances),
        *_calibration(recorded.calibration, found.calibration, tolerances),
        *_landmarks(recorded.landmarks, found.landmarks, tolerances),
        *_measures(recorded.measures, found.measures, tolerances),
    )


def compare_classes(recorded: Interpretation, found: Interpretation) -> tuple[Difference, ...]:
    """Every class that differs, with the probability of either side; and rules that one side alone applied.

    Apart from `compare_contents`, which says what is the same within tolerances: a value at a threshold may change its
    class by less than any tolerance.

    Parameters
    ----------
    recorded, found : Interpretation

    Returns
    -------
    tuple of Difference
        By rule, in the recorded order, then those that are new.
    """
    sides = [{outcome.rule: outcome for outcome in side.outcomes} for side in (recorded, found)]
    return tuple(
        difference
        for rule in dict.fromkeys((*sides[0], *sides[1]))
        for difference in _class(rule, sides[0].get(rule), sides[1].get(rule))
    )


def _class(rule: str, before: RuleOutcome | None, now: RuleOutcome | None) -> Iterator[Difference]:
    labels = [None if outcome is None else outcome.label for outcome in (before, now)]
    if labels[0] == labels[1]:
        return
    subject = f"class {rule}"
    texts = [NO_RULE if outcome is None else outcome.label or f"none ({outcome.reason})" for outcome in (before, now)]
    yield Difference(subject=subject, quantity="class", recorded=texts[0], found=texts[1])
    odds = (before.probability if before else None, now.probability if now else None)
    yield from _number(subject, "probability", "", odds, 0.0)


def _words(subject: str, recorded: object, found: object, names: Iterable[str]) -> Iterator[Difference]:
    for name in names:
        before, now = getattr(recorded, name), getattr(found, name)
        if before != now:
            yield Difference(subject=subject, quantity=name.replace("_", " "), recorded=str(before), found=str(now))


def _number(
    subject: str, quantity: str, unit: str, pair: tuple[float | None, float | None], allowed: float
) -> Iterator[Difference]:
    before, now = pair
    if before == now:
        return
    amount = math.inf if before is None or now is None else abs(now - before)
    if unit == "deg":
        amount = min(amount, abs(FULL_TURN_DEG - amount))
    yield Difference(
        subject=subject,
        quantity=quantity,
        unit=unit,
        recorded=_text(before),
        found=_text(now),
        amount=amount,
        allowed=allowed,
    )


def _text(value: float | None) -> str:
    return "absent" if value is None else f"{value:.6g}"


def _normalized(recorded: NormalizedFacts, found: NormalizedFacts, allowed: Tolerances) -> Iterator[Difference]:
    yield from _words("standard image", recorded.quality, found.quality, ("verdict",))
    if recorded.view and found.view:
        yield from _words("view", recorded.view, found.view, ("accepted", "facing", "quarters", "inverted"))
        for name in ("score", "pose_score", "inverted_score"):
            pair = (getattr(recorded.view, name), getattr(found.view, name))
            yield from _number("view", name.replace("_", " "), "", pair, allowed.score)
    steps = [" ".join(str(type(step).__name__) for step in facts.steps) for facts in (recorded, found)]
    if steps[0] != steps[1]:
        yield Difference(subject="standard image", quantity="steps", recorded=steps[0], found=steps[1])
        return
    chains = [
        Chain(source_size=(facts.source_width_px, facts.source_height_px), steps=facts.steps)
        for facts in (recorded, found)
    ]
    width, height = chains[0].source_size
    corners = [[0.0, 0.0], [width - 1.0, 0.0], [0.0, height - 1.0], [width - 1.0, height - 1.0]]
    apart = float(np.abs(chains[0].forward(corners) - chains[1].forward(corners)).max())
    yield from _number("standard image", "place of the film's corners", "px", (0.0, apart), allowed.point_px)


def _calibration(recorded: Calibration, found: Calibration, allowed: Tolerances) -> Iterator[Difference]:
    yield from _words("calibration", recorded, found, ("basis",))
    for name in ("row_mm", "column_mm", "relative_sd"):
        pair = (getattr(recorded, name), getattr(found, name))
        yield from _number("calibration", name, "", pair, allowed.spacing_ratio * (pair[0] or 1.0))


def _shared(recorded: Iterable[_Listed], found: Iterable[_Listed]) -> Iterator[tuple[_Listed, _Listed]]:
    """What both sides list, in the recorded order; a difference of the lists themselves is said before."""
    now = {item.id: item for item in found}
    yield from ((item, now[item.id]) for item in recorded if item.id in now)


def _landmarks(
    recorded: tuple[Landmark, ...], found: tuple[Landmark, ...], allowed: Tolerances
) -> Iterator[Difference]:
    ids = [" ".join(mark.id for mark in marks) for marks in (recorded, found)]
    if ids[0] != ids[1]:
        yield Difference(subject="landmarks", quantity="ids", recorded=ids[0], found=ids[1])
    for before, now in _shared(recorded, found):
        subject = f"landmark {before.id}"
        yield from _words(subject, before, now, ("state", "review", "reason"))
        yield from _number(subject, "score", "", (before.score, now.score), allowed.score)
        if before.is_present and now.is_present:
            yield from _position(subject, before, now, allowed)


def _position(subject: str, before: Landmark, now: Landmark, allowed: Tolerances) -> Iterator[Difference]:
    places = [(mark.x_px or 0.0, mark.y_px or 0.0) for mark in (before, now)]
    distance = math.dist(*places)
    if distance > 0:
        texts = [f"({x:.3f}, {y:.3f})" for x, y in places]
        yield Difference(
            subject=subject,
            quantity="position",
            unit="px",
            recorded=texts[0],
            found=texts[1],
            amount=distance,
            allowed=allowed.point_px,
        )
    trace = (before.cov_xx or 0.0) + (before.cov_yy or 0.0)
    limit = allowed.covariance_ratio * trace + COVARIANCE_FLOOR_PX2
    for name in ("cov_xx", "cov_xy", "cov_yy"):
        yield from _number(subject, name, "px^2", (getattr(before, name), getattr(now, name)), limit)


def _measures(recorded: tuple[Measure, ...], found: tuple[Measure, ...], allowed: Tolerances) -> Iterator[Difference]:
    ids = [" ".join(measure.id for measure in measures) for measures in (recorded, found)]
    if ids[0] != ids[1]:
        yield Difference(subject="measures", quantity="ids", recorded=ids[0], found=ids[1])
    for before, now in _shared(recorded, found):
        subject = f"measure {before.id}"
        yield from _words(subject, before, now, ("unit", "definition_version", "reason", "provisional"))
        limit = allowed.of_unit(before.unit)
        yield from _number(subject, "value", before.unit, (before.value, now.value), limit)
        yield from _number(subject, "standard deviation", before.unit, (before.sd, now.sd), limit)
