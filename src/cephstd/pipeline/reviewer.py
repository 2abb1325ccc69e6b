"""A person's decision on a record: accept, amend or reject; each makes a successor and edits nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Literal, get_args

import msgspec

from cephstd.audit.consistency import is_utc_time
from cephstd.audit.recorder import format_time, succeed
from cephstd.audit.verifier import verify
from cephstd.core.landmarks import Landmark, LandmarkSet, place_landmark
from cephstd.core.measures import Measure
from cephstd.core.record import Record
from cephstd.core.trail import Change, Decision, Meaning, ReviewEvent
from cephstd.errors import InputError, UnknownLandmarkError
from cephstd.geometry.measurer import Measurer
from cephstd.knowledge.formula import suggest
from cephstd.knowledge.loader import load_landmarks

Points = Mapping[str, tuple[float, float]]
NO_POINTS: Points = {}
HALF_PX = 0.5


def amend(
    record: Record | bytes | str | Path,
    moves: Points = NO_POINTS,
    places: Points = NO_POINTS,
    *,
    reason: str,
    reviewer: str,
    name: str,
    role: str,
    meaning: Meaning,
    at: datetime | str,
    source: str | Path | bytes | None = None,
) -> Record:
    """Successor of `record` with points that a person moved or placed, and what depends on them computed again.

    Parameters
    ----------
    record : Record, bytes or path
        The reviewed record.
    moves, places : mapping of str to (float, float)
        Landmark id -> (x, y) in source px: `moves` of points that the record has, `places` of points that it lacks.
    reason : str
        Why; never empty.
    reviewer, name, role : str
        The person's identifier at the caller, printed name, and role; they are printed in every successor.
    meaning : str
        ``review``, ``approval``, ``responsibility`` or ``authorship``.
    at : datetime or str
        When, from the caller's clock, with its time zone; not before the record was made.
    source : path or bytes, optional
        The film's file; its hash is compared first.

    Returns
    -------
    Record
        Moved and placed points are accepted, without a covariance: nothing is known about a person's error here, so
        values that rest on them have no standard deviation. The trail keeps each point as it was.

    Raises
    ------
    InputError
        When there is no point, no reason, or no name; a point lies outside the film, or is to be moved and absent, or
        to be placed and there; or the time is before the record's.
    UnknownLandmarkError
        When a placed landmark is not in the dictionary.
    SchemaError, NotCanonicalError, DigestMismatch, VerificationError
        When the record does not hold, or `source` is another film.
    """
    before = verify(record, source=source).record
    if not moves and not places:
        raise InputError("Expected a point to move or to place, found none.", hint="Accepting points is review().")
    after = [*_moved(before, moves), *_placed(before, places)]
    return _decide(
        before,
        after,
        decision="amend",
        whole=False,
        reason=reason,
        reviewer=reviewer,
        name=name,
        role=role,
        meaning=meaning,
        at=at,
    )


def review(
    record: Record | bytes | str | Path,
    decision: Literal["accept", "reject"],
    *,
    points: Iterable[str] | None = None,
    reason: str = "",
    reviewer: str,
    name: str,
    role: str,
    meaning: Meaning,
    at: datetime | str,
    source: str | Path | bytes | None = None,
) -> Record:
    """Successor of `record` in which a person has accepted or rejected all of it, or some of its points.

    Parameters
    ----------
    record : Record, bytes or path
        The reviewed record.
    decision : str
        ``accept`` or ``reject``. An accepted point is no longer provisional, nor is what rests on it; nothing rests
        on a rejected one.
    points : iterable of str, optional
        Landmark ids; without it the whole record: accepting leaves points that are rejected as they are.
    reason : str
        Why; never empty for ``reject``.
    reviewer, name, role, meaning, at, source
        As for `amend`.

    Returns
    -------
    Record

    Raises
    ------
    InputError
        When a point is not listed or absent, a rejection has no reason, a name is empty, or the time is before the
        record's.
    SchemaError, NotCanonicalError, DigestMismatch, VerificationError
        When the record does not hold, or `source` is another film.
    """
    before = verify(record, source=source).record
    if decision not in ("accept", "reject"):
        raise InputError(f"Expected accept or reject, found {decision!r}.", hint="Moving points is amend().")
    chosen = _chosen(before, decision, points)
    outcome = {"review": "accepted", "reason": ""} if decision == "accept" else {"review": "rejected", "reason": reason}
    return _decide(
        before,
        [msgspec.structs.replace(mark, **outcome) for mark in chosen],
        decision=decision,
        whole=points is None,
        reason=reason,
        reviewer=reviewer,
        name=name,
        role=role,
        meaning=meaning,
        at=at,
    )


def _decide(
    before: Record,
    after: Iterable[Landmark],
    *,
    decision: Decision,
    whole: bool,
    reason: str,
    reviewer: str,
    name: str,
    role: str,
    meaning: Meaning,
    at: datetime | str,
) -> Record:
    said = {"reviewer": reviewer, "name": name, "role": role, "meaning": meaning}
    if decision != "accept":
        said["reason"] = reason
    for what, text in said.items():
        if not isinstance(text, str) or not text.strip():
            raise InputError(f"Expected the {what} of the review, found nothing.", hint="A review says who and why.")
    if meaning not in get_args(Meaning):
        raise InputError(f"Expected a meaning of {', '.join(get_args(Meaning))}, found {meaning!r:.40}.")
    marks = {mark.id: mark for mark in before.content.landmarks}
    now = dict(marks)
    changes = []
    for mark in after:
        if marks.get(mark.id) != mark:
            changes.append(Change(before=marks.get(mark.id), after=mark))
            now[mark.id] = mark
    event = ReviewEvent(
        decision=decision,
        whole=whole,
        reviewed=before.record_digest,
        changes=tuple(changes),
        reason=reason,
        reviewer=reviewer,
        name=name,
        role=role,
        meaning=meaning,
        at=_time_after(before, at),
    )
    return succeed(before, now.values(), _measured(before, tuple(now.values())), event=event)


def _time_after(before: Record, at: datetime | str) -> str:
    when = format_time(at)
    made = before.run.created
    if is_utc_time(made) and datetime.fromisoformat(when) < datetime.fromisoformat(made):
        raise InputError(f"Expected a review after the record was made ({made}), found {when}.")
    return when


def _moved(before: Record, moves: Points) -> Iterator[Landmark]:
    marks = {mark.id: mark for mark in before.content.landmarks}
    for id, point in moves.items():
        if id not in marks or not marks[id].is_present:
            raise InputError(f"Expected a point of the record to move, found {id!r}.", hint="Place it instead.")
        yield place_landmark(id, *_inside(before, id, point), state="moved", review="accepted")


def _placed(before: Record, places: Points) -> Iterator[Landmark]:
    present = {mark.id for mark in before.content.landmarks if mark.is_present}
    known = load_landmarks()
    for id, point in places.items():
        if id not in known:
            raise UnknownLandmarkError(f"Expected a landmark of the dictionary, found {id!r}.", hint=suggest(id, known))
        if id in present:
            raise InputError(f"Expected a point that the record lacks, found {id!r}.", hint="Move it instead.")
        yield place_landmark(id, *_inside(before, id, point), state="placed", review="accepted")


def _inside(before: Record, id: str, point: tuple[float, float]) -> tuple[float, float]:
    (x, y), film = point, before.content.source
    # pixel centres are whole numbers, so that the film begins and ends half a pixel outside of them
    if not (-HALF_PX <= x <= film.width_px - HALF_PX and -HALF_PX <= y <= film.height_px - HALF_PX):
        raise InputError(
            f"Expected {id} on the film of {film.width_px} x {film.height_px} px, found ({x:g}, {y:g}).",
            hint="Coordinates are source pixels, x right, y down.",
        )
    return x, y


def _chosen(before: Record, decision: str, points: Iterable[str] | None) -> list[Landmark]:
    marks = {mark.id: mark for mark in before.content.landmarks if mark.is_present}
    if points is None:
        return [mark for mark in marks.values() if decision == "reject" or mark.review != "rejected"]
    ids = tuple(points)
    unknown = [id for id in ids if id not in marks]
    if unknown or not ids:
        raise InputError(
            f"Expected points that the record has, found {', '.join(unknown) or 'none'}.",
            hint=f"It has {', '.join(marks)}.",
        )
    return [marks[id] for id in ids]


def _measured(before: Record, now: tuple[Landmark, ...]) -> Iterator[Measure]:
    """The recorded measures; those that the changed points bear on are computed again.

    What a value rests on is found by computing both sides, since orientation, too, rests on points. A measure that
    comes out the same on both sides keeps its recorded value, also where its definition has changed since.
    """
    content = before.content
    # a point that this version's dictionary lacks feeds none of its formulas
    known = load_landmarks()
    sides = [
        Measurer(content.recipe.analysis)(
            LandmarkSet(landmarks=tuple(mark for mark in marks if mark.id in known)),
            content.calibration,
            uncertainty=content.uncertainty,
        )
        for marks in (content.landmarks, now)
    ]
    old, new = ({measure.id: measure for measure in side} for side in sides)
    changed = {mark.id for mark in now} - {mark.id for mark in set(content.landmarks) & set(now)}
    for measure in content.measures:
        if measure.id in new:
            yield measure if new[measure.id] == old[measure.id] else new[measure.id]
        elif changed.isdisjoint(measure.inputs):
            yield measure
        else:
            yield msgspec.structs.replace(
                measure,
                value=None,
                sd=None,
                provisional=False,
                linear=None,
                reason="no longer defined, and a point has changed",
            )
