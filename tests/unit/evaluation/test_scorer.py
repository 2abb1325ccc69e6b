from __future__ import annotations

import numpy as np
import pytest

from cephstd.errors import InputError
from cephstd.evaluation.scorer import radial_errors, score_landmarks, summarize

TRUTH = {
    "a": {"S": (0.0, 0.0), "N": (100.0, 0.0)},
    "b": {"S": (10.0, 10.0), "N": (50.0, 50.0)},
}
# a: S 3-4-5 -> 0.5 mm, N 0 -> 30 px -> 3 mm; b: S absent, N 120 px -> 12 mm
PREDICTED = {"a": {"S": (3.0, 4.0), "N": (100.0, 30.0)}, "b": {"N": (50.0, 170.0)}}


def test_hand_computed_score() -> None:
    score = score_landmarks(TRUTH, PREDICTED, mm_per_px=0.1, unreliable=("N",), resamples=0)
    assert score.all.films == 2
    assert score.all.points == 4
    assert score.all.absent == 1
    assert score.all.mre_mm == pytest.approx((0.5 + 3 + 12) / 3, abs=1e-4)
    assert score.all.median_mm == 3.0
    assert score.all.sd_mm == pytest.approx(np.std([0.5, 3, 12], ddof=1), abs=1e-4)
    assert score.all.sdr_percent == {"2": 25.0, "2.5": 25.0, "3": 50.0, "4": 50.0}
    assert score.all.mre_interval_mm is None


def test_without_the_unreliable_points_counts_the_rest_alone() -> None:
    score = score_landmarks(TRUTH, PREDICTED, mm_per_px=0.1, unreliable=("N", "Pog_s"), resamples=0)
    assert list(score.without) == ["N"]
    assert score.without["N"].points == 2
    assert score.without["N"].mre_mm == 0.5
    assert score.without["N"].sdr_percent["2"] == 50.0


def test_absent_points_are_misses_and_never_errors() -> None:
    score = score_landmarks(TRUTH, {}, mm_per_px=0.1)
    assert score.all.absent == 4
    assert score.all.mre_mm is None
    assert score.all.median_mm is None
    assert score.all.sdr_percent["4"] == 0.0
    assert [film.mre_mm for film in score.per_film] == [None, None]


def test_an_unlabelled_point_is_neither_hit_nor_miss() -> None:
    truth = {"a": {"S": (0.0, 0.0), "N": (1.0, 1.0)}, "b": {"S": (0.0, 0.0)}}
    predicted = {"a": {"S": (0.0, 0.0), "N": (1.0, 1.0)}, "b": {"S": (0.0, 0.0), "N": (900.0, 0.0), "Me": (1.0, 1.0)}}
    score = score_landmarks(truth, predicted, mm_per_px=0.1, resamples=0)
    assert score.all.points == 3
    assert score.all.mre_mm == 0.0
    assert score.per_landmark["N"].films == 1
    assert score.gross_errors == ()
    assert "Me" not in score.per_landmark


def test_per_landmark_and_per_film() -> None:
    score = score_landmarks(TRUTH, PREDICTED, mm_per_px=0.1, resamples=0)
    assert score.per_landmark["S"].mre_mm == 0.5
    assert score.per_landmark["S"].absent == 1
    assert score.per_landmark["N"].mre_mm == 7.5
    assert {film.image_id: (film.mre_mm, film.absent) for film in score.per_film} == {"a": (1.75, 0), "b": (12.0, 1)}


def test_gross_errors_name_film_and_point_largest_first() -> None:
    predicted = {"a": {"S": (0.0, 100.1)}, "b": {"S": (10.0, 310.0)}}
    gross = score_landmarks(TRUTH, predicted, mm_per_px=0.1, resamples=0).gross_errors
    assert [(error.image_id, error.landmark, error.error_mm) for error in gross] == [
        ("b", "S", 30.0),
        ("a", "S", 10.01),
    ]
    assert not score_landmarks(TRUTH, {"a": {"S": (0.0, 100.0)}}, mm_per_px=0.1, resamples=0).gross_errors


def test_a_distance_on_the_limit_is_within_it() -> None:
    score = score_landmarks({"a": {"S": (0.0, 0.0)}}, {"a": {"S": (12.0, 16.0)}}, mm_per_px=0.1, resamples=0)
    assert score.all.sdr_percent["2"] == 100.0


def test_interval_draws_films_and_not_points(rng: np.random.Generator) -> None:
    # Points of one film share one error: the mean's sd is 1 / sqrt(50 films), not 1 / sqrt(500 points).
    per_film = 3.0 + rng.standard_normal(50)
    errors = np.repeat(per_film[:, None], 10, axis=1)
    summary = summarize(errors, np.ones_like(errors, dtype=bool), resamples=2000)
    assert summary.mre_interval_mm is not None
    low, high = summary.mre_interval_mm
    assert high - low == pytest.approx(2 * 1.96 * per_film.std() / np.sqrt(50), rel=0.15)
    assert low < per_film.mean() < high


def test_interval_is_the_same_for_the_same_seed_and_counts_absent_points_as_misses() -> None:
    errors = np.array([[0.5, np.nan], [1.0, np.nan], [1.5, np.nan], [np.nan, np.nan]])
    labelled = np.ones_like(errors, dtype=bool)
    first, again = (summarize(errors, labelled, resamples=200, seed=1) for _ in range(2))
    assert first == again
    assert first.sdr_2mm_interval_percent is not None
    assert first.sdr_2mm_interval_percent[1] <= 50.0


def test_radial_errors_keep_the_order_of_films_and_landmarks() -> None:
    errors, labelled = radial_errors(TRUTH, PREDICTED, ("N", "S"), mm_per_px=0.1)
    assert errors[0].tolist() == [3.0, 0.5]
    assert errors[1, 0] == 12.0
    assert np.isnan(errors[1, 1])
    assert labelled.all()


def test_no_labels_is_an_input_error() -> None:
    with pytest.raises(InputError, match="labelled films"):
        score_landmarks({"a": {}}, {}, mm_per_px=0.1)
