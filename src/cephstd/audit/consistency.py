"""What a record may not say at once: a point that is absent and has a place, a millimetre without a scale, ..."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from cephstd.core.image import METRIC_BASES, Calibration
from cephstd.core.landmarks import Landmark
from cephstd.core.measures import Measure
from cephstd.core.record import Content, Run
from cephstd.core.trail import ReviewEvent

DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z\Z")
PSEUDONYM = re.compile(r"[0-9a-f]{32,128}\Z")
# Covariances are rounded to 1e-4 px^2, so that a determinant may fall this much times the trace below zero.
COVARIANCE_SLACK = 1e-4


def contradictions(content: Content, run: Run) -> tuple[str, ...]:
    """Every statement of a record that another of its statements excludes, as sentences; empty when there is none."""
    return (
        *_film(content),
        *_run(run),
        *_landmarks(content.landmarks),
        *_measures(content.measures, content.calibration, {mark.id: mark for mark in content.landmarks}),
        *_trail(content, run),
        *_earlier_reviews(content, run),
        *_interpretation(content),
    )


def _film(content: Content) -> Iterator[str]:
    source, made = content.source, content.normalized
    if (source.width_px, source.height_px) != (made.source_width_px, made.source_height_px):
        yield (
            f"The film has {source.width_px} x {source.height_px} px, the chain of steps starts from "
            f"{made.source_width_px} x {made.source_height_px} px."
        )
    digests = {
        "file_sha256": (source.file_sha256, source.format == "array"),
        "pixel_sha256": (source.pixel_sha256, False),
        "normalized.pixel_sha256": (made.pixel_sha256, False),
        "recipe_digest": (content.recipe_digest, False),
        "previous": (content.previous or "", True),
        "weights_sha256": (content.model.weights_sha256 if content.model else "", content.model is None),
    }
    for name, (digest, may_lack) in digests.items():
        if not DIGEST.match(digest) and (digest or not may_lack):
            yield f"Expected {name} as sha256: and 64 hex digits, found {digest!r:.90}."
    if content.model and content.model.scheme != content.scheme:
        yield f"The landmarks are of scheme {content.scheme}, the model's scheme is {content.model.scheme}."
    if content.model and content.model.name != content.recipe.model:
        yield f"The recipe names model {content.recipe.model}, the landmarks come from {content.model.name}."
    if content.analysis != content.recipe.analysis:
        yield f"The recipe names analysis {content.recipe.analysis}, the measures are of {content.analysis}."
    yield from _calibration(content.calibration)
    pseudonym = content.subject.pseudonym
    if pseudonym is not None and not PSEUDONYM.match(pseudonym):
        yield "Expected a keyed pseudonym of 32 or more lower-case hex digits as subject, found other text."


def _calibration(calibration: Calibration) -> Iterator[str]:
    spacing = (calibration.row_mm, calibration.column_mm)
    if calibration.basis in METRIC_BASES and None in spacing:
        yield f"A calibration of basis {calibration.basis} needs row and column spacing, found {spacing}."
    if any(value is not None and not value > 0 for value in spacing) or calibration.relative_sd < 0:
        yield f"Expected a spacing above zero and an uncertainty of zero or more, found {spacing}."


def _run(run: Run) -> Iterator[str]:
    if not is_utc_time(run.created):
        yield f"Expected the time as RFC 3339 in UTC, e.g. 2025-04-16T09:30:00Z, found {run.created!r:.60}."


def is_utc_time(text: str) -> bool:
    """True for an existing moment written as RFC 3339 in UTC with a Z."""
    if not TIME.match(text):
        return False
    try:
        return datetime.fromisoformat(text).tzinfo == UTC
    except ValueError:
        return False


def _landmarks(marks: Iterable[Landmark]) -> Iterator[str]:
    seen: set[str] = set()
    for mark in marks:
        if mark.id in seen:
            yield f"Landmark {mark.id} is listed twice."
        seen.add(mark.id)
        yield from _landmark(mark)


def _landmark(mark: Landmark) -> Iterator[str]:
    coordinates = (mark.x_px, mark.y_px)
    covariance = (mark.cov_xx, mark.cov_xy, mark.cov_yy)
    if mark.state == "absent":
        if any(value is not None for value in coordinates + covariance):
            yield f"Landmark {mark.id} is absent and has a position or covariance."
        if not mark.reason:
            yield f"Landmark {mark.id} is absent without a reason."
    elif None in coordinates or not all(math.isfinite(value) for value in coordinates if value is not None):
        yield f"Landmark {mark.id} is {mark.state} without a finite position."
    if mark.score is not None and not 0 <= mark.score <= 1:
        yield f"Landmark {mark.id} has a score of {mark.score:g}; expected 0 to 1."
    if mark.cov_xx is None or mark.cov_xy is None or mark.cov_yy is None:
        if covariance != (None, None, None):
            yield f"Landmark {mark.id} has part of a covariance; expected all three of xx, xy, yy or none."
    elif not _is_covariance(mark.cov_xx, mark.cov_xy, mark.cov_yy):
        yield f"The covariance of landmark {mark.id} is not positive semi-definite."


def _is_covariance(xx: float, xy: float, yy: float) -> bool:
    return xx >= 0 and yy >= 0 and xx * yy - xy * xy >= -COVARIANCE_SLACK * (xx + yy + COVARIANCE_SLACK)


def _measures(measures: Iterable[Measure], calibration: Calibration, marks: dict[str, Landmark]) -> Iterator[str]:
    seen: set[str] = set()
    for measure in measures:
        if measure.id in seen:
            yield f"Measure {measure.id} is listed twice."
        seen.add(measure.id)
        yield from _measure(measure)
        if measure.value is None:
            continue
        if measure.unit == "mm" and calibration.spacing_mm is None:
            yield f"Measure {measure.id} has millimetres and the film has no scale."
        resting = [marks[id] for id in measure.inputs if id in marks and _is_usable(marks[id])]
        if len(resting) < len(measure.inputs):
            yield f"Measure {measure.id} has a value and rests on a landmark that is absent or rejected."
        if any(mark.review == "provisional" for mark in resting) and not measure.provisional:
            yield f"Measure {measure.id} rests on a provisional landmark and is not marked provisional."


def _is_usable(mark: Landmark) -> bool:
    """True when a value may rest on the landmark: it is present and nobody rejected it."""
    return mark.is_present and mark.review != "rejected"


def _measure(measure: Measure) -> Iterator[str]:
    if measure.value is None:
        if not measure.reason:
            yield f"Measure {measure.id} is absent without a reason."
        if measure.sd is not None:
            yield f"Measure {measure.id} is absent and has a standard deviation."
        return
    if measure.reason:
        yield f"Measure {measure.id} has a value and a reason for its absence."
    if not math.isfinite(measure.value) or not (measure.sd is None or 0 <= measure.sd < math.inf):
        yield f"Measure {measure.id} needs a finite value and a standard deviation of zero or more."


def _interpretation(content: Content) -> Iterator[str]:
    values = {measure.id: measure.value for measure in content.measures}
    said = content.interpretation
    sets = {use.set for use in said.norm_sets}
    for comparison in said.comparisons:
        if comparison.value is not None and comparison.value != values.get(comparison.measure):
            yield f"The comparison of {comparison.measure} with {comparison.set} is of another value than measured."
        if comparison.set not in sets:
            yield f"A comparison is with the norm set {comparison.set!r:.80}, which is not listed."
        if comparison.z is not None and comparison.kind != "mean_sd":
            yield f"The comparison of {comparison.measure} has a z score, and its norm is no mean with deviation."
    for outcome in said.outcomes:
        if outcome.value is not None and outcome.value != values.get(outcome.measure):
            yield f"The class of {outcome.measure} by {outcome.rule} is of another value than measured."


def _trail(content: Content, run: Run) -> Iterator[str]:
    if not content.trail:
        return
    if content.trail[-1].reviewed != content.previous:
        yield "The last reviewed record is not the predecessor."
    if content.trail[-1].at != run.created:
        yield "The record was not made at the time of its last review."
    known: dict[str, Landmark] = {}
    before = ""
    for event in content.trail:
        yield from _event(event, before)
        before = event.at
        for change in event.changes:
            id = change.after.id
            if id in known and change.before != known[id]:
                yield f"The trail has landmark {id} start from another state than its last change left."
            known[id] = change.after
    marks = {mark.id: mark for mark in content.landmarks}
    for id, mark in known.items():
        if marks.get(id) != mark:
            yield f"Landmark {id} is not as its last review left it."


def _earlier_reviews(content: Content, run: Run) -> Iterator[str]:
    """An earlier review is of another state of the film, so that its points need not be those of this record."""
    if content.earlier_reviews and content.previous is None:
        yield "Earlier reviews are listed, and the record has no predecessor."
    before = ""
    for event in content.earlier_reviews:
        yield from _event(event, before)
        before = event.at
    following = content.trail[0].at if content.trail else run.created
    known = is_utc_time(before) and is_utc_time(following)
    if known and datetime.fromisoformat(following) < datetime.fromisoformat(before):
        yield f"The earlier review of {before} is later than what followed it ({following})."


def _event(event: ReviewEvent, before: str) -> Iterator[str]:
    if not DIGEST.match(event.reviewed):
        yield f"Expected the digest of the reviewed record, found {event.reviewed!r:.90}."
    if not is_utc_time(event.at):
        yield f"Expected the time of a review as RFC 3339 in UTC, found {event.at!r:.60}."
    elif before and is_utc_time(before) and datetime.fromisoformat(event.at) < datetime.fromisoformat(before):
        yield f"The review of {event.at} is listed after one of {before}."
    if not all((event.reviewer, event.name, event.role)):
        yield f"The review of {event.at} lacks its reviewer, name or role."
    if event.decision != "accept" and not event.reason:
        yield f"The review of {event.at} says {event.decision} without a reason."
    ids = [change.after.id for change in event.changes]
    if len(set(ids)) < len(ids) or any(c.before is not None and c.before.id != c.after.id for c in event.changes):
        yield f"The review of {event.at} mixes up landmarks."
    for change in event.changes:
        yield from _landmark(change.after)
