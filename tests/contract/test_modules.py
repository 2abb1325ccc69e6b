"""Every module has a test that names it or mirrors its path; no module takes the place of a public verb."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import cephstd

pytestmark = pytest.mark.source

# Modules that no test imports by name and no file mirrors, each with the test that goes through it.
TESTED_THROUGH = {
    "cephstd": "tests/contract/test_facade.py",
    "cephstd.__main__": "tests/e2e/conftest.py",
    "cephstd.batch.cluster": "tests/integration/test_cluster.py",
    "cephstd.inference.canvas": "tests/integration/test_detector.py",
    "cephstd.inference.conformance": "tests/integration/test_added_models.py",
    "cephstd.inference.session": "tests/integration/test_detector.py",
    "cephstd.plot.panel": "tests/unit/plot/test_overlays.py",
    "cephstd.plot.planes": "tests/unit/plot/test_overlays.py",
}


def module_name(source: Path, path: Path) -> str:
    parts = path.relative_to(source.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported_by(path: Path) -> set[str]:
    """Names of cephstd that a test file imports, modules and members alike, also inside functions."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.fixture(scope="module")
def modules(root: Path) -> set[str]:
    """Modules with contents; a package that only holds modules has nothing to test."""
    source = root / "src" / "cephstd"
    return {
        module_name(source, path)
        for path in source.rglob("*.py")
        if path.name != "__init__.py" or len(ast.parse(path.read_text(encoding="utf-8")).body) > 1
    }


def test_every_module_is_tested(root, modules):
    public = {getattr(cephstd, name).__module__ for name in imported_publicly(root)}
    named = set().union(*(imported_by(path) for path in (root / "tests").rglob("*.py")))
    mirrored = {f"cephstd.{path.parent.name}.{path.stem[5:]}" for path in (root / "tests" / "unit").glob("*/test_*.py")}
    assert sorted(modules - named - public - mirrored - TESTED_THROUGH.keys()) == []


def imported_publicly(root: Path) -> set[str]:
    """Public names that some test uses as ``cs.name`` or ``cephstd.name``."""
    used: set[str] = set()
    for path in (root / "tests").rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") in {"cs", "cephstd"}:
                used.add(node.attr)
    return used & set(cephstd.__all__)


def test_list_of_exceptions_is_not_stale(root, modules):
    assert TESTED_THROUGH.keys() <= modules
    assert [path for path in TESTED_THROUGH.values() if not (root / path).is_file()] == []


def test_no_module_takes_the_place_of_a_public_name(modules):
    """A module `cephstd.read` would become what `cephstd.read` gives on second access."""
    assert {name for name in modules if name.removeprefix("cephstd.") in cephstd.__all__} == set()


def test_no_module_shares_its_name_with_its_own_function(modules):
    modules_of_verbs = {getattr(cephstd, name).__module__: name for name in cephstd.__all__}
    assert {module for module, verb in modules_of_verbs.items() if module.rpartition(".")[2] == verb} == set()
