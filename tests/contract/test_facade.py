"""`cephstd.__all__` is the public API: what the stub declares, what resolves, and what is documented are the same."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
import tomllib
import types
from importlib import metadata, resources

import pytest
from packaging.requirements import Requirement

import cephstd


def stub_tree() -> ast.Module:
    return ast.parse(resources.files("cephstd").joinpath("__init__.pyi").read_text(encoding="utf-8"))


def stub_all() -> list[str]:
    for node in stub_tree().body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            return list(ast.literal_eval(node.value))
    raise AssertionError("the stub has no __all__")


def stub_imports() -> dict[str, str]:
    """Name -> module that the stub takes it from."""
    froms = [node for node in stub_tree().body if isinstance(node, ast.ImportFrom)]
    return {alias.name: f"cephstd.{node.module}" for node in froms for alias in node.names}


def test_all_is_what_the_stub_declares():
    assert sorted(cephstd.__all__) == sorted(stub_all()) == sorted(stub_imports())


def test_stub_lists_names_in_order_and_once():
    assert stub_all() == sorted(set(stub_all()))


@pytest.mark.parametrize("name", stub_all())
def test_name_resolves_to_a_thing_and_not_to_a_module(name):
    """Twice: with a lazy facade, a module of the same name would take the function's place on second access."""
    first = getattr(cephstd, name)
    second = getattr(cephstd, name)
    assert first is second
    assert not isinstance(first, types.ModuleType)
    assert first is getattr(importlib.import_module(stub_imports()[name]), name)


def test_facade_needs_no_extra(root):
    """`from cephstd import *` works where nothing but the base is installed."""
    tables = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    base = {Requirement(text).name for text in tables["dependencies"]}
    extras = {Requirement(text).name for texts in tables["optional-dependencies"].values() for text in texts}
    modules = {"SQLAlchemy": "sqlalchemy", "fhir.resources": "fhir", "dicom-anonymizer": "dicomanonymizer"}
    absent = [modules.get(name, name.replace("-", "_")) for name in extras - base - {"cephstd"}]
    code = f"import sys; sys.modules.update(dict.fromkeys({absent!r}, None)); from cephstd import *"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_errors_of_the_facade_are_all_errors():
    """An error that a caller cannot import from the facade cannot be caught by name."""
    errors = importlib.import_module("cephstd.errors")
    assert set(errors.__all__) <= set(cephstd.__all__)


def test_version_is_the_installed_one():
    assert cephstd.__version__ == metadata.version("cephstd")


def test_package_is_typed():
    assert resources.files("cephstd").joinpath("py.typed").is_file()
