from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cephstd.cli.doctor import find_problems, try_providers

SOUND = {
    "versions": {"numpy": "2", "onnxruntime": "1", "onnxruntime-gpu": ""},
    "models": {"m": {"state": "ok", "problem": ""}},
    "providers": {"CPUExecutionProvider": "loads", "CUDAExecutionProvider": "no driver"},
    "codecs": {"JPEG baseline": "gdcm"},
}


def changed(section: str, **values: Any) -> dict[str, Any]:
    return {**SOUND, section: {**SOUND[section], **values}}


def test_a_sound_installation_has_no_problem() -> None:
    assert find_problems(SOUND) == []


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (changed("versions", numpy=""), "numpy is not installed"),
        (changed("versions", onnxruntime=""), "Neither onnxruntime"),
        (changed("versions", **{"onnxruntime-gpu": "1"}), "side by side"),
        (changed("models", m={"state": "model_integrity", "problem": "Other bytes."}), "Model m: Other bytes."),
        (changed("providers", CPUExecutionProvider="no"), "No execution provider"),
        (changed("codecs", **{"HTJ2K": ""}), "HTJ2K"),
    ],
)
def test_each_fault_is_named(facts: dict[str, Any], words: str) -> None:
    (problem,) = find_problems(facts)
    assert words in problem


def test_it_outlives_an_installation_without_models(tmp_path: Path, cephstd: Any) -> None:
    ran = cephstd("doctor", "--models", tmp_path)
    assert ran.code == 1
    facts = ran.json
    assert facts["models"] == {}
    assert any(problem.startswith("models: ") for problem in facts["problems"])
    assert facts["versions"]["numpy"]


def test_a_provider_that_does_not_load_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "cephstd.inference.session.available_providers", lambda: ("CPUExecutionProvider", "NonsenseProvider")
    )
    found = try_providers(None)
    assert found["CPUExecutionProvider"] == "loads"
    assert found["NonsenseProvider"] != "loads"
