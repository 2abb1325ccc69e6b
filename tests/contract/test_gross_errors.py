"""Planted gross errors: what alterations do to a film, and how withheld points are counted."""

from __future__ import annotations

import sys

import numpy as np
import pytest

MM = 0.5
POINTS_PX = {"S": (120.0, 130.0), "N": (250.0, 120.0), "Pog": (240.0, 320.0), "Go": (90.0, 290.0)}


@pytest.fixture(scope="module", autouse=True)
def benchmarks(root):
    folder = str(root / "benchmarks")
    sys.path.insert(0, folder)
    yield
    sys.path.remove(folder)


@pytest.fixture(scope="module")
def film() -> np.ndarray:
    return np.random.default_rng(5).integers(60, 180, (400, 320)).astype(np.uint8)


@pytest.mark.parametrize("kind", ["patch, flat", "patch, blurred", "patch, other texture", "head-holder", "text"])
def test_an_alteration_covers_its_targets_and_is_the_same_again(film, kind) -> None:
    from planting import SITES, plant

    before = film.copy()
    altered, shift, targets = plant(film, POINTS_PX, kind, MM, np.random.default_rng(3))
    again, _, _ = plant(film, POINTS_PX, kind, MM, np.random.default_rng(3))
    assert (film == before).all()
    assert (altered == again).all()
    assert len(set(targets)) == SITES
    assert shift == (0, 0)
    changed = altered != film
    for id in targets:
        x, y = np.rint(POINTS_PX[id]).astype(int)
        reach = round(6.0 / MM)
        assert changed[y - reach : y + reach, x - reach : x + reach].mean() > 0.2, id


def test_a_cut_takes_the_point_away_and_says_how_far_the_film_moved(film) -> None:
    from planting import CLEAR_MM, plant

    for seed in range(8):
        altered, shift, (target,) = plant(film, POINTS_PX, "cut off", MM, np.random.default_rng(seed))
        height, width = altered.shape
        x, y = np.subtract(POINTS_PX[target], shift)
        outside = max(-x, -y, x - (width - 1), y - (height - 1)) * MM
        assert outside == pytest.approx(CLEAR_MM, abs=1.0)
        assert (altered == film[shift[1] : shift[1] + height, shift[0] : shift[0] + width]).all()
        black, _, _ = plant(film, POINTS_PX, "collimated", MM, np.random.default_rng(seed))
        assert black.shape == film.shape
        assert (black == 0).any()


def test_a_copy_of_the_surroundings_lies_elsewhere(film) -> None:
    from planting import KINDS

    place = np.array([160.0, 200.0])
    altered, _ = KINDS["copied elsewhere"](film, place, MM, np.random.default_rng(2))
    piece = film[196:205, 156:165]
    found = [
        (x, y)
        for y in range(20, 370)
        for x in range(20, 290)
        if altered[y, x] == piece[0, 0] and (altered[y : y + 9, x : x + 9] == piece).all()
    ]
    assert len(found) == 1
    assert 12.0 <= np.hypot(found[0][0] - 156, found[0][1] - 196) * MM <= 41.0


def test_points_are_counted_by_what_happened_to_them() -> None:
    from gross_errors import PLAIN, Tally

    from cephstd.inference.gate import Gate

    ids = ("S", "N", "Pog", "Go")
    canvas = [list(POINTS_PX[id]) for id in ids]

    def row(kind, error, score, inside=(True, True, True, True)):
        return {"film": "1", "kind": kind, "canvas_px": canvas, "error_mm": error, "score": score, "inside": inside}

    rows = [
        # Go was 5 mm off before: what happens to it later was not planted.
        row(PLAIN, [1.0, 1.5, 7.5, 5.0], [0.9, 0.2, 0.9, 0.9]),
        row("text", [50.0, 2.0, 90.0, 30.0], [0.1, 0.1, 0.9, 0.9]),
        row("cut off", [50.0, 60.0, 1.0, 1.0], [0.9, 0.9, 0.1, 0.9], (True, False, True, True)),
    ]
    tally = Tally(rows, Gate(ids, min_score=0.5))
    facts = tally.facts
    assert facts["planted"] == 2, "S in the text, S after the cut; Pog was no good before, N is outside"
    assert facts["withheld_of_planted"] == 50.0
    assert facts["kinds"]["text"] == {"planted": 1, "withheld": 100.0, "for_score": 100.0, "for_shape": 0.0}
    assert facts["kinds"]["cut off"]["withheld"] == 0.0
    assert facts["kinds"]["head-holder"] == {"planted": 0, "withheld": None, "for_score": None, "for_shape": None}
    assert (facts["plain_points"], facts["withheld_of_all"]) == (4, 25.0)
    assert (facts["plain_points_within_2mm"], facts["withheld_within_2mm"]) == (2, 50.0)
    assert tally.left == [("1", "Pog", 7.5)]
