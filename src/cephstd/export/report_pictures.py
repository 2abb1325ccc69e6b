"""Pictures of a report: the film as a JPEG without burnt-in text, the tracing as lines in millimetres of the page."""

from __future__ import annotations

import dataclasses
from typing import Any

import cv2
import msgspec

from cephstd.core.image import Radiograph
from cephstd.core.landmarks import LandmarkSet, ModelFacts
from cephstd.core.measures import MeasureSet
from cephstd.core.record import Content
from cephstd.core.steps import Invert
from cephstd.errors import ExportError
from cephstd.imaging.lettering import find_burnt_in_text, mask_text
from cephstd.plot.backdrop import shrink_film
from cephstd.plot.overlays import draw_png, overlay
from cephstd.plot.tracing_sheet import Label, Line, Sheet, lay_out

FILM_ROOM_MM = (170.0, 214.0)
"""What a page has for the film, its legend below."""
TRACING_ROOM_MM = (170.0, 208.0)
DOTS_PER_MM = 8.0  # about 200 per inch
JPEG_QUALITY = 90


def draw_pictures(content: Content, film: Radiograph, *, cover_text: bool) -> tuple[bytes, dict[str, Any]]:
    """JPEG of the film, and the drawings that go over it and beside it.

    Parameters
    ----------
    content : Content
        Of the film's record.
    film : Radiograph
    cover_text : bool
        Cover rows of burnt-in text, which may name the person.

    Returns
    -------
    bytes
        Bone bright, in the orientation of the source, 200 dots per inch where the film has them.
    dict
        ``film`` and ``tracing``: lines, dots and labels; ``covered``: number of covered rows, None when not looked for.
    """
    marks = _marks(content)
    size = film.size
    whole = lay_out(size, marks, content.calibration, room_mm=FILM_ROOM_MM, whole=True)
    alone = lay_out(size, marks, content.calibration, room_mm=TRACING_ROOM_MM, whole=False)
    shown, covered = _prepare(content, film, cover_text=cover_text)
    picture = _encode(shown, whole)
    return picture, {"film": _plain(whole), "tracing": _plain(alone), "covered": covered}


def draw_overlay(content: Content, film: Radiograph, *, cover_text: bool) -> bytes:
    """PNG of the film with points, planes, tracing and key values, burnt-in text covered."""
    marks = _marks(content)
    values = MeasureSet(analysis=content.analysis, measures=content.measures)
    shown, _ = _prepare(content, film, cover_text=cover_text)
    return draw_png(overlay(shown, marks, values, calibration=content.calibration, tracing=True, show_text=True))


def _marks(content: Content) -> LandmarkSet:
    """The record's points, and the model that found them."""
    model = None if content.model is None else ModelFacts(**msgspec.structs.asdict(content.model))
    return LandmarkSet(landmarks=content.landmarks, scheme=content.scheme, model=model)


def _prepare(content: Content, film: Radiograph, *, cover_text: bool) -> tuple[Radiograph, int | None]:
    """The film as it is shown, and how many rows of text were covered; None where none was looked for."""
    # what the analysis found counts: a film's own word on its greys may be wrong
    shown = dataclasses.replace(film, inverted=any(isinstance(step, Invert) for step in content.normalized.steps))
    if not cover_text:
        return shown, None
    # what looks like letters over the head is more often bone than text, and would hide what is judged
    boxes = tuple(box for box in find_burnt_in_text(film.pixels) if box.outside_head)
    return dataclasses.replace(shown, pixels=mask_text(film.pixels, boxes)), len(boxes)


def _encode(film: Radiograph, sheet: Sheet) -> bytes:
    wanted = [max(1, round(mm * DOTS_PER_MM)) for mm in sheet.size_mm]
    shown = shrink_film(film, (wanted[0], wanted[1]))
    done, data = cv2.imencode(".jpg", shown, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not done:
        raise ExportError("The film cannot be encoded as JPEG.")
    return data.tobytes()


def _plain(sheet: Sheet) -> dict[str, Any]:
    return {
        "size": sheet.size_mm,
        "enlargement": sheet.enlargement,
        "bar": sheet.bar_mm,
        "lines": [_line(line) for line in sheet.lines],
        "dots": [{"id": dot.id, "at": dot.at_mm, "kind": dot.kind, "ring": dot.ring_mm} for dot in sheet.dots],
        "labels": [_label(label, sheet) for label in sheet.labels],
    }


def _line(line: Line) -> dict[str, Any]:
    return {"kind": line.kind, "name": line.name, "points": line.points_mm, "dashed": line.dashed}


def _label(label: Label, sheet: Sheet) -> dict[str, Any]:
    plane = label.name.removeprefix("plane:") if label.name.startswith("plane:") else None
    from_dot = next((dot.at_mm for dot in sheet.dots if dot.id == label.name), None)
    lead = [from_dot, label.foot_mm] if from_dot and label.foot_mm else None
    return {"text": label.text, "at": label.at_mm, "plane": plane, "lead": lead}
