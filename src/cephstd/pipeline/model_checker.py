"""Takes somebody else's ONNX model in: everything that can be shown about it without labelled films, then a copy."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec

from cephstd.core.digest import digest_bytes
from cephstd.core.image import state_calibration
from cephstd.core.recipe import Recipe
from cephstd.errors import LicenceError, ModelError, ModelUnavailable, UnknownLandmarkError
from cephstd.inference.catalog import MANIFEST, Catalog, ModelEntry, load_catalog
from cephstd.inference.conformance import Finding, check_behaviour
from cephstd.inference.detector import Detector
from cephstd.inference.inspection import GraphFacts, check_contract, inspect_graph, try_first_load
from cephstd.knowledge.loader import load_landmarks
from cephstd.pipeline.intake import read_film
from cephstd.pipeline.normalizer import normalize

COMPOSITE = "composite_c"
HEADER = re.compile(r"^\[\[model\]\]\s*$", re.M)


class ModelReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was shown about a model.

    Attributes
    ----------
    entry : ModelEntry
        As it would stand in a manifest, the file's digest and length filled in.
    graph : GraphFacts
    first_run : dict
        Provider and seconds of the run in a child process.
    findings : tuple of Finding
        Behaviour on a composite film.
    ok : bool
    """

    entry: ModelEntry
    graph: GraphFacts
    first_run: dict[str, Any]
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether every finding is within its limit."""
        return all(finding.ok for finding in self.findings)


def check_model(path: str | Path) -> ModelReport:
    """Check a model that is described by a TOML file beside its ONNX file.

    The file is read without being run (size, external data, operators), run once in a child process with limits, then
    shown a composite film whose landmarks are known, as it is, shifted, and at two scales.

    Parameters
    ----------
    path : str or Path
        TOML file with one ``[[model]]`` table, as in a manifest; sha256 and bytes may be left out.

    Returns
    -------
    ModelReport

    Raises
    ------
    ModelUnavailable
        When a file cannot be read.
    ModelError
        When the description breaks its format, differs from the file, or the file is refused.
    UnknownLandmarkError
        When it names a landmark that the dictionary has not.
    ModuleNotFoundError
        Without the package onnx.
    """
    path = Path(path)
    with tempfile.TemporaryDirectory() as folder:
        catalog = _stage(path, Path(folder))
        (entry,) = catalog.entries
        unknown = [id for id in entry.landmarks if id and id not in load_landmarks()]
        if unknown:
            named = ", ".join(unknown)
            raise UnknownLandmarkError(f"{path.name} names landmarks that the dictionary has not: {named}.")
        graph = inspect_graph(catalog.folder / entry.file)
        check_contract(entry, graph)
        first_run = try_first_load(catalog, entry)
        detector = Detector(entry.name, device="cpu", models=folder, accepted_licences=(entry.licence_weights,))
        film, points_px = _composite()
        findings = check_behaviour(detector, film, points_px)
    return ModelReport(entry=entry, graph=graph, first_run=first_run, findings=tuple(findings))


def add_model(path: str | Path, folder: str | Path, *, accepted_licences: tuple[str, ...]) -> ModelReport:
    """Check a model and copy it into a models folder, pinned by its digest.

    Parameters
    ----------
    path : str or Path
        As for `check_model`.
    folder : str or Path
        Made when absent; its ``manifest.toml`` gets one more entry.
    accepted_licences : tuple of str
        Must name the licence of the weights.

    Returns
    -------
    ModelReport
        Nothing was added unless it is ``ok``.

    Raises
    ------
    LicenceError
        When the licence was not accepted.
    ModelError
        As for `check_model`, or when the folder has a model of that name.
    """
    path, folder = Path(path), Path(folder)
    report = check_model(path)
    entry = report.entry
    if entry.licence_weights not in accepted_licences:
        raise LicenceError(
            f"The weights of {entry.name} are under {entry.licence_weights!r}, which was not accepted.",
            hint=f"Read it, then: --accept-licence {entry.licence_weights!r}.",
        )
    if not report.ok:
        return report
    manifest = folder / MANIFEST
    present = load_catalog(folder).entries if manifest.exists() else ()
    if any(entry.name == other.name or entry.file == other.file for other in present):
        raise ModelError(f"{folder.name} has a model or a file called {entry.name} or {entry.file} already.")
    folder.mkdir(parents=True, exist_ok=True)
    for name in filter(None, (entry.file, entry.card, entry.shape.file if entry.shape else "")):
        shutil.copyfile(path.parent / name, folder / name)
    before = manifest.read_text(encoding="utf-8") + "\n" if present else ""
    manifest.write_text(before + _pinned_text(path, entry.sha256, entry.bytes), encoding="utf-8")
    load_catalog(folder)
    return report


def _stage(path: Path, folder: Path) -> Catalog:
    """Copy description and weights into a folder of their own, as a manifest with the file's digest."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))["model"][0]
        weights = path.parent / Path(table["file"]).name
        data = weights.read_bytes()
    except OSError as error:
        raise ModelUnavailable(f"{Path(error.filename or path).name} cannot be read: {error.strerror}.") from error
    except (KeyError, IndexError, TypeError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ModelError(f"{path.name} is no description of a model: expected one [[model]] with a file.") from error
    found = digest_bytes(data)
    stated = (table.get("sha256", found), table.get("bytes", len(data)))
    if stated != (found, len(data)):
        raise ModelError(f"{path.name} states {stated[0]}, {stated[1]} bytes; {weights.name} is {found}, {len(data)}.")
    (folder / weights.name).write_bytes(data)
    (folder / MANIFEST).write_text(_pinned_text(path, found, len(data)), encoding="utf-8")
    catalog = load_catalog(folder)
    for shape in (entry.shape for entry in catalog.entries if entry.shape):
        if (path.parent / shape.file).is_file():
            shutil.copyfile(path.parent / shape.file, folder / shape.file)
    return catalog


def _pinned_text(path: Path, sha256: str, size: int) -> str:
    """The description's text with the two lines that pin the weights, where it has none."""
    text = path.read_text(encoding="utf-8")
    if len(HEADER.findall(text)) != 1:
        raise ModelError(f"{path.name}: expected one table [[model]], on a line of its own.")
    table = tomllib.loads(text)["model"][0]
    pins = {"sha256": f'"{sha256}"', "bytes": str(size)}
    lines = "".join(f"{name} = {value}\n" for name, value in pins.items() if name not in table)
    return HEADER.sub(lambda _: f"[[model]]\n{lines}".rstrip("\n"), text)


def _composite() -> tuple[Any, dict[str, tuple[float, float]]]:
    """Standard image and landmarks (source px) of the composite film that travels with the package."""
    place = _samples()
    facts = json.loads((place / f"{COMPOSITE}.landmarks.json").read_text(encoding="utf-8"))
    stated = state_calibration(facts["spacing_mm"], source="made with this scale")
    film = read_film(place / f"{COMPOSITE}.jpg", Recipe(), stated)
    points = {id: (float(x), float(y)) for id, (x, y) in facts["landmarks_px"].items()}
    return normalize(film), points


def _samples() -> Path:
    """Folder of the composite: inside the wheel, or in a checkout."""
    package = Path(str(resources.files("cephstd")))
    inside = package / "samples"
    return inside if inside.is_dir() else package.parents[1] / "data" / "samples"
