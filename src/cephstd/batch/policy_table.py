"""Whether the records of a batch meet a policy pack, rule by rule, as a table."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from datetime import date
from pathlib import Path

from cephstd.audit.case import Case
from cephstd.audit.policies import check_policy
from cephstd.batch.register import Place
from cephstd.batch.results import open_register, read_place
from cephstd.batch.tables import Row, write_table
from cephstd.core.record import decode_record
from cephstd.core.tables import UNNAMED_SITE
from cephstd.knowledge.policies import Policy

MANIFEST = "manifest of the batch"


def write_policy_table(out: str | Path, policy: Policy, *, day: date) -> Counter[str]:
    """Check the current record of every film and write the table ``policies`` anew.

    Parameters
    ----------
    out : str or Path
        Output folder of a batch.
    policy : Policy
    day : date
        For which the rules are read; what a policy says of a film changes with time, so every run checks all.

    Returns
    -------
    Counter
        Films that fail, by required rule; ``""`` counts the films that pass all of these.

    Raises
    ------
    RecordError
        When a record or the table cannot be read or written.
    """
    folder, failing = Path(out), Counter[str]()
    parts: dict[int, dict[str, list[Row]]] = {}
    with open_register(folder) as register:
        for place in register.places():
            rows = list(_rows(folder, place, policy, day))
            parts.setdefault(place.part, {}).setdefault(place.site or UNNAMED_SITE, []).extend(rows)
            failed = [row["rule"] for row in rows if row["status"] == "fail" and row["severity"] == "required"]
            failing.update(failed or [""])
    for part, sites in parts.items():
        write_table(folder, "policies", part, sites)
    return failing


def _rows(folder: Path, place: Place, policy: Policy, day: date) -> list[Row]:
    record = decode_record(read_place(folder, place))
    case = Case()
    with suppress(ValueError):  # a manifest's date that is none states nothing
        case = Case(acquisition_date=date.fromisoformat(place.date), stated_by=MANIFEST)
    done = check_policy(record, policy, day=day, case=case)
    return [
        {
            "image_id": place.image_id,
            "policy": policy.definition.id,
            "version": policy.definition.version,
            "rule": item.rule.id,
            "severity": item.rule.severity,
            "status": item.status,
            "faults": "\n".join(item.faults),
        }
        for item in done.results
    ]
