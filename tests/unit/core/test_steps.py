from __future__ import annotations

import json

import msgspec
import numpy as np
import pytest

from cephstd.core.steps import Affine, AnyStep, Chain, Crop, FlipX, Invert, Resize, Tone, Turn, Window
from cephstd.errors import InputError

SIZE = (100, 60)
STEPS: tuple[AnyStep, ...] = (
    FlipX(),
    Turn(quarters=1),
    Turn(quarters=2),
    Turn(quarters=3),
    Crop(left=-3, top=7, width=50, height=40),
    Resize(width=33, height=90),
    Affine(row_x=(0.9, -0.1, 4.0), row_y=(0.1, 0.9, -2.0), width=80, height=70),
    Invert(),
    Window(low=3.0, high=250.0, method="quantile"),
    Tone(odds=1.4, method="median"),
)


def marked(x: int, y: int) -> np.ndarray:
    image = np.zeros((SIZE[1], SIZE[0]), dtype=np.uint8)
    image[y, x] = 255
    return image


def place(image: np.ndarray) -> tuple[int, int]:
    y, x = np.unravel_index(image.argmax(), image.shape)
    return int(x), int(y)


@pytest.mark.parametrize("quarters", [0, 1, 2, 3, 4, -1])
def test_turn_follows_numpy(quarters):
    image = np.rot90(marked(20, 10), quarters)
    chain = Chain(source_size=SIZE, steps=(Turn(quarters=quarters),))
    assert chain.size == (image.shape[1], image.shape[0])
    assert np.allclose(chain.forward([[20, 10]]), [place(image)])


def test_flip_follows_numpy():
    chain = Chain(source_size=SIZE, steps=(FlipX(),))
    assert np.allclose(chain.forward([[20, 10]]), [place(marked(20, 10)[:, ::-1])])


def test_resize_moves_centres_not_corners():
    chain = Chain(source_size=SIZE, steps=(Resize(width=50, height=30),))
    # the centre of the first 2 x 2 block lies at (0.5, 0.5) and becomes the centre of the first pixel
    assert np.allclose(chain.forward([[0.5, 0.5], [98.5, 58.5]]), [[0, 0], [49, 29]])


def test_steps_compose_in_their_order():
    flip, crop = FlipX(), Crop(left=10, top=0, width=90, height=60)
    first = Chain(source_size=SIZE).then(flip, crop).forward([[0, 0]])
    second = Chain(source_size=SIZE).then(crop).then(flip).forward([[0, 0]])
    assert np.allclose(first, [[89, 0]])
    assert np.allclose(second, [[99, 0]])


@pytest.mark.parametrize("step", STEPS, ids=lambda step: type(step).__name__)
def test_inverse_undoes_forward(step, rng):
    chain = Chain(source_size=SIZE, steps=(FlipX(), step))
    points = rng.uniform(0, 60, size=(5, 2))
    assert np.allclose(chain.inverse(chain.forward(points)), points, atol=1e-9)


def test_covariance_comes_back_in_source_pixels():
    chain = Chain(source_size=SIZE, steps=(Turn(quarters=1), Resize(width=30, height=50)))
    in_image = np.array([[[1.0, 0.0], [0.0, 4.0]]])
    # half the size: twice the sd; a quarter turn exchanges the axes
    assert np.allclose(chain.inverse_covariance(in_image), [[[16.0, 0.0], [0.0, 4.0]]])


@pytest.mark.parametrize("step", STEPS, ids=lambda step: type(step).__name__)
def test_step_reads_back_from_json(step):
    plain = json.loads(msgspec.json.encode(step))
    assert msgspec.convert(plain, AnyStep) == step
    assert "step" in plain


def test_unknown_step_is_refused():
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"step": "swirl"}, AnyStep)


@pytest.mark.parametrize("points", [[[1.0, np.nan]], [[1.0, 2.0, 3.0]], [1.0, 2.0]])
def test_points_of_another_shape_or_not_finite_are_refused(points):
    with pytest.raises(InputError):
        Chain(source_size=SIZE).forward(points)
