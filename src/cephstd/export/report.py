"""A record as one PDF/A-2b for a payer or a court. The home of typst."""

from __future__ import annotations

import json
import tempfile
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Any

from cephstd.audit.verifier import Verification
from cephstd.core.image import Radiograph
from cephstd.core.record import Content
from cephstd.errors import DigestMismatch, ExportError, MissingExtraError
from cephstd.export.report_attestation import attestation_facts
from cephstd.export.report_facts import (
    RESEARCH,
    calibration_rows,
    is_provisional,
    model_facts,
    quality_facts,
    row,
    source_rows,
    subject_rows,
    summary_rows,
    trail_facts,
)
from cephstd.export.report_pictures import draw_pictures
from cephstd.export.report_tables import absence_facts, class_rows, key_rows, sheet_rows
from cephstd.plot.planes import PLANES

try:
    import typst
except ImportError as error:
    raise MissingExtraError("A report needs typst.", hint="pip install 'cephstd[report]'") from error

FONTS = ("Libertinus Serif", "DejaVu Sans Mono")
"""Both are inside typst: a report looks alike on every machine and needs no network."""

SETTABLE = ((0x20, 0x7E), (0xA0, 0x4FF), (0x5D0, 0x5EA), (0x1E00, 0x1FFF), (0x2010, 0x2040), (0x2044, 0x2052))
SETTABLE_SIGNS = ((0x2070, 0x20CF), (0x2190, 0x22FF), (0x27E8, 0x27E9))
"""What these fonts hold: Latin, Greek, Cyrillic, Hebrew, usual signs."""


def make_report(
    verification: Verification,
    film: Radiograph,
    *,
    signatures: bytes | None = None,
    proof: bytes | None = None,
    analyses: Sequence[str] = (),
    cover_text: bool = True,
    fonts: Sequence[str | Path] = (),
) -> bytes:
    """Set a verified record as PDF/A-2b.

    Parameters
    ----------
    verification : Verification
        What `verify` found of the record; said in the report with what was not checked.
    film : Radiograph
        That the record was made from.
    signatures, proof : bytes, optional
        Files of the record's signatures and of its proof of inclusion; printed as text and QR code.
    analyses : sequence of str
        Tracing sheets to show; default: the record's analysis, or every one of which it has a value.
    cover_text : bool
        Cover rows of text that are burnt into the film: they may name the person.
    fonts : sequence of str or Path
        Folders of fonts for further scripts. Without them a character that the built-in fonts lack is written as its
        number, e.g. ``[U+4E2D]``.

    Returns
    -------
    bytes
        The PDF. The same record, film, artefacts and versions of the software give the same bytes; its date is the
        record's.

    Raises
    ------
    DigestMismatch
        When the film is another one.
    UnknownAnalysisError
        When no analysis has such an id.
    SchemaError, NotCanonicalError, SignatureInvalid, LogInconsistent
        When signatures or proof are none, or of another record.
    ExportError
        When the PDF cannot be set.
    """
    record = verification.record
    _check_film(record.content, film)
    picture, drawings = draw_pictures(record.content, film, cover_text=cover_text)
    facts = report_facts(verification, drawings, signatures=signatures, proof=proof, analyses=analyses)
    facts["fonts"] = [*FONTS]
    plain = facts if fonts else settable(facts)
    return set_pdf(plain, picture, created=record.run.created, fonts=fonts)


def report_facts(
    verification: Verification,
    drawings: dict[str, Any],
    *,
    signatures: bytes | None = None,
    proof: bytes | None = None,
    analyses: Sequence[str] = (),
) -> dict[str, Any]:
    """Everything that a report says, as plain JSON data; `drawings` come from `draw_pictures`."""
    record = verification.record
    content, said = record.content, record.content.interpretation
    quality = quality_facts(content.normalized.quality, content.normalized.view)
    quality["tone"] = next(item["tone"] for item in summary_rows(record) if item["label"] == "Image quality")
    return {
        "title": f"Cephalometric record {record.record_digest[:19]}",
        "description": "Landmarks, measurements and their evidence from one lateral cephalogram. " + RESEARCH,
        "keywords": ["cephalometry", record.record_digest],
        "digest": record.record_digest,
        "short_digest": record.record_digest[:31] + "…",
        "result_digest": record.result_digest,
        "file_digest": content.source.file_sha256 or f"none (given as an array); pixels {content.source.pixel_sha256}",
        "previous": content.previous or "none: the first record of this film",
        "notice": RESEARCH,
        "notices": list(content.notices) or [RESEARCH],
        "key": key_rows(content),
        "provisional": is_provisional(content),
        "subject": subject_rows(record),
        "summary": summary_rows(record),
        "findings": [finding.text for finding in said.findings],
        "warnings": list(dict.fromkeys((*content.warnings, *content.normalized.warnings))),
        "film": drawings["film"],
        "tracing": drawings["tracing"],
        "film_note": _film_note(drawings["covered"]),
        "tracing_note": _tracing_note(drawings["tracing"]["enlargement"]),
        "planes": {plane.id: plane.name for plane in PLANES},
        "sheets": sheet_rows(content, analyses),
        "norm_sets": [
            {"set": used.set, "version": used.version, "population": used.population, "verified": used.verified}
            for used in said.norm_sets
        ],
        "classes": class_rows(content),
        "absent": absence_facts(content),
        "calibration": calibration_rows(content.calibration),
        "quality": quality,
        "source": source_rows(content),
        "model": model_facts(content.model),
        "trail": trail_facts(content),
        "attestation": attestation_facts(verification, signatures, proof),
        "commands": _commands(signatures is not None or proof is not None),
        "software": [row(name, version) for name, version in sorted(record.run.versions.items())]
        + [row("provider", record.run.provider_ran or "none"), row("machine", record.run.machine or "not stated")],
    }


def settable(value: Any) -> Any:
    r"""The same data with every character that the built-in fonts lack written as its number.

    Control characters and those that turn the direction of reading are written so, too: what is read is what is there.

    >>> settable({"name": "A. Reader 中", "rows": ["\u202e"]})
    {'name': 'A. Reader [U+4E2D]', 'rows': ['[U+202E]']}
    """
    if isinstance(value, str):
        return "".join(char if _has_glyph(char) else f"[U+{ord(char):04X}]" for char in value)
    if isinstance(value, dict):
        return {key: settable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [settable(item) for item in value]
    return value


def _has_glyph(char: str) -> bool:
    if unicodedata.category(char)[0] == "C":
        return False
    return any(low <= ord(char) <= high for low, high in (*SETTABLE, *SETTABLE_SIGNS))


def _check_film(content: Content, film: Radiograph) -> None:
    recorded, found = content.source, film.source
    same_file = recorded.file_sha256 == found.file_sha256
    if not same_file or (not recorded.file_sha256 and recorded.pixel_sha256 != found.pixel_sha256):
        raise DigestMismatch(
            "The record was made from another film than the given one.", hint="Give the film's file, as it was then."
        )


def _film_note(covered: int | None) -> str:
    rows = "1 row of burnt-in text is" if covered == 1 else f"{covered} rows of burnt-in text are"
    said = {None: "Burnt-in text was not looked for.", 0: "No burnt-in text was found."}.get(
        covered, f"{rows} covered."
    )
    return f"The film as it was read, bone bright, made smaller for print and compressed with loss. {said}"


def _tracing_note(enlargement: float | None) -> str:
    estimate = "A dashed line is an estimate of how anatomy usually runs between its points; no value rests on it."
    if enlargement is None:
        return f"Without a scale: its size on paper says nothing. {estimate}"
    if enlargement == 1.0:
        return f"At the size of the calibrated plane when printed at 100 % (check the bar). {estimate}"
    return f"{enlargement:.2f} times the size of the calibrated plane when printed at 100 %. {estimate}"


def _commands(attested: bool) -> list[str]:
    trust = " --trust TRUST.toml" if attested else ""
    return [f"cephstd verify NAME.record.json --source FILM{trust}", "cephstd replay NAME.record.json FILM"]


def read_template() -> bytes:
    """The report's layout, in typst."""
    return resources.files("cephstd.export").joinpath("report.typ").read_bytes()


def set_pdf(facts: dict[str, Any], picture: bytes, *, created: str, fonts: Sequence[str | Path]) -> bytes:
    """Set data and picture by the template; `created` (RFC 3339) becomes the document's date.

    Raises
    ------
    ExportError
        When it cannot be set, e.g. for want of a glyph.
    """
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "film.jpg").write_bytes(picture)
        Path(folder, "data.json").write_text(json.dumps(facts, ensure_ascii=False), encoding="utf-8")
        try:
            found = typst.Fonts(include_system_fonts=False, font_paths=[str(place) for place in fonts])
            compiler = typst.Compiler(read_template(), root=folder, font_paths=found, ignore_system_fonts=True)
            data = compiler.compile(
                format="pdf", pdf_standards=["a-2b"], timestamp=int(datetime.fromisoformat(created).timestamp())
            )
        except (typst.TypstError, OSError) as error:
            raise ExportError(
                f"The report cannot be set: {error}.", hint="Give folders of fonts that hold the record's characters."
            ) from error
    if not isinstance(data, bytes):
        raise ExportError("The report cannot be set: no document came back.")
    return data
