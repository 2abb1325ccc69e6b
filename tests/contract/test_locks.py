"""The locks hold what pyproject.toml asks for, with hashes and without an address."""

from __future__ import annotations

import itertools
import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LOCKED_EXTRAS = ("batch", "cluster", "dicom", "fhir", "ledger", "models", "report", "sign")
CI_GROUPS = ("test", "lint", "docs", "notebooks", "audit", "train-tools", "build")


@pytest.fixture(scope="module")
def pyproject(root) -> dict:
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))


def wanted(pyproject: dict, name: str) -> list[Requirement]:
    """What the lock `name` has to satisfy."""
    project, groups = pyproject["project"], pyproject["dependency-groups"]
    texts = list(project["dependencies"])
    if name != "base":
        texts += [text for extra in LOCKED_EXTRAS for text in project["optional-dependencies"].get(extra, [])]
    texts += [text for group in {"base": (), "test": ("test",), "ci": CI_GROUPS}[name] for text in groups[group]]
    return [Requirement(text) for text in texts]


def pins(text: str) -> dict[str, set[str]]:
    """Package -> its versions; more than one where they differ by Python version."""
    found: dict[str, set[str]] = {}
    for package, version in re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^ \\]+)", text, re.M):
        found.setdefault(canonicalize_name(package), set()).add(version)
    return found


@pytest.fixture(scope="module", params=["base", "test", "ci"])
def lock(request, root) -> tuple[str, str]:
    return request.param, (root / "requirements" / f"{request.param}.txt").read_text(encoding="utf-8")


def test_lock_satisfies_the_project(lock, pyproject):
    name, text = lock
    pinned = pins(text)
    unmet = [
        str(requirement)
        for requirement in wanted(pyproject, name)
        if not pinned.get(canonicalize_name(requirement.name))
        or not all(requirement.specifier.contains(version) for version in pinned[canonicalize_name(requirement.name)])
    ]
    assert unmet == [], "run: make lock"


def test_every_pin_has_hashes(lock):
    _, text = lock
    entries = re.split(r"\n(?=\S)", text)
    pinned = [entry for entry in entries if "==" in entry.partition("\n")[0]]
    assert pinned
    assert [entry.partition(" ")[0] for entry in pinned if "--hash=sha256:" not in entry] == []


def test_no_lock_names_an_address_or_torch(lock):
    _, text = lock
    assert "://" not in text
    assert "torch" not in pins(text)


def test_locks_agree(root):
    every = [
        pins((root / "requirements" / f"{name}.txt").read_text(encoding="utf-8")) for name in ("base", "test", "ci")
    ]
    for smaller, larger in itertools.pairwise(every):
        assert {name: larger.get(name) for name in smaller} == smaller


def test_extras_that_keep_a_log_can_sign_its_checkpoints(pyproject):
    extras = pyproject["project"]["optional-dependencies"]
    signing = {text for text in extras["sign"] if not text.startswith("rfc3161")}
    assert signing == {"cryptography>=44", "securesystemslib>=1.2"}
    assert [name for name in ("batch", "ledger") if not signing <= set(extras[name])] == []


def test_every_group_and_extra_is_locked_or_known_not_to_be(pyproject):
    """A new extra that no lock holds would be tested nowhere."""
    assert set(pyproject["dependency-groups"]) <= {*CI_GROUPS, "bench"}
    assert set(pyproject["project"]["optional-dependencies"]) <= {*LOCKED_EXTRAS, "train", "all"}
