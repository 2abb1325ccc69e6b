"""Commands on records: verify, replay, schema."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from cephstd.cli import options, signing
from cephstd.cli.rendering import error_facts, exit_code_of, people, say_error, write_json
from cephstd.errors import CephError

if TYPE_CHECKING:
    from cephstd.audit.attestation import SignedBy
    from cephstd.audit.checkpoints import Logged
    from cephstd.audit.verifier import Verification

RecordFile = Annotated[
    Path,
    typer.Argument(
        metavar="RECORD",
        help="Record file (NAME.record.json), OUT#ID for a record of a batch's output folder, or - for stdin.",
        show_default=False,
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module to `app`."""
    app.command(short_help="Check that a record is whole.", epilog=VERIFY_EXAMPLES)(verify)
    app.command(short_help="Run a recorded analysis again and compare.", epilog=REPLAY_EXAMPLES)(replay)
    app.command(short_help="Print the JSON Schema of records.", epilog=SCHEMA_EXAMPLES)(schema)


VERIFY_EXAMPLES = """\b
Examples:
  cephstd verify results/film.record.json
  cephstd verify results/film.record.json --source film.dcm
  cephstd verify results/film.record.json --trust trust.toml --require logged
"""


def verify(
    record: RecordFile,
    *,
    source: Annotated[
        Path | None,
        typer.Option(
            "--source",
            metavar="FILE",
            help="The film the record was made from; its hashes are compared.",
            show_default=False,
        ),
    ] = None,
    trust: signing.TrustFile = None,
    trust_digest: signing.TrustDigest = None,
    root: signing.RootKey = None,
    signatures: Annotated[
        Path | None,
        typer.Option(
            "--signatures", metavar="FILE", help="Default: NAME.signatures.json beside the record.", show_default=False
        ),
    ] = None,
    proof: Annotated[
        Path | None,
        typer.Option("--proof", metavar="FILE", help="Default: NAME.proof.json beside the record.", show_default=False),
    ] = None,
    require: Annotated[
        str | None,
        typer.Option(
            "--require",
            metavar="LEVEL",
            help="intact, signed or logged; default: signed with --trust, else intact.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Check that a record is whole: schema, canonical form, digests, no contradiction; with its film, the hashes; with
    the keys that you trust, who signed it and whether it is in a log.

    No database and no network is needed. What was NOT checked is said too. stdout has one JSON object: record, status
    (intact, signed, logged or failed), checks, not_checked, notes, signers, log, error. Exit code 7 when the record
    does not hold, 6 when a file is no record, signatures or proof.
    """
    given = signing.Attested(
        trust=trust, trust_digest=trust_digest, root=root, signatures=signatures, proof=proof, require=require
    )
    try:
        found = check_record(record_of(record), source, given.read(record))
    except CephError as error:
        fail(record, error)
    people().print(str(found), markup=False)
    write_json(
        {
            "record": str(record),
            "status": found.level,
            "record_digest": found.record.record_digest,
            "result_digest": found.record.result_digest,
            "checks": [{"name": item.name, "detail": item.detail} for item in found.checks],
            "not_checked": list(found.not_checked),
            "notes": list(found.notes),
            "signers": [signer_facts(signer) for signer in found.signers],
            "log": log_facts(found.logged),
            "error": None,
        }
    )


def check_record(record: Path | bytes, source: Path | None, attested: dict[str, Any]) -> Verification:
    """Verify without loading a decoder where there is no film to decode."""
    if source is None:
        from cephstd.audit.verifier import verify as check

        return check(record, **attested)
    from cephstd.pipeline.replayer import verify_source

    return verify_source(record, source, **attested)


def signer_facts(signer: SignedBy) -> dict[str, Any]:
    """A signature that counts, as data."""
    existed = None if signer.existed is None else signer.existed.isoformat()
    return {
        "name": signer.name,
        "keyid": signer.keyid,
        "claimed": signer.claimed.isoformat(),
        "existed": existed,
        "basis": signer.basis,
    }


def log_facts(logged: Logged | None) -> dict[str, Any] | None:
    """A record's place in a log, as data."""
    if logged is None:
        return None
    point = logged.checkpoint
    return {"log": point.log, "index": logged.index, "size": point.size, "at": point.at, "signer": logged.signer}


def record_of(path: Path) -> Path | bytes:
    """What `verify` and `replay` take: a path, or the bytes of stdin or of a record in a batch's output folder."""
    from cephstd.audit.verifier import MAX_RECORD_BYTES

    folder, sign, name = str(path).rpartition("#")
    if sign and Path(folder).is_dir():
        from cephstd.batch.results import get_record

        return get_record(folder, name)
    return sys.stdin.buffer.read(MAX_RECORD_BYTES + 1) if str(path) == "-" else path


def fail(record: Path, error: CephError) -> NoReturn:
    """Tell an error to people and to programs, and leave with its code."""
    say_error(error, about=str(record))
    write_json({"record": str(record), "status": "failed", "error": error_facts(error)})
    raise typer.Exit(exit_code_of(error))


REPLAY_EXAMPLES = """\b
Examples:
  cephstd replay results/film.record.json film.dcm
  cephstd replay old.record.json film.dcm --models weights-of-2026/
"""


def replay(
    record: RecordFile,
    film: Annotated[
        Path, typer.Argument(metavar="FILE", help="The film the record was made from.", show_default=False)
    ],
    models: options.ModelFolder = None,
    device: options.Device = "auto",
) -> None:
    """Run a recorded analysis again on its film and compare within stated tolerances.

    stdout has one JSON object: record, status (replayed or failed), same_result, largest differences, notes, error.
    Exit code 7 when something differs by more than the tolerances; 4 when the recorded weights are not there, which
    says nothing about the record.
    """
    from cephstd.pipeline.replayer import replay as run_again

    try:
        found = run_again(record_of(record), film, models=models, device=device)
    except CephError as error:
        fail(record, error)
    people().print(str(found), markup=False)
    write_json(
        {
            "record": str(record),
            "status": "replayed",
            "record_digest": found.record.record_digest,
            "same_result": found.same_result,
            "largest": [str(difference) for difference in found.largest],
            "notes": list(found.notes),
            "error": None,
        }
    )


SCHEMA_EXAMPLES = """\b
Example:
  cephstd schema > record.schema.json
"""


def schema() -> None:
    """Print the JSON Schema of the records that this version writes."""
    from cephstd.core.record import record_schema

    write_json(record_schema(), indent=2)
