from __future__ import annotations

from typing import Any

import pytest
import typer

import cephstd as cs
from cephstd.cli import app as entry
from cephstd.cli import options
from cephstd.errors import CephError, InputError, MissingExtraError, VerificationError

COMMANDS = {
    ("analyze",),
    ("detect",),
    ("calibrate",),
    ("normalize",),
    ("wrap",),
    ("measure",),
    ("batch",),
    ("reanalyze",),
    ("deidentify",),
    ("fleet",),
    ("worklist",),
    ("report",),
    ("evidence",),
    ("export",),
    ("verify",),
    ("replay",),
    ("schema",),
    ("amend",),
    ("review",),
    ("history",),
    ("diff",),
    ("keygen",),
    ("sign",),
    ("timestamp",),
    ("check",),
    ("policies",),
    ("retention",),
    ("analyses",),
    ("explain",),
    ("norms",),
    ("superimpose",),
    ("agreement",),
    ("evaluate",),
    ("train",),
    ("doctor",),
    ("records", "ls"),
    ("records", "add"),
    ("records", "get"),
    ("log", "append"),
    ("log", "checkpoint"),
    ("log", "prove"),
    ("log", "verify"),
    ("log", "audit"),
    ("log", "tombstone"),
    ("models", "list"),
    ("models", "check"),
    ("models", "add"),
    ("models", "cross-validate"),
    ("models", "export"),
}


def walk(group: Any, above: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    found: dict[tuple[str, ...], Any] = {}
    for name, command in group.commands.items():
        deeper = walk(command, (*above, name)) if hasattr(command, "commands") else {(*above, name): command}
        found.update(deeper)
    return found


SHARED = {"mm_per_px", "calibration", "model", "models", "device", "recipe", "quiet"}
EVERY = walk(typer.main.get_command(entry.app))


def test_every_command_is_listed_here() -> None:
    assert set(EVERY) == COMMANDS


@pytest.mark.parametrize("path", sorted(EVERY), ids=" ".join)
def test_help_teaches(path: tuple[str, ...], cephstd: Any) -> None:
    shown = cephstd(*path, "--help")
    assert shown.code == 0
    words = " ".join(path)
    assert f"Usage: cephstd {words}" in shown.out
    command = EVERY[path]
    assert len(command.help.split()) >= 8, "a paragraph says what the command does"
    assert command.short_help, "the list of commands has one whole sentence"
    assert command.short_help.endswith(".")
    examples = shown.out.partition("Example")[2]
    assert f"cephstd {words}" in examples, "an example shows the command itself"
    for parameter in command.params:
        assert parameter.name == "help" or parameter.help, f"{parameter.name} is explained"


@pytest.mark.parametrize("path", sorted(EVERY), ids=" ".join)
def test_options_of_the_examples_exist(path: tuple[str, ...]) -> None:
    command = EVERY[path]
    known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    for line in command.epilog.splitlines():
        words = line.partition("|")[0].split()
        if words[: len(path) + 1] == ["cephstd", *path]:
            assert {word for word in words if word.startswith("--")} <= known


def test_version(cephstd: Any) -> None:
    assert cephstd("--version").out == f"cephstd {cs.__version__}\n"


def test_help_says_what_this_is_not(cephstd: Any) -> None:
    text = " ".join(cephstd("--help").out.split())
    assert "Not a medical device" in text
    assert "research and non" in text


@pytest.mark.parametrize("arguments", [("nonsense",), ("verify",), ("analyze", "film.png"), ("verify", "a", "--no")])
def test_wrong_usage_is_exit_2(arguments: tuple[str, ...], cephstd: Any) -> None:
    ran = cephstd(*arguments)
    assert ran.code == 2
    assert ran.out == ""
    assert "Error" in ran.err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("Expected a film, found none.", hint="Give one."), 3),
        (VerificationError("The record does not hold."), 7),
        (MissingExtraError("torch is missing."), 8),
    ],
)
def test_an_expected_error_is_a_sentence_and_its_exit_code(
    error: CephError, code: int, cephstd: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr("cephstd.core.record.record_schema", fail)
    ran = cephstd("schema")
    assert ran.code == code
    assert ran.out == ""
    assert f"error: {error.args[0]} [{error.code}]" in ran.err
    assert error.hint in ran.err
    assert "Traceback" not in ran.err


def test_a_fault_of_ours_never_looks_like_a_finding(cephstd: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise RuntimeError("lost [bold]thread[/bold]")

    monkeypatch.setattr("cephstd.core.record.record_schema", fail)
    ran = cephstd("schema")
    assert ran.code == 70
    assert "RuntimeError: lost [bold]thread[/bold] [internal]" in ran.err
    assert "please report" in ran.err


def test_no_colour_escapes_where_nobody_looks(cephstd: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in cephstd("explain", "nonsense").err


def test_a_shared_option_has_one_wording() -> None:
    wordings: dict[str, set[str]] = {}
    for command in EVERY.values():
        for parameter in command.params:
            if parameter.name in SHARED and parameter.param_type_name == "option":
                wordings.setdefault(parameter.name, set()).add(parameter.help)
    assert set(wordings) == SHARED
    assert wordings["device"] == {options.Device.__metadata__[0].help}
    assert all(len(texts) == 1 for texts in wordings.values())
