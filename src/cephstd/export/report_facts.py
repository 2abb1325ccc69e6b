"""What a report says of a record, as plain data in words: summary, calibration, quality, model, review, identity."""

from __future__ import annotations

import re
from typing import Any

from cephstd.core.image import Calibration, Quality, ViewVerdict
from cephstd.core.landmarks import Landmark
from cephstd.core.record import Content, Record, RecordedModel
from cephstd.core.trail import ReviewEvent
from cephstd.errors import ModelError
from cephstd.export.report_tables import number
from cephstd.export.standing import find_standing
from cephstd.inference.catalog import ModelEntry, load_catalog
from cephstd.plot.margin import landmark_symbol

BASES = {
    "fiducial": "an object of known size in the film",
    "geometry": "the geometry that the device states",
    "ermf_applied": "the detector's pixels, corrected by the magnification that the device states",
    "detector_plane": "the detector's pixels; magnification is not corrected",
    "scanned_nominal": "the scanner's nominal resolution; magnification is not corrected",
    "user_ruler": "a ruler in the film whose pitch a person stated",
    "user_stated": "a person's statement",
    "file_dpi_untrusted": "a resolution in the file that says nothing about the patient: not used",
    "undetermined": "nothing: no scale was found and none was stated",
}
FACTS = {
    "sop_class": "Kind of object",
    "photometric": "Grey sense",
    "transfer_syntax": "Encoding",
    "lossy": "Compressed with loss",
    "lossy_ratio": "Compression ratio",
    "presentation_intent": "Intent",
}
DECISIONS = {"accept": "accepted", "amend": "amended", "reject": "rejected"}
RESEARCH = (
    "Not a medical device. Research weights, non-commercial: a qualified person must review every point and value."
)
Rows = list[dict[str, Any]]


def row(label: str, value: str, tone: str = "") -> dict[str, Any]:
    """One line of a list of facts; `tone` is ``good``, ``caution``, ``bad`` or empty."""
    return {"label": label, "value": value, "tone": tone}


def summary_rows(record: Record) -> Rows:
    """The first page: what a reader must know before any number."""
    content = record.content
    present = [mark for mark in content.landmarks if mark.is_present]
    values = [measure for measure in content.measures if measure.is_present]
    doubtful = [measure for measure in values if measure.provisional]
    spacing = content.calibration.spacing_mm
    verdict = content.normalized.quality.verdict
    scale = "no scale: lengths in millimetres are absent" if spacing is None else _spacing(content.calibration)
    rows = [
        standing_row(content),
        row("Scale", scale, "caution" if spacing is None else ""),
        row("Image quality", verdict, {"diagnostic": "good", "limited": "caution"}.get(verdict, "bad")),
        row("Landmarks", f"{len(present)} of {len(content.landmarks)} present"),
        row("Values", f"{len(values)} of {len(content.measures)} present"),
    ]
    if doubtful:
        said = f"{len(doubtful)} of {len(values)} values rest on a point that nobody has accepted yet"
        rows.append(row("Provisional", said, "caution"))
    return rows


def is_provisional(content: Content) -> bool:
    """True when a present point or value is provisional."""
    marks = any(mark.is_present and mark.review == "provisional" for mark in content.landmarks)
    return marks or any(measure.is_present and measure.provisional for measure in content.measures)


def standing_row(content: Content) -> dict[str, Any]:
    """Where the record stands in its life: nobody's, accepted, amended, rejected."""
    standing = find_standing(content)
    if standing.is_rejected:
        last = content.trail[-1]
        return row("Review", f"rejected by {last.name} ({last.role}), {last.at}: {last.reason}", "bad")
    if standing.verified is not None:
        event = standing.verified
        amended = "amended and accepted" if standing.is_amended else "accepted"
        return row("Review", f"{amended} by {event.name} ({event.role}), {event.at}", "good")
    if content.trail:
        return row("Review", "in review: no person has accepted the whole record since the last change", "caution")
    said = "nobody has reviewed this record"
    if content.earlier_reviews:
        last = content.earlier_reviews[-1]
        said += f"; an earlier one, before the film was analysed anew, was {last.outcome} by {last.name}, {last.at}"
    return row("Review", said, "caution")


def subject_rows(record: Record) -> Rows:
    """Whose film it is, as far as a record may say, and when the record was made."""
    content = record.content
    subject, device = content.subject, content.device
    age = "not stated" if subject.age_years is None else f"{subject.age_years:g} years"
    sex = {"F": "female", "M": "male"}.get(subject.sex or "", "not stated")
    made = device.acquisition_date or "not stated"
    source = (
        f" ({device.acquisition_date_source})" if device.acquisition_date and device.acquisition_date_source else ""
    )
    return [
        row("Subject", subject.pseudonym or "no pseudonym was given"),
        row("Age, sex", f"{age}, {sex}"),
        row("Film made", made + source),
        row("Record made", f"{record.run.created} (clock: {record.run.clock})"),
        row("Analysis", content.analysis),
        row("Points by", _maker(content)),
    ]


def _maker(content: Content) -> str:
    model = f"model {content.model.name} {content.model.version}" if content.model else ""
    persons = sum(mark.state in ("placed", "moved") for mark in content.landmarks)
    hand = f"{persons} placed or moved by a person" if persons else ""
    return ", ".join(filter(None, (model, hand))) or "nobody: no point has a position"


def _spacing(calibration: Calibration) -> str:
    row_mm, column_mm = calibration.spacing_mm or (0.0, 0.0)
    pitch = f"{row_mm:.5g}" if abs(row_mm - column_mm) < 1e-9 else f"{column_mm:.5g} across, {row_mm:.5g} down"
    sd = f", ± {100 * calibration.relative_sd:.2g} %" if calibration.relative_sd else ""
    return f"{pitch} mm per pixel{sd} ({calibration.basis.replace('_', ' ')})"


def calibration_rows(calibration: Calibration) -> Rows:
    """The statement of scale: number, basis, uncertainty, where it comes from."""
    known = calibration.spacing_mm is not None
    rows = [
        row("Scale", _spacing(calibration) if known else "none", "" if known else "caution"),
        row("Rests on", BASES[calibration.basis]),
        row("Sources", "; ".join(calibration.sources) or "none"),
    ]
    if not known:
        rows.append(row("Consequence", "No length in millimetres is given. Angles and ratios need no scale."))
    elif not calibration.relative_sd:
        rows.append(row("Uncertainty", "not stated: lengths carry that of their points alone", "caution"))
    return rows + ([row("Note", calibration.note)] if calibration.note else [])


def quality_facts(quality: Quality, view: ViewVerdict | None) -> dict[str, Any]:
    """Verdict on the image with its numbers, and what the view head saw."""
    seen = None
    if view is not None:
        said = "taken for a lateral cephalogram" if view.accepted else "not taken for a lateral cephalogram"
        seen = f"{said} by {view.viewer} (probability {view.score:.2f}, threshold {view.threshold:.2f})"
    return {
        "verdict": quality.verdict,
        "view": seen,
        "findings": [
            {
                "name": finding.name.replace("_", " "),
                "value": _amount(finding.value) + ("" if finding.unit == "1" else f" {finding.unit}"),
                "ok": finding.ok,
                "note": finding.note,
            }
            for finding in quality.findings
        ],
    }


def _amount(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def source_rows(content: Content) -> Rows:
    """The film's file and device, as the file states them."""
    source, device = content.source, content.device
    named = " ".join(filter(None, (device.manufacturer, device.model, device.software))) or "not stated"
    rows = [
        row("File", f"{source.format}, {source.width_px} × {source.height_px} px, {source.bits} bit"),
        row("Device", f"{named} (profile {device.profile})"),
        row("View", device.view or "not stated by the file"),
        row("Decoded by", source.decoder or "given as an array"),
    ]
    rows += [row(label, source.facts[key]) for key, label in FACTS.items() if source.facts.get(key)]
    steps = ", ".join(type(step).__name__ for step in content.normalized.steps)
    return [*rows, row("Standard image by", steps or "no step")]


def trail_facts(content: Content) -> list[dict[str, Any]]:
    """Every decision in order, with what it changed."""
    return [_event(event, content.calibration) for event in content.trail]


def _event(event: ReviewEvent, calibration: Calibration) -> dict[str, Any]:
    return {
        "what": f"{DECISIONS[event.decision]} {'the whole record' if event.whole else 'points'}",
        "decision": event.decision,
        "who": f"{event.name} ({event.role}), id {event.reviewer}",
        "at": event.at,
        "meaning": event.meaning,
        "reason": event.reason,
        "reviewed": event.reviewed,
        "changes": [
            {
                "point": landmark_symbol(change.after.id),
                "before": _place(change.before),
                "after": _place(change.after),
                "shift": _shift(change.before, change.after, calibration),
            }
            for change in event.changes
        ],
    }


def _place(mark: Landmark | None) -> str:
    if mark is None:
        return "not listed"
    review = "" if mark.review == "none" else f", {mark.review}"
    if mark.x_px is None or mark.y_px is None:
        return f"absent{review}"
    return f"({number(mark.x_px, 1)}, {number(mark.y_px, 1)}) px, {mark.state}{review}"


def _shift(before: Landmark | None, after: Landmark, calibration: Calibration) -> str:
    if before is None or None in (before.x_px, before.y_px, after.x_px, after.y_px):
        return ""
    across = (after.x_px or 0.0) - (before.x_px or 0.0)
    down = (after.y_px or 0.0) - (before.y_px or 0.0)
    if not across and not down:
        return "not moved"
    if calibration.spacing_mm is None:
        return f"moved {(across**2 + down**2) ** 0.5:.1f} px"
    row_mm, column_mm = calibration.spacing_mm
    return f"moved {((across * column_mm) ** 2 + (down * row_mm) ** 2) ** 0.5:.1f} mm"


def model_facts(model: RecordedModel | None) -> dict[str, Any] | None:
    """The model by the record's word; the rest of its card where this installation has the same weights."""
    if model is None:
        return None
    rows = [
        row("Model", f"{model.name} {model.version}, scheme {model.scheme}"),
        row("Weights", model.weights_sha256),
        row("Intended use", model.intended_use),
        row("Licence", f"weights: {model.licence_weights}; data: {model.licence_data}; code: {model.licence_code}"),
    ]
    entry, limits = _find_card(model)
    if entry is None:
        rows.append(row("Card", "not at hand: this installation has no model of these weights", "caution"))
        return {"rows": rows, "limits": []}
    rows.append(row("Trained on", entry.trained_on))
    for result in entry.results:
        said = f"mean radial error {result.mre_mm:.2f} mm, {result.sdr_2mm:.1f} % within 2 mm, {result.films} films"
        rows.append(row("Measured", f"{said} ({result.dataset})"))
    return {"rows": rows, "limits": limits}


def _find_card(model: RecordedModel) -> tuple[ModelEntry | None, list[str]]:
    try:
        catalog = load_catalog()
    except ModelError:
        return None, []
    for entry in catalog.entries:
        if entry.sha256 == model.weights_sha256:
            card = catalog.folder / entry.card
            return entry, _limits(card.read_text(encoding="utf-8")) if card.is_file() else []
    return None, []


def _limits(card: str) -> list[str]:
    """Items under a card's heading on what the model cannot do, as plain text."""
    _, _, rest = card.partition("## What it cannot do\n")
    section = rest.partition("\n## ")[0]
    return [re.sub(r"[`*]", "", " ".join(item.split())) for item in section.split("\n- ") if item.strip()][:12]
