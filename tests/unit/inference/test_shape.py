from __future__ import annotations

import msgspec
import numpy as np
import pytest

from cephstd.core.digest import digest_bytes
from cephstd.errors import ModelError, ModelIntegrityError
from cephstd.inference.catalog import load_catalog
from cephstd.inference.gate import Gate
from cephstd.inference.shape import ShapeJudge, ShapePrior, read_prior

CATALOG = load_catalog()
ENTRY = CATALOG.entry("isbi19-unet-a")
PRIOR = CATALOG.shape_prior(ENTRY)
assert PRIOR is not None
LANDMARKS = PRIOR.landmarks
MEAN = np.array(PRIOR.mean_mm)
MOST = 14.0
JUDGE = ShapeJudge(PRIOR, LANDMARKS, most_distance2=MOST)
ALL = np.ones(len(LANDMARKS), dtype=bool)


def on_canvas(shape_mm: np.ndarray, *, turn_deg: float = 0.0, px_per_mm: float = 3.0) -> np.ndarray:
    angle = np.deg2rad(turn_deg)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return px_per_mm * shape_mm @ turn.T + (300.0, 350.0)


def heads(count: int, seed: int = 0) -> np.ndarray:
    """Heads as the prior says that they are, in mm."""
    covariance = np.array(PRIOR.covariance_mm2) + np.eye(2 * len(LANDMARKS)) * PRIOR.noise_mm**2
    drawn = np.random.default_rng(seed).multivariate_normal(MEAN.ravel(), covariance, count)
    return drawn.reshape(count, -1, 2)


def withheld(points: np.ndarray, known: np.ndarray = ALL) -> set[str]:
    return {LANDMARKS[row] for row in np.flatnonzero(JUDGE.implausible(JUDGE(points, known)))}


@pytest.mark.parametrize("turn_deg", [0.0, 25.0, 180.0])
@pytest.mark.parametrize("px_per_mm", [0.5, 3.0, 10.0])
def test_a_face_is_a_face_at_any_size_and_turn(turn_deg: float, px_per_mm: float) -> None:
    head = heads(1)[0]
    upright = JUDGE(on_canvas(head), ALL)
    assert upright.max() < MOST
    np.testing.assert_allclose(JUDGE(on_canvas(head, turn_deg=turn_deg, px_per_mm=px_per_mm), ALL), upright, rtol=0.01)


def test_few_points_of_true_heads_are_withheld() -> None:
    distances2 = np.array([JUDGE(on_canvas(head), ALL) for head in heads(100)])
    assert (distances2 > MOST).mean() < 0.005
    # Squared distances of a normal distribution in two dimensions: their mean is 2.
    assert distances2.mean() == pytest.approx(2.0, rel=0.1)


@pytest.mark.parametrize("id", ["N", "Po", "Me", "Go", "U1"])
@pytest.mark.parametrize("off_mm", [(20.0, 0.0), (0.0, -20.0), (100.0, 60.0)])
def test_a_point_that_lies_elsewhere_is_withheld_and_no_other(id: str, off_mm: tuple[float, float]) -> None:
    for head in heads(5, seed=3):
        head[LANDMARKS.index(id)] += off_mm
        assert withheld(on_canvas(head)) == {id}


def test_wrong_points_do_not_vouch_for_one_another() -> None:
    wrong = ["Ls", "Li", "Sn", "Pog_s", "N", "A"]
    for head in heads(5, seed=4):
        head[[LANDMARKS.index(id) for id in wrong]] += (25.0, 10.0)
        assert withheld(on_canvas(head)) == set(wrong)


def test_points_of_no_face_are_withheld_all() -> None:
    assert withheld(on_canvas(MEAN * (-1.0, 1.0))) == set(LANDMARKS), "mirrored"
    assert withheld(np.random.default_rng(1).uniform(0.0, 500.0, MEAN.shape)) == set(LANDMARKS)
    assert withheld(np.full(MEAN.shape, 70.0)) == set(LANDMARKS), "all in one place"


def test_unknown_points_are_neither_judged_nor_evidence() -> None:
    head, known = heads(1)[0], ALL.copy()
    known[[0, 5]] = False
    head[[0, 5]] += 300.0
    distance2 = JUDGE(on_canvas(head), known)
    assert np.isnan(distance2[[0, 5]]).all()
    assert (distance2[known] <= MOST).all()


def test_fewer_points_than_make_a_face_are_not_judged() -> None:
    head, known = heads(1)[0], np.zeros_like(ALL)
    known[:7] = True
    head[3] += 100.0
    assert np.isnan(JUDGE(on_canvas(head), known)).all()
    known[7] = True
    assert not np.isnan(JUDGE(on_canvas(head), known)[known]).any()


def test_a_model_may_give_fewer_points_in_another_order() -> None:
    order = ("", *reversed(LANDMARKS[2:]))
    judge = ShapeJudge(PRIOR, order, most_distance2=MOST)
    head = heads(1)[0]
    points = np.vstack([[9999.0, 9999.0], on_canvas(head)[:1:-1]])
    distance2 = judge(points, np.ones(len(order), dtype=bool))
    assert np.isnan(distance2[0])
    known = ALL.copy()
    known[:2] = False
    np.testing.assert_allclose(distance2[:0:-1], JUDGE(on_canvas(head), known)[2:], rtol=1e-4)


def test_the_gate_names_its_reasons() -> None:
    gate = Gate(LANDMARKS, min_score=0.5, judge=JUDGE)
    head, score, inside = heads(1)[0], np.full(len(LANDMARKS), 0.9), ALL.copy()
    head[LANDMARKS.index("Go")] += 40.0
    head[LANDMARKS.index("S")] += 40.0
    score[LANDMARKS.index("Or")] = 0.31
    inside[LANDMARKS.index("S")] = False
    verdict = gate(on_canvas(head), score, inside)
    assert [LANDMARKS[row] for row in np.flatnonzero(verdict.low_score)] == ["Or"]
    assert [LANDMARKS[row] for row in np.flatnonzero(verdict.no_face)] == ["Go"]
    low, elsewhere = verdict.warnings
    assert low == "Withheld for a score below 0.5: Or 0.31."
    assert "no face" in elsewhere
    assert "over 14" in elsewhere
    assert ": Go " in elsewhere
    assert gate(on_canvas(heads(1)[0]), None, ALL).warnings == ()
    alone = Gate(LANDMARKS, min_score=0.5)(on_canvas(head), score, inside)
    assert not alone.no_face.any()


def test_a_prior_that_does_not_fit_is_refused() -> None:
    content = msgspec.json.encode(PRIOR)
    assert read_prior(content, LANDMARKS) == PRIOR
    with pytest.raises(ModelError, match="Ba"):
        read_prior(content, (*LANDMARKS, "Ba"))
    for name, value in (("mean_mm", PRIOR.mean_mm[1:]), ("noise_mm", 0.0), ("films", "many")):
        facts = {**msgspec.to_builtins(PRIOR), name: value}
        with pytest.raises(ModelError, match="not valid"):
            read_prior(msgspec.json.encode(facts), LANDMARKS)
    negative = (-np.eye(2 * len(LANDMARKS))).tolist()
    with pytest.raises(ModelError, match="eigenvalues"):
        read_prior(msgspec.json.encode({**msgspec.to_builtins(PRIOR), "covariance_mm2": negative}), LANDMARKS)


def test_the_prior_is_pinned(tmp_path) -> None:
    content = msgspec.json.encode(PRIOR)
    (tmp_path / "shape.json").write_bytes(content)
    shape = msgspec.structs.replace(ENTRY.shape, file="shape.json", sha256=digest_bytes(content))
    catalog = msgspec.structs.replace(CATALOG, folder=tmp_path)
    assert catalog.shape_prior(msgspec.structs.replace(ENTRY, shape=shape)) == PRIOR
    assert catalog.shape_prior(msgspec.structs.replace(ENTRY, shape=None)) is None
    with pytest.raises(ModelIntegrityError, match="shape prior"):
        catalog.shape_prior(msgspec.structs.replace(ENTRY, shape=msgspec.structs.replace(shape, sha256="sha256:0")))


def test_the_bundled_prior_is_of_the_bundled_model() -> None:
    assert isinstance(PRIOR, ShapePrior)
    assert ENTRY.shape is not None
    assert ENTRY.landmarks == LANDMARKS
    assert PRIOR.films == 150
