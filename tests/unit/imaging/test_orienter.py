from __future__ import annotations

import numpy as np
import pytest

from cephstd.core.image import ViewVerdict
from cephstd.core.steps import Chain, FlipX
from cephstd.imaging.operations import apply_chain, apply_step
from cephstd.imaging.orienter import judge_polarity, orient, settle_pose
from cephstd.imaging.phantom import draw_phantom
from cephstd.imaging.preview import shrink_film

# A film whose right edge is anterior and whose lower edge is caudal; anterior = 1 marks, caudal = 2.
STANDARD = np.array([[0, 0, 1], [0, 0, 1], [2, 2, 9]], dtype=np.uint8)
VARIANTS = {
    "A\\F": STANDARD,
    "P\\F": STANDARD[:, ::-1],
    "A\\H": STANDARD[::-1],
    "P\\H": STANDARD[::-1, ::-1],
    "F\\A": STANDARD.T,
    "H\\A": STANDARD.T[:, ::-1],
    "F\\P": STANDARD.T[::-1],
    "H\\P": STANDARD.T[::-1, ::-1],
}


@pytest.mark.parametrize("stated", VARIANTS)
def test_every_lateral_orientation_comes_to_face_right(stated: str) -> None:
    film = np.ascontiguousarray(VARIANTS[stated])
    steps, warning = orient(stated)
    assert (apply_chain(film, Chain(source_size=(3, 3), steps=steps)) == STANDARD).all()
    assert warning == ""
    assert len(steps) <= 2


def test_the_main_letter_decides() -> None:
    assert orient("PF\\FA") == orient("P\\F")


def test_silence_is_no_warning() -> None:
    assert orient(" ") == ((), "")


@pytest.mark.parametrize(
    ("stated", "words"), [("L\\F", "frontal"), ("A\\P", "no lateral"), ("A", "no lateral"), ("X\\Y", "no lateral")]
)
def test_what_is_no_lateral_view_is_left_and_reported(stated: str, words: str) -> None:
    steps, warning = orient(stated)
    assert steps == ()
    assert words in warning


def test_polarity_is_read_from_the_outlines() -> None:
    pixels = draw_phantom(np.random.default_rng(4), (484, 600), 0.4).pixels
    bright, dark = (judge_polarity(shrink_film(film)) for film in (pixels, 65535 - pixels))
    assert (bright.bone, dark.bone) == ("bright", "dark")
    assert dark.skew == pytest.approx(-bright.skew, abs=0.05)


def test_polarity_of_nothing_is_unsure() -> None:
    assert judge_polarity(shrink_film(np.full((90, 80), 7, np.uint8))).bone == "unsure"


@pytest.mark.films
def test_no_real_film_is_taken_for_inverted(shared_data) -> None:
    import cv2

    for path in sorted((shared_data / "isbi2015" / "images").glob("1[0-9]5.jpg")):
        pixels = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        assert judge_polarity(shrink_film(pixels)).bone != "dark", path.stem
        assert judge_polarity(shrink_film(255 - pixels)).bone != "bright", path.stem


def verdict(facing="left", quarters=1, pose_score=0.99, accepted=True):
    return ViewVerdict(
        viewer="v 1",
        weights_sha256="",
        accepted=accepted,
        score=0.99,
        threshold=0.9,
        facing=facing,
        quarters=quarters,
        pose_score=pose_score,
        inverted=False,
        inverted_score=0.01,
    )


@pytest.mark.parametrize("facing", ["right", "left"])
@pytest.mark.parametrize("quarters", range(4))
def test_a_seen_pose_is_undone(facing, quarters):
    grid = np.arange(15, dtype=np.uint8).reshape(3, 5)
    posed = np.ascontiguousarray(np.rot90(grid[:, ::-1] if facing == "left" else grid, quarters))
    steps, warning = settle_pose("", verdict(facing, quarters))
    for step in steps:
        posed = apply_step(posed, step)
    assert np.array_equal(posed, grid)
    assert warning == ""


def test_an_image_that_is_sure_overrules_the_file_and_says_so():
    steps, warning = settle_pose("A\\F", verdict("left", 0))
    assert steps == (FlipX(),)
    assert "image was followed" in warning
    assert settle_pose("A\\F", verdict("left", 0, pose_score=0.6)) == ((), "")
    assert settle_pose("P\\F", verdict("left", 0)) == ((FlipX(),), "")
