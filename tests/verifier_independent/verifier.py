"""A second verifier, written from docs/record-format.md and docs/signatures.md alone: it imports nothing of cephstd.

Usage: verifier.py RECORD [TRUST [ROOT_PUB]]     needs Python's standard library and cryptography

Tells the level that holds and who signed; ends with 1 where something does not hold. It does not read RFC 3161 tokens:
a time that only a token shows is to it the signer's own word.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sys
import tomllib
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")
Time = datetime.fromisoformat


def need(holds: object, what: str) -> None:
    if not holds:
        raise ValueError(what)


def canonical(value: Any) -> str:  # RFC 8785
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
        return "{" + ",".join(f"{canonical(key)}:{canonical(value[key])}" for key in keys) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return number(value)
    return json.dumps(value, ensure_ascii=False)


def number(value: float) -> str:
    """A number as ECMAScript prints it."""
    need(abs(value) < float("inf"), "a number without a finite value")
    need(isinstance(value, float) or abs(value) < 2**53, "an integer of 2**53 or more")
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    text, point = "".join(map(str, digits)), len(digits) + int(exponent)
    if 0 < point <= 21:
        text = f"{text[:point]:0<{point}}." + text[point:]
    elif -6 < point <= 0:
        text = "0." + "0" * -point + text
    else:
        return f"{'-' * sign}{text[0]}.{text[1:]}".rstrip(".") + f"e{point - 1:+d}"
    return "-" * (sign and value != 0) + text.rstrip(".")


def parse(data: bytes, schema: str, members: str) -> dict[str, Any]:
    value = json.loads(data)
    need(canonical(value).encode() == data, f"{schema} is not in canonical form")
    need(sorted(value) == sorted([*members.split(), "schema"]), f"{schema} has other members")
    need(value["schema"] == schema, "another schema")
    return value


def sha256(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def digest_of(value: Any) -> str:
    return sha256(canonical(value).encode())


def unbase64(text: str) -> bytes:
    need(base64.b64encode(data := base64.b64decode(text)).decode() == text, "base64 is not in its one form")
    return data


def public_key(text: str) -> tuple[str, Ed25519PublicKey]:
    raw = unbase64(text.strip().removeprefix("ed25519:"))
    return sha256(raw), Ed25519PublicKey.from_public_bytes(raw)


def open_envelope(envelope: dict[str, Any], keys: dict[str, Any], kind: str) -> tuple[bytes, list[str]]:
    """Payload, and the known keys that signed it; a signature of a known key that does not hold is an error."""
    need(sorted(envelope) == ["payload", "payloadType", "signatures"], "an envelope has other members")
    need(envelope["payloadType"] == kind, "the envelope is of another type")
    payload, name = unbase64(envelope["payload"]), kind.encode()
    message = b"DSSEv1 %d %b %d %b" % (len(name), name, len(payload), payload)
    keyids = [signature["keyid"] for signature in envelope["signatures"]]
    need(len(set(keyids)) == len(keyids), "a key signed twice")
    for signature in envelope["signatures"]:
        need(sorted(signature) == ["keyid", "sig"], "a signature has other members")
        if unbase64(signature["sig"]) and signature["keyid"] in keys:
            keys[signature["keyid"]]["key"].verify(unbase64(signature["sig"]), message)
    return payload, [keyid for keyid in keyids if keyid in keys]


def counts(key: dict[str, Any], use: str, claimed: datetime, shown: datetime | None) -> bool:
    until, revoked = key.get("valid_until"), key.get("revoked_at")
    return (
        use in key.get("uses", ["records"])
        and claimed >= key["valid_from"]
        and (until is None or claimed < until)
        and (revoked is None or (shown is not None and shown < revoked))
    )


def check_intact(data: bytes) -> dict[str, Any]:
    record = parse(data, "cephstd.record/1", "content record_digest result_digest run")
    need(record["result_digest"] == digest_of(record["content"]), "result_digest")
    need(
        record["record_digest"] == digest_of({name: record[name] for name in ("content", "run", "schema")}),
        "record_digest",
    )
    need(record["content"]["recipe_digest"] == digest_of(record["content"]["recipe"]), "recipe_digest")
    return record


def statement_of(payload: bytes, kind: str, data: bytes) -> dict[str, Any]:
    said = json.loads(payload)
    need((said["_type"], said["predicateType"]) == ("https://in-toto.io/Statement/v1", kind), "another statement")
    (subject,) = said["subject"]
    need("sha256:" + subject["digest"]["sha256"] == sha256(data), "the signatures are over another file")
    return said["predicate"]


def check_path(leaf: bytes, index: int, size: int, path: list[bytes], root: bytes) -> None:  # RFC 9162, 2.1.3.2
    need(0 <= index < size, "the index is not in the log")
    node, last, found = index, size - 1, leaf
    for sibling in path:
        need(last > 0, "the path is too long")
        if node % 2 or node == last:
            found = hashlib.sha256(b"\1" + sibling + found).digest()
            while not node % 2 and node:
                node, last = node >> 1, last >> 1
        else:
            found = hashlib.sha256(b"\1" + found + sibling).digest()
        node, last = node >> 1, last >> 1
    need(last == 0 and found == root, "the path does not lead to the root")


def check_proof(data: bytes, record: dict[str, Any], file: bytes, keys: dict[str, Any]) -> tuple[datetime, str]:
    """Time of the checkpoint, and the digest of the envelope that its log holds beside the record."""
    proof = parse(data, "cephstd.proof/1", "checkpoint entry index path")
    payload, signers = open_envelope(proof["checkpoint"], keys, "application/vnd.cephstd.checkpoint+json")
    point, entry = parse(payload, "cephstd.checkpoint/1", "at log root size"), proof["entry"]
    at = Time(point["at"])
    need(any(counts(keys[keyid], "log", at, None) for keyid in signers), "no trusted key signed the checkpoint")
    need(all(DIGEST.match(text) for text in (*proof["path"], point["root"])), "a hash is none")
    path = [bytes.fromhex(text[7:]) for text in proof["path"]]
    leaf = hashlib.sha256(b"\0" + canonical(entry).encode()).digest()
    check_path(leaf, proof["index"], point["size"], path, bytes.fromhex(point["root"][7:]))
    expected = {"kind": "record", "record_digest": record["record_digest"], "file_sha256": sha256(file)}
    need(expected.items() <= entry.items(), "the proof is about another record")
    return at, entry["envelope"]


def check(path: Path, trust: Path | None = None, root: Path | None = None) -> tuple[str, list[str]]:
    """Level that holds, and the names of those whose signatures count."""
    data = path.read_bytes()
    record = check_intact(data)
    if trust is None:
        return "intact", []
    if root is not None:
        keyid, key = public_key(root.read_text())
        signed = parse(Path(f"{trust}.signatures.json").read_bytes(), "cephstd.signatures/1", "envelope timestamps")
        payload, signers = open_envelope(signed["envelope"], {keyid: {"key": key}}, "application/vnd.in-toto+json")
        statement_of(payload, "urn:cephstd:file:1", trust.read_bytes())
        need(signers == [keyid], "the root did not sign the trust file")
    trusted = tomllib.loads(trust.read_text())
    need(trusted["schema"] == "cephstd.trust/1", "another schema")
    keys = {keyid: fact | {"key": key} for fact in trusted["keys"] for keyid, key in [public_key(fact["public_key"])]}
    stem = path.name.removesuffix(".record.json")
    proof = path.with_name(f"{stem}.proof.json")
    logged = check_proof(proof.read_bytes(), record, data, keys) if proof.is_file() else None
    signed = parse(
        path.with_name(f"{stem}.signatures.json").read_bytes(), "cephstd.signatures/1", "envelope timestamps"
    )
    payload, signers = open_envelope(signed["envelope"], keys, "application/vnd.in-toto+json")
    said = statement_of(payload, "urn:cephstd:record:1", data)
    need(said["record_digest"] == record["record_digest"], "the statement names another record")
    claimed, present = Time(said["signed_at"]), {one["keyid"] for one in signed["envelope"]["signatures"]}
    need(set(said["signers"]) <= present <= {*said["signers"], *keys}, "a signature was taken away or renamed")
    need(not logged or logged[1] in ("", digest_of(signed["envelope"])), "the log holds other signatures")
    shown = logged[0] if logged and logged[1] else None
    need(not shown or claimed <= shown + timedelta(minutes=5), "signed after it existed")
    names = [keys[keyid]["name"] for keyid in signers if counts(keys[keyid], "records", claimed, shown)]
    need(len(names) >= trusted.get("threshold", 1), "too few signatures count")
    return ("logged" if logged else "signed"), names


if __name__ == "__main__":
    try:
        sys.stdout.write(f"{check(*map(Path, sys.argv[1:]))}\n")
    except Exception as error:
        sys.exit(f"does not hold: {error!r}")
