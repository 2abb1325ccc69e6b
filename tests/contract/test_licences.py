"""What is shipped says under which terms, and the weights are the ones that the manifest pins."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import tomllib
from importlib import metadata

import pytest

from cephstd.inference.catalog import load_catalog


@pytest.fixture(scope="module")
def catalog():
    return load_catalog()


def test_package_carries_both_licences():
    files = {path.name for path in metadata.files("cephstd") or []}
    assert {"LICENSE", "LICENSE-WEIGHTS.md"} <= files


def test_metadata_names_the_restriction_of_the_weights():
    assert "noncommercial" in metadata.metadata("cephstd")["License-Expression"]


def test_weights_are_the_pinned_bytes(catalog):
    for entry in catalog.entries:
        data = (catalog.folder / entry.file).read_bytes()
        assert "sha256:" + hashlib.sha256(data).hexdigest() == entry.sha256
        assert len(data) == entry.bytes


def test_every_model_states_three_licences_and_a_card(catalog):
    for entry in catalog.entries:
        assert entry.licence_code
        assert entry.licence_weights
        assert entry.licence_data
        assert entry.intended_use
        card = (catalog.folder / entry.card).read_text(encoding="utf-8")
        assert entry.name in card
        assert "non-commercial" in card


def test_weights_licence_lies_beside_the_weights(catalog):
    text = (catalog.folder / "LICENSE-WEIGHTS.md").read_text(encoding="utf-8")
    assert "Research and non-commercial use only" in text


def test_every_sample_is_named_in_its_licence_file(samples):
    text = (samples / "LICENSES.md").read_text(encoding="utf-8")
    films = [path for path in samples.iterdir() if path.suffix in {".dcm", ".tif", ".tiff", ".jpg", ".png"}]
    assert films
    assert [path.name for path in films if path.name not in text and path.stem not in text] == []


@pytest.fixture(scope="module")
def rules(root):
    spec = importlib.util.spec_from_file_location("licences", root / "ci" / "licences.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "licence",
    [
        "GPL-3.0-only",
        "GNU General Public License v3 (GPLv3)",
        "MIT AND GPL-2.0-or-later",
        "AGPL-3.0",
        "GNU Affero General Public License v3",
        "UNKNOWN",
        "Proprietary",
    ],
)
def test_licence_is_refused(rules, licence):
    assert rules.breach("package", licence)


@pytest.mark.parametrize(
    "licence", ["MIT", "BSD-3-Clause", "Apache-2.0 WITH LLVM-exception", "LGPL-2.1", "MIT License; LGPL-3.0"]
)
def test_licence_is_allowed(rules, licence):
    assert rules.breach("package", licence) is None


def test_no_gpl_codec_is_a_dependency(root):
    """pylibjpeg-libjpeg would bring GPL-3 into every program that uses the library."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"]] + [
        name for extra in project["optional-dependencies"].values() for name in extra
    ]
    assert not [name for name in wanted if name.startswith(("pylibjpeg-libjpeg", "pylibjpeg["))]
    assert "pylibjpeg-libjpeg" not in (root / "requirements" / "ci.txt").read_text(encoding="utf-8")
