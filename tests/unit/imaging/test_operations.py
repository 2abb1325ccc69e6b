from __future__ import annotations

import numpy as np
import pytest

from cephstd.core.steps import Affine, Chain, Crop, FlipX, Invert, Resize, Window
from cephstd.errors import InputError
from cephstd.imaging.operations import apply_chain, apply_step

RAMP = np.arange(12, dtype=np.uint8).reshape(3, 4)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_window_clips_and_spans_the_full_range(dtype: type) -> None:
    out = apply_step(np.array([[0, 50, 100, 150, 200, 255]], dtype=dtype), Window(low=50, high=200, method="test"))
    assert out.dtype == np.uint16
    assert out.tolist() == [[0, 0, 21845, 43690, 65535, 65535]]


def test_invert_twice_is_identity() -> None:
    once = apply_step(RAMP, Invert())
    assert once[0, 0] == 255
    assert (apply_step(once, Invert()) == RAMP).all()


def test_crop_past_the_border_is_black() -> None:
    out = apply_step(RAMP + 1, Crop(left=-1, top=2, width=3, height=3))
    assert out.tolist() == [[0, 9, 10], [0, 0, 0], [0, 0, 0]]


def test_crop_past_every_border_keeps_the_whole_film() -> None:
    out = apply_step(RAMP + 1, Crop(left=-2, top=-1, width=9, height=8))
    assert (out == np.pad(RAMP + 1, ((1, 4), (2, 3)))).all()


def test_crop_off_the_film_is_all_black() -> None:
    assert not apply_step(RAMP + 1, Crop(left=50, top=0, width=2, height=2)).any()


def test_shrink_keeps_the_mean_and_does_not_alias(rng: np.random.Generator) -> None:
    noise = rng.integers(0, 256, (300, 400)).astype(np.uint8)
    for step in (Resize(width=100, height=75), Affine(row_x=(0.25, 0, 0), row_y=(0, 0.25, 0), width=99, height=74)):
        out = apply_step(noise, step)
        assert out.mean() == pytest.approx(noise.mean(), abs=1.5)
        assert out.std() < 0.5 * noise.std()


def test_source_is_left_unchanged() -> None:
    before = RAMP.copy()
    apply_chain(RAMP, Chain(source_size=(4, 3), steps=(FlipX(), Invert(), Resize(width=9, height=9))))
    assert (before == RAMP).all()


def test_empty_chain_copies_nothing() -> None:
    assert apply_chain(RAMP, Chain(source_size=(4, 3))) is RAMP


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (Resize(width=0, height=4), "leaves an image"),
        (Crop(left=0, top=0, width=-2, height=4), "leaves an image"),
        (Window(low=3.0, high=3.0, method="test"), "high above low"),
        (Affine(row_x=(1, 1, 0), row_y=(1, 1, 0), width=4, height=4), "undone"),
    ],
)
def test_impossible_step_is_refused(step: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        apply_step(RAMP, step)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "bad", [RAMP.astype(np.float32), RAMP[0], np.zeros((0, 4), np.uint8), np.zeros((2, 2, 3), np.uint8)]
)
def test_what_is_no_grey_image_is_refused(bad: np.ndarray) -> None:
    with pytest.raises(InputError, match="grey"):
        apply_step(bad, FlipX())


def test_chain_of_another_film_is_refused() -> None:
    with pytest.raises(InputError, match="chain starts from"):
        apply_chain(RAMP, Chain(source_size=(3, 4)))
