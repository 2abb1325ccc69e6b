"""What persons did to the points of a record, kept when its film is looked at again."""

from __future__ import annotations

import msgspec

from cephstd.core.landmarks import Landmark, LandmarkSet
from cephstd.core.record import Content


def keep_human_points(content: Content, found: LandmarkSet) -> tuple[LandmarkSet, list[str]]:
    """Points of a replay: `found` with what persons did to them.

    Parameters
    ----------
    content : Content
        Of the record.
    found : LandmarkSet
        What the recorded model finds now, in source px.

    Returns
    -------
    marks : LandmarkSet
        Points that a person placed, moved or rejected are the record's; others are `found`, accepted where a person
        accepted them.
    kept : list of str
        Ids of those that are the record's.
    """
    detected = {mark.id: mark for mark in found}
    merged, kept = dict(detected), []
    for mark in content.landmarks:
        if content.model is None or mark.state in ("placed", "moved") or mark.review == "rejected":
            merged[mark.id] = mark
            kept.append(mark.id)
        elif mark.review == "accepted" and mark.id in detected:
            merged[mark.id] = _accepted(detected[mark.id], mark)
    order = dict.fromkeys([*(mark.id for mark in content.landmarks), *detected])
    return found.replace(merged[id] for id in order if id in merged), kept


def take_over_human_points(content: Content, found: LandmarkSet) -> LandmarkSet:
    """Points of a successor: as `keep_human_points`, but for the acceptance of points that lie elsewhere now.

    A person accepted a place. A point that another model or another standard image puts elsewhere is one that nobody
    has looked at.
    """
    was = {mark.id: mark for mark in content.landmarks}
    fresh = {mark.id: mark for mark in found}
    marks, kept = keep_human_points(content, found)
    return found.replace(
        mark if mark.id in kept or mark.id not in was or _same_place(was[mark.id], mark) else fresh[mark.id]
        for mark in marks
    )


def _same_place(before: Landmark, now: Landmark) -> bool:
    return (before.x_px, before.y_px) == (now.x_px, now.y_px)


def _accepted(found: Landmark, recorded: Landmark) -> Landmark:
    """`found` with the person's acceptance, which took away why it was provisional."""
    reason = recorded.reason if found.is_present else found.reason
    return msgspec.structs.replace(found, review="accepted", reason=reason)
