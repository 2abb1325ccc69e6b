"""What an import loads, as sets of modules: a number of milliseconds would depend on the machine."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {
    "numpy",
    "cv2",
    "pydicom",
    "torch",
    "onnxruntime",
    "matplotlib",
    "numba",
    "skimage",
    "scipy",
    "msgspec",
    "rich",
}


def loaded_by(statement: str) -> set[str]:
    """Top-level modules of third parties that a fresh interpreter holds after `statement`."""
    code = f"{statement}\nimport sys\nprint(' '.join(sorted({{name.partition('.')[0] for name in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return set(done.stdout.split())


def test_import_loads_nothing_heavy():
    assert loaded_by("import cephstd") & HEAVY == set()


@pytest.mark.parametrize(
    ("statement", "unneeded"),
    [
        ("import cephstd; cephstd.CephError", HEAVY),
        ("import cephstd; cephstd.decode_record", {"cv2", "pydicom", "onnxruntime", "matplotlib", "numba", "torch"}),
        ("import cephstd; cephstd.verify", {"cv2", "pydicom", "onnxruntime", "matplotlib", "numba", "torch"}),
        ("import cephstd; cephstd.measure", {"cv2", "pydicom", "onnxruntime", "matplotlib", "torch"}),
        ("import cephstd; cephstd.detect", {"pydicom", "matplotlib", "torch"}),
        ("import cephstd; cephstd.Analyzer", {"matplotlib", "torch"}),
        ("import cephstd.cli.app", {"cv2", "pydicom", "onnxruntime", "matplotlib", "numba", "torch", "skimage"}),
    ],
)
def test_each_verb_loads_what_it_needs(statement, unneeded):
    assert loaded_by(statement) & unneeded == set()
