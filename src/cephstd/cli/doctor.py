"""The command that looks at the installation: doctor."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable
from importlib import metadata
from typing import TYPE_CHECKING, Any

import typer

from cephstd.cli import options
from cephstd.cli.rendering import error_facts, make_table, show

if TYPE_CHECKING:
    from rich.console import Console

PACKAGES = (
    "cephstd",
    "numpy",
    "opencv-python-headless",
    "pydicom",
    "pylibjpeg-openjpeg",
    "pyjpegls",
    "python-gdcm",
    "scikit-image",
    "numba",
    "onnxruntime",
    "onnxruntime-gpu",
    "matplotlib",
    "msgspec",
    "rfc8785",
)
EXTRAS = {"train": ("torch", "onnx", "onnxscript"), "batch": ("pyarrow", "polars")}
OPTIONAL = frozenset({"onnxruntime-gpu"})


def register(app: typer.Typer) -> None:
    """Add the commands of this module to `app`."""
    app.command(name="doctor", short_help="Look at this installation.", epilog=DOCTOR_EXAMPLES)(examine)


DOCTOR_EXAMPLES = """\b
Examples:
  cephstd doctor
  cephstd doctor | jq .problems
"""


def examine(models: options.ModelFolder = None) -> None:
    """Look at this installation: versions, execution providers that really load, model weights, image codecs.

    Never stops half-way: what cannot be looked at is a problem in the list. A readable view in a terminal, JSON when
    stdout is a pipe or a file. Exit code 1 when there is a problem.
    """
    sections: dict[str, Callable[[], Any]] = {
        "versions": find_versions,
        "extras": find_extras,
        "models": lambda: check_models(models),
        "providers": lambda: try_providers(models),
        "codecs": find_codecs,
    }
    facts: dict[str, Any] = {}
    problems: list[str] = []
    for name, look in sections.items():
        try:
            facts[name] = look()
        except Exception as error:  # the one command that must outlive a broken installation
            facts[name] = {}
            problems.append(f"{name}: {error_facts(error)['message']}")
    problems.extend(find_problems(facts))
    facts["problems"] = problems
    show(facts, lambda console: show_facts(console, facts))
    if problems:
        raise typer.Exit(1)


def find_versions() -> dict[str, str]:
    """Versions of Python, the platform and every package of the base installation; empty when absent."""
    found = {"python": platform.python_version(), "platform": f"{platform.system()} {platform.machine()}"}
    return {**found, **{name: _version(name) for name in PACKAGES}}


def find_extras() -> dict[str, dict[str, str]]:
    """Versions of the packages of each extra; empty when absent, which is no problem."""
    return {extra: {name: _version(name) for name in names} for extra, names in EXTRAS.items()}


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def check_models(folder: Any) -> dict[str, dict[str, str]]:
    """Each model of the catalog: ``ok`` when its weights are the pinned ones, else the error's code."""
    from cephstd.cli.modelling import describe_model
    from cephstd.inference.catalog import load_catalog

    catalog = load_catalog(folder)
    found = [describe_model(catalog, entry) for entry in catalog.entries]
    return {item["name"]: {key: item[key] for key in ("version", "sha256", "state", "problem")} for item in found}


def try_providers(folder: Any) -> dict[str, str]:
    """Each provider that ONNX Runtime offers, opened with a model of the catalog: ``loads``, or why not."""
    from cephstd.inference.catalog import load_catalog
    from cephstd.inference.session import Session, available_providers

    catalog = load_catalog(folder)
    graph = catalog.weights(catalog.entries[0])
    found = {}
    for name in available_providers():
        try:
            Session(graph, device=name)
        except Exception as error:
            found[name] = error_facts(error)["message"]
        else:
            found[name] = "loads"
    return found


def find_codecs() -> dict[str, str]:
    """Transfer syntaxes of DICOM -> the decoder that is installed for each; empty when absent."""
    from cephstd.io.dicom_codecs import list_codecs

    return list_codecs()


def find_problems(facts: dict[str, Any]) -> list[str]:
    """Sentences about what a user should mend."""
    versions = facts.get("versions", {})
    runtimes = ("onnxruntime", "onnxruntime-gpu")
    problems = [
        f"{name} is not installed."
        for name, version in versions.items()
        if not version and name not in OPTIONAL | {"onnxruntime"}
    ]
    if versions and not any(versions[name] for name in runtimes):
        problems.append("Neither onnxruntime nor onnxruntime-gpu is installed: no model can run.")
    if versions and all(versions[name] for name in runtimes):
        problems.append("onnxruntime and onnxruntime-gpu stand side by side: remove both, then install one.")
    for name, model in facts.get("models", {}).items():
        if model["state"] != "ok":
            problems.append(f"Model {name}: {model['problem']}")
    if facts.get("providers") and "loads" not in facts["providers"].values():
        problems.append("No execution provider loads the bundled model.")
    for syntax, decoder in facts.get("codecs", {}).items():
        if not decoder:
            problems.append(f"No decoder for the DICOM transfer syntax {syntax}.")
    return problems


def show_facts(console: Console, facts: dict[str, Any]) -> None:
    """A table per section, then the verdict."""
    from rich.text import Text

    for section in ("versions", "models", "providers", "codecs"):
        table = make_table(section, "")
        for name, value in facts[section].items():
            table.add_row(Text(name), Text(_words(value)))
        console.print(table)
    for problem in facts["problems"]:
        console.print(Text.assemble(("problem: ", "bold red"), problem))
    if not facts["problems"]:
        console.print("No problem was found.")
    console.print(f"Python at {sys.prefix}", markup=False)


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return "  ".join(text for text in (value["version"], value["state"], value["sha256"][:19]) if text)
    return value or "not installed"
