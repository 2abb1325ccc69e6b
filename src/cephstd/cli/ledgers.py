"""Commands on the log of record digests: append, prove, verify, checkpoint, audit, tombstone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cephstd.cli.options import At, now
from cephstd.cli.rendering import say, write_json
from cephstd.cli.signing import (
    KeyFiles,
    PassphraseFile,
    RootKey,
    TrustDigest,
    TrustFile,
    beside,
    load_signers,
    load_trusted,
    read_file,
)
from cephstd.errors import InputError

if TYPE_CHECKING:
    from cephstd.audit.checkpoints import Checkpoint
    from cephstd.audit.envelope import Envelope

Log = Annotated[
    str,
    typer.Option(
        "--log", metavar="WHERE", help="SQLite file, or a database URL, e.g. postgresql+psycopg://user@host/name."
    ),
]
CheckpointFiles = Annotated[
    list[Path] | None,
    typer.Option("--checkpoint", metavar="FILE", help="Checkpoint that was kept elsewhere; repeatable."),
]

log = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Append-only log of record digests.")


def register(app: typer.Typer) -> None:
    """Add the commands of this module to `app`."""
    log.command(short_help="Append records.", epilog=APPEND_EXAMPLES)(append)
    log.command(short_help="Sign the log's state.", epilog=CHECKPOINT_EXAMPLES)(checkpoint)
    log.command(short_help="Prove that a record is in the log.", epilog=PROVE_EXAMPLES)(prove)
    log.command(short_help="Hold checkpoints against the log.", epilog=VERIFY_EXAMPLES)(verify)
    log.command(short_help="Recompute the whole log.", epilog=AUDIT_EXAMPLES)(audit)
    log.command(short_help="Note that a record was destroyed.", epilog=TOMBSTONE_EXAMPLES)(tombstone)
    app.add_typer(log, name="log", short_help="Append-only log of record digests.")


APPEND_EXAMPLES = """\b
Example:
  cephstd log append results/*.record.json --log practice.log.sqlite --name practice
"""


def append(
    records: Annotated[list[Path], typer.Argument(metavar="RECORD", help="Record files.", show_default=False)],
    *,
    where: Log,
    name: Annotated[
        str | None,
        typer.Option("--name", metavar="NAME", help="Name of the log; makes it when absent.", show_default=False),
    ] = None,
    at: At = None,
) -> None:
    """Append the digests of records, each with that of its signatures beside it: all or none.

    What the log has already is not appended again. stdout has one JSON object for each record: record,
    record_digest, index, new.
    """
    from cephstd.audit.ledger import Ledger
    from cephstd.audit.signer import decode_signatures
    from cephstd.audit.verifier import verify as check

    items: list[Any] = []
    for path in records:
        sealed, signatures = check(path).record, beside(path, "signatures")
        items.append((sealed, decode_signatures(read_file(signatures))) if signatures.is_file() else sealed)
    with Ledger(where, name=name) as ledger:
        done = ledger.append(items, at=at or now())
    for path, item in zip(records, done, strict=True):
        digest = item.entry.record_digest
        write_json({"record": str(path), "record_digest": digest, "index": item.index, "new": item.new})


CHECKPOINT_EXAMPLES = """\b
Example:
  cephstd log checkpoint --log practice.log.sqlite --key log.key --out 2026-01-31.checkpoint.json
"""


def checkpoint(
    *,
    where: Log,
    key: KeyFiles,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="File of the checkpoint.")],
    passphrase_file: PassphraseFile = None,
    at: At = None,
) -> None:
    """Sign the log's state. Give the file to somebody else: only a copy outside shows what happens inside.

    stdout has one JSON object: checkpoint, log, size, root, at.
    """
    from cephstd.audit.checkpoints import read_checkpoint
    from cephstd.audit.ledger import Ledger
    from cephstd.core.digest import canonical_bytes
    from cephstd.io.store import write_bytes

    with Ledger(where) as ledger:
        made = ledger.checkpoint(load_signers(key, passphrase_file), at=at or now())
    write_bytes(out, canonical_bytes(made))
    write_json({"checkpoint": str(out), **facts(read_checkpoint(made))})


PROVE_EXAMPLES = """\b
Examples:
  cephstd log prove film.record.json --log practice.log.sqlite --checkpoint 2026-01-31.checkpoint.json
  cephstd log prove --since 2025-12-31.checkpoint.json --checkpoint 2026-01-31.checkpoint.json
    --log practice.log.sqlite --out january.consistency.json
"""


def prove(
    record: Annotated[Path | None, typer.Argument(metavar="RECORD", help="Record file.", show_default=False)] = None,
    *,
    where: Log,
    held: Annotated[Path, typer.Option("--checkpoint", metavar="FILE", help="Checkpoint that the proof leads to.")],
    since: Annotated[
        Path | None,
        typer.Option(
            "--since", metavar="FILE", help="Earlier checkpoint, to prove that the log only grew.", show_default=False
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Default: NAME.proof.json beside the record.", show_default=False),
    ] = None,
) -> None:
    """Prove that a record is in the log of a checkpoint, or that the log only grew between two checkpoints.

    The proof shows no other record. stdout has one JSON object: proof, and index or sizes.
    """
    from cephstd.audit.ledger import Ledger
    from cephstd.audit.verifier import verify as check
    from cephstd.io.store import write_bytes

    if (record is None) == (since is None):
        raise InputError("Expected RECORD or --since, found both or none.")
    target = out or (beside(record, "proof") if record else None)
    if target is None:
        raise InputError("Expected --out for a proof between checkpoints.")
    with Ledger(where) as ledger:
        if record is not None:
            proof = ledger.prove(check(record).record.record_digest, read_envelope(held))
            write_bytes(target, proof.to_bytes())
            write_json({"proof": str(target), "index": proof.index})
        if since is not None:
            write_bytes(target, ledger.prove_continuation(read_envelope(since), read_envelope(held)).to_bytes())
            write_json({"proof": str(target)})


VERIFY_EXAMPLES = """\b
Examples:
  cephstd log verify --log practice.log.sqlite --checkpoint 2026-01-31.checkpoint.json --trust trust.toml
  cephstd log verify --consistency january.consistency.json --trust trust.toml
"""


def verify(
    *,
    trust: Annotated[Path, typer.Option("--trust", metavar="FILE", help="TOML file of the keys that you trust.")],
    where: Annotated[
        str | None, typer.Option("--log", metavar="WHERE", help="The log's database.", show_default=False)
    ] = None,
    held: CheckpointFiles = None,
    consistency: Annotated[
        Path | None,
        typer.Option(
            "--consistency", metavar="FILE", help="Proof between two checkpoints; needs no log.", show_default=False
        ),
    ] = None,
    trust_digest: TrustDigest = None,
    root: RootKey = None,
) -> None:
    """Is the log the one of these checkpoints? Shows truncation, rewriting, reordering and forks.

    stdout has one JSON object: status, checkpoints. Exit code 7 when the log is another.
    """
    from cephstd.audit.checkpoints import check_continuation, decode_consistency
    from cephstd.audit.ledger import Ledger

    if (where is None) == (consistency is None):
        raise InputError("Expected --log with --checkpoint, or --consistency; found both or none.")
    if where is not None and not held:
        raise InputError("Expected a --checkpoint that was kept elsewhere.", hint="A log cannot vouch for itself.")
    trusted = load_trusted(trust, trust_digest, root)
    if consistency is not None:
        checked = check_continuation(decode_consistency(read_file(consistency)), trusted)
    if where is not None:
        with Ledger(where) as ledger:
            checked = tuple(ledger.check([read_envelope(path) for path in held or []], trusted))  # type: ignore[assignment]
    write_json({"status": "consistent", "checkpoints": [facts(item) for item in checked]})


AUDIT_EXAMPLES = """\b
Example:
  cephstd log audit --log practice.log.sqlite --checkpoint 2026-01-31.checkpoint.json --trust trust.toml
"""


def audit(
    *,
    where: Log,
    held: CheckpointFiles = None,
    trust: TrustFile = None,
    trust_digest: TrustDigest = None,
    root: RootKey = None,
) -> None:
    """Read every entry, recompute every hash, and hold checkpoints against the result.

    stdout has one JSON object: status, log, size, root, checkpoints, not_checked. Exit code 7 when something stored
    is not what it was.
    """
    from cephstd.audit.ledger import Ledger

    trusted = load_trusted(trust, trust_digest, root) if trust else None
    with Ledger(where) as ledger:
        found = ledger.audit([read_envelope(path) for path in held or []], trusted)
    missing = [] if held else ["No checkpoint was given: a log that was made anew looks the same."]
    missing += (
        [] if trusted else ["No trust file was given: signatures of checkpoints and tombstones were not checked."]
    )
    for sentence in missing:
        say(f"not checked: {sentence}")
    write_json(
        {
            "status": "consistent",
            "log": found.name,
            "size": found.size,
            "root": f"sha256:{found.root.hex()}",
            "checkpoints": [facts(item) for item in found.checkpoints],
            "not_checked": missing,
        }
    )


TOMBSTONE_EXAMPLES = """\b
Example:
  cephstd log tombstone sha256:... --reason "retention ended" --authority "policy 7" --log practice.log.sqlite
    --key log.key
"""


def tombstone(
    digest: Annotated[str, typer.Argument(metavar="DIGEST", help="record_digest of the record.", show_default=False)],
    *,
    where: Log,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why it was destroyed.")],
    authority: Annotated[str, typer.Option("--authority", metavar="TEXT", help="By which law or whose decision.")],
    key: KeyFiles,
    passphrase_file: PassphraseFile = None,
    at: At = None,
) -> None:
    """Note in the log, signed, that a record was destroyed. Its digest stays; destroying its file is your part.

    stdout has one JSON object: record_digest, index.
    """
    from cephstd.audit.ledger import Ledger

    with Ledger(where) as ledger:
        signers = load_signers(key, passphrase_file)
        done = ledger.bury(digest, reason=reason, authority=authority, signers=signers, at=at or now())
    write_json({"record_digest": digest, "index": done.index})


def read_envelope(path: Path) -> Envelope:
    """A checkpoint from its file."""
    from cephstd.audit.checkpoints import decode_envelope

    return decode_envelope(read_file(path))


def facts(point: Checkpoint) -> dict[str, Any]:
    """A checkpoint as data."""
    return {"log": point.log, "size": point.size, "root": point.root, "at": point.at}
