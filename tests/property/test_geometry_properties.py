"""Moving, turning, mirroring and enlarging the picture changes no clinical value; lengths follow the scale."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cephstd.geometry.measurer import measure_many

GOLDEN = json.loads((Path(__file__).parents[1] / "data" / "golden_cases.json").read_text(encoding="utf-8"))
ADULT = {case["id"]: case for case in GOLDEN["cases"]}["g10_synthetic_adult"]["points"]
NAMES = list(ADULT)
BASE = np.array(list(ADULT.values()), dtype=np.float64)
SLOW_FIRST_CALL = settings(deadline=None, max_examples=60)


def faces(rng: np.random.Generator, count: int) -> np.ndarray:
    """Plausible faces: the adult with every point moved by a few mm and the whole stretched."""
    jitter = rng.normal(scale=2.0, size=(count, *BASE.shape))
    return BASE * rng.uniform(0.85, 1.15, size=(count, 1, 2)) + jitter


def turn(points: np.ndarray, angle: np.ndarray, mirror: np.ndarray, flip: np.ndarray) -> np.ndarray:
    signed = points * np.stack([mirror, flip], axis=-1)[:, np.newaxis, :]
    cosine, sine = np.cos(angle)[:, np.newaxis], np.sin(angle)[:, np.newaxis]
    return np.stack(
        [cosine * signed[..., 0] - sine * signed[..., 1], sine * signed[..., 0] + cosine * signed[..., 1]], axis=-1
    )


def assert_same(first, second, tolerance=1e-7):
    for id in first.analysis.formulas:
        one, other = first[id], second[id]
        assert (np.ma.getmaskarray(one) == np.ma.getmaskarray(other)).all(), id
        assert (first.reasons(id) == second.reasons(id)).all(), id
        assert np.ma.abs(one - other).filled(0.0).max() <= tolerance, id


def test_similarity_changes_nothing(rng, counts):
    count = counts(2000, 10_000)
    points = faces(rng, count)
    scale = rng.uniform(0.2, 12.0, size=count)
    moved = turn(points, rng.uniform(-np.pi, np.pi, count), rng.choice([-1, 1], count), rng.choice([-1, 1], count))
    moved = moved * scale[:, np.newaxis, np.newaxis] + rng.uniform(-3000, 3000, size=(count, 1, 2))
    identity = np.tile(np.eye(2), (len(NAMES), 1, 1))
    before = measure_many(points, NAMES, spacing_mm=1.0, covariances_px2=identity)
    after = measure_many(
        moved,
        NAMES,
        spacing_mm=np.repeat(1.0 / scale[:, np.newaxis], 2, axis=1),
        covariances_px2=identity * (scale**2)[:, np.newaxis, np.newaxis, np.newaxis],
    )
    assert_same(before, after)
    for id in before.analysis.formulas:
        if id == "ISBI_MW":
            continue
        difference = np.ma.abs(before.sd(id) - after.sd(id)) / np.ma.maximum(before.sd(id), 1e-3)
        assert difference.filled(0.0).max() < 1e-6, id


@SLOW_FIRST_CALL
@given(
    seed=st.integers(0, 2**32 - 1),
    angle=st.floats(-np.pi, np.pi),
    mirror=st.sampled_from([-1.0, 1.0]),
    flip=st.sampled_from([-1.0, 1.0]),
    absent=st.sets(st.sampled_from(NAMES), max_size=8),
)
def test_similarity_changes_nothing_with_absent_points(seed, angle, mirror, flip, absent):
    points = faces(np.random.default_rng(seed), 4)
    points[:, [name in absent for name in NAMES]] = np.nan
    moved = turn(points, np.full(4, angle), np.full(4, mirror), np.full(4, flip)) + 500.0
    before = measure_many(points, NAMES, spacing_mm=1.0)
    assert_same(before, measure_many(moved, NAMES, spacing_mm=1.0))
    for id in absent:
        for measure, formula in before.analysis.formulas.items():
            if id in formula.names and id not in {"Gn_c", "CC", "CF", "Xi", "Go_c", "MS", "HPa", "OPa_b", "OPa_f"}:
                assert before[measure].mask.all(), (measure, id)


@SLOW_FIRST_CALL
@given(seed=st.integers(0, 2**32 - 1), factor=st.floats(0.05, 20.0))
def test_lengths_follow_the_scale_and_nothing_else_does(seed, factor):
    points = faces(np.random.default_rng(seed), 2)
    one = measure_many(points, NAMES, spacing_mm=1.0)
    other = measure_many(points, NAMES, spacing_mm=factor)
    for measure in one.analysis.measures:
        if measure.formula:
            expected = one[measure.id] * (factor if measure.unit == "mm" else 1.0)
            np.testing.assert_allclose(other[measure.id].compressed(), expected.compressed(), rtol=1e-9, atol=1e-9)


@SLOW_FIRST_CALL
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 70), threads=st.integers(1, 4))
def test_a_film_is_measured_alike_alone_and_among_others(seed, count, threads):
    points = faces(np.random.default_rng(seed), count)
    together = measure_many(points, NAMES, "ricketts", spacing_mm=0.7, threads=threads)
    alone = measure_many(points[-1:], NAMES, "ricketts", spacing_mm=0.7)
    for id in together.analysis.formulas:
        assert together[id].tolist()[-1] == alone[id].tolist()[0]


@SLOW_FIRST_CALL
@given(seed=st.integers(0, 2**32 - 1))
def test_identities(seed):
    found = measure_many(faces(np.random.default_rng(seed), 8), NAMES, spacing_mm=1.0)
    np.testing.assert_allclose(found["ANB"], found["SNA"] - found["SNB"], atol=1e-9)
    np.testing.assert_allclose(found["FMA"] + found["IMPA"] + found["FMIA"], 180.0, atol=1e-9)
    unfolded = found["articular"] < 165.0  # an angle past 180 is read from its other side
    np.testing.assert_allclose((found["Bjork_sum"] - 360.0)[unfolded], found["SN_GoMe"][unfolded], atol=1e-9)
    np.testing.assert_allclose(180.0 - found["facial_angle"] - found["FMA"], found["facial_taper"], atol=1e-9)
    np.testing.assert_allclose(found["gonial_upper"] + found["gonial_lower"], found["gonial"], atol=1e-9)
    np.testing.assert_allclose(found["ODI"] + found["APDI"], found["CF_kim"], atol=1e-9)
