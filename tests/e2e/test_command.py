"""The command as a user meets it, on the samples that ship with the project."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="module")
def film(samples: Path) -> Path:
    return samples / "composite_c.jpg"


@pytest.fixture(scope="module")
def mixed(film: Path, samples: Path, command: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A run with a broken film in the middle and two films of one name."""
    folder = tmp_path_factory.mktemp("mixed")
    broken = folder / "broken.jpg"
    broken.write_bytes(film.read_bytes()[:2000])
    twin = folder / "other" / film.name
    twin.parent.mkdir()
    twin.write_bytes(film.read_bytes())
    out = folder / "out"
    files = (film, broken, samples / "composite_a.dcm", folder / "absent.png", twin)
    return out, command("analyze", *files, "--out", out, "--analysis", "steiner")


def test_failing_films_are_lines_and_stop_nothing(mixed: tuple[Path, Any]) -> None:
    out, ran = mixed
    assert [line["status"] for line in ran.lines] == ["ok", "failed", "ok", "failed", "ok"]
    assert ran.code == 3
    broken, absent = ran.lines[1], ran.lines[3]
    assert broken["error"]["code"] == "corrupt_image"
    assert broken["error"]["message"]
    assert absent["error"]["code"] == "input"
    assert broken["record"] is None
    assert not list(out.glob("broken*"))
    assert "broken.jpg" in ran.err
    assert "3 of 5 films succeeded" in ran.err


def test_two_films_of_one_name_do_not_overwrite_each_other(mixed: tuple[Path, Any]) -> None:
    out, ran = mixed
    first, second = ran.lines[0], ran.lines[4]
    assert Path(first["record"]) == out / "composite_c.record.json"
    assert Path(second["record"]) == out / "composite_c-2.record.json"
    assert "numbered" in ran.err
    assert first["result_digest"] == second["result_digest"], "the same bytes give the same result"


def test_one_film_shows_its_values_with_reasons_for_what_is_absent(film: Path, command: Any, tmp_path: Path) -> None:
    ran = command("analyze", film, "--out", tmp_path)
    assert ran.code == 0, ran.err
    assert len(ran.lines) == 1
    assert "SNA" in ran.err
    assert "not calibrated" in ran.err
    record = json.loads((tmp_path / "composite_c.record.json").read_bytes())
    lengths = [measure for measure in record["content"]["measures"] if measure["unit"] == "mm"]
    assert lengths
    assert all(measure["value"] is None and measure["reason"] for measure in lengths)


def test_stdin_and_quiet(film: Path, command: Any, tmp_path: Path) -> None:
    ran = command("analyze", "-", "--out", tmp_path, "--mm-per-px", "0.2", "--quiet", stdin=film.read_bytes())
    assert ran.code == 0, ran.err
    assert ran.lines[0]["file"] == "-"
    assert (tmp_path / "stdin.record.json").is_file()
    assert "SNA" not in ran.err
    assert "Not a medical device" in ran.err
    piped = command("verify", "-", "--source", film, stdin=(tmp_path / "stdin.record.json").read_bytes())
    assert piped.code == 0, piped.err


def test_an_edited_record_is_refused(film: Path, command: Any, tmp_path: Path) -> None:
    command("analyze", film, "--out", tmp_path, "--quiet")
    path = tmp_path / "composite_c.record.json"
    data = bytearray(path.read_bytes())
    digit = data.index(b'"x_px":') + len(b'"x_px":')
    data[digit] = ord("2") if data[digit] == ord("1") else ord("1")
    path.write_bytes(data)
    ran = command("verify", path)
    assert ran.code == 7
    assert ran.lines[0]["status"] == "failed"
    assert ran.lines[0]["error"]["code"] == "digest_mismatch"
    assert "Traceback" not in ran.err


def test_points_pipe_into_measures(film: Path, command: Any) -> None:
    points = command("detect", film, "--out", "-", "--quiet")
    values = command("measure", "-", "--out", "-", "--analysis", "steiner", stdin=points.out.encode())
    assert values.code == 0, values.err
    head, first, *_ = values.out.splitlines()
    assert head == "image_id,measure,value,sd,unit,reason"
    image_id, measure, value, sd, unit, reason = first.split(",")
    assert (image_id, measure, unit, reason) == ("composite_c", "SNA", "deg", "")
    assert 70 < float(value) < 95
    assert float(sd) > 0


def test_detect_gives_failed_films_no_rows(film: Path, command: Any, tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"")
    ran = command("detect", broken, film, "--out", tmp_path / "points.csv")
    assert ran.code == 3
    assert [line["status"] for line in ran.lines] == ["failed", "ok"]
    rows = (tmp_path / "points.csv").read_text().splitlines()
    assert len(rows) == 1 + 19
    assert not any("broken" in row for row in rows)


@pytest.mark.parametrize(
    "choice",
    [
        (("--model", "nonsense"), 4, "nonsense"),
        (("--analysis", "nonsense"), 5, "nonsense"),
        (("--mm-per-px", "40"), 3, "mm per pixel"),
        (("--mm-per-px", "0.1", "--calibration", "x.toml"), 2, "State the scale once"),
        (("--device", "nonsense"), 4, "provider"),
        (("--recipe", "absent.toml"), 3, "recipe"),
    ],
)
def test_a_wrong_choice_is_told_before_any_film(
    choice: tuple[tuple[str, ...], int, str], film: Path, command: Any, tmp_path: Path
) -> None:
    arguments, code, words = choice
    ran = command("analyze", film, film, "--out", tmp_path / "out", *arguments)
    assert ran.code == code, ran.err
    assert words in ran.err
    assert ran.out == ""


def test_calibration_file(samples: Path, command: Any, tmp_path: Path) -> None:
    stated = samples / "composite_b.calibration.toml"
    ran = command("analyze", samples / "composite_b.tif", "--out", tmp_path, "--calibration", stated, "--quiet")
    assert ran.code == 0, ran.err
    assert ran.lines[0]["calibration"] == "user_ruler"


def test_doctor_finds_this_installation_sound(command: Any) -> None:
    ran = command("doctor")
    facts = json.loads(ran.out)
    assert facts["problems"] == []
    assert ran.code == 0
    assert facts["providers"]["CPUExecutionProvider"] == "loads"
    assert facts["models"]["isbi19-unet-b"]["state"] == "ok"
    assert all(facts["codecs"].values())


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_ctrl_c_is_exit_130(samples: Path, tmp_path: Path) -> None:
    films = [samples / name for name in ("composite_c.jpg", "composite_a.dcm", "composite_b.tif")]
    process = subprocess.Popen(
        [sys.executable, "-m", "cephstd", "analyze", *map(str, films), "--out", str(tmp_path / "out")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # a shell starts background jobs with Ctrl-C ignored, and children inherit that
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 (no thread runs here)
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
