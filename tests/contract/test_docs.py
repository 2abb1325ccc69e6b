"""The manual lists every command and every public name, quotes the program's real help, and its examples run."""

from __future__ import annotations

import doctest
import importlib
import importlib.util
import pkgutil
import re
import sys

import pytest

import cephstd

EXTRA = ("cephstd.training",)  # needs torch; tested with the training tests


@pytest.fixture(scope="module")
def cli_help(root):
    spec = importlib.util.spec_from_file_location("cli_help", root / "ci" / "cli_help.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_reference_lists_every_public_name_once(root):
    text = (root / "docs" / "reference.rst").read_text(encoding="utf-8")
    listed = re.findall(r"^   (\w+)$", text, re.M)
    assert sorted(listed) == sorted(cephstd.__all__)


def test_manual_shows_the_help_of_every_command(cli_help):
    page = cli_help.render_page()
    commands = cli_help.commands()
    assert ("analyze",) in commands
    for words in commands:
        assert f"## cephstd {' '.join(words)}\n" in page
        assert f"Usage: cephstd {' '.join(words)}" in page


def test_every_command_and_option_has_help():
    import typer.main

    from cephstd.cli.app import app

    def walk(group):
        for name, command in group.commands.items():
            yield name, command
            if hasattr(command, "commands"):
                yield from walk(command)

    for name, command in walk(typer.main.get_command(app)):
        assert command.help, name
        assert [option.name for option in command.params if not getattr(option, "help", "")] == [], name


def test_readme_quotes_the_real_help(root, cli_help):
    blocks = cli_help.help_blocks((root / "README.md").read_text(encoding="utf-8"))
    assert blocks
    for command, text in blocks:
        assert text == cli_help.help_text(*command.split())


def test_readme_names_every_command(root, cli_help):
    text = (root / "README.md").read_text(encoding="utf-8")
    assert [words for words in cli_help.commands() if f"`cephstd {' '.join(words)}" not in text] == []


def test_readme_says_what_nobody_may_miss(root):
    text = " ".join((root / "README.md").read_text(encoding="utf-8").split())
    assert "not a medical device" in text.lower()
    assert "research and non-commercial" in text


def test_python_example_of_the_readme_runs(root, monkeypatch, capsys):
    (example,) = re.findall(r"```python\n(.*?)```", (root / "README.md").read_text(encoding="utf-8"), re.S)
    monkeypatch.chdir(root)
    exec(compile(example, "README.md", "exec"), {})
    said = capsys.readouterr().out
    assert said.startswith("ANB ")
    assert "intact" in said


def test_examples_of_the_manual_are_run_by_its_build(root):
    """A block that looks like a session and is no doctest would never be tried."""
    pages = [path for path in (root / "docs").rglob("*.md") if "generated" not in path.parts]
    assert [path.name for path in pages if re.search(r"```(python|pycon)\n>>>", path.read_text(encoding="utf-8"))] == []


def recipes(root) -> set[str]:
    makefile = (root / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z-]+):", makefile, re.M))


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_named_recipes_exist(root, page):
    text = (root / page).read_text(encoding="utf-8")
    named = {word for words in re.findall(r"`make ([a-z -]+)`", text) for word in words.split()}
    assert named
    assert named <= recipes(root)


def test_every_recipe_explains_itself(root):
    makefile = (root / "Makefile").read_text(encoding="utf-8")
    phony = set(re.search(r"^\.PHONY: (.*)$", makefile, re.M)[1].split())
    assert phony == recipes(root)
    assert phony == set(re.findall(r"^([a-z-]+):.*## ", makefile, re.M))


MODULES = sorted(
    info.name for info in pkgutil.walk_packages(cephstd.__path__, "cephstd.") if not info.name.startswith(EXTRA)
)


@pytest.mark.parametrize("name", [name for name in MODULES if not name.endswith("__main__")])
def test_examples_in_docstrings_run(name):
    assert doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS).failed == 0
