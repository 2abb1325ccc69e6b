from __future__ import annotations

import math

import msgspec
import pytest

from cephstd.core.digest import digest_value
from cephstd.core.image import Calibration, Device, Quality, Source, ViewVerdict
from cephstd.core.interpretation import Interpretation, RuleOutcome
from cephstd.core.landmarks import Landmark, absent_landmark, place_landmark
from cephstd.core.measures import Measure
from cephstd.core.recipe import Recipe
from cephstd.core.record import Content, NormalizedFacts
from cephstd.core.steps import Affine, FlipX, Window
from cephstd.pipeline.comparer import Difference, Tolerances, compare_classes, compare_contents

replace = msgspec.structs.replace
DIGEST = "sha256:" + "0" * 64
POINT = place_landmark("S", 100, 200, state="detected", score=0.9, covariance_px2=[[4, 1], [1, 2]])
ANGLE = Measure(id="SNA", definition_version=1, unit="deg", value=82.0, sd=1.0)
CONTENT = Content(
    source=Source(
        format="png", file_sha256=DIGEST, pixel_sha256=DIGEST, decoder="x", width_px=500, height_px=400, bits=8
    ),
    device=Device(),
    calibration=Calibration(basis="geometry", row_mm=0.1, column_mm=0.1),
    normalized=NormalizedFacts(
        source_width_px=500,
        source_height_px=400,
        steps=(FlipX(), Affine(row_x=(1, 0, 0), row_y=(0, 1, 0), width=500, height=400)),
        pixel_sha256=DIGEST,
        spacing_mm=0.1,
        quality=Quality(verdict="diagnostic"),
    ),
    model=None,
    scheme="custom",
    landmarks=(POINT, absent_landmark("Ba", "hidden")),
    analysis="all",
    measures=(ANGLE, Measure(id="S_N", definition_version=1, unit="mm", reason="missing: N")),
    recipe=Recipe(),
    recipe_digest=digest_value(Recipe()),
)


def differences(**changes: object) -> tuple[Difference, ...]:
    return compare_contents(CONTENT, replace(CONTENT, **changes), Tolerances())


def with_point(mark: Landmark) -> tuple[Difference, ...]:
    return differences(landmarks=(mark, CONTENT.landmarks[1]))


def with_measure(measure: Measure) -> tuple[Difference, ...]:
    return differences(measures=(measure, CONTENT.measures[1]))


def test_same_content_has_no_difference():
    assert differences() == ()


@pytest.mark.parametrize(("shift", "exceeds"), [((0.03, 0.03), False), ((0.04, 0.04), True), ((0.0, -0.06), True)])
def test_landmark_may_lie_a_twentieth_of_a_pixel_away(shift, exceeds):
    (found,) = with_point(replace(POINT, x_px=100 + shift[0], y_px=200 + shift[1]))
    assert (found.subject, found.quantity, found.unit) == ("landmark S", "position", "px")
    assert found.amount == pytest.approx(math.hypot(*shift))
    assert found.exceeds is exceeds


@pytest.mark.parametrize(("unit", "allowed"), [("deg", 0.02), ("mm", 0.02), ("%", 0.05), ("ratio", 0.001)])
def test_each_unit_has_its_tolerance(unit, allowed):
    before = replace(CONTENT, measures=(replace(ANGLE, unit=unit),))
    for share, exceeds in ((0.9, False), (1.1, True)):
        moved = replace(CONTENT, measures=(replace(ANGLE, unit=unit, value=82.0 + share * allowed),))
        (found,) = compare_contents(before, moved, Tolerances())
        assert found.exceeds is exceeds
        assert found.unit == unit


def test_angles_meet_at_the_full_turn():
    before = replace(CONTENT, measures=(replace(ANGLE, value=-179.995),))
    after = replace(CONTENT, measures=(replace(ANGLE, value=179.995),))
    (found,) = compare_contents(before, after, Tolerances())
    assert found.amount == pytest.approx(0.01)
    assert not found.exceeds


@pytest.mark.parametrize(
    "mark",
    [
        absent_landmark("S", "low_confidence", score=0.9),
        replace(POINT, state="moved"),
        replace(POINT, review="provisional"),
        replace(POINT, reason="other"),
        replace(POINT, score=0.8),
        replace(POINT, score=None),
        replace(POINT, cov_xx=5.0),
        replace(POINT, cov_xx=None, cov_xy=None, cov_yy=None),
        replace(POINT, id="N"),
    ],
    ids=str,
)
def test_landmark_that_differs_in_kind(mark):
    assert any(found.exceeds for found in with_point(mark))


def test_covariance_may_differ_by_a_share_of_its_trace():
    (found,) = with_point(replace(POINT, cov_xy=1.2))
    assert not found.exceeds


@pytest.mark.parametrize(
    "measure",
    [
        Measure(id="SNA", definition_version=1, unit="deg", reason="missing: A"),
        replace(ANGLE, sd=None),
        replace(ANGLE, sd=1.5),
        replace(ANGLE, provisional=True),
        replace(ANGLE, definition_version=2),
        replace(ANGLE, unit="ratio"),
        replace(ANGLE, id="SNB"),
    ],
    ids=str,
)
def test_measure_that_differs_in_kind(measure):
    assert any(found.exceeds for found in with_measure(measure))


def test_reason_of_an_absence_is_compared():
    other = replace(CONTENT.measures[1], reason="not calibrated")
    (found,) = differences(measures=(ANGLE, other))
    assert str(found) == "measure S_N, reason: recorded missing: N, found not calibrated"


def test_difference_is_said_with_both_sides_its_amount_and_what_is_allowed():
    (found,) = with_measure(replace(ANGLE, value=82.5))
    assert str(found) == "measure SNA, value: recorded 82, found 82.5, differs by 0.5 deg (allowed 0.02)"


@pytest.mark.parametrize(
    "calibration",
    [
        Calibration(basis="user_stated", row_mm=0.1, column_mm=0.1),
        Calibration(basis="geometry", row_mm=0.1001, column_mm=0.1),
        Calibration(basis="geometry", row_mm=0.1, column_mm=0.1, relative_sd=0.01),
        Calibration(basis="undetermined"),
    ],
    ids=str,
)
def test_other_scale_is_no_small_thing(calibration):
    assert any(found.exceeds for found in differences(calibration=calibration))


def test_standard_image_is_compared_by_where_its_corners_come_from():
    def moved(by: float) -> NormalizedFacts:
        shifted = Affine(row_x=(1, 0, by), row_y=(0, 1, 0), width=500, height=400)
        return replace(CONTENT.normalized, steps=(FlipX(), shifted))

    (near,) = differences(normalized=moved(0.01))
    (far,) = differences(normalized=moved(0.1))
    assert not near.exceeds
    assert far.exceeds


@pytest.mark.parametrize(
    "facts",
    [
        replace(CONTENT.normalized, steps=()),
        replace(CONTENT.normalized, steps=(*CONTENT.normalized.steps, Window(low=0, high=1, method="q"))),
        replace(CONTENT.normalized, quality=Quality(verdict="limited")),
    ],
)
def test_other_steps_or_another_verdict(facts):
    assert [found.exceeds for found in differences(normalized=facts)] == [True]


@pytest.mark.parametrize(
    ("changes", "exceeds"),
    [({"score": 0.9955}, [False]), ({"facing": "left"}, [True]), ({"accepted": False, "score": 0.4}, [True, True])],
)
def test_a_view_that_is_seen_otherwise_is_a_difference(changes, exceeds):
    seen = ViewVerdict(
        viewer="v 1",
        weights_sha256=DIGEST,
        accepted=True,
        score=0.999,
        threshold=0.9,
        facing="right",
        quarters=0,
        pose_score=1.0,
        inverted=False,
        inverted_score=0.0,
    )
    recorded, found = (
        replace(CONTENT, normalized=replace(CONTENT.normalized, view=view)) for view in (seen, replace(seen, **changes))
    )
    assert [one.exceeds for one in compare_contents(recorded, found, Tolerances())] == exceeds


def outcome(rule: str, label: str | None, probability: float | None = None, reason: str = "") -> RuleOutcome:
    return RuleOutcome(rule=rule, version="1", measure="ANB", label=label, probability=probability, reason=reason)


def test_classes_that_changed_came_or_went_are_told_with_their_probability() -> None:
    before = Interpretation(outcomes=(outcome("a", "I", 0.75), outcome("b", "I", 0.6), outcome("c", "II", 0.9)))
    after = Interpretation(
        outcomes=(
            outcome("a", "II", 0.5),
            outcome("b", "I", 0.9),
            outcome("c", None, reason="absent"),
            outcome("d", "x"),
        )
    )
    found = compare_classes(before, after)
    told = [(item.subject, item.quantity, item.recorded, item.found) for item in found]
    assert told == [
        ("class a", "class", "I", "II"),
        ("class a", "probability", "0.75", "0.5"),
        ("class c", "class", "II", "none (absent)"),
        ("class c", "probability", "0.9", "absent"),
        ("class d", "class", "rule not applied", "x"),
    ]
    assert found[1].size == 0.25
    assert compare_classes(before, before) == ()
