"""Commands on signatures: keygen, sign, timestamp; and the options by which others name trust and keys."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cephstd.cli.options import At, now
from cephstd.cli.rendering import say, write_json
from cephstd.errors import InputError

if TYPE_CHECKING:
    from cephstd.audit.keys import Signer
    from cephstd.audit.trust import Trust

KeyFiles = Annotated[
    list[Path], typer.Option("--key", metavar="KEY", help="Key file of a signer, as keygen writes it; repeatable.")
]
PassphraseFile = Annotated[
    Path | None,
    typer.Option(
        "--passphrase-file",
        metavar="FILE",
        help="File whose first line is the passphrase of the keys; default: you are asked.",
        show_default=False,
    ),
]
TrustFile = Annotated[
    Path | None,
    typer.Option("--trust", metavar="FILE", help="TOML file of the keys that you trust.", show_default=False),
]
TrustDigest = Annotated[
    str | None,
    typer.Option(
        "--trust-digest", metavar="DIGEST", help="sha256:... that the trust file must have.", show_default=False
    ),
]
RootKey = Annotated[
    Path | None,
    typer.Option(
        "--root", metavar="PUB", help="Public key file of the root that signed the trust file.", show_default=False
    ),
]
SUFFIX = ".record.json"


def register(app: typer.Typer) -> None:
    """Add the commands of this module to `app`."""
    app.command(short_help="Make a key for signing.", epilog=KEYGEN_EXAMPLES)(keygen)
    app.command(short_help="Sign a record.", epilog=SIGN_EXAMPLES)(sign)
    app.command(short_help="Let an authority show when a record was signed.", epilog=TIMESTAMP_EXAMPLES)(timestamp)


KEYGEN_EXAMPLES = """\b
Example:
  cephstd keygen clinic.key
"""


def keygen(
    path: Annotated[Path, typer.Argument(metavar="KEY", help="New key file.", show_default=False)],
    passphrase_file: PassphraseFile = None,
) -> None:
    """Make an Ed25519 key: an encrypted file that only you may read, and beside it KEY.pub for everybody.

    stdout has one JSON object: key, public_key, keyid. Whoever is to trust the key lists public_key in a trust file.
    """
    from cephstd.audit.keys import make_key

    public = make_key(path, ask_passphrase(passphrase_file, confirm=True))
    write_json({"key": str(path), "public_key": str(public), "keyid": public.keyid})


SIGN_EXAMPLES = """\b
Examples:
  cephstd sign film.record.json --key clinic.key
  cephstd sign trust.toml --key root.key --any-file
"""


def sign(
    path: Annotated[Path, typer.Argument(metavar="RECORD", help="Record file.", show_default=False)],
    *,
    key: KeyFiles,
    passphrase_file: PassphraseFile = None,
    any_file: Annotated[
        bool, typer.Option("--any-file", help="Sign the bytes of another file, e.g. a trust file.")
    ] = False,
    at: At = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FILE", help="Default: NAME.signatures.json beside the record.", show_default=False
        ),
    ] = None,
) -> None:
    """Sign a record's stored bytes; where it has signatures, yours are added to the same statement.

    The time of signing is your word until a timestamp or a checkpoint of a log shows it. stdout has one JSON object:
    record, signatures, keyids.
    """
    from cephstd.audit.signer import RECORD, add_signatures, check_subject, decode_signatures, read_statement, sign_file
    from cephstd.audit.signer import sign as sign_record
    from cephstd.io.store import write_bytes

    target = out or beside(path, "signatures")
    signers = load_signers(key, passphrase_file)
    if target.is_file() and not any_file:
        found = decode_signatures(read_file(target))
        check_subject(read_statement(found.envelope), RECORD, read_file(path))
        made = add_signatures(found, signers)
    elif any_file:
        made = sign_file(read_file(path), signers, at=at or now())
    else:
        made = sign_record(path, signers, at=at or now())
    write_bytes(target, made.to_bytes())
    keyids = [signature.keyid for signature in made.envelope.signatures]
    say(f"{len(keyids)} signature(s): {target}")
    write_json({"record": str(path), "signatures": str(target), "keyids": keyids})


TIMESTAMP_EXAMPLES = """\b
Examples:
  cephstd timestamp film.record.json --request film.tsq
  curl -H 'Content-Type: application/timestamp-query' --data-binary @film.tsq https://AUTHORITY -o film.tsr
  cephstd timestamp film.record.json --response film.tsr
"""


def timestamp(
    path: Annotated[Path, typer.Argument(metavar="RECORD", help="Record file.", show_default=False)],
    *,
    request: Annotated[
        Path | None,
        typer.Option("--request", metavar="OUT", help="File for the RFC 3161 request.", show_default=False),
    ] = None,
    response: Annotated[
        Path | None,
        typer.Option("--response", metavar="FILE", help="The authority's answer, to be kept.", show_default=False),
    ] = None,
    keyid: Annotated[
        str | None,
        typer.Option("--keyid", metavar="ID", help="Whose signature; default: the first.", show_default=False),
    ] = None,
) -> None:
    """Write what to send to a time-stamping authority, or keep its answer beside the signature. Nothing is sent here.

    stdout has one JSON object: signatures, keyid, request or response.
    """
    from cephstd.audit.signer import add_timestamp, decode_signatures
    from cephstd.audit.timestamps import request_timestamp
    from cephstd.io.store import write_bytes

    if (request is None) == (response is None):
        raise InputError("Expected --request or --response, found both or none.")
    target = beside(path, "signatures")
    found = decode_signatures(read_file(target))
    whose = keyid or found.envelope.signatures[0].keyid
    if request is not None:
        write_bytes(request, request_timestamp(found.signature_of(whose)))
    if response is not None:
        write_bytes(target, add_timestamp(found, whose, read_file(response)).to_bytes())
    done = {"request": str(request)} if request else {"response": str(response)}
    write_json({"signatures": str(target), "keyid": whose, **done})


def beside(record: Path, what: str) -> Path:
    """Where a record's signatures or proof lie: ``film.record.json`` -> ``film.signatures.json``.

    Signatures of ``OUT#ID`` lie in the output folder OUT.
    """
    folder, sign, name = str(record).rpartition("#")
    if sign and what == "signatures" and Path(folder).is_dir():
        from cephstd.batch.results import find_signatures

        return find_signatures(Path(folder), name)
    return record.with_name(f"{record.name.removesuffix(SUFFIX)}.{what}.json")


def read_file(path: Path) -> bytes:
    """Bytes of a small file."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error


def ask_passphrase(path: Path | None, *, confirm: bool = False) -> bytes:
    """The passphrase from a file's first line, or from the person at the terminal."""
    if path is not None:
        return read_file(path).partition(b"\n")[0].rstrip(b"\r")
    text: str = typer.prompt("Passphrase", hide_input=True, err=True, confirmation_prompt=confirm)
    return text.encode()


def load_signers(keys: list[Path], passphrase_file: Path | None) -> list[Signer]:
    """Signers from key files of one passphrase."""
    from cephstd.audit.keys import load_signer

    passphrase = ask_passphrase(passphrase_file)
    return [load_signer(key, passphrase) for key in keys]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attested:
    """What a reader brings to `verify` by options, each in place of what lies beside the record."""

    trust: Path | None
    trust_digest: str | None
    root: Path | None
    signatures: Path | None
    proof: Path | None
    require: str | None

    def read(self, record: Path) -> dict[str, Any]:
        """Arguments for `verify`; none are loaded without a trust file."""
        asked: dict[str, Any] = {} if self.require is None else {"require": self.require}
        for name, given in (("signatures", self.signatures), ("proof", self.proof)):
            lying = beside(record, name)
            if given is not None or (self.trust is not None and lying.is_file()):
                asked[name] = read_file(given or lying)
        if self.trust is not None:
            asked["trust"] = load_trusted(self.trust, self.trust_digest, self.root)
        return asked


def load_trusted(path: Path, digest: str | None, root: Path | None) -> Trust:
    """Read a trust file as the options say."""
    from cephstd.audit.keys import read_public_key
    from cephstd.audit.trust import load_trust

    return load_trust(path, pinned=digest, root=read_public_key(root) if root else None)
