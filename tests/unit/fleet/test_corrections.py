from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from cephstd.fleet.corrections import find_habits, mean_vectors


def test_films_that_were_left_alone_count_as_no_movement(comparison):
    habits = find_habits(comparison.census)
    assert {habit.landmark for habit in habits} == {"S", "N", "A", "B", "Go", "Me", "Pog", "Or", "Po"}
    usual = [habit for habit in habits if habit.landmark == "Go"]
    for habit in usual:
        assert habit.corrected / habit.reviewed == pytest.approx(0.1, abs=0.07)
        assert np.hypot(habit.forward_mm, habit.down_mm) < 0.1


def test_the_one_who_moves_a_landmark_stands_out_from_a_day_on(faulty, comparison):
    (subject,) = (subject for kind, subject, _ in faulty.planted if kind == "correction")
    odd = min(comparison.habits, key=lambda habit: habit.p_value)
    assert (f"reviewer {odd.reviewer} at {odd.site}", odd.landmark) == (subject, "A")
    assert odd.since[0] == pytest.approx(1.5, abs=0.2)
    assert odd.since[1] == pytest.approx(0.0, abs=0.2)


def test_mean_vectors_are_of_corrected_points_alone(comparison):
    census = comparison.census
    row = mean_vectors(census).filter((pl.col("landmark") == "Me") & (pl.col("site") == "Elm")).row(0, named=True)
    films = census.films.with_row_index("film").filter(pl.col("site") == "Elm")["film"]
    moved = census.corrections.filter((pl.col("landmark") == "Me") & pl.col("film").is_in(films.implode()))
    assert row["n"] == moved["forward_mm"].is_not_null().sum()
    assert row["forward_mm"] == pytest.approx(moved["forward_mm"].mean())
