from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import typer

from cephstd.cli.analysis import choose_recipe, film_line, leave_with, point_line, read_scale
from cephstd.cli.films import FilmJob, Outcome
from cephstd.core.landmarks import LandmarkSet, absent_landmark, place_landmark
from cephstd.errors import CalibrationError, CorruptImageError, UnknownModelError

JOB = FilmJob(file="a/film.png", name="film")
FAILED: Outcome[Any] = Outcome(job=JOB, error=CorruptImageError("Cut short.", hint="Send it again."))


def test_options_win_over_the_recipe_file(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text('analysis = "downs"\nmin_score = 0.5\nmm_per_px = 0.2\n')
    recipe = choose_recipe(path, analysis="steiner", model=None, mm_per_px=None)
    assert (recipe.analysis, recipe.min_score, recipe.mm_per_px) == ("steiner", 0.5, 0.2)
    assert choose_recipe(None).analysis == "all"


def test_scale_is_stated_once(tmp_path: Path) -> None:
    assert read_scale(None, None) is None
    stated = read_scale(0.1, None)
    assert stated is not None
    assert stated.basis == "user_stated"
    assert stated.spacing_mm == (0.1, 0.1)
    with pytest.raises(typer.BadParameter):
        read_scale(0.1, tmp_path)
    with pytest.raises(CalibrationError):
        read_scale(0.0, None)


def test_a_failed_film_is_a_whole_line() -> None:
    assert film_line(FAILED) == {
        "file": "a/film.png",
        "status": "failed",
        "record": None,
        "overlay": None,
        "digest": None,
        "error": {"code": "corrupt_image", "message": "Cut short.", "hint": "Send it again."},
    }
    assert point_line(FAILED)["error"]["code"] == "corrupt_image"


def test_points_are_counted_and_not_shown() -> None:
    marks = LandmarkSet(landmarks=(place_landmark("S", 1, 2), absent_landmark("N", "low_confidence")))
    line = point_line(Outcome(job=JOB, result=marks))
    assert line["landmarks"] == {"present": 1, "absent": 1}
    assert (line["image_id"], line["status"], line["error"]) == ("film", "ok", None)


def test_the_first_error_decides_the_exit_code() -> None:
    ok: Outcome[Any] = Outcome(job=JOB, result=1)
    model: Outcome[Any] = Outcome(job=JOB, error=UnknownModelError("No."))
    leave_with([ok, ok])
    for outcomes, code in (([ok, FAILED, model], 3), ([model, FAILED], 4)):
        with pytest.raises(typer.Exit) as left:
            leave_with(outcomes)
        assert left.value.exit_code == code
