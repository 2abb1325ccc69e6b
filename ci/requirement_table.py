"""Render the table from each requirement to the tests that show it, and fail where a named test does not exist.

Usage: requirement_table.py OUT.md
"""

from __future__ import annotations

import ast
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "tests" / "contract" / "requirements.toml"


def load_requirements() -> list[dict]:
    return tomllib.loads(SOURCE.read_text(encoding="utf-8"))["requirement"]


def test_functions(path: Path) -> set[str]:
    """Names of the test functions of a file, with their class where they have one."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            functions |= {f"{node.name}::{item.name}" for item in node.body if isinstance(item, ast.FunctionDef)}
    return functions


def problems(requirements: list[dict], root: Path = ROOT) -> list[str]:
    """Requirements without a test, and tests that do not exist."""
    found = []
    ids = [requirement["id"] for requirement in requirements]
    found += [f"{id}: twice" for id in sorted({id for id in ids if ids.count(id) > 1})]
    for requirement in requirements:
        if not requirement["tests"]:
            found.append(f"{requirement['id']}: no test")
        for test in requirement["tests"]:
            name, _, function = test.partition("::")
            path = root / name
            if not path.is_file():
                found.append(f"{requirement['id']}: no file {name}")
            elif function and function not in test_functions(path):
                found.append(f"{requirement['id']}: no test {function} in {name}")
    return found


def render(requirements: list[dict]) -> str:
    """The table as Markdown."""
    lines = ["# Requirements and the tests that show them", "", "| id | requirement | tests |", "| --- | --- | --- |"]
    for requirement in requirements:
        tests = "<br>".join(f"`{test}`" for test in requirement["tests"])
        lines.append(f"| {requirement['id']} | {requirement['text']} | {tests} |")
    return "\n".join(lines) + "\n"


def main(out: str) -> int:
    requirements = load_requirements()
    found = problems(requirements)
    if found:
        print("\n".join(found))
        return 1
    path = Path(out)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render(requirements), encoding="utf-8")
    print(f"{len(requirements)} requirements, each with a test that exists: {out}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
