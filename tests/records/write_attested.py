"""Write what a release leaves beside its records: ``python tests/records/write_attested.py`` in a checkout of it.

A reviewed record; signatures by several keys, one of them revoked since; a trust file signed by a root; proofs,
checkpoints and a consistency proof of a log; an RFC 3161 timestamp by an authority of our own, made with openssl. They
go to ``tests/records/<version>/attested/`` once and are never written again. The keys are of public seeds: they sign
nothing else.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
from pathlib import Path
from typing import Any

import cephstd as cs
from cephstd.audit.keys import Signer, signer_from_seed
from cephstd.audit.ledger import Ledger
from cephstd.audit.signer import Signatures, add_timestamp, sign, sign_file
from cephstd.audit.timestamps import request_timestamp
from cephstd.core.digest import canonical_bytes, digest_bytes
from cephstd.core.record import Record

RECORDS = Path(__file__).parent
READER = {"reviewer": "17", "name": "A. Reader", "role": "orthodontist", "meaning": "review"}


def golden_signer(name: str) -> Signer:
    return signer_from_seed(hashlib.sha256(f"cephstd golden key: {name}".encode()).digest())


def write_trust(certificate: str) -> str:
    spans = {
        "old clinic": "valid_from = 2025-01-01T00:00:00Z\nvalid_until = 2025-04-16T12:00:00Z",
        "clinic": "valid_from = 2025-04-16T12:00:00Z",
        "second reader": "valid_from = 2025-01-01T00:00:00Z",
        "stolen laptop": 'valid_from = 2025-01-01T00:00:00Z\nrevoked_at = 2025-06-01T00:00:00Z\nreason = "stolen"',
        "log": 'valid_from = 2025-01-01T00:00:00Z\nuses = ["log"]',
    }
    keys = [
        f'[[keys]]\nname = "{name}"\npublic_key = "{golden_signer(name).public_key}"\n{span}\n'
        for name, span in spans.items()
    ]
    own = f'[[timestamp_authorities]]\nname = "own"\ncertificate = """{certificate}"""\n'
    return 'schema = "cephstd.trust/1"\n' + "".join(keys) + own


def make_attested(version: str, authority: Any, work: Path) -> dict[str, bytes]:
    """File name -> bytes."""
    paths = sorted((RECORDS / version).glob("*.record.json"))
    records: dict[str, Record] = {path.name.removesuffix(".record.json"): cs.verify(path).record for path in paths}
    amended = cs.amend(records["model"], {"N": (900, 700)}, reason="unsharp", at="2025-04-17T10:00:00Z", **READER)
    records["reviewed"] = cs.review(amended, "accept", at="2025-04-17T10:05:00Z", **READER)
    who = {
        "model": ("old clinic", "2025-04-16T09:31:00Z"),
        "moved_by_hand": ("clinic", "2025-04-17T07:00:00Z"),
        "without_scale_or_model": ("stolen laptop", "2025-04-17T07:00:00Z"),
    }
    signed = {name: sign(records[name], [golden_signer(key)], at=at) for name, (key, at) in who.items()}
    both = [golden_signer("clinic"), golden_signer("second reader")]
    signed["reviewed"] = _stamped(sign(records["reviewed"], both, at="2025-04-17T10:06:00Z"), authority)
    trust = write_trust(authority.certificate).encode()
    files = {
        "trust.toml": trust,
        "trust.toml.signatures.json": sign_file(trust, [golden_signer("root")], at="2025-07-01T00:00:00Z").to_bytes(),
        "root.pub": f"{golden_signer('root').public_key}\n".encode(),
        "reviewed.record.json": records["reviewed"].to_bytes(),
    }
    log_key = [golden_signer("log")]
    with Ledger(work / "log.sqlite", name="golden") as log:
        names = sorted(records)
        log.append([(records[name], signed[name]) for name in names[:2]], at="2025-04-18T00:00:00Z")
        early = log.checkpoint(log_key, at="2025-04-18T00:00:01Z")
        log.append([amended, *((records[name], signed[name]) for name in names[2:])], at="2025-05-01T00:00:00Z")
        destroyed = {"reason": "retention ended", "authority": "policy 7", "at": "2025-05-02T00:00:00Z"}
        log.bury(amended.record_digest, **destroyed, signers=log_key)
        late = log.checkpoint(log_key, at="2025-05-02T00:00:01Z")
        for name in names:
            files[f"{name}.signatures.json"] = signed[name].to_bytes()
            files[f"{name}.proof.json"] = log.prove(records[name].record_digest, late).to_bytes()
        files["destroyed.proof.json"] = log.prove(amended.record_digest, late).to_bytes()
        files["growth.consistency.json"] = log.prove_continuation(early, late).to_bytes()
    return files | {"early.checkpoint.json": canonical_bytes(early), "late.checkpoint.json": canonical_bytes(late)}


def _stamped(signatures: Signatures, authority: Any) -> Signatures:
    keyid = signatures.envelope.signatures[0].keyid
    return add_timestamp(signatures, keyid, authority.answer(request_timestamp(signatures.signature_of(keyid))))


def main() -> int:
    """Write the files of this version and note their digests; 1 when the version has them already."""
    folder = RECORDS / cs.__version__ / "attested"
    if folder.exists():
        sys.stderr.write(f"The attestations of {cs.__version__} are written; they are not written again.\n")
        return 1
    sys.path.insert(0, str(RECORDS.parent))
    from timestamp_authority import Authority

    with tempfile.TemporaryDirectory() as work:
        files = make_attested(cs.__version__, Authority(Path(work)), Path(work))
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    lines = [f"{digest_bytes(data)}  {name}\n" for name, data in sorted(files.items())]
    (folder / "digests.txt").write_text("".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
