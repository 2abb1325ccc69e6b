from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from cephstd.cli.releasing import needing
from cephstd.core.recipe import DEFAULT_MODEL
from cephstd.errors import MissingExtraError
from cephstd.inference.catalog import load_catalog


def test_the_bundled_model_is_listed_with_its_terms(cephstd: Any) -> None:
    (model,) = [item for item in cephstd("models", "list").json if item["name"] == DEFAULT_MODEL]
    assert model["state"] == "ok"
    assert "non-commercial" in model["licence_weights"]
    assert len(model["landmarks"]) == 19


def test_weights_that_are_absent_or_others_are_told(tmp_path: Path, cephstd: Any) -> None:
    shutil.copy(load_catalog().folder / "manifest.toml", tmp_path)
    model, *_ = cephstd("models", "list", "--models", tmp_path).json
    assert model["state"] == "model_unavailable"
    (tmp_path / model["file"]).write_bytes(b"other weights")
    model, *_ = cephstd("models", "list", "--models", tmp_path).json
    assert model["state"] == "model_integrity"


@pytest.mark.parametrize("module", ["torch", "onnx", "onnxscript"])
def test_a_missing_extra_names_what_to_install(module: str) -> None:
    with pytest.raises(MissingExtraError, match=r"cephstd\[train\]") as caught, needing():
        raise ModuleNotFoundError(f"No module named {module!r}", name=f"{module}.nn")
    assert caught.value.exit_code == 8


def test_a_fault_of_ours_is_no_missing_extra() -> None:
    with pytest.raises(ModuleNotFoundError), needing():
        raise ModuleNotFoundError("No module named 'cephstd.trainings'", name="cephstd.trainings")


def test_train_without_torch_is_exit_8(cephstd: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import sys

    for name in [name for name in sys.modules if name.startswith("cephstd.training")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    for arguments in (("train", tmp_path / "c.toml"), ("models", "export", tmp_path / "c.pt", "--out", tmp_path / "m")):
        ran = cephstd(*arguments)
        assert ran.code == 8
        assert "pip install 'cephstd[train]'" in ran.err
