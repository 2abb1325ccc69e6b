"""A third party's ONNX file: refused with its fault named, or taken in with a TOML and no code."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from cephstd.core.recipe import DEFAULT_MODEL
from cephstd.errors import LicenceError, ModelError, ModelIntegrityError, ModelUnavailable, UnknownLandmarkError
from cephstd.inference.catalog import bundled_models, load_catalog
from cephstd.inference.inspection import MAX_BYTES, inspect_graph, try_first_load
from cephstd.pipeline.model_checker import add_model, check_model

sys.path.insert(0, str(Path(__file__).parent))
from tiny_model import tiny_graph, write_tiny_model

LICENCE = "research, non-commercial"


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """The bundled model under another name, as a third party would hand it over: a TOML and an ONNX file."""
    folder = tmp_path / "theirs"
    folder.mkdir()
    entry = load_catalog().entry(DEFAULT_MODEL)
    models = (bundled_models() / "manifest.toml").read_text(encoding="utf-8").partition("[[viewer]]")[0]
    (own,) = [table for table in models.split("[[model]]") if f'name = "{entry.name}"' in table]
    text = "[[model]]" + own
    shutil.copyfile(bundled_models() / entry.file, folder / "theirs.onnx")
    (folder / "card.md").write_text("# Theirs\n")
    assert entry.shape is not None
    shutil.copyfile(bundled_models() / entry.shape.file, folder / entry.shape.file)
    own, table, rest = text.partition("[model.shape]")
    lines = [line for line in own.splitlines() if not line.startswith(("sha256", "bytes"))]
    text = ("\n".join(lines) + "\n" + table + rest).replace(f'name = "{entry.name}"', 'name = "theirs"')
    text = text.replace(f'"{entry.file}"', '"theirs.onnx"').replace(f'"{entry.card}"', '"card.md"')
    (folder / "theirs.toml").write_text(text)
    return folder / "theirs.toml"


def test_their_model_is_taken_in_pinned_and_found(theirs, tmp_path):
    report = add_model(theirs, tmp_path / "mine", accepted_licences=(LICENCE,))
    assert report.ok
    assert [finding.name for finding in report.findings] == ["places", "shift", "smaller", "larger"]
    catalog = load_catalog(tmp_path / "mine")
    assert catalog.weights(catalog.entry("theirs"))
    assert (tmp_path / "mine" / "card.md").exists()
    assert catalog.shape_prior(catalog.entry("theirs")) is not None
    with pytest.raises(ModelError, match="already"):
        add_model(theirs, tmp_path / "mine", accepted_licences=(LICENCE,))


def test_swapped_landmarks_are_found_out(theirs, tmp_path):
    text = theirs.read_text()
    theirs.write_text(text.replace('"Pog", "Me",', '"Me", "Pog",'))
    assert theirs.read_text() != text
    report = add_model(theirs, tmp_path / "mine", accepted_licences=(LICENCE,))
    assert not report.ok
    assert not (tmp_path / "mine").exists()


def test_licence_has_to_be_accepted(theirs, tmp_path):
    with pytest.raises(LicenceError, match=LICENCE):
        add_model(theirs, tmp_path / "mine", accepted_licences=("MIT",))
    assert not (tmp_path / "mine").exists()


def test_landmark_unknown_to_the_dictionary_is_refused(theirs):
    theirs.write_text(theirs.read_text().replace('"Me"', '"Chin"').replace("Me = ", "Chin = "))
    with pytest.raises(UnknownLandmarkError, match="Chin"):
        check_model(theirs)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('points = "points"', 'points = "dots"', "'dots'"),
        ("opset = 18", "opset = 9", "opset"),
        ("[[model]]", "[[models]]", "model"),
        ('version = "', 'sha256 = "sha256:00"\nversion = "', "states"),
    ],
)
def test_description_that_differs_from_the_file_is_refused(theirs, old, new, said):
    theirs.write_text(theirs.read_text().replace(old, new, 1))
    with pytest.raises(ModelError, match=said):
        check_model(theirs)


def test_absent_weights_are_said(theirs):
    (theirs.parent / "theirs.onnx").unlink()
    with pytest.raises(ModelUnavailable, match=r"theirs\.onnx"):
        check_model(theirs)


def write(tmp_path: Path, change) -> Path:
    model = onnx.load_model_from_string(tiny_graph())
    change(model)
    path = tmp_path / "odd.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def keep_weights_outside(model) -> None:
    tensor = model.graph.initializer[0]
    onnx.external_data_helper.set_external_data(tensor, location="../../secret")
    tensor.ClearField("raw_data")


def hide_weights_in_a_branch(model) -> None:
    tensor = numpy_helper.from_array(np.zeros(4, np.float32), "inner")
    onnx.external_data_helper.set_external_data(tensor, location="/etc/passwd")
    node = helper.make_node("Identity", ["inner"], ["out"])
    output = helper.make_tensor_value_info("out", TensorProto.FLOAT, [4])
    branch = helper.make_graph([node], "branch", [], [output], [tensor])
    model.graph.node.append(helper.make_node("If", ["keep"], ["either"], then_branch=branch, else_branch=branch))


def use_an_operator_of_its_own(model) -> None:
    model.graph.node.append(helper.make_node("Own", ["image"], ["own"], domain="their.company"))


def bring_a_function(model) -> None:
    node = helper.make_node("Identity", ["a"], ["b"])
    model.functions.append(
        helper.make_function("their.company", "F", ["a"], ["b"], [node], [helper.make_opsetid("", 17)])
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (keep_weights_outside, "another file"),
        (hide_weights_in_a_branch, "another file"),
        (use_an_operator_of_its_own, r"their\.company"),
        (bring_a_function, "functions"),
    ],
)
def test_file_that_needs_more_than_itself_is_refused(tmp_path, change, said):
    with pytest.raises(ModelError, match=said):
        inspect_graph(write(tmp_path, change))


def test_plain_file_passes_and_says_what_it_is(tmp_path):
    facts = inspect_graph(write(tmp_path, lambda model: None))
    assert (facts.inputs, facts.outputs, facts.opset) == (("image",), ("points", "covariance", "score"), 17)


def test_no_model_at_all(tmp_path):
    (tmp_path / "text.onnx").write_text("this is no model")
    with pytest.raises(ModelError, match="no ONNX model"):
        inspect_graph(tmp_path / "text.onnx")


def test_file_over_the_limit_is_not_read(tmp_path):
    path = tmp_path / "huge.onnx"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(ModelError, match="more than"):
        inspect_graph(path)


def test_first_load_happens_in_a_child_and_its_fault_is_told(tmp_path):
    catalog = load_catalog(write_tiny_model(tmp_path, score=1.5))
    with pytest.raises(ModelError, match=r"first run: .*scores in 0\.\.1"):
        try_first_load(catalog, catalog.entry("tiny"))
    (tmp_path / "tiny.onnx").write_bytes(b"other")
    with pytest.raises(ModelError, match="first run"):
        try_first_load(catalog, catalog.entry("tiny"))
    with pytest.raises(ModelIntegrityError):
        catalog.weights(catalog.entry("tiny"))
