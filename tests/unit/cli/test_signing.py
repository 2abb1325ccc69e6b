"""Keys, signatures, timestamps and the log by the command line, as a practice and its auditor would use them."""

from __future__ import annotations

import json
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest

from cephstd.cli.ledgers import read_envelope
from cephstd.cli.signing import beside

RECORDS = Path(__file__).parents[2] / "records" / "0.1.0"
AT = "2026-01-31T10:00:00Z"


@pytest.fixture
def practice(tmp_path: Path, cephstd: Any) -> Practice:
    return Practice(tmp_path, cephstd)


class Practice:
    """A folder with a record, keys for records, log and root, and a trust file."""

    def __init__(self, folder: Path, cephstd: Any) -> None:
        self.folder, self.cephstd = folder, cephstd
        self.record = Path(shutil.copy(RECORDS / "model.record.json", folder))
        self.passphrase = folder / "passphrase"
        self.passphrase.write_text("a long passphrase\n")
        self.public = {}
        for name in ("clinic", "log", "root"):
            ran = self.run("keygen", folder / f"{name}.key")
            assert ran.code == 0
            self.public[name] = ran.json["public_key"]
        self.trust = folder / "trust.toml"
        self.write_trust()

    def write_trust(self, *, more: str = "") -> None:
        keys = [
            f'[[keys]]\nname = "{name}"\npublic_key = "{self.public[name]}"\nuses = ["{use}"]\n'
            "valid_from = 2025-01-01T00:00:00Z\n"
            for name, use in (("log", "log"), ("clinic", "records"))
        ]
        self.trust.write_text('schema = "cephstd.trust/1"\n' + "".join(keys) + more)

    def run(self, *arguments: object) -> Any:
        return self.cephstd(*arguments, "--passphrase-file", self.passphrase)

    def key(self, name: str) -> tuple[object, ...]:
        return ("--key", self.folder / f"{name}.key")

    def sign(self) -> Any:
        return self.run("sign", self.record, *self.key("clinic"), "--at", AT)


def test_from_key_to_logged_record(practice: Practice, cephstd: Any) -> None:
    folder, record, trust = practice.folder, practice.record, practice.trust
    assert stat.S_IMODE((folder / "clinic.key").stat().st_mode) == 0o600
    assert practice.sign().code == 0
    ran = cephstd("verify", record, "--trust", trust)
    assert (ran.code, ran.json["status"], ran.json["log"]) == (0, "signed", None)
    assert ran.json["signers"][0]["name"] == "clinic"
    assert ran.json["signers"][0]["basis"] == "claimed"
    assert any("neither pinned nor signed" in sentence for sentence in ran.json["not_checked"])

    log = ("--log", folder / "log.sqlite")
    ran = cephstd(
        "log", "append", record, RECORDS / "moved_by_hand.record.json", *log, "--name", "practice", "--at", AT
    )
    assert [line["index"] for line in ran.lines] == [0, 1]
    held = folder / "held.json"
    assert practice.run("log", "checkpoint", *log, *practice.key("log"), "--out", held, "--at", AT).json["size"] == 2
    assert len(read_envelope(held).signatures) == 1
    assert cephstd("log", "prove", record, *log, "--checkpoint", held).json["index"] == 0
    ran = cephstd("verify", record, "--trust", trust, "--require", "logged")
    assert (ran.code, ran.json["status"], ran.json["log"]["size"]) == (0, "logged", 2)

    assert practice.run("sign", trust, *practice.key("root"), "--any-file").code == 0
    ran = cephstd("verify", record, "--trust", trust, "--root", folder / "root.key.pub")
    assert not any("neither pinned nor signed" in sentence for sentence in ran.json["not_checked"])
    trust.write_text(trust.read_text().replace('name = "clinic"', 'name = "Clinic"'))
    assert cephstd("verify", record, "--trust", trust, "--root", folder / "root.key.pub").code == 7
    assert cephstd("verify", record, "--trust", trust, "--trust-digest", "sha256:" + "0" * 64).code == 7


def test_log_is_checked_against_what_was_kept_outside(practice: Practice, cephstd: Any) -> None:
    folder, trust = practice.folder, ("--trust", practice.trust)
    log = ("--log", folder / "log.sqlite")
    names = sorted(RECORDS.glob("*.record.json"))
    held = [folder / "1.json", folder / "2.json"]
    for record, out in zip(names, held, strict=False):
        cephstd("log", "append", record, *log, "--name", "practice", "--at", AT)
        practice.run("log", "checkpoint", *log, *practice.key("log"), "--out", out, "--at", AT)
    ran = cephstd("log", "verify", *log, "--checkpoint", held[0], "--checkpoint", held[1], *trust)
    assert [item["size"] for item in ran.json["checkpoints"]] == [1, 2]
    grown = folder / "grown.json"
    assert cephstd("log", "prove", "--since", held[0], "--checkpoint", held[1], *log, "--out", grown).code == 0
    ran = cephstd("log", "verify", "--consistency", grown, *trust)
    assert [item["size"] for item in ran.json["checkpoints"]] == [1, 2]
    digest = json.loads(names[0].read_bytes())["record_digest"]
    ran = practice.run(
        "log", "tombstone", digest, "--reason", "law", "--authority", "court", *log, *practice.key("log"), "--at", AT
    )
    assert ran.json["index"] == 2
    ran = cephstd("log", "audit", *log, "--checkpoint", held[1], *trust)
    assert (ran.code, ran.json["size"], ran.json["not_checked"]) == (0, 3, [])
    assert len(cephstd("log", "audit", *log).json["not_checked"]) == 2

    other = ("--log", folder / "other.sqlite")
    cephstd("log", "append", names[1], *other, "--name", "practice", "--at", AT)
    for look in ("verify", "audit"):
        assert cephstd("log", look, *other, "--checkpoint", held[0], *trust).code == 7


def test_second_signer_is_added_and_another_record_is_not(practice: Practice, cephstd: Any) -> None:
    practice.sign()
    assert len(practice.run("sign", practice.record, *practice.key("log")).json["keyids"]) == 2
    shutil.copy(RECORDS / "moved_by_hand.record.json", practice.record)
    assert practice.run("sign", practice.record, *practice.key("root")).code == 7
    assert cephstd("verify", practice.record, "--trust", practice.trust).code == 7


def test_timestamp_goes_by_files(practice: Practice, cephstd: Any) -> None:
    practice.sign()
    query, answer = practice.folder / "q.tsq", practice.folder / "a.tsr"
    assert cephstd("timestamp", practice.record, "--request", query).code == 0
    assert query.read_bytes()[:1] == b"0"
    answer.write_bytes(b"no answer of anybody")
    assert cephstd("timestamp", practice.record, "--response", answer).code == 0
    assert cephstd("verify", practice.record, "--trust", practice.trust).json["signers"][0]["basis"] == "claimed"
    assert cephstd("timestamp", practice.record, "--response", answer).code == 3
    assert cephstd("timestamp", practice.record).code == 3


def test_unsigned_record_fails_with_trust_alone(practice: Practice, cephstd: Any) -> None:
    assert cephstd("verify", practice.record).json["status"] == "intact"
    ran = cephstd("verify", practice.record, "--trust", practice.trust)
    assert (ran.code, ran.json["error"]["code"]) == (7, "signature_invalid")
    assert cephstd("verify", practice.record, "--trust", practice.trust, "--require", "intact").code == 0
    assert cephstd("verify", practice.record, "--require", "signed").code == 3


@pytest.mark.parametrize(
    "arguments",
    [
        ("verify", "--log", "x", "--trust", "t"),
        ("verify", "--trust", "t"),
        ("prove", "--log", "x", "--checkpoint", "c"),
        ("prove", "--log", "x", "--checkpoint", "c", "--since", "d"),
    ],
)
def test_what_a_log_command_lacks_is_told(cephstd: Any, arguments: tuple[str, ...]) -> None:
    assert cephstd("log", *arguments).code == 3


def test_names_beside_a_record() -> None:
    assert beside(Path("a/film.record.json"), "proof") == Path("a/film.proof.json")
    assert beside(Path("trust.toml"), "signatures") == Path("trust.toml.signatures.json")
