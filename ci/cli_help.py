"""Real help of every command, as the manual and the README print it.

Usage: cli_help.py    prints the manual's page
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

COLUMNS = "88"
# ```console
# $ cephstd analyze --help
# ...
# ```
BLOCK = re.compile(r"(?P<head>```console\n\$ cephstd ?(?P<command>[a-z -]*?) ?--help\n)(?P<text>.*?)```", re.S)


def help_text(*command: str) -> str:
    """What ``cephstd COMMAND --help`` prints, at a fixed width and without colour."""
    environment = os.environ | {"COLUMNS": COLUMNS, "NO_COLOR": "1", "TERM": "dumb", "PYTHONIOENCODING": "utf-8"}
    environment.pop("FORCE_COLOR", None)
    done = subprocess.run(
        [sys.executable, "-m", "cephstd", *command, "--help"],
        check=True,
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=environment,
    )
    return "\n".join(line.rstrip() for line in done.stdout.strip().splitlines()).replace("python -m cephstd", "cephstd")


def commands() -> list[tuple[str, ...]]:
    """All commands and groups as words, e.g. ``("models", "list")``, from the application itself."""
    import typer.main

    from cephstd.cli.app import app

    return list(_walk(typer.main.get_command(app)))


def _walk(group: Any, *words: str) -> Iterator[tuple[str, ...]]:
    for name, command in sorted(group.commands.items()):
        yield (*words, name)
        if hasattr(command, "commands"):
            yield from _walk(command, *words, name)


def render_page() -> str:
    """The manual's page on the command line."""
    parts = [
        "# Command line",
        "",
        "Data goes to stdout or to files, people and progress to stderr. This page is what the program itself prints.",
        "",
        *_section("cephstd"),
    ]
    for words in commands():
        parts += _section(" ".join(("cephstd", *words)), *words)
    return "\n".join(parts)


def _section(title: str, *command: str) -> list[str]:
    return [f"## {title}", "", "```text", help_text(*command), "```", ""]


def help_blocks(text: str) -> list[tuple[str, str]]:
    """(command, printed help) of every help block of a Markdown text."""
    return [(match["command"].strip(), match["text"].strip()) for match in BLOCK.finditer(text)]


def refresh(text: str) -> str:
    """`text` with every help block as the program prints it now."""
    return BLOCK.sub(lambda match: f"{match['head']}{help_text(*match['command'].split())}\n```", text)


if __name__ == "__main__":
    print(render_page())
