"""What records, signatures and the log cost, with their limits; the log is filled through its own database tables.

Usage: records.py [--repeat N] [--entries N] [--write FILE] [--check]

Times are medians of many runs in milliseconds, with the least beside. Limits are held against the medians, so run it on
a machine that does nothing else (`load`). --check exits 1 when a limit is passed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

import cephstd as cs
from cephstd.audit import merkle
from cephstd.audit.checkpoints import Entry, check_proof
from cephstd.audit.keys import signer_from_seed
from cephstd.audit.ledger import Ledger
from cephstd.audit.signer import sign
from cephstd.audit.trust import load_trust
from cephstd.core.digest import digest_value
from cephstd.core.record import seal

GOLDEN = Path(__file__).resolve().parents[1] / "tests" / "records" / "0.1.0" / "model.record.json"
AT = "2026-01-31T10:00:00Z"
BATCH = 100
KEY = signer_from_seed(bytes(32))
TRUST = load_trust(
    f'schema = "cephstd.trust/1"\n[[keys]]\nname = "log"\npublic_key = "{KEY.public_key}"\n'
    'uses = ["log", "records"]\nvalid_from = 2025-01-01T00:00:00Z'.encode()
)


def times_ms(action: Callable[[], object], repeat: int) -> dict[str, float]:
    action()
    taken = []
    for _ in range(repeat):
        began = time.perf_counter()
        action()
        taken.append((time.perf_counter() - began) * 1000.0)
    return {"least_ms": round(min(taken), 3), "median_ms": round(statistics.median(taken), 3)}


def record_cost(repeat: int) -> dict[str, float | bool]:
    """`seal` and `verify` of a record of 19 landmarks and every value, with and without a signature."""
    film = cs.verify(GOLDEN).record
    content = msgspec.structs.replace(film.content, recipe_digest=digest_value(film.content.recipe))
    sealed = seal(content, film.run)
    signatures = sign(sealed, [KEY], at=AT)
    actions: dict[str, Callable[[], object]] = {
        "seal": lambda: seal(content, film.run),
        "verify": lambda: cs.verify(sealed.data),
        "verify_signed": lambda: cs.verify(sealed.data, trust=TRUST, signatures=signatures),
    }
    taken = {what: times_ms(action, repeat) for what, action in actions.items()}
    found = {f"{what}_{name}": value for what, times in taken.items() for name, value in times.items()}
    both = taken["seal"]["median_ms"] + taken["verify"]["median_ms"]
    return found | {"bytes": len(sealed.data), "seal_and_verify_ms": round(both, 3), "limit_ms": 5.0, "ok": both <= 5.0}


def append_cost(folder: Path, batches: int) -> dict[str, float | bool]:
    """Records per second in batches, on SQLite with its write-ahead log and full sync."""
    film = cs.verify(GOLDEN).record
    taken = []
    with Ledger(folder / "append.sqlite", name="bench") as log:
        for number in range(batches):
            made = [
                seal(film.content, msgspec.structs.replace(film.run, threads=number * BATCH + place))
                for place in range(BATCH)
            ]
            began = time.perf_counter()
            log.append(made, at=AT)
            taken.append(BATCH / (time.perf_counter() - began))
    best, middle = max(taken), statistics.median(taken)
    return {"best_per_s": round(best), "median_per_s": round(middle), "limit_per_s": 500, "ok": middle >= 500}


def entries(count: int) -> Iterator[Entry]:
    for number in range(count):
        digest = "sha256:" + hashlib.sha256(b"%d" % number).hexdigest()
        yield Entry(kind="record", record_digest=digest, file_sha256=digest, at=AT)


def fill(path: Path, count: int) -> None:
    """A log of `count` entries, written past the library in one transaction; `audit` would find it sound."""
    with Ledger(path, name="bench"):
        pass
    template = next(entries(1)).to_bytes().decode()
    first = next(entries(1)).record_digest
    digests = ["sha256:" + hashlib.sha256(b"%d" % number).hexdigest() for number in range(count)]
    leaves = [template.replace(first, digest).encode() for digest in digests]
    nodes = merkle.grow(0, map(merkle.hash_leaf, leaves), lambda level, position: b"")
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        rows = ((place, "record", digests[place], "", leaf, None) for place, leaf in enumerate(leaves))
        connection.executemany("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?)", rows)
        placed = ((level, place, digest) for (level, place), digest in nodes)
        connection.executemany("INSERT INTO nodes VALUES (?, ?, ?)", placed)
        connection.execute("UPDATE head SET size = ?", (count,))
    connection.close()


def proof_cost(folder: Path, count: int, repeat: int) -> dict[str, float | bool]:
    path = folder / "large.sqlite"
    began = time.perf_counter()
    fill(path, count)
    filled_s = time.perf_counter() - began
    with Ledger(path) as log:
        point = log.checkpoint([KEY], at=AT)
        places = iter(range(0, count, max(1, count // (repeat + 2))))
        digest = "sha256:" + hashlib.sha256(b"%d" % (count // 3)).hexdigest()

        def prove() -> object:
            place = next(places)
            return log.prove("sha256:" + hashlib.sha256(b"%d" % place).hexdigest(), point)

        made = times_ms(prove, repeat)
        proof = log.prove(digest, point)
        checked = times_ms(lambda: check_proof(proof, TRUST), repeat)
    return {
        "entries": count,
        "filled_s": round(filled_s, 1),
        **{f"prove_{name}": value for name, value in made.items()},
        **{f"check_{name}": value for name, value in checked.items()},
        "limit_prove_ms": 5.0,
        "limit_check_ms": 1.0,
        "ok": made["median_ms"] <= 5.0 and checked["median_ms"] <= 1.0,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=100)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--write", type=Path)
    parser.add_argument("--check", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        found = {
            "record": record_cost(asked.repeat),
            "append": append_cost(Path(work), 30),
            "proof": proof_cost(Path(work), asked.entries, asked.repeat),
            "machine": {"system": platform.platform(), "cores": os.cpu_count(), "load": os.getloadavg()[0]},
        }
    text = json.dumps(found, indent=2)
    print(text)
    if asked.write:
        asked.write.write_text(text + "\n", encoding="utf-8")
    return int(asked.check and not all(part.get("ok", True) for part in found.values()))


if __name__ == "__main__":
    sys.exit(main())
