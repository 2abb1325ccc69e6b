"""Every public object says what it takes, what it gives and what it raises (numpydoc)."""

from __future__ import annotations

import inspect
import re

import pytest
from numpydoc.validate import validate

import cephstd

# GL08 no docstring, PR01 a parameter is not described, PR02 a described one does not exist, PR03 their order,
# RT01 what comes back is not described, SS06 the summary is longer than a line.
ERRORS = {"GL08", "PR01", "PR02", "PR03", "RT01"}
CLASSES = sorted(name for name in cephstd.__all__ if inspect.isclass(getattr(cephstd, name)))
FUNCTIONS = sorted(name for name in cephstd.__all__ if inspect.isfunction(getattr(cephstd, name)))


def own_methods(cls: type) -> list[str]:
    """Public methods and properties that `cls` itself defines."""
    return [
        name
        for name, member in vars(cls).items()
        if not name.startswith("_") and (inspect.isfunction(member) or isinstance(member, property | classmethod))
    ]


def fields(cls: type) -> list[str]:
    names = getattr(cls, "__struct_fields__", None) or tuple(getattr(cls, "__dataclass_fields__", ()))
    return [name for name in names if not name.startswith("_")]


def test_everything_public_is_a_class_or_a_function():
    assert sorted(CLASSES + FUNCTIONS) == sorted(cephstd.__all__)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_function_is_described(name):
    function = getattr(cephstd, name)
    found = validate(f"{function.__module__}.{function.__qualname__}")["errors"]
    assert [f"{code} {text}" for code, text in found if code in ERRORS] == []


@pytest.mark.parametrize("name", FUNCTIONS)
def test_function_names_what_it_raises(name):
    """Errors that the body itself raises; those of what it calls are the callee's to name."""
    function = getattr(cephstd, name)
    raised = set(re.findall(r"raise (\w+)\(", inspect.getsource(function)))
    section = (function.__doc__ or "").partition("Raises\n")[2]
    assert {error for error in raised if error not in section} == set()


@pytest.mark.parametrize("name", CLASSES)
def test_class_is_described(name):
    cls = getattr(cephstd, name)
    assert "__doc__" in vars(cls)
    assert inspect.getdoc(cls)
    undescribed = [method for method in own_methods(cls) if not inspect.getdoc(getattr(cls, method))]
    assert undescribed == []


@pytest.mark.parametrize("name", [name for name in CLASSES if fields(getattr(cephstd, name))])
def test_every_field_is_described(name):
    """A number without its unit, frame or meaning is no public value."""
    cls = getattr(cephstd, name)
    doc = inspect.getdoc(cls) or ""
    assert [field for field in fields(cls) if not re.search(rf"\b{field}\b", doc)] == []
