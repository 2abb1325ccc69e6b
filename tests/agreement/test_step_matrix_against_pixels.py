"""Each step's matrix against what its pixels really do: a blob is moved and found again."""

from __future__ import annotations

import numpy as np
import pytest

from cephstd.core.steps import Affine, AnyStep, Chain, Crop, FlipX, Invert, Resize, Tone, Turn, Window
from cephstd.imaging.operations import apply_chain, apply_step

SIZE = (97, 64)
TOLERANCE_PX = 0.02
TILT = np.deg2rad(8.0)

STEPS: dict[str, AnyStep] = {
    "flip_x": FlipX(),
    "turn_1": Turn(quarters=1),
    "turn_2": Turn(quarters=2),
    "turn_3": Turn(quarters=3),
    "turn_minus_1": Turn(quarters=-1),
    "crop_inside": Crop(left=11, top=7, width=70, height=50),
    "crop_past_border": Crop(left=-9, top=-5, width=130, height=90),
    "shrink_by_fraction": Resize(width=61, height=40),
    "shrink_by_integer": Resize(width=97, height=32),
    "grow": Resize(width=201, height=150),
    "grow_and_shrink": Resize(width=150, height=41),
    "rotate": Affine(
        row_x=(float(np.cos(TILT)), float(-np.sin(TILT)), 8.25),
        row_y=(float(np.sin(TILT)), float(np.cos(TILT)), -3.5),
        width=110,
        height=80,
    ),
    "affine_shrink": Affine(row_x=(0.6, 0.05, 3.0), row_y=(-0.04, 0.5, 5.0), width=70, height=45),
    "affine_grow": Affine(row_x=(1.7, 0.0, -10.3), row_y=(0.0, 1.6, 2.2), width=180, height=120),
    "window": Window(low=0.0, high=60000.0, method="test"),
    "tone": Tone(odds=2.0, method="test"),
    "invert": Invert(),
}


def draw_blob(x: float, y: float, dtype: type, sigma: float = 3.0) -> np.ndarray:
    rows, columns = np.mgrid[: SIZE[1], : SIZE[0]]
    blob = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2))
    return np.rint(blob * 0.9 * np.iinfo(dtype).max).astype(dtype)


def find_blob(pixels: np.ndarray) -> np.ndarray:
    # Subtracted, not cut off: a hard edge would move the centroid by whole pixels' worth of rounding.
    weights = np.clip(pixels - 0.02 * pixels.max(), 0.0, None)
    rows, columns = np.mgrid[: pixels.shape[0], : pixels.shape[1]]
    return np.array([(weights * columns).sum(), (weights * rows).sum()]) / weights.sum()


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_blob_lands_where_the_matrix_says(name: str, dtype: type, rng: np.random.Generator) -> None:
    step = STEPS[name]
    chain = Chain(source_size=SIZE, steps=(step,))
    tolerance = TOLERANCE_PX * max(1.0, np.sqrt(abs(np.linalg.det(chain.matrix))))
    for x, y in rng.uniform((30.0, 25.0), (62.0, 42.0), size=(4, 2)):
        moved = apply_step(draw_blob(x, y, dtype), step)
        assert (moved.shape[1], moved.shape[0]) == step.out_size(SIZE)
        bright = np.iinfo(moved.dtype).max - moved if isinstance(step, Invert) else moved
        assert find_blob(bright) == pytest.approx(chain.forward([[x, y]])[0], abs=tolerance)


def test_blob_lands_where_a_whole_chain_says(rng: np.random.Generator) -> None:
    names = ["flip_x", "turn_1", "crop_past_border", "window", "rotate", "grow"]
    chain = Chain(source_size=SIZE, steps=tuple(STEPS[name] for name in names))
    for x, y in rng.uniform((35.0, 28.0), (55.0, 38.0), size=(4, 2)):
        moved = apply_chain(draw_blob(x, y, np.uint16), chain)
        assert (moved.shape[1], moved.shape[0]) == chain.size
        scale = np.sqrt(abs(np.linalg.det(chain.matrix)))
        assert find_blob(moved) == pytest.approx(chain.forward([[x, y]])[0], abs=TOLERANCE_PX * scale)
