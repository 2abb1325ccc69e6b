"""The only place that knows pyarrow's writer: records as Parquet tables, partitioned by site."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from cephstd.batch.register import Place, Register
from cephstd.batch.results import TABLES as FOLDER
from cephstd.batch.results import read_place, signing_time
from cephstd.core.record import Record, decode_record
from cephstd.core.steps import FlipX, Invert
from cephstd.core.tables import SITE_COLUMN, TABLES, UNNAMED_SITE
from cephstd.core.trail import original_landmarks
from cephstd.io.store import write_bytes

KINDS = {"text": pa.string(), "number": pa.float64(), "count": pa.int64(), "flag": pa.bool_()}
SCHEMAS = {
    name: pa.schema([(column.name, KINDS[column.kind]) for column in columns]) for name, columns in TABLES.items()
}
RECORD_TABLES = ("films", "landmarks", "measurements", "classes")
NORM_DIGEST_CHARACTERS = 19
Row = dict[str, Any]


def write_stale_tables(folder: Path, register: Register, *, but: int | None = None) -> None:
    """Write the tables of every record file that has changed since they were written.

    Parameters
    ----------
    folder : Path
        The output folder.
    register : Register
    but : int, optional
        Number of a record file that is still being written, and is left out.
    """
    for part in register.stale_parts():
        if part == but:
            continue
        rows: dict[tuple[str, str], list[Row]] = {}
        for place in register.in_part(part):
            record = decode_record(read_place(folder, place))
            for table, row in record_rows(record, place, signed_at=signing_time(folder, record)):
                rows.setdefault((table, place.site or UNNAMED_SITE), []).append(row)
        for table in RECORD_TABLES:
            write_table(folder, table, part, {site: found for (name, site), found in rows.items() if name == table})
        register.refresh(part)
        register.commit()


def write_failures(folder: Path, register: Register) -> None:
    """Write the table of failures as the register has it now."""
    sites: dict[str, list[Row]] = {}
    for failure in register.failures():
        sites.setdefault(failure.site, []).append(msgspec.structs.asdict(failure))
    write_table(folder, "failures", 1, sites)


def record_rows(record: Record, place: Place, *, signed_at: str | None = None) -> Iterator[tuple[str, Row]]:
    """Rows of one record, each with the name of its table.

    Parameters
    ----------
    record : Record
    place : Place
        What the register says of it.
    signed_at : str, optional
        When it was signed, RFC 3339 in UTC; None when no signature is known.
    """
    content = record.content
    yield "films", _film_row(record, place, signed_at)
    originals = original_landmarks(content.reviews)
    for mark in content.landmarks:
        # a point that a person accepted has an original, too, and is where the machine had it
        before = originals.get(mark.id) if mark.state in ("placed", "moved") else None
        extra = {
            "image_id": place.image_id,
            "landmark": mark.id,
            "original_x_px": before.x_px if before else None,
            "original_y_px": before.y_px if before else None,
        }
        yield "landmarks", {**msgspec.structs.asdict(mark), **extra}
    for measure in content.measures:
        yield (
            "measurements",
            {**msgspec.structs.asdict(measure), "image_id": place.image_id, "measure": measure.id},
        )
    for outcome in content.interpretation.outcomes:
        yield "classes", {**msgspec.structs.asdict(outcome), "image_id": place.image_id}


def _film_row(record: Record, place: Place, signed_at: str | None) -> Row:
    content = record.content
    scale = content.calibration
    spacing = scale.spacing_mm or (None, None)
    steps = content.normalized.steps
    last, earlier = (events[-1] if events else None for events in (content.trail, content.earlier_reviews))
    view = content.normalized.view
    landmarks, measures = (sum(item.is_present for item in items) for items in (content.landmarks, content.measures))
    return {
        "image_id": place.image_id,
        "file_sha256": content.source.file_sha256,
        "pixel_sha256": content.source.pixel_sha256,
        "record_digest": record.record_digest,
        "result_digest": record.result_digest,
        "previous": content.previous,
        "created": record.run.created,
        "recipe_digest": content.recipe_digest,
        "analysis": content.analysis,
        "model": content.model.name if content.model else None,
        "model_version": content.model.version if content.model else None,
        "manufacturer": content.device.manufacturer,
        "device": content.device.model,
        "modality": content.device.modality,
        "date": place.date or content.device.acquisition_date,
        "subject": content.subject.pseudonym,
        "age_years": content.subject.age_years,
        "sex": content.subject.sex,
        "calibration_basis": scale.basis,
        "row_mm": spacing[0],
        "column_mm": spacing[1],
        "scale_relative_sd": scale.relative_sd,
        "quality": content.normalized.quality.verdict,
        "flipped": any(isinstance(step, FlipX) for step in steps),
        "inverted": any(isinstance(step, Invert) for step in steps),
        "landmarks_present": landmarks,
        "landmarks_absent": len(content.landmarks) - landmarks,
        "measures_present": measures,
        "measures_absent": len(content.measures) - measures,
        "review": last.outcome if last else None,
        "reviewed_at": last.at if last else None,
        "reviewer": last.reviewer if last else None,
        "earlier_review": earlier.outcome if earlier else None,
        "earlier_reviewed_at": earlier.at if earlier else None,
        "earlier_reviewer": earlier.reviewer if earlier else None,
        "signed_at": signed_at,
        "outside_intended_use": None if view is None else not view.accepted,
        "norm_sets": "\n".join(
            f"{use.set} {use.version} {use.sha256[:NORM_DIGEST_CHARACTERS]}" for use in content.interpretation.norm_sets
        ),
        "attributes": place.attributes,
        "warnings": "\n".join(dict.fromkeys((*content.warnings, *content.normalized.warnings))),
    }


def write_table(folder: Path, table: str, part: int, sites: Mapping[str, Iterable[Row]]) -> None:
    """Write the rows of one record file: one file per site, and none where a site has no row any more."""
    top = folder / FOLDER / table
    name = f"{part:05d}.parquet"
    written = set()
    for site, rows in sites.items():
        path = top / f"{SITE_COLUMN}={quote(site, safe='')}" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, _parquet(table, rows))
        written.add(path)
    for path in top.glob(f"*/{name}"):
        if path not in written:
            path.unlink()


def _parquet(table: str, rows: Iterable[Row]) -> bytes:
    schema = SCHEMAS[table]
    # an empty text says nothing, and what says nothing is null in a table
    listed = [{name: None if (cell := row.get(name)) == "" else cell for name in schema.names} for row in rows]
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(listed, schema=schema), sink, compression="zstd")
    return bytes(sink.getvalue())
