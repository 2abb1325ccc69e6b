"""The second verifier agrees with this one on every record that a release has left, and on what is wrong with it."""

from __future__ import annotations

import ast
import importlib.util
import math
import shutil
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import rfc8785

import cephstd as cs
from cephstd.audit.keys import read_public_key
from cephstd.audit.trust import load_trust
from cephstd.errors import CephError

HERE = Path(__file__).parent
RECORDS = HERE.parent / "records"
GOLDEN = sorted([*RECORDS.glob("*/*.record.json"), *RECORDS.glob("*/attested/*.record.json")])
MAX_LINES = 200


@pytest.fixture(scope="module")
def second() -> ModuleType:
    spec = importlib.util.spec_from_file_location("second_verifier", HERE / "verifier.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(params=GOLDEN, ids=lambda path: path.name)
def staged(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A golden record with its signatures, proof and trust file beside it."""
    record: Path = request.param
    attested = record.parent if record.parent.name == "attested" else record.parent / "attested"
    for path in (record, *attested.iterdir()):
        shutil.copy(path, tmp_path / path.name)
    return tmp_path / record.name


def test_both_say_the_same_of_every_golden_record(second, staged):
    folder, stem = staged.parent, staged.name.removesuffix(".record.json")
    report = cs.verify(
        staged,
        trust=load_trust(folder / "trust.toml", root=read_public_key(folder / "root.pub")),
        signatures=(folder / f"{stem}.signatures.json").read_bytes(),
        proof=(folder / f"{stem}.proof.json").read_bytes(),
    )
    said = second.check(staged, folder / "trust.toml", folder / "root.pub")
    assert said == (report.level, [signer.name for signer in report.signers])
    assert said[0] == "logged"
    assert second.check(staged) == ("intact", [])
    (folder / f"{stem}.proof.json").unlink()
    if stem != "without_scale_or_model":  # whose key is revoked, so that without the log nothing shows its time
        assert second.check(staged, folder / "trust.toml")[0] == "signed"
    else:
        with pytest.raises(ValueError, match="too few"):
            second.check(staged, folder / "trust.toml")


def test_both_refuse_what_was_edited(second, staged, rng):
    folder, stem = staged.parent, staged.name.removesuffix(".record.json")
    trust, root = folder / "trust.toml", folder / "root.pub"
    for path in (staged, folder / f"{stem}.signatures.json", folder / f"{stem}.proof.json", trust):
        data = path.read_bytes()
        for place in rng.integers(0, len(data), size=12):
            edited = bytearray(data)
            edited[place] ^= 1 << int(rng.integers(7))
            path.write_bytes(bytes(edited))
            if path.name.endswith("signatures.json") and b'"token"' in data and place > data.index(b'"timestamps"'):
                continue  # it does not read tokens
            with pytest.raises(Exception):  # noqa: B017, PT011 (it is a script: any error is a refusal)
                second.check(staged, trust, root)
            with pytest.raises(CephError):
                cs.verify(
                    staged,
                    trust=load_trust(trust, root=read_public_key(root)),
                    signatures=(folder / f"{stem}.signatures.json").read_bytes(),
                    proof=(folder / f"{stem}.proof.json").read_bytes(),
                )
        path.write_bytes(data)


def test_a_proof_of_another_record_is_refused(second, staged):
    folder, stem = staged.parent, staged.name.removesuffix(".record.json")
    shutil.copy(folder / "destroyed.proof.json", folder / f"{stem}.proof.json")
    with pytest.raises(ValueError, match="another record"):
        second.check(staged, folder / "trust.toml")


def test_numbers_are_written_as_rfc_8785_asks(second, rng):
    values = [
        0.0,
        -0.0,
        1.0,
        -1.5,
        1e21,
        1e20,
        123456789012345680000.0,
        1e-6,
        1e-7,
        1.5e-7,
        0.1,
        5e-324,
        1.7976931348623157e308,
    ]
    values += [*np.frombuffer(rng.bytes(8 * 3000), dtype=np.float64).tolist(), 2**53 - 1, -7, 10**15]
    for value in values:
        if math.isfinite(value):
            assert second.number(value).encode() == rfc8785.dumps(value)
    with pytest.raises(ValueError, match="finite"):
        second.number(float("nan"))
    with pytest.raises(ValueError, match="integer"):
        second.number(2**53)


def test_it_stands_on_its_own(second):
    text = (HERE / "verifier.py").read_text(encoding="utf-8")
    assert len(text.splitlines()) < MAX_LINES
    tree = ast.parse(text)
    used = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    used |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    others = {name.partition(".")[0] for name in used} - set(sys.stdlib_module_names)
    assert others == {"cryptography"}
