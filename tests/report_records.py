"""Records for reports: of released ones, with what real ones may hold at worst."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from msgspec.structs import replace

from cephstd.core.record import Record, decode_record, seal

RECORDS = Path(__file__).parent / "records" / "0.1.0"
SAMPLES = Path(__file__).parents[1] / "data" / "samples"
MARKUP = "#strong[*A*] `x` <script>alert(1)</script> $1$ @lab \\ // [b] ~"


def released(name: str) -> Record:
    return decode_record((RECORDS / f"{name}.record.json").read_bytes())


def changed(record: Record, **fields: Any) -> Record:
    """The record with other content, sealed anew."""
    content = replace(record.content, **fields)
    return seal(replace(content, recipe_digest=content.recipe.digest), record.run)


def doubtful() -> Record:
    """Go and Pog' provisional, Po and Or absent, Pog rejected; words full of markup."""
    record = released("model")
    marks, values = [], []
    for mark in record.content.landmarks:
        if mark.id in ("Go", "Pog_s"):
            mark = replace(mark, review="provisional", reason=f"two contours {MARKUP}")  # noqa: PLW2901
        elif mark.id in ("Po", "Or"):
            empty = dict.fromkeys(("x_px", "y_px", "cov_xx", "cov_xy", "cov_yy"))
            mark = replace(mark, state="absent", reason="low_confidence", **empty)  # noqa: PLW2901
        elif mark.id == "Pog":
            mark = replace(mark, review="rejected", reason="on the wrong side")  # noqa: PLW2901
        marks.append(mark)
    for value in record.content.measures:
        if {"Po", "Or", "Pog"} & set(value.inputs):
            values.append(replace(value, value=None, sd=None, reason="missing: Po, Or"))
        else:
            unsure = value.is_present and bool({"Go", "Pog_s"} & set(value.inputs))
            values.append(replace(value, provisional=unsure))
    return changed(record, landmarks=tuple(marks), measures=tuple(values), warnings=(MARKUP, "x" * 300))
