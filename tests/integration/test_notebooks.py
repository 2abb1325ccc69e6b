"""Every notebook runs from top to bottom, and is stored without outputs."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("*.ipynb"))


def test_there_is_a_notebook_to_run():
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_from_top_to_bottom(path):
    reason = "runs notebooks: install the dependency group 'notebooks'"
    nbformat = pytest.importorskip("nbformat", reason=reason)
    nbclient = pytest.importorskip("nbclient", reason=reason)
    pytest.importorskip("ipykernel", reason=reason)
    pytest.importorskip("pandas", reason=reason)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the client's event loop and sockets; the kernel has its own process
        notebook = nbformat.read(path, as_version=4)
        client = nbclient.NotebookClient(notebook, timeout=180, kernel_name="python3", cwd=str(path.parent))
        client.execute()
    streams = [out for cell in notebook.cells for out in cell.get("outputs", ()) if out.get("name") == "stderr"]
    assert not streams, streams
    assert any("image/png" in out.get("data", {}) for cell in notebook.cells for out in cell.get("outputs", ()))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_stored_without_outputs(path):
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        assert not cell.get("outputs"), cell["id"]
        assert cell.get("execution_count") is None, cell["id"]
